//! Delta rules: writes that are linear in what is read before them.

use genesys_ir::module::{AxisId, ValueId};

use crate::error::Result;
use crate::lower::chunkwise::CHUNK;
use crate::lower::chunkwise::form::{By, Scale};
use crate::lower::chunkwise::matrices::{I, J, Matrices, product_of, side, spread};
use crate::lower::chunkwise::order::Solve;
use crate::lower::sweep::own_axes;
use crate::op::{Op, Triangle};
use crate::view::{Extent, View};

impl Matrices<'_, '_, '_> {
    /// A write and what it is linear in: what is read of all else first, then the system of the chunk's own positions.
    pub(in crate::lower::chunkwise) fn solve(&mut self, solve: &Solve<'_>) -> Result<()> {
        let Solve { read, at, map, write, slope, wanted } = solve;
        let (at, result, factor) = (*at, read.result, map.results[0]);
        let By::Vector(id) = read.by else { unreachable!("a system is of vectors") };
        let around = self.build.make_for(Some(result));
        let chain = &self.chains[at.chain];
        let side = side(&chain.space, &read.axes);
        let out = self.sum(read, at, id, Some(*write))?;
        self.build.views.insert(result, out.clone());
        let target = self.build.targets.remove(&factor);
        self.build.operation(self.lowering, map)?;
        let x = self.solvable(factor, side.other().axis(&chain.space));
        let by = self.build.view(self.lowering, id)?;
        let scores = self.scores(at, *write, &by, side)?;
        let system = self.system(&scores, slope, *wanted)?;
        let outer: Vec<(AxisId, Extent)> =
            x.axes.iter().filter(|(_, stride)| *stride != 1).map(|(axis, _)| (*axis, self.extent(*axis))).collect();
        let (column, _) = *x.axes.iter().find(|(_, stride)| *stride == 1).expect("a factor lies densely");
        self.build.ops.push(Op::Triangle(Triangle {
            matrix: system.walk(&outer),
            x: x.walk(&outer),
            order: outer.iter().map(|(_, extent)| *extent).collect(),
            columns: self.lowering.size(column)?,
            rows: CHUNK,
            reverse: chain.reverse,
        }));
        if *wanted {
            self.product(&scores, &spread(&x, J), &[J], &spread(&out, I), true);
            self.build.define_as(self.lowering, result, out);
            self.known.push((at, id, read.axes.clone(), result));
        } else {
            self.build.views.remove(&result);
        }
        if let Some(target) = target {
            self.build.targets.insert(factor, target);
        }
        self.build.define_as(self.lowering, factor, x);
        self.build.make_for(around);
        self.last = vec![result, factor];
        Ok(())
    }

    /// A value where its elements along an axis lie densely.
    fn solvable(&mut self, id: ValueId, axis: AxisId) -> View {
        let view = self.build.views[&id].clone();
        if view.stride(axis) == 1
            && view.axes.iter().filter(|(_, stride)| *stride == 1).count() == 1
            && !view.spot.narrow
        {
            return view;
        }
        let mut axes = own_axes(self.build, self.lowering, id);
        axes.retain(|own| *own != axis);
        axes.push(axis);
        let copy = self.local(&axes, true);
        self.build.copy_axes(self.lowering, &view, &copy, &axes);
        self.build.views.insert(id, copy.clone());
        copy
    }

    /// The matrix of a system; `apart` asks for one beside the scores.
    fn system(&mut self, scores: &View, slope: &Scale, apart: bool) -> Result<View> {
        if slope.number == 1.0 && slope.factors.is_empty() {
            return Ok(scores.clone());
        }
        let mut factors = vec![scores.clone()];
        for id in &slope.factors {
            factors.push(spread(&self.build.view(self.lowering, *id)?, I));
        }
        let factors: Vec<&View> = factors.iter().collect();
        let whole = self.square(&factors, [I, J]);
        let out = if apart || whole.axes.len() > scores.axes.len() { whole } else { scores.clone() };
        let axes: Vec<AxisId> = out.axes.iter().map(|(axis, _)| *axis).collect();
        self.map(product_of(factors.len(), slope.number), &factors, &out, &axes)?;
        Ok(out)
    }
}
