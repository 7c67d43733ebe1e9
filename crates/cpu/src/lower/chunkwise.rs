//! Recurrences in chunkwise form: what the positions of a chunk read of each other's writes are products of matrices, and the
//! state is read and updated once a chunk.
//!
//! A state `S_t = a_t S_{t-1} + u_t v_t'` that a position reads as `q_t S_t` gives, with `A_ij` the product of the decays behind
//! `j` up to `i`,
//!
//! `q_i S_i = (prod_{m <= i} a_m) q_i S_0 + sum_{j <= i} A_ij (q_i . u_j) v_j`
//!
//! (Sun et al. 2023, RetNet; Dao and Gu 2024, Mamba-2). Decays are multiplied, never divided by, so one of 0 is as good as any. Where
//! a write is linear in what is read before it, as in delta rules, the chunk solves a triangular system (Yang et al. 2024). The way
//! back is of the same form, with the cotangent of the state as the state.
//!
//! | module | holds |
//! | --- | --- |
//! | `form` | which recurrences are of this form |
//! | `order` | the steps of a chunk |
//! | `matrices` | their operations |

mod form;
mod matrices;
mod order;

use std::collections::BTreeSet;

use genesys_ir::module::Region;

use crate::error::Result;
use crate::kernel::{Back, Chunkwise, Kernel};
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::chunkwise::form::{Form, Recurrence};
use crate::lower::chunkwise::matrices::Matrices;
use crate::lower::chunkwise::order::{Step, order, writing};
use crate::lower::scan::Parts;
use crate::lower::sweep::{Space, own_axes};
use crate::view::{Place, View};

/// The positions of a chunk.
pub(crate) const CHUNK: usize = 32;

/// The fewest rows and columns of a state that make products of matrices.
const LEAST: usize = 16;

impl Lowering<'_> {
    /// A recurrence in chunkwise form, or one and another that goes back over what it held; gives whether they have that form.
    pub(crate) fn chunkwise(&mut self, scans: &[&Parts<'_>]) -> Result<bool> {
        let last = *scans.last().expect("there is a scan");
        let mut recurrences = Vec::new();
        for Parts { states, chunk, reverse, body, results } in scans.iter().copied() {
            let ([state], None) = (states, chunk) else { return Ok(false) };
            recurrences.push(Recurrence { state, body, results, reverse: *reverse });
        }
        let (task, cut) = self.tasks(scans)?;
        let mut build = Build { region: true, task, ..Build::new(CHUNK) };
        let bodies: Vec<&Region> = scans.iter().map(|scan| scan.body).collect();
        let own = own_axes(&build, self, last.states[0].current);
        let state = build.local(self, &own, false);
        let Some(space) = Space::new(self, &state, &bodies)? else { return Ok(false) };
        if space.sizes.iter().rev().take(2).any(|size| *size < LEAST) {
            return Ok(false);
        }
        let mut form = Form::default();
        for recurrence in &recurrences {
            if !form.add(&build, self, recurrence, &space)? {
                return Ok(false);
            }
        }
        let Some(steps) = order(&build, self, &form) else { return Ok(false) };
        let states: Vec<View> = scans.iter().map(|_| build.local(self, &space.axes, false)).collect();
        for (scan, state) in scans.iter().zip(&states) {
            build.views.insert(scan.states[0].current, state.clone());
        }
        build.initial(self, scans[0])?;
        let begin = build.ops.len();
        let back = match scans {
            [_] => None,
            _ => {
                let before = build.views.clone();
                let light = writing(&steps, &form, 0);
                build.chunk_of(self, &form, &light, &states, &BTreeSet::from([0]))?;
                build.views = before;
                build.wide.clear();
                let through = build.ops.len();
                build.initial(self, last)?;
                Some((through, build.ops.len()))
            }
        };
        build.leaving(self, last);
        build.chunk_of(self, &form, &steps, &states, &BTreeSet::from([scans.len() - 1]))?;
        build.left(self, last)?;
        let places: Vec<usize> =
            [Some(begin), back.map(|back| back.0), back.map(|back| back.1)].into_iter().flatten().collect();
        let mut kept = build.across(&places);
        let back = back.map(|(through, back)| {
            let Place::Local(state) = states[0].spot.place else { unreachable!("states lie in a worker's memory") };
            let width = space.sizes.iter().product();
            let saved = build.memory(width * self.shape.context.div_ceil(CHUNK));
            kept.push(saved);
            Back { through, back, state: (state, width), saved }
        });
        let tile = build.tile(kept);
        self.ends.push(Kernel::Chunkwise(Chunkwise { tile, cut, begin, back, reverse: last.reverse }));
        Ok(true)
    }
}

impl Build {
    /// The steps of a chunk, and what they leave of those states.
    fn chunk_of(
        &mut self,
        lowering: &mut Lowering<'_>,
        form: &Form<'_>,
        steps: &[Step<'_>],
        states: &[View],
        updated: &BTreeSet<usize>,
    ) -> Result<()> {
        let mut matrices = Matrices::new(self, lowering, &form.chains, states, steps);
        for step in steps {
            match step {
                Step::Small(instruction) => matrices.small(instruction)?,
                Step::Read(read) => matrices.read(read)?,
                Step::Solve(solve) => matrices.solve(solve)?,
            }
            matrices.rename(&form.aliases);
        }
        updated.iter().try_for_each(|chain| matrices.update(*chain))
    }
}
