//! Seeded genetic operators on checked designs.
//!
//! In go one [`CheckedDesign`](genesys_check::CheckedDesign) ([`mutations`]) or two
//! ([`crossover()`]), and a [`Context`] (the standard units, donors, the scales); out come
//! [`Offspring`]: designs that were checked like any other, that run wherever the (first) parent
//! runs, and whose hashes differ from the parents' and from one another.
//! An operator's result is well typed by construction, since types are sets of names and no rule
//! looks at a term but at its type; what no construction can give (requirements at the scales, a
//! design that is not equal to one seen before) is decided by testing.
//! An [`Opening`] is a hole of a sketch that is filled with units that are there already, and [`excerpt()`] is a unit by itself.
//!
//! Pure and deterministic: the same parents, context and seed give the same offspring in the same
//! order on every machine. Not here: choosing parents, training, scores.
//!
//! # The road of an offspring
//!
//! 1. The parent's standard units are written out, so that an operator may change any unit.
//! 2. Every operator lists the changes it could make; the seed picks the order.
//! 3. A change is made in a copy that shares all units but those it changes; what lost its last use
//!    is pruned, what is new is labeled.
//! 4. Units that are still standard become imports again, and the tree is checked. It is printed
//!    where somebody asks for the text.
//! 5. What does not check, does not run at a scale of the parent's, or is equal to an earlier
//!    design is left out, and counted in a [`Tally`].

mod brood;
mod candidate;
mod chain;
mod collapse;
mod context;
mod cross;
mod crossover;
mod edit;
mod excerpt;
mod fill;
mod gene;
mod genome;
mod interface;
mod label;
mod mutate;
mod offspring;
mod operator;
mod pool;
mod prune;
mod random;
mod remark;
mod rename;
mod size;
#[cfg(test)]
mod testing;
mod tree;
mod types;

pub use brood::Brood;
pub use context::Context;
pub use crossover::crossover;
pub use excerpt::{Excerpt, excerpt};
pub use fill::{Filled, Opening};
pub use mutate::mutations;
pub use offspring::{Offspring, Refusal, Tally};
