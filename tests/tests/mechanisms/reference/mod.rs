//! The references: each mechanism as its paper has it, in plain loops over one item.

pub(crate) mod delta;
pub(crate) mod linear;
pub(crate) mod memory;
pub(crate) mod recurrent;
pub(crate) mod shell;
pub(crate) mod softmax;
pub(crate) mod sparse;
