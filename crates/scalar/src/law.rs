//! Initial laws of weights, and the roles that fix how an optimizer treats them.

use crate::Function;

/// How a weight is drawn before training: an expression evaluated for each element.
///
/// `C` is the type of constants: symbolic sizes in a design, plain numbers once a scale is fixed.
#[derive(Clone, Debug, PartialEq)]
pub enum Law<C> {
    /// The same constant everywhere.
    Const(C),
    /// The index of the element along the dimension of that number, from 0, in storage order.
    Index(usize),
    /// The number of the block that owns the weight, from 0.
    Layer,
    /// A draw from the uniform distribution on `[low, high)`.
    Uniform(Box<Law<C>>, Box<Law<C>>),
    /// A draw from the normal distribution of mean 0 with that standard deviation.
    Normal(Box<Law<C>>),
    /// A scalar function of other laws.
    Map(Function, Vec<Law<C>>),
}

impl<C> Law<C> {
    /// The law with every constant replaced; the first failure is returned.
    pub fn try_map<D, E>(&self, f: &mut impl FnMut(&C) -> Result<D, E>) -> Result<Law<D>, E> {
        Ok(match self {
            Law::Const(c) => Law::Const(f(c)?),
            Law::Index(dimension) => Law::Index(*dimension),
            Law::Layer => Law::Layer,
            Law::Uniform(low, high) => Law::Uniform(Box::new(low.try_map(f)?), Box::new(high.try_map(f)?)),
            Law::Normal(deviation) => Law::Normal(Box::new(deviation.try_map(f)?)),
            Law::Map(function, args) => {
                Law::Map(*function, args.iter().map(|arg| arg.try_map(f)).collect::<Result<_, _>>()?)
            }
        })
    }
}

/// What a weight is for; it fixes the optimizer's decay group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// A matrix of a linear map: decayed.
    Matrix,
    /// A multiplicative gain: not decayed.
    Gain,
    /// An additive bias: not decayed.
    Bias,
    /// A parameter of a decay or time step: not decayed.
    Decay,
    /// A table of embeddings: decayed.
    Embedding,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] = [Role::Matrix, Role::Gain, Role::Bias, Role::Decay, Role::Embedding];

    /// The name written behind `@`.
    pub fn name(self) -> &'static str {
        match self {
            Role::Matrix => "matrix",
            Role::Gain => "gain",
            Role::Bias => "bias",
            Role::Decay => "decay",
            Role::Embedding => "embedding",
        }
    }

    /// The role of that name.
    pub fn from_name(name: &str) -> Option<Role> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether weight decay applies.
    pub fn is_decayed(self) -> bool {
        matches!(self, Role::Matrix | Role::Embedding)
    }
}
