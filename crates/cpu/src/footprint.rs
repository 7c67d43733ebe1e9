//! What of memory a step takes, and which units of the design it is for.
//!
//! In: a program, and the module that it is of. Out: the sizes of what is taken, and each buffer with the value that it holds.
//! Buffers that do not live together share memory, so that their sizes add up to more than the arena has.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{ADJOINT, Module};

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
    /// The function that writes it.
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
        let Handed { given, tape, frames } = self.handed(module);
        let mut buffers = Vec::new();
        for (i, (ir, lowered)) in module.functions.iter().zip(&self.functions).enumerate() {
            let origins = ir.origins();
            for (id, buffer) in (0..).map(BufferId).zip(&lowered.buffers) {
                let own = matches!(buffer.purpose, Use::Inner | Use::Fixed);
                if !own || buffer.elements == 0 || (i == main && frames.contains(&id)) {
                    continue;
                }
                let (bytes, tape) = (4 * buffer.elements, i == main && tape.contains(&id));
                buffers.push(match given.get(&id).filter(|_| i == main) {
                    Some((function, portions)) => {
                        Held { function: function.clone(), bytes, tape, portions: portions.clone() }
                    }
                    None => {
                        let portions = portions(&origins, buffer.of);
                        Held { function: lowered.name.clone(), bytes, tape, portions }
                    }
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

    fn handed(&self, module: &Module) -> Handed {
        let (mut given, mut read, mut frames) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let main = &self.functions[self.instances[0].function];
        for kernel in &main.kernels {
            let Kernel::Call { function, args, results, frame, .. } = kernel else { continue };
            let callee = &module.functions[*function];
            frames.insert(*frame);
            if callee.adjoint {
                read.extend(args);
            }
            let origins = callee.origins();
            for (buffer, value) in results.iter().zip(&callee.body.results) {
                given.insert(*buffer, (callee.name.clone(), portions(&origins, Some(*value))));
            }
        }
        let forward = |buffer: &&BufferId| given.get(buffer).is_some_and(|(name, _)| !name.ends_with(ADJOINT));
        Handed { tape: read.iter().filter(forward).copied().collect(), given, frames }
    }
}

/// The buffers of main that calls know.
struct Handed {
    /// What calls give: by whom, and whose it is.
    given: BTreeMap<BufferId, (String, Vec<Portion>)>,
    /// Of these what a forward pass gives and a backward pass reads.
    tape: BTreeSet<BufferId>,
    /// The memory of calls.
    frames: BTreeSet<BufferId>,
}
