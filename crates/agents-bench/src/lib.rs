//! How many written proposals become designs, by which way of asking a language model, and what each takes.
//!
//! Proposals and what answers go in; rows, one of each proposal and variant, and a report of them come out.
//!
//! | file | holds |
//! | --- | --- |
//! | [`variant`] | the ways of asking that are compared |
//! | [`row`] | what became of a proposal by one of them |
//! | [`mod@measure`] | a row, measured: the answers are counted and timed |
//! | [`mod@run`] | all rows, one after the other |
//! | [`interval`] | intervals and a test, as functions of counts and values |
//! | [`mod@report`] | rates, means and paired differences of rows |
//! | [`table`] | the same to be read |
//! | [`folder`] | rows and answers on a disk, so that a stopped bench goes on |
//!
//! It judges no design beyond what the implementer does: a design is valid that checks and runs at the scales. Whether it is what the
//! proposal says, and whether it is any good, is not seen here.

pub mod folder;
pub mod interval;
pub mod measure;
pub mod report;
pub mod row;
pub mod run;
pub mod table;
pub mod variant;

pub use measure::{Setting, measure};
pub use report::{Report, report};
pub use row::{Proposal, Row};
pub use run::run;
pub use variant::Variant;
