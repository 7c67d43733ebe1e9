//! Roles that language models take: what they are told, and what is made of their answers.
//!
//! | file | holds |
//! | --- | --- |
//! | [`card`] | the language on one page |
//! | [`prompt`] | prompts, as files with slots |
//! | [`role`] | the six roles |
//! | [`commission`] | what is asked for: from which designs, within which limits |
//! | [`mod@design`] | one design, from a commission to its end |
//! | [`dialogue`] | what was said and made |
//! | `proposer`, [`proposal`] | searching, and a proposal of fixed parts |
//! | [`reviewer`] | marks and remarks |
//! | [`planner`] | in which order units are written |
//! | [`mod@implement`] | from a written proposal to a design that checks |
//! | [`observer`] | whether a design is what was proposed |
//! | [`analyst`] | what results teach |
//! | [`library`] | documents, and references to their sentences |
//! | [`searches`] | what dialogues found, kept to be found again |
//! | [`offer`] | known units for a hole |
//! | `conversation` | asking until an answer can be taken |
//! | `write`, `join`, `code` | what is taken of an answer |
//!
//! What a model answers, and what a document says, is data: it is parsed and checked, and nothing in it is obeyed. Who answers is a
//! transport that the caller hands in.

pub mod analyst;
pub mod card;
mod code;
pub mod commission;
mod conversation;
pub mod design;
pub mod dialogue;
pub mod implement;
mod join;
pub mod library;
pub mod observer;
pub mod offer;
pub mod planner;
pub mod prompt;
pub mod proposal;
mod proposer;
pub mod reviewer;
pub mod role;
pub mod searches;
mod write;

pub use analyst::{Case, Lesson, analyse};
pub use commission::{Commission, Known, Limits, Mode, Review, Variant, Way};
pub use design::{Desk, design, propose, review};
pub use dialogue::{Attempt, Dialogue, End, Unfinished};
pub use implement::{Outcome, Task, implement};
pub use library::{Found, Library};
pub use proposal::Proposal;
pub use reviewer::Verdict;
pub use role::Role;
pub use searches::Searches;
