//! Training: AdamW, the schedule, validation, checkpoints.
//!
//! A [`Job`] and a dataset go in; an [`Outcome`] comes out: a trained model with its validation, or why there is none.
//! A job is a pure function of its inputs: the same job on the same data gives the same bits.
//!
//! | file | holds |
//! | --- | --- |
//! | [`job`] | what to train, and what comes of it |
//! | [`mod@train`] | the loop |
//! | [`rehearsal`] | the first steps, for who wants to see what they are made of |
//! | [`observer`] | who watches it |
//! | [`machine`] | what it may take of the machine |
//! | [`mod@fit`] | how many rows of a step are in memory at a time |
//! | `engine` | losses and gradients, by one program or by the reference |
//! | [`validate`] | nats and bits per byte on text that was not trained on |
//! | `trainee` | a model in training: module, weights, engine |
//! | [`model`] | from a design's text to a model |
//! | [`mod@batch`] | from rows to tokens and targets |
//! | [`adamw`] | the optimizer, over flat slices |
//! | [`schedule`] | the learning rate of a step |
//! | `arena` | all weights of a model in one slice, and the way there and back |
//! | [`precision`] | in which numbers steps are computed, by name |
//! | [`tensors`] | named f32 tensors as a safetensors file |
//! | [`checkpoint`] | the folder that a model is kept in |
//! | `files` | folders written aside and renamed |
//! | [`error`] | everything that can go wrong |
//!
//! It prints nothing and reads no clock: who wants to see progress hands in an observer.

pub mod adamw;
mod arena;
pub mod batch;
pub mod checkpoint;
mod engine;
pub mod error;
mod files;
pub mod fit;
pub mod job;
pub mod machine;
pub mod model;
pub mod observer;
pub mod precision;
pub mod rehearsal;
pub mod schedule;
pub mod tensors;
pub mod train;
mod trainee;
pub mod validate;

pub use checkpoint::{Checkpoint, Config, History};
pub use genesys_opt::Recompute;

pub use error::{CheckpointError, Shortage, TrainError};
pub use fit::fit;
pub use job::{Divergence, Job, Outcome, Trained, validation_tokens};
pub use machine::{Limit, Machine, Path, useful_threads};
pub use model::{build, compile, untrained};
pub use observer::{Observer, Start, Step};
pub use precision::Precision;
pub use rehearsal::{Part, Rehearsal, rehearse};
pub use train::{evaluate, resume, train};
pub use validate::Validation;
