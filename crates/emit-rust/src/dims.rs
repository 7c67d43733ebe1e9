//! What the dimensions of a tensor range over, and how operands are brought side by side.
//!
//! Every value of the IR has named axes, batch and time in no order. Here each has become a tensor whose dimensions stand
//! in an order that is known when the source is written, so that alignment is a few calls in it, or none. A dimension that
//! is absent stands for the same everywhere along it.

use std::collections::BTreeMap;

use genesys_axis::{Domain, Size};
use genesys_ir::module::{AxisId, Module};

use crate::code::{Code, tuple};
use crate::names::{Namer, snake};

/// How many items and positions are assumed where the larger of two operands is asked for.
const NOMINAL: (usize, usize) = (4, 256);

/// The most dimensions that candle takes as a tuple.
const TUPLE: usize = 6;

/// What a dimension ranges over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dim {
    /// Items.
    Batch,
    /// Positions.
    Time,
    /// An axis of the module.
    Axis(AxisId),
}

/// A tensor under construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Piece {
    /// How it is computed.
    pub(crate) code: Code,
    /// Its dimensions, outermost first.
    pub(crate) dims: Vec<Dim>,
    /// Whether it is known to be 0 outside of the pasts it ranges over.
    pub(crate) closed: bool,
}

/// An operand.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// The same number everywhere.
    Number(f64),
    /// A tensor.
    Tensor(Piece),
}

impl Piece {
    pub(crate) fn new(code: Code, dims: Vec<Dim>) -> Self {
        Self { code, dims, closed: false }
    }

    pub(crate) fn has(&self, dim: Dim) -> bool {
        self.dims.contains(&dim)
    }

    /// The place of a dimension that it has.
    pub(crate) fn place(&self, dim: Dim) -> usize {
        self.dims.iter().position(|d| *d == dim).expect("a dimension of the value")
    }

    /// The same dimensions behind one more call.
    pub(crate) fn then(self, method: &str, args: &str) -> Self {
        Self::new(self.code.then(method, args), self.dims)
    }

    /// One dimension under another name.
    pub(crate) fn renamed(self, from: Dim, to: Dim) -> Self {
        let dims = self.dims.iter().map(|d| if *d == from { to } else { *d }).collect();
        Self::new(self.code, dims)
    }

    /// The dimensions in that order, which holds just those there are.
    pub(crate) fn permuted(self, order: &[Dim]) -> Self {
        let moved: Vec<usize> = (0..order.len()).filter(|i| self.dims[*i] != order[*i]).collect();
        let code = match moved.as_slice() {
            [] => self.code,
            [a, b] => self.code.then("transpose", &format!("{a}, {b}")),
            _ => {
                let places: Vec<String> = order.iter().map(|d| self.place(*d).to_string()).collect();
                self.code.then("permute", &list(&places))
            }
        };
        Self { code, dims: order.to_vec(), closed: self.closed }
    }

    /// Without the dimensions that are not in `order`, in this order, and with dimensions of one element where inner ones
    /// are absent: what broadcasts against a tensor of that order.
    pub(crate) fn aligned(self, order: &[Dim]) -> Code {
        let present: Vec<Dim> = order.iter().copied().filter(|d| self.has(*d)).collect();
        let first = order.iter().position(|d| self.has(*d)).unwrap_or(order.len());
        let piece = self.permuted(&present);
        order[first..].iter().enumerate().fold(piece.code, |code, (i, dim)| {
            if present.contains(dim) { code } else { code.then("unsqueeze", &i.to_string()) }
        })
    }
}

/// A list of sizes or places as candle takes it.
pub(crate) fn list(parts: &[String]) -> String {
    match parts.len() {
        0 => "()".to_owned(),
        n if n > TUPLE => format!("vec![{}]", parts.join(", ")),
        _ => tuple(parts),
    }
}

/// A list of places as a slice.
pub(crate) fn slice(places: &[usize]) -> String {
    let places: Vec<String> = places.iter().map(ToString::to_string).collect();
    format!("&[{}]", places.join(", "))
}

/// The axes of a module as the source writes them.
#[derive(Clone, Debug)]
pub(crate) struct Axes<'a> {
    module: &'a Module,
    names: BTreeMap<AxisId, String>,
    letters: BTreeMap<AxisId, char>,
}

impl<'a> Axes<'a> {
    /// Names for all axes: constants, and letters for sums of products.
    pub(crate) fn new(module: &'a Module, namer: &mut Namer) -> Self {
        let (mut names, mut letters) = (BTreeMap::new(), BTreeMap::new());
        let mut taken = vec!['b', 't'];
        for (id, axis) in (0..).map(AxisId).zip(&module.axes) {
            if !axis.domain.is_dependent() {
                names.insert(id, namer.constant(&axis.name));
            }
            let letter = letter(&axis.name, axis.domain.is_dependent(), &taken);
            taken.push(letter);
            letters.insert(id, letter);
        }
        Self { module, names, letters }
    }

    /// The static axes: names and sizes.
    pub(crate) fn constants(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.names.iter().map(|(id, name)| (name.as_str(), self.module.axis(*id).name.as_str(), self.size(*id)))
    }

    /// The size of a static axis.
    pub(crate) fn size(&self, axis: AxisId) -> usize {
        plain(self.module.axis(axis).domain.size().expect("a static axis has a size"))
    }

    /// Whether an axis is dependent.
    pub(crate) fn is_dependent(&self, axis: AxisId) -> bool {
        self.module.axis(axis).domain.is_dependent()
    }

    /// What an axis ranges over.
    pub(crate) fn domain(&self, axis: AxisId) -> &Domain {
        &self.module.axis(axis).domain
    }

    /// The dependent axes among dimensions.
    pub(crate) fn dependent(&self, dims: &[Dim]) -> Vec<AxisId> {
        dims.iter()
            .filter_map(|dim| match dim {
                Dim::Axis(axis) if self.is_dependent(*axis) => Some(*axis),
                Dim::Axis(_) | Dim::Batch | Dim::Time => None,
            })
            .collect()
    }

    /// The name of an axis, for variables.
    pub(crate) fn stem(&self, axis: AxisId) -> String {
        snake(&self.module.axis(axis).name)
    }

    /// The size of a dimension, as an expression.
    pub(crate) fn extent(&self, dim: Dim) -> String {
        match dim {
            Dim::Batch => "b".to_owned(),
            Dim::Time => "t".to_owned(),
            Dim::Axis(axis) => match self.domain(axis) {
                Domain::Static(_) => self.names[&axis].clone(),
                Domain::Past { .. } => "t".to_owned(),
                Domain::Blocks { size } => format!("(t / {}).max(1)", plain(size)),
            },
        }
    }

    /// The sizes of dimensions, as candle takes them.
    pub(crate) fn shape(&self, dims: &[Dim]) -> String {
        list(&dims.iter().map(|dim| self.extent(*dim)).collect::<Vec<_>>())
    }

    /// The shape of a value for people: `[b, t, H]`.
    pub(crate) fn shown(&self, dims: &[Dim]) -> String {
        let shown = |dim: &Dim| match dim {
            // Batch and time have the short names.
            Dim::Axis(axis) if self.is_dependent(*axis) => match self.stem(*axis) {
                stem if matches!(stem.as_str(), "b" | "t") => format!("{stem}s"),
                stem => stem,
            },
            Dim::Batch | Dim::Time | Dim::Axis(_) => self.extent(*dim),
        };
        format!("[{}]", dims.iter().map(shown).collect::<Vec<_>>().join(", "))
    }

    /// The letter of a dimension in the spec of a sum of products.
    pub(crate) fn letter(&self, dim: Dim) -> char {
        match dim {
            Dim::Batch => 'b',
            Dim::Time => 't',
            Dim::Axis(axis) => self.letters[&axis],
        }
    }

    /// About how many elements a value of such dimensions has.
    pub(crate) fn elements(&self, dims: &[Dim]) -> usize {
        dims.iter()
            .map(|dim| match dim {
                Dim::Batch => NOMINAL.0,
                Dim::Time => NOMINAL.1,
                Dim::Axis(axis) if self.is_dependent(*axis) => NOMINAL.1,
                Dim::Axis(axis) => self.size(*axis),
            })
            .fold(1, usize::saturating_mul)
    }

    /// The dimensions of all values, those of the largest first, in its order.
    pub(crate) fn union(&self, all: &[&[Dim]]) -> Vec<Dim> {
        let mut sorted = all.to_vec();
        sorted.sort_by_key(|dims| std::cmp::Reverse(self.elements(dims)));
        let mut union: Vec<Dim> = Vec::new();
        for dim in sorted.into_iter().flatten() {
            if !union.contains(dim) {
                union.push(*dim);
            }
        }
        union
    }
}

/// A letter for an axis: that of its name, if it is free; positions that are looked back at are `s`.
fn letter(name: &str, is_dependent: bool, taken: &[char]) -> char {
    let own = name.chars().find(char::is_ascii_alphabetic).unwrap_or('a');
    let wishes = is_dependent.then_some('s').into_iter().chain([own.to_ascii_lowercase(), own.to_ascii_uppercase()]);
    let others = ('a'..='z').chain('A'..='Z').chain('\u{3b1}'..='\u{fff}');
    let mut free = wishes.chain(others).filter(|letter| letter.is_alphabetic() && !taken.contains(letter));
    free.next().expect("an axis more than there are letters")
}

/// A size of a specialized module.
pub(crate) fn plain(size: &Size) -> usize {
    size.eval(&|_| None).ok().and_then(|n| usize::try_from(n).ok()).expect("a specialized module has plain sizes")
}
