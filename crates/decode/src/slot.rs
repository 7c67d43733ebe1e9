//! One place of the state.

use std::fmt;

use genesys_axis::{Size, SizeError};
use genesys_ir::module::AxisId;

/// What is kept, and of how many positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What a state of a scan holds: one value. Before the first token it is the initial one, which needs no room.
    State,
    /// The latest values that a `shift`, a `window` or a `pool` reaches back to: at most so many.
    Recent(Size),
    /// The latest values that a past of bounded reach will see again: at most so many, `window + skip - 1`.
    Bounded(Size),
    /// Of a `pool` the mean over the last completed block, and the sum over the one that has begun: two values.
    Pooled,
    /// Every value so far: a past without a bound, or blocks.
    Growing,
}

/// A place of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The path of the call, and the name of the state or of the nearest weight that the value is made with:
    /// `blocks.3.attention.k`. Unique among the slots of a module.
    pub name: String,
    /// What is kept.
    pub kind: Kind,
    /// The axes of one value.
    pub axes: Vec<AxisId>,
    /// Numbers in one value: the product of the axes' sizes.
    pub numbers: Size,
}

impl Slot {
    /// How many values are kept after `tokens` tokens of one row.
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn values(&self, tokens: &Size) -> Result<Size, SizeError> {
        match &self.kind {
            Kind::State => Ok(Size::int(1)),
            Kind::Pooled => Ok(Size::int(2)),
            Kind::Recent(most) | Kind::Bounded(most) => tokens.smaller(most),
            Kind::Growing => Ok(tokens.clone()),
        }
    }

    /// Bytes after `tokens` tokens of one row, at `bytes` a number. Of [`Size::int`] it is a number; of a symbol, `T`, a
    /// formula.
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn bytes(&self, tokens: &Size, bytes: i64) -> Result<Size, SizeError> {
        self.numbers.mul(&self.values(tokens)?)?.mul(&Size::int(bytes))
    }

    /// Bytes that stay the same however long a row gets: all of a state, and of what has a bound once that is reached.
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn fixed(&self, bytes: i64) -> Result<Size, SizeError> {
        let values = match &self.kind {
            Kind::State => Size::int(1),
            Kind::Pooled => Size::int(2),
            Kind::Recent(most) | Kind::Bounded(most) => most.clone(),
            Kind::Growing => Size::int(0),
        };
        self.numbers.mul(&values)?.mul(&Size::int(bytes))
    }

    /// Bytes that each further token adds, without end.
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn per_token(&self, bytes: i64) -> Result<Size, SizeError> {
        match &self.kind {
            Kind::State | Kind::Pooled | Kind::Recent(_) | Kind::Bounded(_) => Ok(Size::int(0)),
            Kind::Growing => self.numbers.mul(&Size::int(bytes)),
        }
    }

    /// The kind in one word: `state`, `last`, `window`, `pool`, `past`.
    pub fn word(&self) -> &'static str {
        match &self.kind {
            Kind::State => "state",
            Kind::Pooled => "pool",
            Kind::Recent(_) => "last",
            Kind::Bounded(_) => "window",
            Kind::Growing => "past",
        }
    }
}

impl fmt::Display for Slot {
    /// The name and the kind: `blocks.3.attention.k past`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.word())
    }
}
