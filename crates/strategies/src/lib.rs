//! Property tests of operators: what to try them on, and the laws they are held to.
//!
//! In go designs, a [`Context`](genesys_genetic::Context) and an operator, the shipped ones or one of
//! your own; out comes a [`Tally`](genesys_genetic::Tally) of what was tried, or the smallest failure
//! that was found, with the text that breaks a law.
//!
//! - [`mod@strategy`]: proptest strategies. A [`Walk`] is a start and a chain of shipped operators,
//!   crossover among them; it shrinks to fewer steps from a smaller start.
//! - [`law`]: what must hold of every child, and [`Operator`], by which a function of yours is judged.
//! - [`mod@run`]: both together, with failures kept in a file.
//!
//! For tests only: nothing that ships depends on this crate, so that nothing that ships depends on
//! proptest. Not here: the operators (`genetic`), and whether what checks is causal (`tests`).

pub mod law;
pub mod run;
pub mod strategy;

pub use law::{Operator, Violation};
pub use run::{Failure, Plan, hold, hold_shipped};
pub use strategy::{Step, Walk, parent, seed, walk};
