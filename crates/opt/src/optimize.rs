//! All passes, in the order in which they serve each other.

use genesys_ir::module::Module;

use crate::{Recompute, fold, fuse, hoist, recompute, remat, share, sink};

/// A pass, by its name.
pub type Pass = (&'static str, fn(&mut Module));

/// The passes in order. What `remat` repeats is folded and shared as what was there, and what `sink` brings into a step is
/// shared with what it held; maps are joined last, for a joined map is equal to few others.
pub const PASSES: [Pass; 9] = [
    ("fold", fold),
    ("hoist", hoist),
    ("share", share),
    ("remat", remat),
    ("fold", fold),
    ("share", share),
    ("sink", sink),
    ("share", share),
    ("fuse", fuse),
];

/// A module that means the same and is cheaper to run: see [`PASSES`].
#[must_use]
pub fn optimize(module: &Module) -> Module {
    optimize_with(module, Recompute::Little)
}

/// As [`optimize`], where a backward pass computes so much again: behind `remat`, whose states are larger than what they come
/// from whatever memory there is.
#[must_use]
pub fn optimize_with(module: &Module, how: Recompute) -> Module {
    let mut module = module.clone();
    for (name, pass) in PASSES {
        pass(&mut module);
        debug_assert!(valid(name, &module), "the validator refuses what `{name}` made");
        if name == "remat" {
            recompute(&mut module, how);
            debug_assert!(valid("recompute", &module), "the validator refuses what `recompute` made");
        }
    }
    module
}

fn valid(name: &str, module: &Module) -> bool {
    match genesys_ir::validate(module) {
        Ok(()) => true,
        Err(violations) => panic!("`{name}` broke the rules of the IR: {}", violations[0]),
    }
}
