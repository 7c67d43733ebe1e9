//! A model as it predicts: without the losses of its units, and without what only they read.
//!
//! In: a module. Out: one whose functions give no losses, and whose `main` gives logits and its own loss, bit for bit the
//! same. Decoding is done with it, and so is everything that is reported. Weights stay, also those that only a loss reads,
//! so that both have one table of names.

use std::collections::BTreeSet;

use crate::module::{Function, Module, Op, Region, Stage, State, ValueId};
use crate::renumber::{reads, renumber};

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
        sweep(unit);
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
    sweep(main);
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

/// Drops what no result of a function depends on.
fn sweep(function: &mut Function) {
    let mut needed = function.body.results.iter().copied().collect();
    region(&mut function.body, &mut needed);
    renumber(function);
}

/// Drops the instructions of a region that define nothing that is needed, and the results of its regions that are not.
fn region(body: &mut Region, needed: &mut BTreeSet<ValueId>) {
    let mut kept = Vec::new();
    for mut instruction in std::mem::take(&mut body.instructions).into_iter().rev() {
        if !instruction.results.iter().any(|id| needed.contains(id)) {
            continue;
        }
        match &mut instruction.op {
            Op::Past { body, .. } => {
                keep(&mut instruction.results, &mut body.results, needed);
                region(body, &mut body.results.iter().copied().collect());
            }
            Op::Scan { states, body, .. } => {
                keep(&mut instruction.results, &mut body.results, needed);
                let mut inner: BTreeSet<ValueId> = body.results.iter().copied().collect();
                inner.extend(states.iter().map(|State { next, .. }| *next));
                region(body, &mut inner);
            }
            _ => {}
        }
        needed.extend(reads(&instruction));
        kept.push(instruction);
    }
    kept.reverse();
    body.instructions = kept;
}

/// Keeps those results that are needed, and what they leave their region as.
fn keep(results: &mut Vec<ValueId>, within: &mut Vec<ValueId>, needed: &BTreeSet<ValueId>) {
    let both = results.iter().copied().zip(within.iter().copied());
    (*results, *within) = both.filter(|(result, _)| needed.contains(result)).unzip();
}
