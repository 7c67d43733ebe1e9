//! What holds of a model as a whole: what `main` takes and gives, and that the model's weights have names of their own.
//!
//! In: the main function of a module whose functions are valid. Out: violations.

use std::collections::{BTreeMap, BTreeSet};

use super::Checker;
use crate::module::{ADJOINT, Dtype, Function, Op, Region, Stage, Type, ValueId};
use crate::parameters::full_name;

impl Checker<'_> {
    /// What holds of the model as a whole.
    pub(super) fn main(&mut self, main: &Function) {
        self.place.clear();
        let types: Vec<&Type> = main.inputs.iter().filter_map(|id| self.scope.value(*id).ok()).collect();
        let token = |ty: &&Type| ty.dtype == Dtype::Token && ty.axes.is_empty();
        let of_tokens = types.len() == 2 && types.iter().all(token);
        self.require(of_tokens || main.adjoint, "main takes tokens and targets");
        self.given(main, of_tokens);
        let losses = main.body.instructions.iter().filter(|i| matches!(i.op, Op::CrossEntropy { .. }));
        let losses: BTreeSet<ValueId> = losses.flat_map(|i| i.results.iter().copied()).collect();
        self.unread(&main.body, &losses);
        let mut owners = BTreeMap::new();
        for weight in &main.weights {
            owners.insert(weight.path.clone(), owner(main));
        }
        for instruction in &main.body.instructions {
            let Op::Call { function, path, .. } = &instruction.op else { continue };
            let callee = self.module.function(*function);
            for weight in &callee.weights {
                let name = full_name(path, &weight.path);
                if *owners.entry(name.clone()).or_insert(owner(callee)) != owner(callee) {
                    self.report(format!("two weights of the model are named {name}"));
                }
            }
        }
    }

    /// What the model gives: logits and losses, or in a backward pass losses and gradients. One that takes cotangents as well
    /// gives what it may.
    fn given(&mut self, main: &Function, of_tokens: bool) {
        let stages: Vec<Stage> =
            main.body.results.iter().filter_map(|id| self.scope.value(*id).ok()).map(|ty| ty.stage).collect();
        if main.adjoint && !of_tokens {
            return;
        }
        if main.adjoint {
            let given = stages.first() == Some(&Stage::Loss)
                && stages.iter().all(|stage| matches!(stage, Stage::Loss | Stage::Const));
            return self.require(given, "the main of a backward pass gives losses and gradients");
        }
        let given = matches!(stages.as_slice(), [Stage::Seq, Stage::Loss] | [Stage::Seq, Stage::Loss, Stage::Loss]);
        self.require(given, "main gives logits, a loss, and the sum of the units' losses where there are any");
    }

    /// No instruction, at any depth, reads one of the values.
    fn unread(&mut self, region: &Region, values: &BTreeSet<ValueId>) {
        for instruction in &region.instructions {
            let mut read = instruction.args.iter().any(|id| values.contains(id));
            match &instruction.op {
                Op::Past { body, .. } => {
                    read |= body.results.iter().any(|id| values.contains(id));
                    self.unread(body, values);
                }
                Op::Grad { body, .. } => {
                    read |= body.results.iter().any(|id| values.contains(id));
                    self.unread(body, values);
                }
                Op::Scan { body, states, .. } => {
                    read |= body.results.iter().any(|id| values.contains(id));
                    read |= states.iter().any(|state| values.contains(&state.init) || values.contains(&state.next));
                    self.unread(body, values);
                }
                _ => {}
            }
            self.require(!read, "the loss is read");
        }
    }
}

/// The function whose weights a function has: an adjoint those of the one it is named after.
fn owner(function: &Function) -> &str {
    let name = function.name.as_str();
    if function.adjoint { name.strip_suffix(ADJOINT).unwrap_or(name) } else { name }
}
