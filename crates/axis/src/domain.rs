//! What an axis ranges over.

use crate::Size;

/// The index set of an axis, which for a dependent axis varies with the position `t`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// `0..size`, the same at every position.
    Static(Size),
    /// The positions `s` with `t - skip - window < s <= t - skip` and `s >= 0`.
    Past {
        /// How many positions are seen at most; `None` is all of them.
        window: Option<Size>,
        /// How many of the latest positions are left out; 0 includes `t` itself.
        skip: Size,
    },
    /// The completed blocks of so many positions: at `t` the numbers `b` with `(b + 1) size <= t + 1`.
    Blocks {
        /// How many positions a block holds.
        size: Size,
    },
}

impl Domain {
    /// Whether the index set varies with the position.
    pub fn is_dependent(&self) -> bool {
        match self {
            Domain::Static(_) => false,
            Domain::Past { .. } | Domain::Blocks { .. } => true,
        }
    }

    /// The size of a static axis.
    pub fn size(&self) -> Option<&Size> {
        match self {
            Domain::Static(size) => Some(size),
            Domain::Past { .. } | Domain::Blocks { .. } => None,
        }
    }
}
