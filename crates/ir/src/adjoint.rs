//! The operations that only adjoint functions have: transposes of those that read other positions, and sums over tokens.
//!
//! Each is linear in the cotangent it takes. What they give is right only when every position has been gone through, so
//! causality ends here: the validator lets none of them into a model.
//!
//! Not here: their adjoints. A backward pass is not differentiated again.

use genesys_axis::Size;

use crate::infer::{Result, Scope, dependent_last, real, union, without};
use crate::module::{AxisId, Direction, Dtype, Stage, Type, ValueId};

/// An operation of adjoint functions.
#[derive(Clone, Debug, PartialEq)]
pub enum Adjoint {
    /// `x -> Loss[axes of x]`: the sum over all items and positions.
    Total,
    /// `a, b -> Loss[union without axes]`: the sum of products over the axes and over all items and positions; lowers to the
    /// matrix product that gives the gradient of a weight.
    Contract {
        /// The axes contracted; both operands have them.
        axes: Vec<AxisId>,
    },
    /// `g, tokens -> Loss[axis, axes of g]`: at each token of the axis the sum of `g` over the positions that hold it.
    Gather {
        /// The axis that tokens count along.
        axis: AxisId,
    },
    /// `g, logits, targets -> Seq[axis]`: `g (softmax(logits) - [target])` over the number of targets that are not
    /// [`IGNORE`](crate::module::IGNORE), and 0 at those that are.
    CrossEntropy {
        /// The vocabulary.
        axis: AxisId,
    },
    /// `g, targets -> Seq[axes of g]`: `g` over the number of targets that are not [`IGNORE`](crate::module::IGNORE), and 0
    /// at those that are.
    MeanTokens,
    /// `x [, reset] -> axis removed`: in reverse the sum over `i` of element `n - 1 - i` of the axis at `t + i`, within the
    /// document.
    Window {
        /// The axis of the window.
        axis: AxisId,
        /// Which way.
        direction: Direction,
        /// Where documents start, if a row may hold several.
        reset: Option<ValueId>,
    },
    /// `x [, reset] -> same`: in reverse, at each position of a block, the sum over the positions that hold this block's mean,
    /// over the block's size.
    Pool {
        /// How many positions a block holds; `>= 1`.
        size: Size,
        /// Which way.
        direction: Direction,
        /// Where documents start, if a row may hold several.
        reset: Option<ValueId>,
    },
    /// `x -> axis removed`: at each position `s` the sum over the positions whose past holds `s` of the element there; in the
    /// axis's past-region only.
    View(AxisId),
    /// `x -> both axes removed`: at each position the sum over the positions that see its block of the element there; in the
    /// past-region of the blocks only.
    Blocks {
        /// The dependent axis of blocks.
        axis: AxisId,
        /// The static axis of positions within a block.
        within: AxisId,
    },
    /// `score, x -> union, from instead of to`: at each element that `Top` picks what `x` holds for it, and 0 at the others.
    Top {
        /// The axis picked from.
        from: AxisId,
        /// The axis of the picked elements.
        to: AxisId,
    },
    /// `x -> same`: at each position `s` of a past the sum over its positions before `s`; in order, as `Cumsum`.
    Before(AxisId),
}

impl Adjoint {
    /// Its name in the text, behind `adjoint`.
    pub fn name(&self) -> &'static str {
        match self {
            Adjoint::Total => "total",
            Adjoint::Contract { .. } => "contract",
            Adjoint::Gather { .. } => "gather",
            Adjoint::CrossEntropy { .. } => "cross_entropy",
            Adjoint::MeanTokens => "mean_tokens",
            Adjoint::Window { .. } => "window",
            Adjoint::Pool { .. } => "pool",
            Adjoint::View(_) => "view",
            Adjoint::Blocks { .. } => "blocks",
            Adjoint::Top { .. } => "top",
            Adjoint::Before(_) => "before",
        }
    }

    /// Whether a result takes part of every position, and so is complete only where the region ends that it stands in.
    pub fn gathers(&self) -> bool {
        match self {
            Adjoint::Total | Adjoint::Contract { .. } | Adjoint::Gather { .. } => true,
            Adjoint::View(_) | Adjoint::Blocks { .. } => true,
            Adjoint::CrossEntropy { .. } | Adjoint::MeanTokens | Adjoint::Top { .. } | Adjoint::Before(_) => false,
            Adjoint::Window { .. } | Adjoint::Pool { .. } => false,
        }
    }

    pub(crate) fn arity(&self) -> usize {
        match self {
            Adjoint::Total | Adjoint::Window { .. } | Adjoint::Pool { .. } | Adjoint::View(_) => 1,
            Adjoint::Blocks { .. } | Adjoint::Before(_) => 1,
            Adjoint::Contract { .. } | Adjoint::Gather { .. } | Adjoint::MeanTokens | Adjoint::Top { .. } => 2,
            Adjoint::CrossEntropy { .. } => 3,
        }
    }
}

/// The type of the result on operands of those types.
pub(crate) fn infer(scope: &Scope<'_>, op: &Adjoint, args: &[&Type]) -> Result<Type> {
    let x = args[0];
    if x.dtype != Dtype::Real {
        return Err("a cotangent is a real number".into());
    }
    match op {
        Adjoint::Total => {
            each(x)?;
            scope.fixed(&x.axes).map(|()| real(Stage::Loss, x.axes.clone()))
        }
        Adjoint::Contract { axes } => contract(scope, axes, x, args[1]),
        Adjoint::Gather { axis } => {
            each(x)?;
            tokens(args[1])?;
            scope.lacks(x, &[*axis])?;
            Ok(real(Stage::Loss, [axis].into_iter().chain(&x.axes).copied().collect()))
        }
        Adjoint::CrossEntropy { axis } => {
            tokens(args[2])?;
            let good = args[1].stage == Stage::Seq && args[1].dtype == Dtype::Real && args[1].axes == [*axis];
            if good && x.axes.is_empty() {
                once(x)?
            } else {
                return Err("a number and logits are expected".into());
            }
            Ok(args[1].clone())
        }
        Adjoint::MeanTokens => {
            tokens(args[1])?;
            once(x)?;
            scope.fixed(&x.axes).map(|()| real(Stage::Seq, x.axes.clone()))
        }
        Adjoint::Window { axis, .. } => {
            each(x)?;
            scope.fixed(&x.axes)?;
            scope.has(x, &[*axis]).map(|()| without(x, &[*axis]))
        }
        Adjoint::Pool { .. } => {
            each(x)?;
            scope.fixed(&x.axes).map(|()| x.clone())
        }
        Adjoint::View(axis) => {
            scope.positions(*axis)?;
            seen(scope, x, &[*axis])
        }
        Adjoint::Blocks { axis, within } => {
            scope.blocks(*axis)?;
            seen(scope, x, &[*axis, *within])
        }
        Adjoint::Top { from, to } => {
            scope.has(x, &[*from])?;
            scope.has(args[1], &[*to])?;
            let rest = union(scope, &[&without(args[1], &[*to]), &without(x, &[*from])]);
            scope.lacks(&rest, &[*from, *to])?;
            Ok(real(rest.stage, dependent_last(scope, rest.axes.iter().chain([from]).copied().collect())))
        }
        Adjoint::Before(axis) => {
            scope.dependent(*axis)?;
            scope.has(x, &[*axis]).map(|()| x.clone())
        }
    }
}

fn contract(scope: &Scope<'_>, axes: &[AxisId], a: &Type, b: &Type) -> Result<Type> {
    if b.dtype != Dtype::Real {
        return Err("operand 1 holds tokens; real numbers are expected".into());
    }
    each(if a.stage == Stage::Seq { a } else { b })?;
    scope.has(a, axes)?;
    scope.has(b, axes)?;
    let kept = union(scope, &[&without(a, axes), &without(b, axes)]).axes;
    scope.fixed(&kept).map(|()| real(Stage::Loss, kept))
}

/// What is summed over tokens varies over them.
fn each(ty: &Type) -> Result<()> {
    if ty.stage == Stage::Seq { Ok(()) } else { Err("a value of positions is expected".into()) }
}

/// A cotangent of a loss.
fn once(ty: &Type) -> Result<()> {
    let good = matches!(ty.stage, Stage::Const | Stage::Loss);
    if good { Ok(()) } else { Err("a value of the whole batch is expected".into()) }
}

fn tokens(ty: &Type) -> Result<()> {
    let good = ty.stage == Stage::Seq && ty.dtype == Dtype::Token && ty.axes.is_empty();
    if good { Ok(()) } else { Err("a sequence of tokens is expected".into()) }
}

/// What a past saw, summed to where it was seen: no other past is left.
fn seen(scope: &Scope<'_>, x: &Type, axes: &[AxisId]) -> Result<Type> {
    each(x)?;
    scope.has(x, axes)?;
    let rest = without(x, axes);
    scope.fixed(&rest.axes).map(|()| rest)
}
