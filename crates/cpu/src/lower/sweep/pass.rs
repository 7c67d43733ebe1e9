//! A pass over states: as many sources and sums as are ready.
//!
//! In: a plan. Out: an operation of the tile program, and the small ones that multiply operands beforehand.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{AxisId, Expr, Instruction, ValueId};
use genesys_scalar::Function;

use crate::code::Code;
use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::sweep::plan::{Part, Plan, Space, Term, own_axes};
use crate::op::{Base, Condition, Op, Reader, Source, Strided, Sweep};
use crate::view::{Extent, View};

/// A pass under construction: its sources, each with the value it is and its readers.
struct Pass<'a> {
    space: &'a Space,
    sources: Vec<(Source, Vec<Reader>)>,
    /// The values that the sources are, and where in the list they are complete.
    values: Vec<(ValueId, usize)>,
    taken: BTreeSet<usize>,
    results: Vec<(ValueId, View)>,
}

/// How far a kernel was: see [`Build::mark`].
struct Before {
    ops: usize,
    /// The values that it had, in their order.
    views: Vec<ValueId>,
    wide: Vec<ValueId>,
}

impl Build {
    /// Appends a pass over the states of a space, with all that can be done by it; gives whether there is such a space.
    pub(super) fn pass(&mut self, lowering: &mut Lowering<'_>, plan: &mut Plan<'_>) -> Result<bool> {
        for (s, space) in plan.spaces.iter().enumerate() {
            let mut pass =
                Pass { space, sources: Vec::new(), values: Vec::new(), taken: BTreeSet::new(), results: Vec::new() };
            let (mut more, mut before) = (true, self.mark());
            while more {
                more = false;
                for (i, part) in plan.parts.iter().enumerate() {
                    if plan.done.contains(&i) || pass.taken.contains(&i) {
                        continue;
                    }
                    let takes = match part {
                        Part::Source { space, terms } if *space == s => {
                            self.source(lowering, plan, &mut pass, i, terms)?
                        }
                        Part::Reader { space, wholes, axes } if *space == s => {
                            self.reader(lowering, plan, &mut pass, i, wholes, axes)?
                        }
                        Part::Source { .. } | Part::Reader { .. } | Part::Product | Part::Alone => false,
                    };
                    if takes {
                        pass.taken.insert(i);
                        more = true;
                        before = self.mark();
                    } else {
                        self.back_to(&before);
                    }
                }
            }
            if !pass.taken.is_empty() {
                let taken = self.swept(lowering, plan, pass);
                plan.done.extend(taken);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What there is before something is tried.
    fn mark(&self) -> Before {
        let keys = |views: &BTreeMap<ValueId, View>| views.keys().copied().collect();
        Before { ops: self.ops.len(), views: keys(&self.views), wide: keys(&self.wide) }
    }

    /// Takes back the operations that were appended for what was not to be, and the values that they gave.
    fn back_to(&mut self, before: &Before) {
        self.ops.truncate(before.ops);
        self.marks.truncate(before.ops);
        for (views, known) in [(&mut self.views, &before.views), (&mut self.wide, &before.wide)] {
            if views.len() > known.len() {
                views.retain(|id, _| known.binary_search(id).is_ok());
            }
        }
    }

    /// Appends a pass that is complete; gives what it does.
    fn swept(&mut self, lowering: &mut Lowering<'_>, plan: &Plan<'_>, mut pass: Pass<'_>) -> BTreeSet<usize> {
        for (id, at) in &pass.values {
            let own = plan.made.get(id).is_some_and(|i| pass.taken.contains(i));
            if own && plan.is_wanted(*id, &pass.taken) {
                let view = self.place(lowering, pass.space, *id, true);
                pass.sources[*at].0.store = Some(pass.space.strided(&view));
                pass.results.push((*id, view));
            }
        }
        let mut readers = Vec::new();
        let mut sources = Vec::new();
        for (source, own) in pass.sources {
            sources.push(Source { readers: own.len(), ..source });
            readers.extend(own);
        }
        self.ops.push(Op::Sweep(Sweep { sizes: pass.space.sizes.clone(), sources, readers }));
        for (id, view) in pass.results {
            self.define_as(lowering, id, view);
        }
        pass.taken
    }

    /// Where a result of a pass goes; `dense` asks for columns side by side.
    fn place(&mut self, lowering: &Lowering<'_>, space: &Space, id: ValueId, dense: bool) -> View {
        let out = self.out(lowering, id);
        if !dense || space.is_dense(&out) {
            return out;
        }
        let own = own_axes(self, lowering, id);
        let axes: Vec<AxisId> = space.axes.iter().copied().filter(|axis| own.contains(axis)).collect();
        self.local(lowering, &axes, false)
    }

    /// Takes a sum of products into a pass, if all that it reads is there.
    fn source(
        &mut self,
        lowering: &mut Lowering<'_>,
        plan: &Plan<'_>,
        pass: &mut Pass<'_>,
        i: usize,
        terms: &[Term],
    ) -> Result<bool> {
        if !plan.may_replace(i, &pass.taken) {
            return Ok(false);
        }
        let before = pass.values.last().filter(|(_, at)| *at + 1 == pass.sources.len()).map(|(id, _)| *id);
        let terms = terms.iter().map(|term| plan.factors(term, self, lowering)).collect::<Option<Vec<Term>>>();
        let Some(mut terms) = terms else { return Ok(false) };
        // What is in registers can be begun with only.
        terms.sort_by_key(|term| before.is_none_or(|before| !term.factors.contains(&before)));
        let mut base = None;
        let mut products = Vec::new();
        for term in &terms {
            let there = |id: &ValueId| plan.is_there(*id) || Some(*id) == before;
            if !term.factors.iter().all(there) || term.only.is_some_and(|(only, _)| !plan.is_there(only)) {
                return Ok(false);
            }
            let begins = base.is_none() && term.number == 1.0;
            let Some(sum) = self.summand(lowering, plan, pass.space, term, before, begins)? else { return Ok(false) };
            let only = self.only(lowering, pass.space, term)?;
            match sum {
                Summand::Base(found, decay) => base = Some((found, decay, only)),
                Summand::Product(product) => products.push((product, only)),
            }
        }
        let (base, decay, begins) = base.unwrap_or((Base::Zero, None, None));
        if pass.sources.len() + products.len().max(1) > Sweep::SOURCES {
            return Ok(false);
        }
        let mut products = products.into_iter();
        let source = |base, decay, begins, product: Option<(Product, Option<Condition>)>| {
            let (product, only) = product.map_or((None, None), |(product, only)| (Some(product), only));
            (Source { base, decay, begins, product, only, store: None, readers: 0 }, Vec::new())
        };
        pass.sources.push(source(base, decay, begins, products.next()));
        pass.sources.extend(products.map(|product| source(Base::Before, None, None, Some(product))));
        pass.values.push((plan.body.instructions[i].results[0], pass.sources.len() - 1));
        Ok(true)
    }

    /// A term as what a source begins with, or what is added to it; nothing where it is neither.
    fn summand(
        &mut self,
        lowering: &mut Lowering<'_>,
        plan: &Plan<'_>,
        space: &Space,
        term: &Term,
        before: Option<ValueId>,
        begins: bool,
    ) -> Result<Option<Summand>> {
        let (rows, columns) = (space.rows(), space.columns());
        let (mut wide, mut row, mut narrow) = (Vec::new(), Vec::new(), Vec::new());
        for id in &term.factors {
            let axes = own_axes(self, lowering, *id);
            match (axes.contains(&columns), axes.contains(&rows)) {
                (true, true) => wide.push(*id),
                (true, false) => row.push(*id),
                (false, _) => narrow.push(*id),
            }
        }
        // What is in registers only can be begun with, and is nowhere else.
        let in_registers = wide.iter().filter(|id| Some(**id) == before && !plan.is_there(**id)).count();
        let held = begins && before.is_some_and(|before| wide.contains(&before));
        if in_registers > usize::from(held) {
            return Ok(None);
        }
        let operands = wide.len() + usize::from(!row.is_empty()) + usize::from(!narrow.is_empty());
        if operands > 2 || wide.is_empty() && operands == 0 {
            return Ok(None);
        }
        // What is multiplied beforehand.
        let mut views = Vec::new();
        for ids in [&narrow, &row] {
            if !ids.is_empty() {
                views.push(self.multiplied(lowering, space, ids)?);
            }
        }
        let mut found = None;
        for id in &wide {
            if held && found.is_none() && Some(*id) == before {
                found = Some(Base::Before);
                continue;
            }
            let view = self.view(lowering, *id)?;
            if !space.is_dense(&view) || !space.takes(&view) {
                return Ok(None);
            }
            if begins && !held && found.is_none() {
                found = Some(Base::Memory(space.strided(&view)));
            } else {
                views.push(view);
            }
        }
        if !views.iter().all(|view| space.takes(view)) {
            return Ok(None);
        }
        let mut operands = views.iter().map(|view| space.strided(view)).collect::<Vec<_>>();
        if let Some(base) = found {
            return Ok(Some(Summand::Base(base, operands.pop())));
        }
        if operands.len() == 1 {
            operands.insert(0, space.strided(&self.one(lowering)?));
        }
        // Where one of two is the same for all columns, it is the first: narrow ones are.
        let [u, v] = [operands[0].clone(), operands[1].clone()];
        Ok(Some(Summand::Product((term.number as f32, [u, v]))))
    }

    /// Where the condition of a term lies.
    fn only(&mut self, lowering: &mut Lowering<'_>, space: &Space, term: &Term) -> Result<Option<Condition>> {
        let condition = |(id, holds)| Ok(Condition { value: space.strided(&self.view(lowering, id)?), holds });
        term.only.map(condition).transpose()
    }

    /// The product of several values that do not reach over a whole state.
    fn multiplied(&mut self, lowering: &mut Lowering<'_>, space: &Space, ids: &[ValueId]) -> Result<View> {
        let mut views = Vec::new();
        for id in ids {
            views.push(self.view(lowering, *id)?);
        }
        if let [view] = views.as_slice() {
            return Ok(view.clone());
        }
        let axes: Vec<AxisId> =
            space.axes.iter().copied().filter(|axis| views.iter().any(|view| view.has(*axis))).collect();
        let product =
            (1..ids.len()).fold(Expr::Arg(0), |product, i| Expr::Apply(Function::Mul, vec![product, Expr::Arg(i)]));
        let out = self.local(lowering, &axes, false);
        let order = self.order(lowering, &axes);
        let args = views.iter().map(|view| view.walk(&order)).collect();
        let extents: Vec<Extent> = order.iter().map(|(_, extent)| *extent).collect();
        self.ops.push(Op::Map { code: Code::new(&product, &|_| None)?, args, out: out.walk(&order), order: extents });
        Ok(out)
    }

    /// The number 1 in memory.
    fn one(&mut self, lowering: &Lowering<'_>) -> Result<View> {
        let out = self.local(lowering, &[], false);
        let code = Code::new(&Expr::Const(genesys_axis::Constant::Real(1.0)), &|_| None)?;
        self.ops.push(Op::Map { code, args: Vec::new(), out: out.walk(&[]), order: Vec::new() });
        Ok(out)
    }

    /// Takes a sum of products into a pass, if what it sums over is there, or is a source of the pass.
    fn reader(
        &mut self,
        lowering: &mut Lowering<'_>,
        plan: &Plan<'_>,
        pass: &mut Pass<'_>,
        i: usize,
        wholes: &[usize],
        axes: &[AxisId],
    ) -> Result<bool> {
        let Instruction { args, results, .. } = &plan.body.instructions[i];
        let readers: usize = pass.sources.iter().map(|(_, readers)| readers.len()).sum();
        let down = !axes.contains(&pass.space.columns());
        let adds = self.adds(axes);
        let sparse = self.targets.get(&results[0]).is_some_and(|target| !pass.space.is_dense(target));
        if readers == Sweep::READERS || adds && down && sparse {
            return Ok(false);
        }
        let source = |pass: &Pass<'_>, id: ValueId| pass.values.iter().find(|(own, _)| *own == id).map(|(_, at)| *at);
        // What is in registers already goes before what has to be read for it.
        let mut wholes = wholes.to_vec();
        wholes.sort_by_key(|whole| source(pass, args[*whole]).is_none());
        for whole in wholes {
            let (x, by) = (args[whole], args.iter().enumerate().find(|(i, _)| *i != whole).map(|(_, id)| *id));
            let there = |id: ValueId| plan.is_there(id) && !plan.is_product(id);
            if by.is_some_and(|by| !there(by)) || source(pass, x).is_none() && !plan.is_there(x) {
                continue;
            }
            let by = by.map(|by| self.view(lowering, by)).transpose()?;
            if by.as_ref().is_some_and(|by| !pass.space.takes(by)) {
                continue;
            }
            let at = match source(pass, x) {
                Some(at) => at,
                None if self.read(lowering, plan, pass, x)? => pass.sources.len() - 1,
                None => continue,
            };
            let out = self.place(lowering, pass.space, results[0], down);
            let by = by.map(|by| pass.space.strided(&by));
            pass.sources[at].1.push(Reader { down, by, out: pass.space.strided(&out), adds });
            pass.results.push((results[0], out));
            return Ok(true);
        }
        Ok(false)
    }

    /// Takes what is in memory, or a product, as a source of a pass.
    fn read(&mut self, lowering: &mut Lowering<'_>, plan: &Plan<'_>, pass: &mut Pass<'_>, id: ValueId) -> Result<bool> {
        if pass.sources.len() == Sweep::SOURCES {
            return Ok(false);
        }
        let source = match plan.is_product(id) {
            true => {
                let term = Term { number: 1.0, factors: vec![id], only: None };
                let Some(term) = plan.factors(&term, self, lowering) else { return Ok(false) };
                match self.summand(lowering, plan, pass.space, &term, None, false)? {
                    Some(Summand::Product(product)) => {
                        let only = self.only(lowering, pass.space, &term)?;
                        let product = Some(product);
                        Source { base: Base::Zero, decay: None, begins: None, product, only, store: None, readers: 0 }
                    }
                    Some(Summand::Base(..)) | None => return Ok(false),
                }
            }
            false => {
                let view = self.view(lowering, id)?;
                if !pass.space.is_dense(&view) {
                    return Ok(false);
                }
                let base = Base::Memory(pass.space.strided(&view));
                Source { base, decay: None, begins: None, product: None, only: None, store: None, readers: 0 }
            }
        };
        pass.sources.push((source, Vec::new()));
        pass.values.push((id, pass.sources.len() - 1));
        Ok(true)
    }
}

/// A term as a pass computes it.
enum Summand {
    Base(Base, Option<Strided>),
    Product(Product),
}

/// A factor, and two operands.
type Product = (f32, [Strided; 2]);
