//! The operations of a chunk: products of matrices whose rows are its positions.
//!
//! In: the steps of a chunk. Out: operations of a tile. A position of a chunk is an axis here, like any other: `I` where it is what
//! reads, `J` and `K` where it is what wrote.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Constant;
use genesys_ir::module::{AxisId, Expr, Instruction, ValueId};
use genesys_kernels::Fade;
use genesys_scalar::Function;

use crate::code::Code;
use crate::contract;
use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::chunkwise::CHUNK;
use crate::lower::chunkwise::form::{At, By, Chain, Read, Scale};
use crate::lower::chunkwise::order::{Solve, Step};
use crate::lower::sweep::own_axes;
use crate::op::{Decays, Diagonal, Faded, Op, Triangle};
use crate::view::{Extent, Place, Spot, View, Walk};

const I: AxisId = AxisId(u32::MAX);
const J: AxisId = AxisId(u32::MAX - 1);
const K: AxisId = AxisId(u32::MAX - 2);

/// What a sum goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Rows,
    Columns,
}

/// What the decays of a chain come to within a chunk.
#[derive(Clone)]
struct Fading {
    /// From a write to a later read, by stage and write: `[.., I, J]`, 0 where the write is not before the read.
    between: BTreeMap<(usize, usize), View>,
    /// From the beginning of the chunk to a read, by stage; none where nothing decays.
    before: BTreeMap<usize, View>,
    /// From a write to the end of the chunk.
    behind: BTreeMap<usize, View>,
    /// From the beginning to the end.
    whole: Option<View>,
    /// The factors at each position, where each row has its own; then there is nothing `between`.
    by_row: Option<View>,
}

/// A chunk under construction.
pub(super) struct Matrices<'b, 'l, 'm> {
    build: &'b mut Build,
    lowering: &'l mut Lowering<'m>,
    chains: &'b [Chain],
    /// Where the states lie, as they are at the beginning of the chunk.
    states: &'b [View],
    /// The stages that are read.
    stages: BTreeSet<At>,
    /// Writes of which one side is solved for: which it is.
    solved: BTreeMap<(usize, usize), Side>,
    fading: BTreeMap<usize, Fading>,
    /// The sides of each write.
    writes: BTreeMap<(usize, usize), [View; 2]>,
    /// Sums of vectors with a state of the beginning.
    begun: Vec<(usize, View, Side, View)>,
    /// What was read before.
    known: Vec<(At, ValueId, Vec<AxisId>, ValueId)>,
    /// What was computed last.
    last: Vec<ValueId>,
}

impl<'b, 'l, 'm> Matrices<'b, 'l, 'm> {
    pub(super) fn new(
        build: &'b mut Build,
        lowering: &'l mut Lowering<'m>,
        chains: &'b [Chain],
        states: &'b [View],
        steps: &[Step<'_>],
    ) -> Self {
        let (mut stages, mut solved) = (BTreeSet::new(), BTreeMap::new());
        for step in steps {
            let read = match step {
                Step::Small(_) => continue,
                Step::Read(read) => read,
                Step::Solve(solve) => {
                    let side = if side(&chains[solve.read.at.chain], &solve.read.axes) == Side::Rows {
                        Side::Columns
                    } else {
                        Side::Rows
                    };
                    solved.insert((solve.read.at.chain, solve.write), side);
                    &solve.read
                }
            };
            stages.insert(read.at);
            if let By::State(other) = read.by {
                stages.insert(other);
            }
        }
        Self {
            build,
            lowering,
            chains,
            states,
            stages,
            solved,
            fading: BTreeMap::new(),
            writes: BTreeMap::new(),
            begun: Vec::new(),
            known: Vec::new(),
            last: Vec::new(),
        }
    }

    /// An operation that knows no state.
    pub(super) fn small(&mut self, instruction: &Instruction) -> Result<()> {
        self.last = instruction.results.clone();
        self.build.operation(self.lowering, instruction)
    }

    /// Lets what was computed last be known by its other names.
    pub(super) fn rename(&mut self, names: &BTreeMap<ValueId, ValueId>) {
        for (name, _) in names.iter().filter(|(_, value)| self.last.contains(value)) {
            let view = self.build.views[&names[name]].clone();
            self.build.views.insert(*name, view);
        }
    }

    /// A sum of products with a state.
    pub(super) fn read(&mut self, read: &Read) -> Result<()> {
        let around = self.build.make_for(Some(read.result));
        let Read { at, by, axes, result } = read;
        let out = match by {
            By::State(other) => self.dot(*at, *other, axes, *result)?,
            By::Vector(id) => {
                let same = |own: &&(At, ValueId, Vec<AxisId>, ValueId)| (own.0, own.1, &own.2) == (*at, *id, axes);
                match self.known.iter().find(same).map(|own| self.build.views[&own.3].clone()) {
                    Some(view) => view,
                    None => {
                        let out = self.sum(read, *id, None)?;
                        self.known.push((*at, *id, axes.clone(), *result));
                        out
                    }
                }
            }
        };
        self.build.define_as(self.lowering, *result, out);
        self.build.make_for(around);
        self.last = vec![*result];
        Ok(())
    }

    /// A sum of products of a vector and a state, but for what it reads of one write.
    fn sum(&mut self, read: &Read, id: ValueId, without: Option<usize>) -> Result<View> {
        let Read { at, axes, result, .. } = read;
        let chain = &self.chains[at.chain];
        let side = side(chain, axes);
        let by = self.build.view(self.lowering, id)?;
        let own = own_axes(self.build, self.lowering, *result);
        let target = self.build.out(self.lowering, *result);
        let kept = if side == Side::Rows { chain.space.columns() } else { chain.space.rows() };
        let out = if target.stride(kept) == 1 { target } else { self.local(&own, true) };
        self.begin(*at, &by, side, axes, &out)?;
        for write in (0..chain.writes.len()).filter(|write| Some(*write) != without) {
            if chain.diagonal.is_some() && side == Side::Columns {
                self.faded_sum(*at, write, &by, &out)?;
                continue;
            }
            let scores = self.scores(*at, write, &by, side)?;
            let [rows, columns] = self.sides(at.chain, write)?;
            let other = if side == Side::Rows { columns } else { rows };
            let mut over: Vec<AxisId> =
                axes.iter().copied().filter(|axis| *axis != self.along(at.chain, side)).collect();
            over.push(J);
            self.product(&scores, &spread(&other, J), &over, &spread(&out, I), true);
        }
        Ok(out)
    }

    /// What is read of the state that the chunk began with.
    fn begin(&mut self, at: At, by: &View, side: Side, axes: &[AxisId], out: &View) -> Result<()> {
        let state = self.states[at.chain].clone();
        let before = self.fading(at.chain)?.before.get(&at.stage).cloned();
        match before {
            None => self.product(&spread(by, I), &state, axes, &spread(out, I), false),
            Some(before) if axes.len() > 1 || before.has(self.along(at.chain, side)) => {
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
    fn begun(&mut self, chain: usize, by: &View, side: Side) -> View {
        let same = |own: &&(usize, View, Side, View)| (own.0, &own.1, own.2) == (chain, by, side);
        if let Some(own) = self.begun.iter().find(same) {
            return own.3.clone();
        }
        let along = self.along(chain, side);
        let axes: Vec<AxisId> = self.chains[chain].space.axes.iter().copied().filter(|axis| *axis != along).collect();
        let (state, out) = (self.states[chain].clone(), self.local(&axes, true));
        self.product(&spread(by, I), &state, &[along], &spread(&out, I), false);
        self.begun.push((chain, by.clone(), side, out.clone()));
        out
    }

    /// How much of a write each position reads: `[.., I, J]`.
    fn scores(&mut self, at: At, write: usize, by: &View, side: Side) -> Result<View> {
        let [rows, columns] = self.sides(at.chain, write)?;
        let own = if side == Side::Rows { rows } else { columns };
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
        let along = self.along(at.chain, side);
        self.product(&spread(by, I), &spread(&own, J), &[along], &scores, false);
        self.masked(&scores, &fading, [I, J])
    }

    /// Adds to a sum along columns what is read of a write whose rows fade by themselves.
    fn faded_sum(&mut self, at: At, write: usize, by: &View, out: &View) -> Result<()> {
        let [rows, columns] = self.sides(at.chain, write)?;
        let s = self.square(&[by, &columns], [I, J]);
        let along = self.along(at.chain, Side::Columns);
        self.product(&spread(by, I), &spread(&columns, J), &[along], &s, false);
        let a = self.fading(at.chain)?.by_row.expect("asked for where rows fade by themselves");
        let outer = self.around(&[out]);
        let fade = self.fade(at, write);
        let [u, a, to] = [&rows, &a, out].map(|view| self.row(view, &outer));
        let what = Faded::Sums { s: self.walk(&s, &outer), u, a, fade, out: to };
        self.faded(what, &outer, self.chains[at.chain].reverse)
    }

    /// The product of two squares, in the place of the first if that has room.
    fn masked(&mut self, scores: &View, by: &View, [i, j]: [AxisId; 2]) -> Result<View> {
        let whole = self.square(&[scores, by], [i, j]);
        let out = if whole.axes.len() == scores.axes.len() { scores.clone() } else { whole };
        let axes: Vec<AxisId> = out.axes.iter().map(|(axis, _)| *axis).collect();
        self.map(product_of(2, 1.0), &[scores, by], &out, &axes)?;
        Ok(out)
    }

    /// The sum of products of two states: of what both began with, of each one's writes with what the other began with, and of
    /// their writes.
    fn dot(&mut self, at: At, other: At, axes: &[AxisId], result: ValueId) -> Result<View> {
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
                let sum = Expr::Apply(Function::Add, vec![Expr::Arg(0), times(Expr::Arg(1), Expr::Arg(2))]);
                self.map(sum, &[&out, &seen, before], &out, kept)?;
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

    /// How a write fades until a stage reads it, where rows fade by themselves.
    fn fade(&self, at: At, write: usize) -> Fade {
        let chain = &self.chains[at.chain];
        Fade { late: chain.diagonal <= Some(at.stage), own: chain.writes[write].stage <= at.stage }
    }

    /// Appends sums that fade by rows, around them those axes.
    fn faded(&mut self, what: Faded, outer: &[AxisId], reverse: bool) -> Result<()> {
        let order = outer.iter().map(|axis| self.extent(*axis)).collect();
        let columns = self.lowering.size(self.chains[0].space.rows())?;
        self.build.ops.push(Op::Diagonal(Box::new(Diagonal { what, order, columns, rows: CHUNK, reverse })));
        Ok(())
    }

    /// The axes of views around rows and columns.
    fn around(&self, views: &[&View]) -> Vec<AxisId> {
        let space = &self.chains[0].space;
        self.axes_of(views).into_iter().filter(|axis| ![space.rows(), space.columns()].contains(axis)).collect()
    }

    fn walk(&self, view: &View, axes: &[AxisId]) -> Walk {
        view.walk(&axes.iter().map(|axis| (*axis, self.extent(*axis))).collect::<Vec<_>>())
    }

    /// The rows of a value, within those axes.
    fn row(&self, view: &View, outer: &[AxisId]) -> Walk {
        self.walk(view, &[outer, &[self.chains[0].space.rows()]].concat())
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
                let sum = Expr::Apply(Function::Add, vec![Expr::Arg(0), times(Expr::Arg(1), Expr::Arg(2))]);
                self.map(sum, &[out, &seen, before], out, &outer)?;
            }
        }
        Ok(())
    }

    /// A write and what it is linear in: what is read of all else first, then the system of the chunk's own positions.
    pub(super) fn solve(&mut self, solve: &Solve<'_>) -> Result<()> {
        let Solve { read, map, write, slope, wanted } = solve;
        let (at, result, factor) = (read.at, read.result, map.results[0]);
        let By::Vector(id) = read.by else { unreachable!("a system is of vectors") };
        let around = self.build.make_for(Some(result));
        let chain = &self.chains[at.chain];
        let side = side(chain, &read.axes);
        let out = self.sum(read, id, Some(*write))?;
        self.build.views.insert(result, out.clone());
        let target = self.build.targets.remove(&factor);
        self.build.operation(self.lowering, map)?;
        let x = self.solvable(factor, if side == Side::Rows { chain.space.columns() } else { chain.space.rows() });
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

    /// The state behind a chunk.
    pub(super) fn update(&mut self, chain: usize) -> Result<()> {
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
                if behind.has(self.along(chain, Side::Rows)) || holds(&rows) && !holds(&columns) {
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

    /// The rows and the columns of a write, one of them with its scale.
    fn sides(&mut self, chain: usize, write: usize) -> Result<[View; 2]> {
        if let Some(sides) = self.writes.get(&(chain, write)) {
            return Ok(sides.clone());
        }
        let own = self.chains[chain].writes[write].clone();
        let on_rows = self.solved.get(&(chain, write)) == Some(&Side::Columns);
        let mut sides = Vec::new();
        for (ids, scales) in [(&own.rows, on_rows), (&own.columns, !on_rows)] {
            let one = Scale { number: 1.0, factors: Vec::new() };
            sides.push(self.scaled(ids, if scales { &own.scale } else { &one })?);
        }
        let sides: [View; 2] = sides.try_into().expect("a product has two sides");
        self.writes.insert((chain, write), sides.clone());
        Ok(sides)
    }

    /// The product of values and a scale, at each position.
    fn scaled(&mut self, ids: &[ValueId], scale: &Scale) -> Result<View> {
        let mut views = Vec::new();
        for id in ids.iter().chain(&scale.factors) {
            views.push(self.build.view(self.lowering, *id)?);
        }
        match views.as_slice() {
            [view] if scale.number == 1.0 => Ok(view.clone()),
            _ => self.times(&views.iter().collect::<Vec<_>>(), scale.number),
        }
    }

    /// The product of values and a number, with all their axes.
    fn times(&mut self, views: &[&View], number: f64) -> Result<View> {
        let axes = self.axes_of(views);
        let each = views.iter().any(|view| view.spot.row != 0);
        let out = self.local(&axes, each);
        self.map(product_of(views.len(), number), views, &out, &axes)?;
        Ok(out)
    }

    /// What the decays of a chain come to, computed when that is first asked for.
    fn fading(&mut self, chain: usize) -> Result<Fading> {
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

    /// The axis of a side.
    fn along(&self, chain: usize, side: Side) -> AxisId {
        let space = &self.chains[chain].space;
        if side == Side::Rows { space.rows() } else { space.columns() }
    }

    /// The axes of views, in the order of states.
    fn axes_of(&self, views: &[&View]) -> Vec<AxisId> {
        let space = &self.chains[0].space;
        space.axes.iter().copied().filter(|axis| views.iter().any(|view| view.has(*axis))).collect()
    }

    fn extent(&self, axis: AxisId) -> Extent {
        if [I, J, K].contains(&axis) { Extent::Fixed(CHUNK) } else { self.lowering.extent(axis) }
    }

    fn local(&mut self, axes: &[AxisId], each: bool) -> View {
        self.build.local(self.lowering, axes, each)
    }

    /// Memory for a matrix over the chunk's positions, around it what these views have around rows and columns.
    fn square(&mut self, views: &[&View], inner: [AxisId; 2]) -> View {
        let space = &self.chains[0].space;
        let around = &space.axes[..space.axes.len() - 2];
        let outer = around.iter().copied().filter(|axis| views.iter().any(|view| view.has(*axis)));
        let axes: Vec<AxisId> = outer.chain(inner).collect();
        let sized: Vec<(AxisId, usize)> =
            axes.iter().map(|axis| (*axis, self.build.room(self.extent(*axis)))).collect();
        let place = Place::Local(self.build.memory(sized.iter().map(|(_, n)| n).product()));
        View::dense(Spot::new(place, 0), &sized)
    }

    fn square_like(&mut self, square: &View) -> View {
        self.square(&[square], [I, J])
    }

    /// The number in memory.
    fn number(&mut self, number: f64) -> Result<View> {
        self.times(&[], number)
    }

    /// `out = sum a b` over those axes, or added to it. What one of both has not is the same along it.
    fn product(&mut self, a: &View, b: &View, summed: &[AxisId], out: &View, accumulate: bool) {
        let (mut a, mut b) = (a.clone(), b.clone());
        for axis in summed {
            for view in [&mut a, &mut b] {
                if !view.has(*axis) {
                    view.axes.push((*axis, 0));
                }
            }
        }
        for (axis, _) in &out.axes {
            if !a.has(*axis) && !b.has(*axis) {
                a.axes.push((*axis, 0));
            }
        }
        let sizes = |axis: AxisId| match self.extent(axis) {
            Extent::Fixed(n) if [I, J, K].contains(&axis) => (Extent::Rows, n),
            extent => (extent, self.build.room(extent)),
        };
        let (plan, _) = contract::plan(a, b, summed, &sizes, contract::Rows::Kept, Some(out));
        self.build.ops.push(Op::Contract(contract::Contraction { accumulate, ..plan }));
    }

    /// An expression of those views, along those axes of its result.
    fn map(&mut self, expr: Expr, args: &[&View], out: &View, axes: &[AxisId]) -> Result<()> {
        let order: Vec<(AxisId, Extent)> = axes.iter().map(|axis| (*axis, self.extent(*axis))).collect();
        self.build.ops.push(Op::Map {
            code: Code::new(&expr, &|_| None)?,
            args: args.iter().map(|view| view.walk(&order)).collect(),
            out: out.walk(&order),
            order: order.iter().map(|(_, extent)| *extent).collect(),
        });
        Ok(())
    }
}

/// What a sum of vectors with a state goes along.
fn side(chain: &Chain, axes: &[AxisId]) -> Side {
    if axes.contains(&chain.space.rows()) { Side::Rows } else { Side::Columns }
}

/// A value with the positions of a chunk as an axis.
fn spread(view: &View, axis: AxisId) -> View {
    let mut view = view.clone();
    view.axes.push((axis, view.spot.row));
    view.spot.row = 0;
    view
}

/// The same with another name for an axis.
fn renamed(view: &View, from: AxisId, to: AxisId) -> View {
    let mut view = view.clone();
    view.axes.iter_mut().filter(|(axis, _)| *axis == from).for_each(|(axis, _)| *axis = to);
    view
}

/// The product of so many operands and a number.
fn product_of(operands: usize, number: f64) -> Expr {
    let number = Expr::Const(Constant::Real(number));
    (0..operands).map(Expr::Arg).reduce(times).map_or(number.clone(), |all| match number {
        Expr::Const(Constant::Real(1.0)) => all,
        number => times(all, number),
    })
}

fn times(a: Expr, b: Expr) -> Expr {
    Expr::Apply(Function::Mul, vec![a, b])
}
