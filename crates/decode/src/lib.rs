//! What decoding token by token has to keep: the state of a module's step form.
//!
//! In: a module of the IR, at a scale or symbolic in the width. Out: a [`Layout`], the ordered list of its [`Slot`]s, each
//! with a stable name, a kind, axes and bytes, the latter as numbers or as formulas in `D` and `T`.
//!
//! - [`slot`]: what is kept in one place.
//! - [`mod@layout`]: which places there are, and where in the module they belong.
//!
//! A value that is seen in several ways is kept once, as far back as the farthest one asks; one that is the same at every
//! position is not kept. Values are kept as the design names them: what could be computed again from less, as rotated keys
//! from keys, is not looked for.
//!
//! Not here: values. The runtime holds the tensors, and the interpreter has a memory of its own.

pub mod layout;
mod names;
pub mod slot;

pub use layout::{CallId, Layout, layout};
pub use slot::{Kind, Slot};

#[cfg(test)]
mod tests;
