//! Where the results of a function lie, and what is computed where they lie.
//!
//! In: a function under lowering. Out: a buffer for each result, terms of a result that are written there before it, and copies of
//! what lies elsewhere.

use std::collections::BTreeMap;

use genesys_ir::module::{Op, Stage, ValueId};
use genesys_ir::reads;

use crate::error::Result;
use crate::kernel::Kernel;
use crate::lower::build::Build;
use crate::lower::schedule::Kind;
use crate::lower::{Lowering, TILE, Use};
use crate::view::BufferId;

impl Lowering<'_> {
    /// The buffers of the results; what is a result once and computed here is computed there.
    pub(crate) fn results(&mut self) -> Result<Vec<BufferId>> {
        let mut buffers = Vec::new();
        for id in &self.function.body.results {
            let view = self.home(*id, Use::Result)?;
            buffers.push(view.spot.place.buffer().expect("a home is a buffer"));
            let leaf = self.schedule.definition.get(id).is_none_or(|(i, _)| self.schedule.kinds[*i] == Kind::Leaf);
            if !self.homes.contains_key(id) && !leaf {
                self.homes.insert(*id, view);
            }
        }
        Ok(buffers)
    }

    /// Copies of results that are arguments, or results already.
    pub(crate) fn copies(&mut self, results: &[BufferId]) -> Result<Vec<Kernel>> {
        let (mut once, mut each) = (Build::new(TILE), Build::new(TILE));
        let ids = self.function.body.results.clone();
        for (id, buffer) in ids.iter().zip(results) {
            let own = self.homes.get(id).and_then(|view| view.spot.place.buffer());
            if own == Some(*buffer) {
                continue;
            }
            let target = self.at(*id, *buffer)?;
            let build = if self.function.ty(*id).stage == Stage::Seq { &mut each } else { &mut once };
            let source = build.raw(self, *id)?;
            build.copy(self, &source, &target, *id);
        }
        let kernels = [once.finish().map(Kernel::Once), each.finish().map(|tile| Kernel::Each(tile, Vec::new()))];
        Ok(kernels.into_iter().flatten().collect())
    }

    /// Gives a sum over positions that only one expression reads, whose result it is a term of, the place of that result: the
    /// gradient of a table that is multiplied with and looked up in is as large as the table.
    pub(crate) fn in_place(&mut self) {
        let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
        for id in self.schedule.instructions.iter().flat_map(|instruction| reads(instruction)) {
            *readers.entry(id).or_default() += 1;
        }
        for (i, instruction) in self.schedule.instructions.iter().enumerate() {
            let result = instruction.results[0];
            let Some(home) = self.homes.get(&result).cloned() else { continue };
            if self.schedule.kinds[i] != Kind::Once || !matches!(instruction.op, Op::Map(_)) {
                continue;
            }
            let axes = &self.function.ty(result).axes;
            let is_term = |id: &&ValueId| {
                let source = self.schedule.definition.get(id).map(|(source, _)| self.schedule.kinds[*source]);
                let summed = matches!(source, Some(Kind::Sum | Kind::Whole));
                summed && readers[id] == 1 && self.function.ty(**id).axes == *axes && !self.homes.contains_key(id)
            };
            if let Some(term) = instruction.args.iter().find(is_term) {
                self.homes.insert(*term, home);
            }
        }
    }
}
