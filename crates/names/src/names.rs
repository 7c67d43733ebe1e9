//! Declarations, and the mentions that stand for them.

use std::ops::Range;

use genesys_span::{FileId, Span};

use crate::reader::Reader;

/// What a name was declared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `unit Block`
    Unit,
    /// `design Gpt`
    Design,
    /// `<E = 64>`, `axis E = 64`
    Axis,
    /// `<A..>`
    Row,
    /// `<N: size = 2>`
    Size,
    /// `<F: unit>`
    UnitParameter,
    /// `(x: Seq[D])`
    Parameter,
    /// `-> (Seq[D], v1: Seq[E])`
    Result,
    /// `let q = ..`
    Let,
    /// `param gain: [D] = 1`
    Weight,
    /// `share f = Mlp`
    Shared,
    /// `scan S: [D] = 0`, `repeat 3 R: [D] = x`
    State,
    /// `repeat I < 3`
    Counter,
    /// `past[Near](x)`, `blocks[B, W](x)`: an axis that a view makes.
    Past,
}

impl Kind {
    /// Whether it stands between square brackets.
    pub fn is_axis(self) -> bool {
        matches!(self, Kind::Axis | Kind::Row | Kind::Past)
    }

    /// Whether it enters sizes.
    pub fn is_size(self) -> bool {
        matches!(self, Kind::Axis | Kind::Size | Kind::Counter)
    }

    /// Whether it is a value.
    pub fn is_value(self) -> bool {
        matches!(self, Kind::Parameter | Kind::Let | Kind::Weight | Kind::State)
    }

    /// Whether it is called.
    pub fn is_called(self) -> bool {
        matches!(self, Kind::Unit | Kind::UnitParameter | Kind::Shared)
    }

    /// Whether it is a static parameter, or may be one.
    pub(crate) fn is_static(self) -> bool {
        matches!(self, Kind::Axis | Kind::Row | Kind::Size | Kind::UnitParameter)
    }
}

/// A declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// The name.
    pub name: Span,
    /// What it is declared as.
    pub kind: Kind,
    /// What says so, as one would quote it: `let q: Seq[H]`, `param gain: [D] = 1 @gain`.
    pub head: Span,
    /// The unit it belongs to, by number of its declaration.
    pub unit: Option<usize>,
}

/// What a mention asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sort {
    /// The declared name itself.
    Declared,
    /// A unit, where only one may stand: in a stack, behind `use`.
    Unit,
    /// What is called: a unit, a primitive, something shared.
    Head,
    /// A value, or a size used as one.
    Value,
    /// An axis, a row or a size.
    Axis,
    /// The state that is updated.
    State,
    /// A static parameter of what is called: `E` in `F<E = 64>`.
    Static {
        /// What is called.
        of: String,
    },
    /// An option of what is called: `bias` in `linear[D -> E](x, bias = true)`.
    Option {
        /// What is called.
        of: String,
    },
    /// The label of a call: `norm1: RmsNorm(x)`.
    Label,
    /// A field of a design.
    Field,
    /// A role behind `@`.
    Role,
    /// A class of states behind `:`.
    Class,
}

impl Sort {
    /// Whether what it asks for may be a unit.
    pub fn asks_for_unit(&self) -> bool {
        matches!(self, Sort::Unit | Sort::Head | Sort::Value | Sort::Axis)
    }
}

/// A name where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where.
    pub span: Span,
    /// What it asks for.
    pub sort: Sort,
    /// The number of its declaration, where the text has one.
    pub declared: Option<usize>,
}

/// The names of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Declarations, those of a unit together.
    pub declarations: Vec<Declaration>,
    /// Mentions in the order of the text, declared names among them.
    pub mentions: Vec<Mention>,
}

impl Names {
    /// Reads a text, which lies in `file`.
    pub fn read(text: &str, file: FileId) -> Names {
        let mut reader = Reader::new(text, file);
        reader.items();
        reader.names()
    }

    /// The mention that an offset is in, or at the end of.
    pub fn at(&self, offset: u32) -> Option<&Mention> {
        let next = self.mentions.partition_point(|mention| mention.span.end < offset);
        self.mentions[next..].iter().take(2).rev().find(|mention| mention.span.start <= offset)
    }

    /// A declaration.
    pub fn declaration(&self, number: usize) -> &Declaration {
        &self.declarations[number]
    }

    /// The mentions of a declaration, itself among them.
    pub fn mentions_of(&self, number: usize) -> impl Iterator<Item = &Mention> {
        self.mentions.iter().filter(move |mention| mention.declared == Some(number))
    }

    /// The declarations that belong to a unit.
    pub fn within(&self, unit: usize) -> impl Iterator<Item = (usize, &Declaration)> {
        self.declarations.iter().enumerate().filter(move |(_, declaration)| declaration.unit == Some(unit))
    }

    /// The units, with their numbers.
    pub fn units(&self) -> impl Iterator<Item = (usize, &Declaration)> {
        self.declarations.iter().enumerate().filter(|(_, declaration)| declaration.kind == Kind::Unit)
    }

    /// The unit of that name; `text` is what the names were read from.
    pub fn unit(&self, text: &str, name: &str) -> Option<usize> {
        self.units().find(|(_, unit)| text.get(unit.name.range()) == Some(name)).map(|(number, _)| number)
    }

    /// The static parameters of a unit.
    pub fn statics(&self, unit: usize) -> impl Iterator<Item = (usize, &Declaration)> {
        let head = self.declaration(unit).head.range();
        let in_head = move |span: Range<usize>| head.start <= span.start && span.end <= head.end;
        self.within(unit).filter(move |(_, known)| known.kind.is_static() && in_head(known.name.range()))
    }
}
