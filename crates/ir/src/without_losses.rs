//! A model as it predicts: without the losses of its units, and without what only they read.
//!
//! In: a module. Out: one whose functions give no losses, and whose `main` gives logits and its own loss, bit for bit the
//! same. Decoding is done with it, and so is everything that is reported. Weights stay, also those that only a loss reads,
//! so that both have one table of names. [`loss_alone`] gives no logits either, [`logits_alone`] no loss of the model's own.

use std::collections::BTreeSet;

use crate::module::{Function, Module, Op, Stage, ValueId};
use crate::prune::prune;

/// The module without the losses of its units.
#[must_use]
pub fn without_losses(module: &Module) -> Module {
    let mut module = module.clone();
    let gives: Vec<bool> = module.functions.iter().map(gives_loss).collect();
    let Some((main, units)) = module.functions.split_last_mut() else { return module };
    if !units.iter().any(gives_loss) {
        return module;
    }
    for (unit, _) in units.iter_mut().zip(&gives).filter(|(_, gives)| **gives) {
        unit.inputs.pop();
        unit.body.results.pop();
        prune(unit);
    }
    let own = cross_entropies(main);
    let Function { values, body, .. } = main;
    body.results.retain(|id| values[id.0 as usize].stage != Stage::Loss || own.contains(id));
    for instruction in &mut main.body.instructions {
        if let Op::Call { function, .. } = &instruction.op
            && gives[function.0 as usize]
        {
            instruction.args.pop();
            instruction.results.pop();
        }
    }
    prune(main);
    module
}

/// The model's own loss alone, bit for bit the same: [`without_losses`], and without what only the logits need. For
/// validation, which reads no logits, so that a back end need not hold them. The last of all passes: what it gives is no model to
/// the validator, which asks for logits.
#[must_use]
pub fn loss_alone(module: &Module) -> Module {
    let mut module = without_losses(module);
    if let Some(main) = module.functions.last_mut() {
        let Function { values, body, .. } = main;
        body.results.retain(|id| values[id.0 as usize].stage == Stage::Loss);
        prune(main);
    }
    module
}

/// The model without its own loss: logits, and the sum of the units' losses where they have any. For programs that have a loss of
/// their own. It is no model to the validator, which asks for the loss.
#[must_use]
pub fn logits_alone(module: &Module) -> Module {
    let mut module = module.clone();
    if let Some(main) = module.functions.last_mut() {
        let own = cross_entropies(main);
        main.body.results.retain(|id| !own.contains(id));
        prune(main);
    }
    module
}

/// The losses that are the model's own.
fn cross_entropies(main: &Function) -> BTreeSet<ValueId> {
    let own = main.body.instructions.iter().filter(|i| matches!(i.op, Op::CrossEntropy { .. }));
    own.flat_map(|i| i.results.iter().copied()).collect()
}

/// Whether a function gives a loss, and takes the targets for it.
fn gives_loss(function: &Function) -> bool {
    function.body.results.last().is_some_and(|id| function.ty(*id).stage == Stage::Loss)
}
