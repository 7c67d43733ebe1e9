//! What the decays of a chain come to within a chunk, and sums that fade row by row.

use std::collections::BTreeMap;

use genesys_ir::module::AxisId;
use genesys_kernels::Fade;

use crate::error::Result;
use crate::lower::chunkwise::CHUNK;
use crate::lower::chunkwise::form::At;
use crate::lower::chunkwise::matrices::{I, J, Matrices};
use crate::op::{Decays, Diagonal, Faded, Op};
use crate::view::{Extent, View, Walk};

/// What the decays of a chain come to within a chunk.
#[derive(Clone)]
pub(super) struct Fading {
    /// From a write to a later read, by stage and write: `[.., I, J]`, 0 where the write is not before the read.
    pub(super) between: BTreeMap<(usize, usize), View>,
    /// From the beginning of the chunk to a read, by stage; none where nothing decays.
    pub(super) before: BTreeMap<usize, View>,
    /// From a write to the end of the chunk.
    pub(super) behind: BTreeMap<usize, View>,
    /// From the beginning to the end.
    pub(super) whole: Option<View>,
    /// The factors at each position, where each row has its own; then there is nothing `between`.
    pub(super) by_row: Option<View>,
}

impl Matrices<'_, '_, '_> {
    /// What the decays of a chain come to, computed when that is first asked for.
    pub(super) fn fading(&mut self, chain: usize) -> Result<Fading> {
        if let Some(fading) = self.fading.get(&chain) {
            return Ok(fading.clone());
        }
        let own = self.chains[chain].clone();
        if let Some(stage) = own.diagonal {
            return self.fading_by_row(chain, stage);
        }
        let mut stages = Vec::new();
        for decay in &own.decays {
            stages.push(decay.as_ref().map(|decay| self.scaled(&[], decay)).transpose()?);
        }
        let decays: Vec<&View> = stages.iter().flatten().collect();
        let axes = self.axes_of(&decays);
        let square = self.square(&decays, [I, J]);
        let fades = !decays.is_empty();
        let read: Vec<usize> = self.stages.iter().filter(|at| at.chain == chain).map(|at| at.stage).collect();
        let mut fading = Fading {
            between: BTreeMap::new(),
            before: BTreeMap::new(),
            behind: BTreeMap::new(),
            whole: None,
            by_row: None,
        };
        for (write, of) in own.writes.iter().enumerate() {
            for stage in &read {
                fading.between.insert((*stage, write), self.square_like(&square));
            }
            if fades {
                fading.behind.insert(write, self.local(&axes, true));
            }
            debug_assert!(of.stage > 0, "nothing is written before a step");
        }
        if fades {
            fading.before = read.iter().map(|stage| (*stage, self.local(&axes, true))).collect();
            fading.whole = Some(self.local(&axes, false));
        }
        let order: Vec<(AxisId, Extent)> = axes.iter().map(|axis| (*axis, self.extent(*axis))).collect();
        let walk = |view: &View| view.walk(&order);
        let stage_of = |write: usize| own.writes[write].stage;
        self.build.ops.push(Op::Decays(Decays {
            stages: stages.iter().map(|decay| decay.as_ref().map(walk)).collect(),
            between: fading.between.iter().map(|((read, w), view)| (*read, stage_of(*w), walk(view))).collect(),
            before: fading.before.iter().map(|(read, view)| (*read, walk(view))).collect(),
            behind: fading.behind.iter().map(|(w, view)| (stage_of(*w), walk(view))).collect(),
            whole: fading.whole.as_ref().map(walk),
            order: order.iter().map(|(_, extent)| *extent).collect(),
            rows: CHUNK,
            reverse: own.reverse,
        }));
        self.fading.insert(chain, fading.clone());
        Ok(fading)
    }

    /// The same where rows fade by themselves, on the way to that stage.
    fn fading_by_row(&mut self, chain: usize, stage: usize) -> Result<Fading> {
        let own = self.chains[chain].clone();
        let decay = own.decays[stage].as_ref().expect("it decays there");
        let a = self.scaled(&[], decay)?;
        let axes = self.axes_of(&[&a]);
        let outer = self.around(&[&a]);
        let read = self.stages.iter().filter(|at| at.chain == chain).map(|at| at.stage).collect::<Vec<_>>();
        let before: BTreeMap<usize, View> = read.into_iter().map(|stage| (stage, self.local(&axes, true))).collect();
        let (behind, whole) = (self.local(&axes, true), self.local(&axes, false));
        let ends = Faded::Ends {
            a: self.row(&a, &outer),
            before: before.iter().map(|(read, view)| (*read >= stage, self.row(view, &outer))).collect(),
            behind: self.row(&behind, &outer),
            whole: self.row(&whole, &outer),
        };
        self.faded(ends, &outer, own.reverse)?;
        let behind = (0..own.writes.len()).map(|write| (write, behind.clone())).collect();
        let fading = Fading { between: BTreeMap::new(), before, behind, whole: Some(whole), by_row: Some(a) };
        self.fading.insert(chain, fading.clone());
        Ok(fading)
    }

    /// How a write fades until a stage reads it, where rows fade by themselves.
    pub(super) fn fade(&self, at: At, write: usize) -> Fade {
        let chain = &self.chains[at.chain];
        Fade { late: chain.diagonal <= Some(at.stage), own: chain.writes[write].stage <= at.stage }
    }

    /// Appends sums that fade by rows, around them those axes.
    pub(super) fn faded(&mut self, what: Faded, outer: &[AxisId], reverse: bool) -> Result<()> {
        let order = outer.iter().map(|axis| self.extent(*axis)).collect();
        let columns = self.lowering.size(self.chains[0].space.rows())?;
        self.build.ops.push(Op::Diagonal(Box::new(Diagonal { what, order, columns, rows: CHUNK, reverse })));
        Ok(())
    }

    /// The axes of views around rows and columns.
    pub(super) fn around(&self, views: &[&View]) -> Vec<AxisId> {
        let space = &self.chains[0].space;
        self.axes_of(views).into_iter().filter(|axis| ![space.rows(), space.columns()].contains(axis)).collect()
    }

    pub(super) fn walk(&self, view: &View, axes: &[AxisId]) -> Walk {
        view.walk(&axes.iter().map(|axis| (*axis, self.extent(*axis))).collect::<Vec<_>>())
    }

    /// The rows of a value, within those axes.
    pub(super) fn row(&self, view: &View, outer: &[AxisId]) -> Walk {
        self.walk(view, &[outer, &[self.chains[0].space.rows()]].concat())
    }
}
