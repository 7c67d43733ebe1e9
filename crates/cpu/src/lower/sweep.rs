//! What a step does with its states, as few passes over them.
//!
//! A recurrence updates a state by its decay and an outer product, and sums products with it. One operation at a time, the state
//! would come from memory for each; as a [`Sweep`](crate::op::Sweep) a few of its rows are in registers while all is done with them that can be.
//! So the operations of a step are put in another order: what is small comes as early as it can, and what goes over states
//! waits, so that as much as possible is done by the next pass.

mod pass;
mod plan;

use std::collections::BTreeSet;

use genesys_ir::module::{AxisId, Instruction, Op as IrOp, Region, State, ValueId};

use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::sweep::plan::{Part, Plan};
pub(crate) use crate::lower::sweep::plan::{Space, Term, own_axes, terms};
use crate::op::Op;

/// The states that may be updated where they lie: there is an order of the operations in which nothing reads them behind that.
pub(crate) fn in_place(states: &[State], body: &Region) -> BTreeSet<ValueId> {
    let mut replaced: Vec<&State> = Vec::new();
    for state in states {
        // Only what goes element by element may write what it reads.
        let map = body.instructions.iter().any(|i| i.results.contains(&state.next) && matches!(i.op, IrOp::Map(_)));
        let shared = states.iter().filter(|other| other.next == state.next).count() > 1;
        if map && !shared && !body.results.contains(&state.current) {
            replaced.push(state);
            if !has_order(body, &replaced) {
                replaced.pop();
            }
        }
    }
    replaced.into_iter().map(|state| state.current).collect()
}

/// Whether each operation can come behind those that it reads, and updates of these states behind all that read them.
fn has_order(body: &Region, replaced: &[&State]) -> bool {
    let mut left: Vec<&Instruction> = body.instructions.iter().collect();
    while !left.is_empty() {
        let waits = |instruction: &Instruction| {
            let update = replaced.iter().find(|state| instruction.results.contains(&state.next));
            left.iter().any(|other| {
                let read = instruction.args.iter().any(|id| other.results.contains(id));
                let reads = update.is_some_and(|state| other.args.contains(&state.current));
                read || reads && other.results != instruction.results
            })
        };
        let rest: Vec<&Instruction> = left.iter().copied().filter(|instruction| waits(instruction)).collect();
        if rest.len() == left.len() {
            return false;
        }
        left = rest;
    }
    true
}

impl Build {
    /// The operations of a step.
    pub(crate) fn steps(&mut self, lowering: &mut Lowering<'_>, states: &[State], body: &Region) -> Result<()> {
        let mut plan = Plan::new(self, lowering, states, body)?;
        loop {
            while self.small(lowering, &mut plan)? {}
            if !(0..plan.parts.len()).any(|i| plan.waits(i)) {
                return Ok(());
            }
            if !self.pass(lowering, &mut plan)? {
                let ready = (0..plan.parts.len()).find(|i| plan.waits(*i) && plan.is_ready(*i));
                self.alone(lowering, &mut plan, ready.expect("operations are listed behind what they read"))?;
            }
        }
    }

    /// Runs what no pass could take, and is ready; gives whether there was any.
    fn small(&mut self, lowering: &mut Lowering<'_>, plan: &mut Plan<'_>) -> Result<bool> {
        let mut any = false;
        for i in 0..plan.parts.len() {
            if matches!(plan.parts[i], Part::Alone) && !plan.done.contains(&i) && plan.is_ready(i) {
                self.alone(lowering, plan, i)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// Runs an instruction by itself, and the products that it reads.
    fn alone(&mut self, lowering: &mut Lowering<'_>, plan: &mut Plan<'_>, i: usize) -> Result<()> {
        let instruction = &plan.body.instructions[i];
        for id in &instruction.args {
            if plan.is_product(*id) && !self.views.contains_key(id) {
                self.alone(lowering, plan, plan.made[id])?;
            }
        }
        plan.done.insert(i);
        match &instruction.op {
            IrOp::Contract { axes } | IrOp::Reduce { axes, .. } if self.adds(axes) => self.added(lowering, instruction),
            _ => self.operation(lowering, instruction),
        }
    }

    /// Whether a sum over these axes is one over strips, too.
    fn adds(&self, axes: &[AxisId]) -> bool {
        self.strips && self.task.is_some_and(|task| axes.contains(&task))
    }

    /// A sum over strips: what each gives is added to where it goes.
    fn added(&mut self, lowering: &mut Lowering<'_>, instruction: &Instruction) -> Result<()> {
        let result = instruction.results[0];
        let target = self.targets.remove(&result);
        self.operation(lowering, instruction)?;
        if let Some(target) = target {
            let axes = lowering.function.ty(result).axes.clone();
            let order = self.order(lowering, &axes);
            let own = self.view(lowering, result)?.walk(&order);
            let extents = order.iter().map(|(_, extent)| *extent).collect();
            self.ops.push(Op::Sum { a: own, b: None, out: target.walk(&order), order: extents, only: None });
            self.views.insert(result, target);
        }
        Ok(())
    }
}
