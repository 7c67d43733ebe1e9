//! Where the time and the bytes of a training step go.
//!
//! In: a job, a dataset, what may be taken of the machine. Out: a [`Profile`]: what a step takes by unit of the design and by
//! kernel, beside what this machine can do; printed as text ([`to_text`]), as JSON by its `Serialize`, or as a picture
//! ([`to_flame`], [`to_folded`]).
//!
//! | file | holds |
//! | --- | --- |
//! | `measure` | steps under a clock |
//! | `piece` | the time and the work of each kernel, given to the units that it works for |
//! | `profile` | the value that is printed |
//! | `text` | as text |
//! | `flame` | as stacks, and as a picture of them |
//!
//! This crate reads the clock; what it tells differs from run to run, and decides nothing. Not here: what a step does
//! (`genesys-cpu` counts it), and what a design costs in any size (`genesys-explain`).

mod flame;
mod measure;
mod piece;
mod profile;
mod text;

pub use flame::{to_flame, to_folded};
pub use measure::{KernelTime, Measured, Plan, measure};
pub use profile::{
    FORMAT, Figures, KernelFigures, KindFigures, Large, Limits, Memory, Profile, Subject, UnitFigures, profile,
};
pub use text::to_text;
