//! What of memory a step takes, and which units of the design it is for.
//!
//! In: a program, and the module that it is of. Out: the sizes of what is taken, and each buffer with the value that it holds.
//! Buffers that do not live together share memory, so that their sizes add up to more than the arena has.

use std::collections::BTreeSet;

use genesys_ir::module::Module;

use crate::kernel::Kernel;
use crate::lower::Use;
use crate::program::Program;
use crate::view::BufferId;
use crate::work::{Portion, portions};

/// The memory of a step, in bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Footprint {
    /// All weights; their gradients take as much.
    pub weights: usize,
    /// What is kept between kernels, buffers sharing memory where they can.
    pub arena: usize,
    /// What one worker has to itself.
    pub worker: usize,
    /// Of the arena what calls of functions give and their backward passes read: the tape of all blocks.
    pub tape: usize,
    /// The buffers of the arena, the largest first; those of a function once, however often it is called.
    pub buffers: Vec<Held>,
}

/// A buffer.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The function whose kernels know it.
    pub function: String,
    /// How large it is.
    pub bytes: usize,
    /// Whether the backward pass of a function reads what its forward pass wrote there.
    pub tape: bool,
    /// Whose it is.
    pub portions: Vec<Portion>,
}

impl Program {
    /// What a step takes. `module` is what the program was made of.
    ///
    /// # Panics
    /// It is another module.
    pub fn footprint(&self, module: &Module) -> Footprint {
        assert_eq!(module.functions.len(), self.functions.len(), "the module is the program's");
        let main = self.instances[0].function;
        let (tape, frames) = self.handed(module);
        let mut buffers = Vec::new();
        for (i, (ir, lowered)) in module.functions.iter().zip(&self.functions).enumerate() {
            let origins = ir.origins();
            for (id, buffer) in (0..).map(BufferId).zip(&lowered.buffers) {
                let own = matches!(buffer.purpose, Use::Inner | Use::Fixed);
                if !own || buffer.elements == 0 || (i == main && frames.contains(&id)) {
                    continue;
                }
                buffers.push(Held {
                    function: lowered.name.clone(),
                    bytes: 4 * buffer.elements,
                    tape: i == main && tape.contains(&id),
                    portions: portions(&origins, buffer.of),
                });
            }
        }
        // A stable sort: buffers of one size keep their order.
        buffers.sort_by_key(|held| std::cmp::Reverse(held.bytes));
        let size = |id: &BufferId| 4 * self.functions[main].buffers[id.0 as usize].elements;
        Footprint {
            weights: 4 * self.weights,
            arena: 4 * self.arena,
            worker: 4 * (self.needs.locals + 2 * self.needs.row),
            tape: tape.iter().map(size).sum(),
            buffers,
        }
    }

    /// Of main's buffers those that a call gives and one of a backward pass reads, and those that are the memory of calls.
    fn handed(&self, module: &Module) -> (BTreeSet<BufferId>, BTreeSet<BufferId>) {
        let (mut given, mut read, mut frames) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let main = &self.functions[self.instances[0].function];
        for kernel in &main.kernels {
            let Kernel::Call { function, args, results, frame, .. } = kernel else { continue };
            frames.insert(*frame);
            if module.functions[*function].adjoint {
                read.extend(args);
            } else {
                given.extend(results);
            }
        }
        (given.intersection(&read).copied().collect(), frames)
    }
}
