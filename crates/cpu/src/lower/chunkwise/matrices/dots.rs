//! Sums of products of two states: the cotangents of decays.

use genesys_ir::module::{AxisId, ValueId};

use crate::error::Result;
use crate::lower::chunkwise::form::At;
use crate::lower::chunkwise::matrices::fading::Fading;
use crate::lower::chunkwise::matrices::{I, J, K, Matrices, Side, product_of, spread, sum_of_products};
use crate::lower::sweep::own_axes;
use crate::op::Faded;
use crate::view::View;

impl Matrices<'_, '_, '_> {
    /// The sum of products of two states: of what both began with, of each one's writes with what the other began with, and of
    /// their writes.
    pub(super) fn dot(&mut self, at: At, other: At, axes: &[AxisId], result: ValueId) -> Result<View> {
        if self.chains[at.chain].diagonal.is_some() {
            return self.dot_by_row(at, other);
        }
        let space = self.chains[at.chain].space.clone();
        let outer = space.axes[..space.axes.len() - 2].to_vec();
        let inner = [space.rows(), space.columns()];
        let [first, second] = [self.fading(at.chain)?, self.fading(other.chain)?];
        let factors = [first.before.get(&at.stage), second.before.get(&other.stage)];
        let (begun, out) = (self.local(&outer, false), self.local(&outer, true));
        self.product(&self.states[at.chain].clone(), &self.states[other.chain].clone(), &inner, &begun, false);
        let scaled: Vec<&View> = [Some(&begun)].into_iter().chain(factors).flatten().collect();
        self.map(product_of(scaled.len(), 1.0), &scaled, &out, &outer)?;
        for (own, to, fading) in [(at, other, &second), (other, at, &first)] {
            for write in 0..self.chains[to.chain].writes.len() {
                let before = if own == at { factors[0] } else { factors[1] };
                self.met(own.chain, (to.chain, write), &fading.between[&(to.stage, write)], before, &out)?;
            }
        }
        for write in 0..self.chains[at.chain].writes.len() {
            for theirs in 0..self.chains[other.chain].writes.len() {
                let [rows, columns] = self.sides(at.chain, write)?;
                let [other_rows, other_columns] = self.sides(other.chain, theirs)?;
                let by_rows = self.square(&[&rows, &other_rows], [J, K]);
                self.product(&spread(&rows, J), &spread(&other_rows, K), &inner[..1], &by_rows, false);
                let by_columns = self.square(&[&columns, &other_columns], [J, K]);
                self.product(&spread(&columns, J), &spread(&other_columns, K), &inner[1..], &by_columns, false);
                let both = self.masked(&by_rows, &by_columns, [J, K])?;
                let fading = &first.between[&(at.stage, write)];
                let scores = self.square(&[&both, fading], [I, K]);
                self.product(fading, &both, &[J], &scores, false);
                let theirs = renamed(&second.between[&(other.stage, theirs)], J, K);
                self.product(&scores, &theirs, &[K], &spread(&out, I), true);
            }
        }
        if axes.len() == 2 {
            return Ok(out);
        }
        let own = own_axes(self.build, self.lowering, result);
        let (sum, one) = (self.build.out(self.lowering, result), self.number(1.0)?);
        let more: Vec<AxisId> = axes.iter().copied().filter(|axis| !inner.contains(axis)).collect();
        debug_assert!(own.iter().all(|axis| outer.contains(axis)), "what is left of a state is what is around");
        self.product(&out, &one, &more, &sum, false);
        Ok(sum)
    }

    /// The sum of products of two states along their columns, whose rows fade by themselves.
    fn dot_by_row(&mut self, at: At, other: At) -> Result<View> {
        let space = self.chains[at.chain].space.clone();
        let (kept, columns) = (&space.axes[..space.axes.len() - 1], space.columns());
        let outer = kept[..kept.len() - 1].to_vec();
        let [first, second] = [self.fading(at.chain)?, self.fading(other.chain)?];
        let factors = [&first.before[&at.stage], &second.before[&other.stage]];
        let (begun, out) = (self.local(kept, false), self.local(kept, true));
        self.product(&self.states[at.chain].clone(), &self.states[other.chain].clone(), &[columns], &begun, false);
        self.map(product_of(3, 1.0), &[&begun, factors[0], factors[1]], &out, kept)?;
        let by_row = |fading: &Fading| fading.by_row.clone().expect("rows of both fade by themselves");
        let [a, b] = [by_row(&first), by_row(&second)];
        for (own, to, a, before) in [(at, other, &b, factors[0]), (other, at, &a, factors[1])] {
            for write in 0..self.chains[to.chain].writes.len() {
                let [rows, columns] = self.sides(to.chain, write)?;
                let met = self.begun(own.chain, &columns, Side::Columns);
                let met = self.times(&[&rows, &met], 1.0)?;
                let seen = self.local(kept, true);
                let [u, a, run] = [&met, a, &seen].map(|view| self.row(view, &outer));
                let fade = self.fade(to, write);
                self.faded(Faded::Runs { u, a, fade, out: run }, &outer, self.chains[to.chain].reverse)?;
                self.map(sum_of_products(), &[&out, &seen, before], &out, kept)?;
            }
        }
        for write in 0..self.chains[at.chain].writes.len() {
            for theirs in 0..self.chains[other.chain].writes.len() {
                let [rows, own] = self.sides(at.chain, write)?;
                let [other_rows, others] = self.sides(other.chain, theirs)?;
                let m = self.square(&[&own, &others], [J, K]);
                self.product(&spread(&own, J), &spread(&others, K), &[columns], &m, false);
                let [u, v, a, b, to] = [&rows, &other_rows, &a, &b, &out].map(|view| self.row(view, &outer));
                let (back, fore) = ((u, a, self.fade(at, write)), (v, b, self.fade(other, theirs)));
                self.faded(Faded::Dots { m: self.walk(&m, &outer), back, fore, out: to }, &outer, false)?;
            }
        }
        Ok(out)
    }

    /// Adds to a sum of two states what one's write gives with the state that the other began with.
    fn met(
        &mut self,
        chain: usize,
        (writer, write): (usize, usize),
        fading: &View,
        before: Option<&View>,
        out: &View,
    ) -> Result<()> {
        let [rows, columns] = self.sides(writer, write)?;
        let space = &self.chains[chain].space;
        let outer = space.axes[..space.axes.len() - 2].to_vec();
        let (met, along) = (self.local(&outer, true), [space.rows(), space.columns()]);
        // What is summed with rows already is summed with columns then.
        let there = |side: Side, by: &View| self.begun.iter().any(|own| (own.0, &own.1, own.2) == (chain, by, side));
        if there(Side::Columns, &columns) && !there(Side::Rows, &rows) {
            let begun = self.begun(chain, &columns, Side::Columns);
            self.product(&begun, &rows, &along[..1], &met, false);
        } else {
            let begun = self.begun(chain, &rows, Side::Rows);
            self.product(&begun, &columns, &along[1..], &met, false);
        }
        match before {
            None => self.product(fading, &spread(&met, J), &[J], &spread(out, I), true),
            Some(before) => {
                let seen = self.local(&outer, true);
                self.product(fading, &spread(&met, J), &[J], &spread(&seen, I), false);
                self.map(sum_of_products(), &[out, &seen, before], out, &outer)?;
            }
        }
        Ok(())
    }
}

/// The same with another name for an axis.
fn renamed(view: &View, from: AxisId, to: AxisId) -> View {
    let mut view = view.clone();
    view.axes.iter_mut().filter(|(axis, _)| *axis == from).for_each(|(axis, _)| *axis = to);
    view
}
