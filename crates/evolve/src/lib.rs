//! Evolution: generations, parents, workers and the leaderboard of a run.
//!
//! A run starts from a few designs, trains them, breeds offspring from the better ones, trains those, and so on; the
//! best ones are trained with more seeds at the end. [`discover`] makes a run in a folder, [`resume`] goes on with one.
//!
//! | file | holds |
//! | --- | --- |
//! | [`settings`] | what decides a run |
//! | [`fact`] | what happens in it, as payloads of events |
//! | [`state`] | what it knows: a pure function of its events |
//! | [`plan`] | what it does next: a pure function of its state |
//! | `parents` | which design breeds next |
//! | `propose` | proposals and rejections |
//! | `commission` | what language models are asked for |
//! | [`designer`] | who designs beside the operators |
//! | [`units`] | the units of its designs, and what each was worth |
//! | `studio` | dialogues side by side |
//! | `decode_state` | bytes that decoding has to keep |
//! | [`runner`] | who trains |
//! | `crew` | assignments under way |
//! | `process` | workers as processes |
//! | `worker` | the worker's side |
//! | `results` | verdicts by key: nothing is trained twice |
//! | [`run`] | the loop |
//! | `training` | the part of it that trains |
//! | `talking` | the part of it that asks language models |
//! | `repair` | what can be had back of a damaged run |
//! | [`board`] | the leaderboard |
//! | `random` | draws that are functions of seed and place |
//! | [`error`] | everything that can go wrong |
//!
//! It prints nothing and reads no clock: an [`Observer`] is told, and asked for the time that the side table notes.

pub mod board;
mod commission;
mod crew;
mod decode_state;
pub mod designer;
pub mod error;
pub mod fact;
mod parents;
pub mod plan;
mod process;
mod propose;
mod random;
mod repair;
mod results;
pub mod run;
pub mod runner;
pub mod settings;
pub mod state;
mod studio;
mod talking;
mod training;
pub mod units;
mod worker;

pub use board::{Ancestor, Row};
pub use decode_state::state_bytes;
pub use designer::{Asked, Designer, Designers};
pub use error::EvolveError;
pub use fact::{Fact, Failure, Rejection, Submitted, Talked};
pub use process::{ProcessPool, Stopper};
pub use repair::{Repair, repair};
pub use run::{Held, News, Observer, Words, discover, discover_with, read, resume, resume_with};
pub use runner::{Assignment, InProcess, Keep, Progress, Runner, Score, Told, Verdict};
pub use settings::{Agents, Settings, Shipped, TextMark};
pub use state::{Design, State, Talk, Training};
pub use studio::Subject;
pub use units::Units;
pub use worker::serve;
