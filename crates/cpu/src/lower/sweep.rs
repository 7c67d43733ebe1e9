//! What a step does with its states, as few passes over them.
//!
//! A recurrence updates a state by its decay and an outer product, and sums products with it. One operation at a time, the state
//! would come from memory for each; as a [`Sweep`] a few of its rows are in registers while all is done with them that can be.
//! So the operations of a step are put in another order: what is small comes as early as it can, and what goes over states
//! waits, so that as much as possible is done by the next pass.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{AxisId, Expr, Instruction, Op as IrOp, Reduction, Region, State, ValueId};
use genesys_scalar::Function;

use crate::code::Code;
use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::op::{Base, Op, Reader, Source, Strided, Sweep};
use crate::view::{Extent, View};

/// The fewest rows and columns that a pass is worth it for.
const SMALL: (usize, usize) = (4, 8);

/// The most summands of an update, and the most factors of each.
const TERMS: usize = 4;
const FACTORS: usize = 6;

/// The states that may be updated where they lie: there is an order of the operations in which nothing reads them behind that.
pub(crate) fn in_place(states: &[State], body: &Region) -> BTreeSet<ValueId> {
    let mut replaced: Vec<&State> = Vec::new();
    for state in states {
        // Only what goes element by element may write what it reads.
        let map = body.instructions.iter().any(|i| i.results.contains(&state.next) && matches!(i.op, IrOp::Map(_)));
        let shared = states.iter().filter(|other| other.next == state.next).count() > 1;
        if map && !shared && !body.results.contains(&state.current) {
            replaced.push(state);
            if !has_order(body, &replaced) {
                replaced.pop();
            }
        }
    }
    replaced.into_iter().map(|state| state.current).collect()
}

/// Whether each operation can come behind those that it reads, and updates of these states behind all that read them.
fn has_order(body: &Region, replaced: &[&State]) -> bool {
    let mut left: Vec<&Instruction> = body.instructions.iter().collect();
    while !left.is_empty() {
        let waits = |instruction: &Instruction| {
            let update = replaced.iter().find(|state| instruction.results.contains(&state.next));
            left.iter().any(|other| {
                let read = instruction.args.iter().any(|id| other.results.contains(id));
                let reads = update.is_some_and(|state| other.args.contains(&state.current));
                read || reads && other.results != instruction.results
            })
        };
        let rest: Vec<&Instruction> = left.iter().copied().filter(|instruction| waits(instruction)).collect();
        if rest.len() == left.len() {
            return false;
        }
        left = rest;
    }
    true
}

/// The axes that states have, in the order of a pass: outer ones, rows, columns.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Space {
    axes: Vec<AxisId>,
    sizes: Vec<usize>,
}

/// A summand: a number, and values to multiply.
#[derive(Clone, Debug, Default)]
struct Term {
    number: f64,
    factors: Vec<ValueId>,
    /// Where this is 0, the summand is 0, whatever its factors are.
    only: Option<ValueId>,
}

/// What an instruction of a step is to a pass.
#[derive(Clone, Debug)]
enum Part {
    /// Nothing: it runs by itself.
    Alone,
    /// A sum of products that is as large as the states of a space.
    Source { space: usize, terms: Vec<Term> },
    /// A product that is computed where it is read.
    Product,
    /// A sum over one of its operands, which is as large as the states of a space, of products with the other.
    Reader { space: usize, wholes: Vec<usize>, axes: Vec<AxisId> },
}

/// The instructions of a step, and what is left of them.
struct Plan<'a> {
    body: &'a Region,
    spaces: Vec<Space>,
    parts: Vec<Part>,
    /// The instruction of each value of the step.
    made: BTreeMap<ValueId, usize>,
    done: BTreeSet<usize>,
    /// States that are updated where they lie, by the next one.
    replaced: BTreeMap<ValueId, ValueId>,
    /// What is read by others than this step's instructions.
    leaving: BTreeSet<ValueId>,
}

/// A pass under construction: its sources, each with the value it is and its readers.
struct Pass<'a> {
    space: &'a Space,
    sources: Vec<(Source, Vec<Reader>)>,
    /// The values that the sources are, and where in the list they are complete.
    values: Vec<(ValueId, usize)>,
    taken: BTreeSet<usize>,
    results: Vec<(ValueId, View)>,
}

impl Space {
    fn rows(&self) -> AxisId {
        self.axes[self.axes.len() - 2]
    }

    fn columns(&self) -> AxisId {
        self.axes[self.axes.len() - 1]
    }

    fn is_of(&self, axes: &[AxisId]) -> bool {
        axes.len() == self.axes.len() && axes.iter().all(|axis| self.axes.contains(axis))
    }

    /// Whether a value of these axes is the same for all rows and columns.
    fn is_around(&self, axes: &[AxisId]) -> bool {
        axes.iter().all(|axis| self.axes[..self.axes.len() - 2].contains(axis))
    }

    fn strided(&self, view: &View) -> Strided {
        Strided { spot: view.spot, strides: self.axes.iter().map(|axis| view.stride(*axis)).collect() }
    }

    /// Whether columns lie side by side.
    fn is_dense(&self, view: &View) -> bool {
        view.stride(self.columns()) == 1
    }

    /// Whether it can be an operand: columns lie side by side, or are alike.
    fn takes(&self, view: &View) -> bool {
        view.stride(self.columns()) <= 1 && view.axes.iter().all(|(axis, _)| self.axes.contains(axis))
    }
}

impl<'a> Plan<'a> {
    fn new(build: &Build, lowering: &Lowering<'_>, states: &[State], body: &'a Region) -> Result<Self> {
        let made: BTreeMap<ValueId, usize> = body
            .instructions
            .iter()
            .enumerate()
            .flat_map(|(i, made)| made.results.iter().map(move |id| (*id, i)))
            .collect();
        let replaced = states
            .iter()
            .filter(|state| build.targets.get(&state.next) == build.views.get(&state.current))
            .map(|state| (state.next, state.current))
            .collect();
        let leaving = body.results.iter().copied().chain(states.iter().map(|state| state.next)).collect();
        let mut plan =
            Self { body, spaces: Vec::new(), parts: Vec::new(), made, done: BTreeSet::new(), replaced, leaving };
        for state in states {
            plan.space(build, lowering, &build.views[&state.current])?;
        }
        plan.parts = vec![Part::Alone; body.instructions.len()];
        for i in 0..body.instructions.len() {
            plan.parts[i] = plan.part(build, lowering, i);
        }
        plan.computed_where_read(build, lowering, states);
        Ok(plan)
    }

    /// Adds the space of a state, if it is large enough.
    fn space(&mut self, build: &Build, lowering: &Lowering<'_>, state: &View) -> Result<()> {
        let mut axes: Vec<AxisId> = state.axes.iter().map(|(axis, _)| *axis).collect();
        axes.sort_by_key(|axis| std::cmp::Reverse(state.stride(*axis)));
        let Some(columns) = axes.pop().filter(|axis| state.stride(*axis) == 1) else { return Ok(()) };
        // What is summed over makes the best rows.
        let summed = |axis: AxisId| {
            let sums = self.body.instructions.iter().filter(
                |i| matches!(&i.op, IrOp::Contract { axes } if axes.contains(&axis) && !axes.contains(&columns)),
            );
            sums.count()
        };
        let size = |axis: AxisId| lowering.size(axis);
        let sizes = axes.iter().map(|axis| size(*axis)).collect::<Result<Vec<_>>>()?;
        let Some(row) = (0..axes.len()).max_by_key(|i| (summed(axes[*i]), sizes[*i])) else { return Ok(()) };
        let rows = axes.remove(row);
        axes.extend([rows, columns]);
        debug_assert!(!axes.iter().any(|axis| Some(*axis) == build.task), "the axis of tasks is no loop");
        let sizes = axes.iter().map(|axis| size(*axis)).collect::<Result<Vec<_>>>()?;
        let space = Space { axes, sizes };
        if size(rows)? >= SMALL.0 && size(columns)? >= SMALL.1 && self.spaces.iter().all(|own| !own.is_of(&space.axes))
        {
            self.spaces.push(space);
        }
        Ok(())
    }

    fn part(&self, build: &Build, lowering: &Lowering<'_>, i: usize) -> Part {
        let Instruction { op, args, results } = &self.body.instructions[i];
        let axes = |id: ValueId| own_axes(build, lowering, id);
        let space = |id: ValueId| self.spaces.iter().position(|space| space.is_of(&axes(id)));
        let within = |space: usize, id: ValueId| axes(id).iter().all(|axis| self.spaces[space].axes.contains(axis));
        match op {
            IrOp::Map(expr) => {
                let Some(space) = space(results[0]) else { return Part::Alone };
                match terms(expr, args, &|id| build.known(lowering, id)) {
                    Some(terms)
                        if terms.iter().all(|term| {
                            !term.factors.is_empty()
                                && term.factors.iter().all(|id| within(space, *id))
                                && term.only.is_none_or(|id| self.spaces[space].is_around(&axes(id)))
                        }) =>
                    {
                        Part::Source { space, terms }
                    }
                    _ => Part::Alone,
                }
            }
            IrOp::Contract { axes } if axes.is_empty() => match space(results[0]) {
                Some(space) if args.iter().all(|id| within(space, *id)) => {
                    Part::Source { space, terms: vec![Term { number: 1.0, factors: args.clone(), only: None }] }
                }
                _ => Part::Alone,
            },
            IrOp::Contract { axes } | IrOp::Reduce { reduction: Reduction::Sum, axes, otherwise: None } => {
                let holds = |space: &usize| args.iter().all(|id| within(*space, *id));
                let Some(space) = args.iter().filter_map(|id| space(*id)).find(holds) else { return Part::Alone };
                let own = &self.spaces[space];
                if !axes.contains(&own.rows()) && !axes.contains(&own.columns()) {
                    return Part::Alone;
                }
                let whole = |i: &usize| own.is_of(&own_axes(build, lowering, args[*i]));
                Part::Reader { space, wholes: (0..args.len()).filter(whole).collect(), axes: axes.clone() }
            }
            _ => Part::Alone,
        }
    }

    /// Finds the products that need not be in memory: only sources read them, and readers as what they sum over.
    fn computed_where_read(&mut self, build: &Build, lowering: &Lowering<'_>, states: &[State]) {
        for (i, made) in self.body.instructions.iter().enumerate() {
            let id = made.results[0];
            let Part::Source { space, terms } = &self.parts[i] else { continue };
            let is_product = terms.len() == 1
                && terms[0].factors.iter().all(|id| !self.spaces[*space].is_of(&own_axes(build, lowering, *id)))
                // A state may be another one when the product is read.
                && terms[0].factors.iter().all(|id| states.iter().all(|state| state.current != *id));
            if !is_product || self.leaving.contains(&id) {
                continue;
            }
            let there = self.body.instructions.iter().enumerate().filter(|(_, other)| other.args.contains(&id)).all(
                |(j, other)| match &self.parts[j] {
                    Part::Source { space: own, .. } => own == space,
                    Part::Reader { space: own, .. } => {
                        own == space
                            && other.args.iter().filter(|arg| **arg == id).count() == 1
                            && !other.args.iter().any(|arg| *arg != id && self.is_product(*arg))
                    }
                    Part::Alone | Part::Product => false,
                },
            );
            if there {
                self.parts[i] = Part::Product;
            }
        }
    }

    fn is_product(&self, id: ValueId) -> bool {
        self.made.get(&id).is_some_and(|i| matches!(self.parts[*i], Part::Product))
    }

    /// A term with products in place of their values; nothing where it would have two conditions.
    fn factors(&self, term: &Term, build: &Build, lowering: &Lowering<'_>) -> Option<Term> {
        let mut all = Term { factors: Vec::new(), ..*term };
        for id in &term.factors {
            let Some(i) = self.made.get(id).filter(|_| self.is_product(*id)) else {
                all.factors.push(*id);
                continue;
            };
            let Instruction { op, args, .. } = &self.body.instructions[*i];
            let own = match op {
                IrOp::Map(expr) => terms(expr, args, &|id| build.known(lowering, id)).and_then(|mut terms| terms.pop()),
                _ => Some(Term { number: 1.0, factors: args.clone(), only: None }),
            };
            let own = self.factors(&own.expect("a product is one term"), build, lowering)?;
            if own.only.is_some() && all.only.is_some() {
                return None;
            }
            all.number *= own.number;
            all.factors.extend(own.factors);
            all.only = all.only.or(own.only);
        }
        Some(all)
    }

    /// Whether a value is in memory, or can be computed from what is.
    fn is_there(&self, id: ValueId) -> bool {
        match self.made.get(&id) {
            Some(i) if matches!(self.parts[*i], Part::Product) => {
                self.body.instructions[*i].args.iter().all(|id| self.is_there(*id))
            }
            Some(i) => self.done.contains(i),
            None => true,
        }
    }

    /// Whether nothing that still waits reads the state which an instruction replaces.
    fn may_replace(&self, i: usize, taken: &BTreeSet<usize>) -> bool {
        let replaced = self.body.instructions[i].results.iter().filter_map(|id| self.replaced.get(id));
        replaced.into_iter().all(|current| {
            let waits = |j: &usize| *j != i && !self.done.contains(j) && !taken.contains(j);
            (0..self.parts.len()).filter(waits).all(|j| !self.body.instructions[j].args.contains(current))
        })
    }

    /// Whether an instruction has not run yet, and has to.
    fn waits(&self, i: usize) -> bool {
        !self.done.contains(&i) && !matches!(self.parts[i], Part::Product)
    }

    fn is_ready(&self, i: usize) -> bool {
        self.body.instructions[i].args.iter().all(|id| self.is_there(*id)) && self.may_replace(i, &BTreeSet::new())
    }

    /// Whether a value is still wanted by what is not among these.
    fn is_wanted(&self, id: ValueId, taken: &BTreeSet<usize>) -> bool {
        let waits = |j: &usize| !self.done.contains(j) && !taken.contains(j);
        self.leaving.contains(&id)
            || (0..self.parts.len()).filter(waits).any(|j| self.body.instructions[j].args.contains(&id))
    }
}

/// The axes of a value, but for that of the tasks.
fn own_axes(build: &Build, lowering: &Lowering<'_>, id: ValueId) -> Vec<AxisId> {
    lowering.function.ty(id).axes.iter().copied().filter(|axis| Some(*axis) != build.task).collect()
}

/// An expression as a sum of products, if it is one.
fn terms(expr: &Expr, args: &[ValueId], known: &dyn Fn(ValueId) -> Option<f64>) -> Option<Vec<Term>> {
    let number = |number: f64| Some(vec![Term { number, ..Term::default() }]);
    let of = |expr: &Expr| terms(expr, args, known);
    let found = match expr {
        Expr::Arg(i) => match known(args[*i]) {
            Some(value) => number(value)?,
            None => vec![Term { number: 1.0, factors: vec![args[*i]], only: None }],
        },
        Expr::Const(constant) => number(constant.eval(&|_| None).ok()?)?,
        Expr::Apply(Function::Neg, operands) => negated(of(&operands[0])?),
        Expr::Apply(Function::Add, operands) => [of(&operands[0])?, of(&operands[1])?].concat(),
        Expr::Apply(Function::Sub, operands) => [of(&operands[0])?, negated(of(&operands[1])?)].concat(),
        Expr::Apply(Function::Mul, operands) => {
            let (a, b) = (of(&operands[0])?, of(&operands[1])?);
            let ([a], [b]) = (a.as_slice(), b.as_slice()) else { return None };
            if a.only.is_some() || b.only.is_some() {
                return None;
            }
            let factors = [a.factors.as_slice(), b.factors.as_slice()].concat();
            vec![Term { number: a.number * b.number, factors, only: None }]
        }
        // A selection is none of the products: what is not selected may be no number.
        Expr::Apply(Function::Where, operands) => {
            let (Expr::Arg(i), mut chosen, other) = (&operands[0], of(&operands[1])?, of(&operands[2])?) else {
                return None;
            };
            let zero = matches!(other.as_slice(), [Term { number: 0.0, factors, .. }] if factors.is_empty());
            if !zero || chosen.len() != 1 || chosen[0].only.is_some() || known(args[*i]).is_some() {
                return None;
            }
            chosen[0].only = Some(args[*i]);
            chosen
        }
        Expr::Apply(..) => return None,
    };
    let short = found.len() <= TERMS && found.iter().all(|term| (1..=FACTORS).contains(&term.factors.len()));
    // A lone number is a factor still to come.
    (short || found.len() == 1).then_some(found)
}

fn negated(terms: Vec<Term>) -> Vec<Term> {
    terms.into_iter().map(|term| Term { number: -term.number, ..term }).collect()
}

impl Build {
    /// The operations of a step.
    pub(crate) fn steps(&mut self, lowering: &mut Lowering<'_>, states: &[State], body: &Region) -> Result<()> {
        let mut plan = Plan::new(self, lowering, states, body)?;
        loop {
            while self.small(lowering, &mut plan)? {}
            if !(0..plan.parts.len()).any(|i| plan.waits(i)) {
                return Ok(());
            }
            if !self.pass(lowering, &mut plan)? {
                let ready = (0..plan.parts.len()).find(|i| plan.waits(*i) && plan.is_ready(*i));
                self.alone(lowering, &mut plan, ready.expect("operations are listed behind what they read"))?;
            }
        }
    }

    /// Runs what no pass could take, and is ready; gives whether there was any.
    fn small(&mut self, lowering: &mut Lowering<'_>, plan: &mut Plan<'_>) -> Result<bool> {
        let mut any = false;
        for i in 0..plan.parts.len() {
            if matches!(plan.parts[i], Part::Alone) && !plan.done.contains(&i) && plan.is_ready(i) {
                self.alone(lowering, plan, i)?;
                any = true;
            }
        }
        Ok(any)
    }

    /// Runs an instruction by itself, and the products that it reads.
    fn alone(&mut self, lowering: &mut Lowering<'_>, plan: &mut Plan<'_>, i: usize) -> Result<()> {
        let instruction = &plan.body.instructions[i];
        for id in &instruction.args {
            if plan.is_product(*id) && !self.views.contains_key(id) {
                self.alone(lowering, plan, plan.made[id])?;
            }
        }
        plan.done.insert(i);
        match &instruction.op {
            IrOp::Contract { axes } | IrOp::Reduce { axes, .. } if self.adds(axes) => self.added(lowering, instruction),
            _ => self.operation(lowering, instruction),
        }
    }

    /// Whether a sum over these axes is one over strips, too.
    fn adds(&self, axes: &[AxisId]) -> bool {
        self.strips && self.task.is_some_and(|task| axes.contains(&task))
    }

    /// A sum over strips: what each gives is added to where it goes.
    fn added(&mut self, lowering: &mut Lowering<'_>, instruction: &Instruction) -> Result<()> {
        let result = instruction.results[0];
        let target = self.targets.remove(&result);
        self.operation(lowering, instruction)?;
        if let Some(target) = target {
            let axes = lowering.function.ty(result).axes.clone();
            let order = self.order(lowering, &axes);
            let own = self.view(lowering, result)?.walk(&order);
            let extents = order.iter().map(|(_, extent)| *extent).collect();
            self.ops.push(Op::Sum { a: own, b: None, out: target.walk(&order), order: extents });
            self.views.insert(result, target);
        }
        Ok(())
    }

    /// Appends a pass over the states of a space, with all that can be done by it; gives whether there is such a space.
    fn pass(&mut self, lowering: &mut Lowering<'_>, plan: &mut Plan<'_>) -> Result<bool> {
        for (s, space) in plan.spaces.iter().enumerate() {
            let mut pass =
                Pass { space, sources: Vec::new(), values: Vec::new(), taken: BTreeSet::new(), results: Vec::new() };
            let mut more = true;
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
        let Some(terms) = terms else { return Ok(false) };
        let mut base = None;
        let mut products = Vec::new();
        for term in &terms {
            let there = |id: &ValueId| plan.is_there(*id) || Some(*id) == before;
            if !term.factors.iter().all(there) || term.only.is_some_and(|only| !plan.is_there(only)) {
                return Ok(false);
            }
            let begins = base.is_none() && term.number == 1.0 && term.only.is_none();
            let Some(sum) = self.summand(lowering, plan, pass.space, term, before, begins)? else { return Ok(false) };
            match sum {
                Summand::Base(found, decay) => base = Some((found, decay)),
                Summand::Product(product) => products.push((product, self.only(lowering, pass.space, term)?)),
            }
        }
        let (base, decay) = base.unwrap_or((Base::Zero, None));
        if pass.sources.len() + products.len().max(1) > Sweep::SOURCES {
            return Ok(false);
        }
        let mut products = products.into_iter();
        let source = |base, decay, product: Option<(Product, Option<Strided>)>| {
            let (product, only) = product.map_or((None, None), |(product, only)| (Some(product), only));
            (Source { base, decay, product, only, store: None, readers: 0 }, Vec::new())
        };
        pass.sources.push(source(base, decay, products.next()));
        pass.sources.extend(products.map(|product| source(Base::Before, None, Some(product))));
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
    fn only(&mut self, lowering: &mut Lowering<'_>, space: &Space, term: &Term) -> Result<Option<Strided>> {
        term.only.map(|only| Ok(space.strided(&self.view(lowering, only)?))).transpose()
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
                        Source { base: Base::Zero, decay: None, product, only, store: None, readers: 0 }
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
                Source { base, decay: None, product: None, only: None, store: None, readers: 0 }
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
