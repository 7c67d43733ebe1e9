//! Passes from IR to IR: out comes a module that means the same and is cheaper to run.
//!
//! In go specialized modules: a model, or its backward pass. [`optimize`] runs all passes in order:
//!
//! 1. [`fold`]: computes constants, and takes away what only arranges what was arranged before.
//! 2. [`hoist`]: moves out of regions what does not vary in them.
//! 3. [`share`]: makes equal operations one.
//! 4. [`remat`]: computes recurrences again instead of keeping their states for the backward pass.
//! 5. [`sink`]: moves into a recurrence what would be of its states' size at every position.
//! 6. [`fuse`]: joins maps to expressions.
//!
//! Where memory asks for it, [`recompute`] makes tapes smaller behind `remat` ([`optimize_with`]).
//!
//! A pass that finds nothing to do leaves a module as it is, bit for bit. What a pass makes differs from what it was given by
//! rounding alone. In debug builds the validator runs behind each.
//!
//! Not here: kernels, layouts, plans of memory and everything else of one machine; exactness beyond what each pass says of
//! itself; sizes in `D`, which [`specialize`](genesys_ir::specialize) takes away before.

mod again;
mod expr;
mod fold;
mod fuse;
mod hoist;
mod joined;
mod merge;
mod operands;
mod optimize;
mod recompute;
mod remat;
mod share;
mod shifted;
mod sink;
mod summed;
mod tape;
mod work;

pub use fold::fold;
pub use fuse::fuse;
pub use hoist::hoist;
pub use optimize::{PASSES, Pass, optimize, optimize_with};
pub use recompute::{Recompute, recompute};
pub use remat::remat;
pub use share::share;
pub use sink::sink;
