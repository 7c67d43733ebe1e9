//! Recurrences, as kernels that go through an item position after position with the states in a worker's memory.

use genesys_ir::module::{Direction, Instruction, Op as IrOp};

use crate::error::Result;
use crate::kernel::{Kernel, Scan};
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::view::{LocalId, Place};

impl Lowering<'_> {
    /// A scan.
    pub(crate) fn scan(&mut self, instruction: &Instruction) -> Result<()> {
        let IrOp::Scan { states, chunk, direction, reset, body, .. } = &instruction.op else {
            unreachable!("asked for scans only")
        };
        if reset.is_some() {
            return Err(self.unsupported("rows of several documents"));
        }
        let reverse = *direction == Direction::Reverse;
        if chunk.is_some() && reverse {
            return Err(self.unsupported("chunks in reverse"));
        }
        let chunk = chunk.as_ref().map(Build::number).transpose()?;
        let mut build = Build { single: true, region: true, ..Build::new(1) };
        let mut kept = Vec::new();
        for id in states.iter().flat_map(genesys_ir::module::State::defined) {
            let axes = self.function.ty(id).axes.clone();
            let view = build.local(self, &axes, false);
            if let Place::Local(local) = view.spot.place {
                kept.push(local);
            }
            build.views.insert(id, view);
        }
        // The first position.
        for state in states {
            let init = build.view(self, state.init)?;
            let to = build.views[&state.current].clone();
            build.copy(self, &init, &to, state.current);
        }
        let begin = build.ops.len();
        for state in states {
            let current = build.views[&state.current].clone();
            if state.anew {
                let init = build.view(self, state.init)?;
                build.copy(self, &init, &current, state.current);
            }
            if let Some(start) = state.start {
                let to = build.views[&start].clone();
                build.copy(self, &current, &to, state.current);
            }
        }
        let anew = build.ops.len();
        for (result, value) in instruction.results.iter().zip(&body.results) {
            let home = self.homes[result].clone();
            let held = build.views.contains_key(value) || build.targets.contains_key(value);
            if !held {
                build.target(*value, home);
            }
        }
        for instruction in &body.instructions {
            build.operation(self, instruction)?;
        }
        for (result, value) in instruction.results.iter().zip(&body.results) {
            let mut home = self.homes[result].clone();
            home.spot.row = 0;
            let view = build.view(self, *value)?;
            if view != home {
                build.copy(self, &view, &home, *result);
            }
        }
        // The next states, when all that reads the present ones has run.
        for state in states {
            let next = build.view(self, state.next)?;
            let current = build.views[&state.current].clone();
            if next != current {
                let held = states.iter().any(|other| build.views[&other.current] == next);
                if held && states.len() > 1 {
                    return Err(self.unsupported("states that change places"));
                }
                build.copy(self, &next, &current, state.current);
            }
        }
        let kept: Vec<LocalId> = kept;
        // What is set up with the first position holds to the end.
        let all = build.everything(&kept, anew);
        let tile = build.tile(all);
        self.ends.push(Kernel::Scan(Scan { tile, begin, anew, chunk, reverse }));
        Ok(())
    }
}
