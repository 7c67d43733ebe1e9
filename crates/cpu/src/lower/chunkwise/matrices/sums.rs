//! Sums of vectors with a state, and the state behind a chunk.

use genesys_ir::module::{AxisId, ValueId};

use crate::error::Result;
use crate::lower::chunkwise::form::{At, By, Read, Write};
use crate::lower::chunkwise::matrices::{I, J, Matrices, Side, product_of, side, spread, sum_of_products};
use crate::lower::sweep::own_axes;
use crate::op::Faded;
use crate::view::View;

impl Matrices<'_, '_, '_> {
    /// A sum of products with a state.
    pub(in crate::lower::chunkwise) fn read(&mut self, read: &Read) -> Result<()> {
        let around = self.build.make_for(Some(read.result));
        let out = match (read.at, &read.by) {
            (Some(at), By::State(other)) => self.dot(at, *other, &read.axes, read.result)?,
            (Some(at), By::Vector(id)) if read.own.is_empty() => {
                let same = |own: &&(At, ValueId, Vec<AxisId>, ValueId)| (own.0, own.1, &own.2) == (at, *id, &read.axes);
                match self.known.iter().find(same).map(|own| self.build.views[&own.3].clone()) {
                    Some(view) => view,
                    None => {
                        let out = self.sum(read, at, *id, None)?;
                        self.known.push((at, *id, read.axes.clone(), read.result));
                        out
                    }
                }
            }
            (Some(at), By::Vector(id)) => {
                let out = self.sum(read, at, *id, None)?;
                self.own(read, *id, &out, true)?;
                out
            }
            (None, By::Vector(id)) => {
                let out = self.place(read);
                self.own(read, *id, &out, false)?;
                out
            }
            (_, By::Product(write)) => self.of_products(read, write)?,
            (None, By::State(_)) => unreachable!("another state is summed with a state"),
        };
        self.build.define_as(self.lowering, read.result, out);
        self.build.make_for(around);
        self.last = vec![read.result];
        Ok(())
    }

    /// Where a sum goes: what is left of the state's axes lies densely.
    fn place(&mut self, read: &Read) -> View {
        let space = &self.chains[0].space;
        let kept = side(space, &read.axes).other().axis(space);
        let target = self.build.out(self.lowering, read.result);
        if target.stride(kept) == 1 {
            return target;
        }
        let mut axes = own_axes(self.build, self.lowering, read.result);
        axes.retain(|axis| *axis != kept);
        axes.push(kept);
        self.local(&axes, true)
    }

    /// A sum of products of a vector and a state, but for what it reads of one write.
    pub(super) fn sum(&mut self, read: &Read, at: At, id: ValueId, without: Option<usize>) -> Result<View> {
        let axes = &read.axes;
        let chain = &self.chains[at.chain];
        let side = side(&chain.space, axes);
        let by = self.build.view(self.lowering, id)?;
        let out = self.place(read);
        self.begin(at, &by, side, axes, &out)?;
        for write in (0..chain.writes.len()).filter(|write| Some(*write) != without) {
            if chain.diagonal.is_some() && side == Side::Columns {
                self.faded_sum(at, write, &by, &out)?;
                continue;
            }
            let scores = self.scores(at, write, &by, side)?;
            let other = Side::of(self.sides(at.chain, write)?, side.other());
            let more = axes.iter().copied().filter(|axis| *axis != side.axis(&chain.space));
            let over: Vec<AxisId> = more.chain([J]).collect();
            self.product(&scores, &spread(&other, J), &over, &spread(&out, I), true);
        }
        Ok(out)
    }

    /// What a position reads of its own products, set or added to a sum.
    fn own(&mut self, read: &Read, id: ValueId, out: &View, mut adds: bool) -> Result<()> {
        let space = self.chains[0].space.clone();
        let side = side(&space, &read.axes);
        let by = self.build.view(self.lowering, id)?;
        for write in &read.own {
            let sides = self.sides_of(write, false)?;
            let met = self.met_by(&by, &Side::of(sides.clone(), side), side.axis(&space));
            let other = Side::of(sides, side.other());
            let axes: Vec<AxisId> = out.axes.iter().map(|(axis, _)| *axis).collect();
            match adds {
                true => self.map(sum_of_products(), &[out, &met, &other], out, &axes)?,
                false => self.map(product_of(2, 1.0), &[&met, &other], out, &axes)?,
            }
            adds = true;
        }
        Ok(())
    }

    /// A sum of products of two outer products of a position.
    fn of_products(&mut self, read: &Read, write: &Write) -> Result<View> {
        let space = self.chains[0].space.clone();
        let side = side(&space, &read.axes);
        let [own] = read.own.as_slice() else { unreachable!("a product is one") };
        let (own, other) = (self.sides_of(own, false)?, self.sides_of(write, false)?);
        let [a, b] = [&own, &other].map(|sides| Side::of(sides.clone(), side));
        let met = self.met_by(&a, &b, side.axis(&space));
        let [a, b] = [own, other].map(|sides| Side::of(sides, side.other()));
        let out = self.place(read);
        let axes: Vec<AxisId> = out.axes.iter().map(|(axis, _)| *axis).collect();
        self.map(product_of(3, 1.0), &[&met, &a, &b], &out, &axes)?;
        Ok(out)
    }

    /// The sum of products of two vectors of each position, along an axis.
    fn met_by(&mut self, a: &View, b: &View, along: AxisId) -> View {
        let axes = self.around(&[a, b]);
        let out = self.local(&axes, a.spot.row != 0 || b.spot.row != 0);
        self.product(a, b, &[along], &out, false);
        out
    }

    /// What is read of the state that the chunk began with.
    fn begin(&mut self, at: At, by: &View, side: Side, axes: &[AxisId], out: &View) -> Result<()> {
        let state = self.states[at.chain].clone();
        let before = self.fading(at.chain)?.before.get(&at.stage).cloned();
        match before {
            None => self.product(&spread(by, I), &state, axes, &spread(out, I), false),
            Some(before) if axes.len() > 1 || before.has(side.axis(&self.chains[at.chain].space)) => {
                let by = self.times(&[by, &before], 1.0)?;
                self.product(&spread(&by, I), &state, axes, &spread(out, I), false);
            }
            Some(before) => {
                let begun = self.begun(at.chain, by, side);
                let along: Vec<AxisId> = begun.axes.iter().map(|(axis, _)| *axis).collect();
                self.map(product_of(2, 1.0), &[&begun, &before], out, &along)?;
            }
        }
        Ok(())
    }

    /// The sum of a vector with the state that the chunk began with.
    pub(super) fn begun(&mut self, chain: usize, by: &View, side: Side) -> View {
        let same = |own: &&(usize, View, Side, View)| (own.0, &own.1, own.2) == (chain, by, side);
        if let Some(own) = self.begun.iter().find(same) {
            return own.3.clone();
        }
        let along = side.axis(&self.chains[chain].space);
        let axes: Vec<AxisId> = self.chains[chain].space.axes.iter().copied().filter(|axis| *axis != along).collect();
        let (state, out) = (self.states[chain].clone(), self.local(&axes, true));
        self.product(&spread(by, I), &state, &[along], &spread(&out, I), false);
        self.begun.push((chain, by.clone(), side, out.clone()));
        out
    }

    /// How much of a write each position reads: `[.., I, J]`.
    pub(super) fn scores(&mut self, at: At, write: usize, by: &View, side: Side) -> Result<View> {
        let own = Side::of(self.sides(at.chain, write)?, side);
        let fading = self.fading(at.chain)?;
        if let Some(a) = &fading.by_row {
            let out = self.square(&[by, &own, a], [I, J]);
            let outer = self.around(&[&out]);
            let fade = self.fade(at, write);
            let [q, u, a] = [by, &own, a].map(|view| self.row(view, &outer));
            self.faded(
                Faded::Scores { q, u, a, fade, out: self.walk(&out, &outer) },
                &outer,
                self.chains[at.chain].reverse,
            )?;
            return Ok(out);
        }
        let fading = fading.between[&(at.stage, write)].clone();
        let scores = self.square(&[by, &own], [I, J]);
        let along = side.axis(&self.chains[at.chain].space);
        self.product(&spread(by, I), &spread(&own, J), &[along], &scores, false);
        self.masked(&scores, &fading, [I, J])
    }

    /// Adds to a sum along columns what is read of a write whose rows fade by themselves.
    fn faded_sum(&mut self, at: At, write: usize, by: &View, out: &View) -> Result<()> {
        let [rows, columns] = self.sides(at.chain, write)?;
        let s = self.square(&[by, &columns], [I, J]);
        let along = Side::Columns.axis(&self.chains[at.chain].space);
        self.product(&spread(by, I), &spread(&columns, J), &[along], &s, false);
        let a = self.fading(at.chain)?.by_row.expect("asked for where rows fade by themselves");
        let outer = self.around(&[out]);
        let fade = self.fade(at, write);
        let [u, a, to] = [&rows, &a, out].map(|view| self.row(view, &outer));
        let what = Faded::Sums { s: self.walk(&s, &outer), u, a, fade, out: to };
        self.faded(what, &outer, self.chains[at.chain].reverse)
    }

    /// The product of two squares, in the place of the first if that has room.
    pub(super) fn masked(&mut self, scores: &View, by: &View, [i, j]: [AxisId; 2]) -> Result<View> {
        let whole = self.square(&[scores, by], [i, j]);
        let out = if whole.axes.len() == scores.axes.len() { scores.clone() } else { whole };
        let axes: Vec<AxisId> = out.axes.iter().map(|(axis, _)| *axis).collect();
        self.map(product_of(2, 1.0), &[scores, by], &out, &axes)?;
        Ok(out)
    }

    /// The state behind a chunk.
    pub(in crate::lower::chunkwise) fn update(&mut self, chain: usize) -> Result<()> {
        let around = self.build.make_for(Some(self.chains[chain].state));
        let (state, fading) = (self.states[chain].clone(), self.fading(chain)?);
        if let Some(whole) = &fading.whole {
            let axes = self.chains[chain].space.axes.clone();
            self.map(product_of(2, 1.0), &[&state, whole], &state, &axes)?;
        }
        for write in 0..self.chains[chain].writes.len() {
            let [mut rows, mut columns] = self.sides(chain, write)?;
            if let Some(behind) = fading.behind.get(&write) {
                // The side that has what the decays have already stays as large as it is.
                let holds = |side: &View| behind.axes.iter().all(|(axis, _)| side.has(*axis));
                if behind.has(Side::Rows.axis(&self.chains[chain].space)) || holds(&rows) && !holds(&columns) {
                    rows = self.times(&[&rows, behind], 1.0)?;
                } else {
                    columns = self.times(&[&columns, behind], 1.0)?;
                }
            }
            self.product(&spread(&rows, J), &spread(&columns, J), &[J], &state, true);
        }
        self.build.make_for(around);
        Ok(())
    }
}
