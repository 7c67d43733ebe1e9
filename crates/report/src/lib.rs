//! A report on a run: one HTML page for people, one JSON value for programs.
//!
//! In: a [`Run`], which is the state of a run and its loss curves. Out: text. Nothing here reads a disk or a clock, and
//! the same run gives the same bytes. Nothing is decided here either: ranks are those of the leaderboard.
//!
//! | file | holds |
//! | --- | --- |
//! | [`run`] | what goes in, and the designs of a run with everything that is known of each |
//! | [`verdict`] | better, worse, or not known: one word a design, and its reason |
//! | [`mod@json`] | the JSON value |
//! | [`mod@page`] | the page, from its parts |
//! | `summary` | what a reader wants first, and the conditions of the comparison |
//! | `board` | the leaderboard as a table |
//! | `tree` | who came from whom, drawn |
//! | `plot` | loss curves, drawn |
//! | `curve` | smoothing and thinning of a curve |
//! | `ticks` | round numbers for an axis, and classes for a color |
//! | `section` | one design: scores, changes, source |
//! | [`provenance`] | what a design of a dialogue rests on |
//! | [`mod@why`] | why one design is as it is, as data and as text |
//! | `needs` | where a design runs |
//! | `diff` | what differs between two texts |
//! | `highlight` | a design's source with its words marked |
//! | [`number`] | numbers as people read them |
//!
//! # The JSON value
//!
//! ```text
//! {run, seed, baseline, designs: [{design_hash, name, parents, operator, params, seeds, bpb, bpb_sd, tokens, verdict}]}
//! ```
//!
//! | field | what |
//! | --- | --- |
//! | `run` | `log1-` and a hash: the digest of the run's log, the same for equal runs wherever they lie |
//! | `seed` | the seed of the run |
//! | `baseline` | the hash of the design that the others are compared with; null before it is proposed |
//! | `designs` | all designs, in the order of the leaderboard |
//! | `design_hash`, `name` | its identity, and what it is called in this run |
//! | `parents` | hashes of the designs it was made from; empty for one that the run started from |
//! | `operator` | how it was made; null for one that the run started from |
//! | `params` | how many weights it has |
//! | `seeds` | the seeds of the trainings that gave a score, as 64-bit integers |
//! | `bpb`, `bpb_sd` | mean of the bits per byte over these seeds, and sample standard deviation; null where there is none |
//! | `tokens` | how many tokens each training sees |
//! | `verdict` | a word, and a reason behind `: ` where there is one; see [`verdict`] |
//! | `provenance` | where a dialogue proposed it: title, idea, rating, references, units added, changed and removed, effect against each parent; else it is not there |

mod board;
mod curve;
mod diff;
mod highlight;
pub mod json;
mod needs;
pub mod number;
pub mod page;
mod plot;
pub mod provenance;
pub mod run;
mod section;
mod summary;
mod ticks;
mod tree;
pub mod verdict;
pub mod why;

pub use json::json;
pub use page::page;
pub use run::{Curves, Run};
pub use why::Why;
