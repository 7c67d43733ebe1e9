//! The two halves of a pullback, as modules of their own: what runs forward, and what comes back from what that kept.
//!
//! In: a pullback, optimized or not. Out: [`Halves`]. What depends on no cotangent is the first half; the second one computes
//! again what is cheap, and reads the rest, the tape. So a program can end between both, and go on when it has the cotangents.
//!
//! Not here: which values a tape should hold (the pass `remat` weighs that before).

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{Function, FunctionId, Instruction, Module, Op, Region, ValueId};
use genesys_ir::{prune, reads};

use crate::function::cut;

/// A pullback in two parts, which share names and order of its weights.
#[derive(Clone, Debug)]
pub struct Halves {
    /// Its `main` takes what the module took, and gives what the module gave, and then the tape.
    pub forward: Module,
    /// Its `main` takes what the module took, then the tape, then the cotangents. It gives the cotangents of the arguments, and
    /// then the gradients. Of the weights it has those that it reads.
    pub backward: Module,
    /// How many values the tape has, all of them sequences.
    pub tape: usize,
}

/// Cuts what [`pullback`](crate::pullback) made of a module that gives so many results.
#[must_use]
pub fn halves(pullback: &Module, results: usize) -> Halves {
    let main = pullback.main();
    let (inputs, cotangents) = main.inputs.split_at(main.inputs.len() - results);
    let (given, gradients) = main.body.results.split_at(results);
    let (early, late) = apart(main, cotangents);
    let all = early.iter().cloned().chain(late).collect();
    let (instructions, read) = cut(main, all, early.len(), gradients);
    let tape: Vec<ValueId> = read.into_iter().filter(|id| !main.inputs.contains(id)).collect();
    let half = |adjoint, inputs: Vec<ValueId>, body| {
        let mut half = Function { adjoint, inputs, body, ..main.clone() };
        prune(&mut half);
        called(pullback, half)
    };
    let kept = Region { instructions: early, results: [given, &tape].concat() };
    let back = Region { instructions, results: gradients.to_vec() };
    Halves {
        forward: half(false, inputs.to_vec(), kept),
        backward: half(true, [inputs, &tape, cotangents].concat(), back),
        tape: tape.len(),
    }
}

/// What depends on no cotangent, and what depends on one.
fn apart(main: &Function, cotangents: &[ValueId]) -> (Vec<Instruction>, Vec<Instruction>) {
    let mut after: BTreeSet<ValueId> = cotangents.iter().copied().collect();
    main.body.instructions.iter().cloned().partition(|instruction| {
        let late = reads(instruction).iter().any(|id| after.contains(id));
        if late {
            after.extend(&instruction.results);
        }
        !late
    })
}

/// A module of that main function and what it calls.
fn called(module: &Module, mut main: Function) -> Module {
    let mut numbers: BTreeMap<FunctionId, FunctionId> = BTreeMap::new();
    let mut functions = Vec::new();
    for instruction in &mut main.body.instructions {
        if let Op::Call { function, .. } = &mut instruction.op {
            *function = *numbers.entry(*function).or_insert_with(|| {
                functions.push(module.function(*function).clone());
                FunctionId(functions.len() as u32 - 1)
            });
        }
    }
    functions.push(main);
    Module { name: module.name.clone(), axes: module.axes.clone(), functions }
}
