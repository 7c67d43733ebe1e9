//! Seeded genetic operators on checked designs.
//!
//! In goes a [`CheckedDesign`](genesys_check::CheckedDesign) and a [`Context`] (the standard units,
//! donors, the scales); out come [`Offspring`]: texts that were checked again, that run wherever
//! the parent runs, and whose hashes differ from the parent's and from one another.
//! An operator's result is well typed by construction, since types are sets of names and no rule
//! looks at a term but at its type; what no construction can give (requirements at the scales, a
//! design that is not equal to one seen before) is decided by testing.
//!
//! Pure and deterministic: the same parent, context and seed give the same offspring in the same
//! order on every machine. Not here: choosing parents, training, scores.
//!
//! # The road of a mutation
//!
//! 1. The parent's standard units are written out, so that an operator may change any unit.
//! 2. Every operator lists the changes it could make; the seed picks the order.
//! 3. A change is made in a copy; what lost its last use is pruned, what is new is labeled.
//! 4. Units that are still standard become imports again; the text is printed, parsed and checked.
//! 5. What does not check, does not run at a scale of the parent's, or is equal to an earlier
//!    design is left out, and counted in a [`Tally`].

mod candidate;
mod chain;
mod genome;
mod interface;
mod label;
mod mutate;
mod operator;
mod pool;
mod prune;
mod random;
mod remark;
#[cfg(test)]
mod testing;
mod tree;

pub use mutate::{Context, Mutations, Offspring, Refusal, Tally, mutations};
