//! Every unit that was ever checked, so that none is written twice: what it takes and gives, what it costs, where it
//! comes from, and what it was worth.
//!
//! Designs and drafts go in, in the order in which they came to be, with their parents; a [`Registry`] comes out, which is a pure
//! function of them. A draft is a text that the checker passed and that is no design, or none that takes part. A registry is asked for
//! the units that fit a hole ([`Registry::fitting`]) and for what each is credited with ([`Registry::credits`]).
//!
//! | file | holds |
//! | --- | --- |
//! | [`entry`] | what is known of a unit |
//! | [`registry`] | all of them, and where they come from |
//! | [`credit`] | what a unit was worth, by the steps of evolution in which it came or went |
//! | `fit` | which units fill a hole |
//! | [`diff`] | what a design has that its parents have not |
//!
//! Not here: reading runs and files, training, and ranking by meaning, which is for whoever has a text index or vectors.

pub mod credit;
pub mod diff;
pub mod entry;
mod fit;
pub mod registry;

pub use credit::Credit;
pub use diff::Diff;
pub use entry::{Entry, UnitKey};
pub use fit::Fit;
pub use registry::{Origin, Registry};

#[cfg(test)]
mod tests;
