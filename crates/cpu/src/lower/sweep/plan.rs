//! What each operation of a step is to a pass, and what is left of them.
//!
//! In: the body of a recurrence, and where its states lie. Out: the axes that passes go along, and for each operation whether it
//! is a source of one, a sum over one, a product that is computed where it is read, or runs by itself. Not here: which of them
//! come together (`pass`).

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{AxisId, Expr, Instruction, Op as IrOp, Reduction, Region, State, ValueId};
use genesys_scalar::Function;

use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::op::Strided;
use crate::view::View;

/// The fewest rows and columns that a pass is worth it for.
const SMALL: (usize, usize) = (4, 8);

/// The most summands of an update, and the most factors of each.
const TERMS: usize = 6;
const FACTORS: usize = 6;

/// The axes that states have, in the order of a pass: outer ones, rows, columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) axes: Vec<AxisId>,
    pub(crate) sizes: Vec<usize>,
}

/// A summand: a number, and values to multiply.
#[derive(Clone, Debug, Default)]
pub(crate) struct Term {
    pub(crate) number: f64,
    pub(crate) factors: Vec<ValueId>,
    /// A condition, and whether it has to hold: else the summand is 0, whatever its factors are.
    pub(crate) only: Option<(ValueId, bool)>,
}

/// What an instruction of a step is to a pass.
#[derive(Clone, Debug)]
pub(super) enum Part {
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
pub(super) struct Plan<'a> {
    pub(super) body: &'a Region,
    pub(super) spaces: Vec<Space>,
    pub(super) parts: Vec<Part>,
    /// The instruction of each value of the step.
    pub(super) made: BTreeMap<ValueId, usize>,
    pub(super) done: BTreeSet<usize>,
    /// States that are updated where they lie, by the next one.
    pub(super) replaced: BTreeMap<ValueId, ValueId>,
    /// What is read by others than this step's instructions.
    pub(super) leaving: BTreeSet<ValueId>,
}

impl Space {
    /// The space of states with that view: the innermost axis are its columns, and of the others what the bodies sum over most are
    /// its rows. There is none of states with fewer than two axes.
    pub(crate) fn new(lowering: &Lowering<'_>, state: &View, bodies: &[&Region]) -> Result<Option<Self>> {
        let mut axes: Vec<AxisId> = state.axes.iter().map(|(axis, _)| *axis).collect();
        axes.sort_by_key(|axis| std::cmp::Reverse(state.stride(*axis)));
        let Some(columns) = axes.pop().filter(|axis| state.stride(*axis) == 1) else { return Ok(None) };
        let summed = |axis: AxisId| {
            let instructions = bodies.iter().flat_map(|body| &body.instructions);
            let sums = instructions.filter(
                |i| matches!(&i.op, IrOp::Contract { axes } if axes.contains(&axis) && !axes.contains(&columns)),
            );
            sums.count()
        };
        let sizes = axes.iter().map(|axis| lowering.size(*axis)).collect::<Result<Vec<_>>>()?;
        let Some(row) = (0..axes.len()).max_by_key(|i| (summed(axes[*i]), sizes[*i])) else { return Ok(None) };
        let rows = axes.remove(row);
        axes.extend([rows, columns]);
        let sizes = axes.iter().map(|axis| lowering.size(*axis)).collect::<Result<Vec<_>>>()?;
        Ok(Some(Self { axes, sizes }))
    }

    pub(crate) fn rows(&self) -> AxisId {
        self.axes[self.axes.len() - 2]
    }

    pub(crate) fn columns(&self) -> AxisId {
        self.axes[self.axes.len() - 1]
    }

    pub(crate) fn is_of(&self, axes: &[AxisId]) -> bool {
        axes.len() == self.axes.len() && axes.iter().all(|axis| self.axes.contains(axis))
    }

    /// Whether a value of these axes is the same for all rows and columns.
    pub(crate) fn is_around(&self, axes: &[AxisId]) -> bool {
        axes.iter().all(|axis| self.axes[..self.axes.len() - 2].contains(axis))
    }

    pub(super) fn strided(&self, view: &View) -> Strided {
        Strided { spot: view.spot, strides: self.axes.iter().map(|axis| view.stride(*axis)).collect() }
    }

    /// Whether columns lie side by side.
    pub(super) fn is_dense(&self, view: &View) -> bool {
        view.stride(self.columns()) == 1
    }

    /// Whether it can be an operand: columns lie side by side, or are alike.
    pub(super) fn takes(&self, view: &View) -> bool {
        view.stride(self.columns()) <= 1 && view.axes.iter().all(|(axis, _)| self.axes.contains(axis))
    }
}

impl<'a> Plan<'a> {
    pub(super) fn new(build: &Build, lowering: &Lowering<'_>, states: &[State], body: &'a Region) -> Result<Self> {
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
        let Some(space) = Space::new(lowering, state, &[self.body])? else { return Ok(()) };
        debug_assert!(!space.axes.iter().any(|axis| Some(*axis) == build.task), "the axis of tasks is no loop");
        let [.., rows, columns] = space.sizes[..] else { unreachable!("a space has rows and columns") };
        if rows >= SMALL.0 && columns >= SMALL.1 && self.spaces.iter().all(|own| !own.is_of(&space.axes)) {
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
                                && term.only.is_none_or(|(id, _)| self.spaces[space].is_around(&axes(id)))
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

    pub(super) fn is_product(&self, id: ValueId) -> bool {
        self.made.get(&id).is_some_and(|i| matches!(self.parts[*i], Part::Product))
    }

    /// A term with products in place of their values; nothing where it would have two conditions.
    pub(super) fn factors(&self, term: &Term, build: &Build, lowering: &Lowering<'_>) -> Option<Term> {
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
    pub(super) fn is_there(&self, id: ValueId) -> bool {
        match self.made.get(&id) {
            Some(i) if matches!(self.parts[*i], Part::Product) => {
                self.body.instructions[*i].args.iter().all(|id| self.is_there(*id))
            }
            Some(i) => self.done.contains(i),
            None => true,
        }
    }

    /// Whether nothing that still waits reads the state which an instruction replaces.
    pub(super) fn may_replace(&self, i: usize, taken: &BTreeSet<usize>) -> bool {
        let replaced = self.body.instructions[i].results.iter().filter_map(|id| self.replaced.get(id));
        replaced.into_iter().all(|current| {
            let waits = |j: &usize| *j != i && !self.done.contains(j) && !taken.contains(j);
            (0..self.parts.len()).filter(waits).all(|j| !self.body.instructions[j].args.contains(current))
        })
    }

    /// Whether an instruction has not run yet, and has to.
    pub(super) fn waits(&self, i: usize) -> bool {
        !self.done.contains(&i) && !matches!(self.parts[i], Part::Product)
    }

    pub(super) fn is_ready(&self, i: usize) -> bool {
        self.body.instructions[i].args.iter().all(|id| self.is_there(*id)) && self.may_replace(i, &BTreeSet::new())
    }

    /// Whether a value is still wanted by what is not among these.
    pub(super) fn is_wanted(&self, id: ValueId, taken: &BTreeSet<usize>) -> bool {
        let waits = |j: &usize| !self.done.contains(j) && !taken.contains(j);
        self.leaving.contains(&id)
            || (0..self.parts.len()).filter(waits).any(|j| self.body.instructions[j].args.contains(&id))
    }
}

/// The axes of a value, but for that of the tasks.
pub(crate) fn own_axes(build: &Build, lowering: &Lowering<'_>, id: ValueId) -> Vec<AxisId> {
    lowering.function.ty(id).axes.iter().copied().filter(|axis| Some(*axis) != build.task).collect()
}

/// An expression as a sum of products, if it is one.
pub(crate) fn terms(expr: &Expr, args: &[ValueId], known: &dyn Fn(ValueId) -> Option<f64>) -> Option<Vec<Term>> {
    let number = |number: f64| Some(vec![Term { number, ..Term::default() }]);
    let of = |expr: &Expr| terms(expr, args, known);
    let found = match expr {
        Expr::Arg(i) => match known(args[*i]) {
            Some(value) => number(value)?,
            None => vec![Term { number: 1.0, factors: vec![args[*i]], only: None }],
        },
        Expr::Const(constant) => number(constant.eval(&|_| None).ok()?)?,
        Expr::Apply(Function::Neg, operands) => negated(of(&operands[0])?),
        Expr::Apply(Function::Add, operands) => sum(of(&operands[0])?, of(&operands[1])?),
        Expr::Apply(Function::Sub, operands) => sum(of(&operands[0])?, negated(of(&operands[1])?)),
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
            let (Expr::Arg(i), chosen, other) = (&operands[0], of(&operands[1])?, of(&operands[2])?) else {
                return None;
            };
            let (mut chosen, holds) = match (is_zero(&chosen), is_zero(&other)) {
                (_, true) => (chosen, true),
                (true, false) => (other, false),
                (false, false) => return None,
            };
            if chosen.iter().any(|term| term.only.is_some()) || known(args[*i]).is_some() {
                return None;
            }
            chosen.iter_mut().for_each(|term| term.only = Some((args[*i], holds)));
            chosen
        }
        Expr::Apply(..) => return None,
    };
    let short = found.len() <= TERMS && found.iter().all(|term| (1..=FACTORS).contains(&term.factors.len()));
    // A lone number is a factor still to come.
    (short || found.len() == 1).then_some(found)
}

/// Terms of both; a zero that something is added to is none of them.
fn sum(a: Vec<Term>, b: Vec<Term>) -> Vec<Term> {
    match (is_zero(&a), is_zero(&b)) {
        (true, _) => b,
        (false, true) => a,
        (false, false) => [a, b].concat(),
    }
}

fn is_zero(terms: &[Term]) -> bool {
    matches!(terms, [Term { number: 0.0, factors, .. }] if factors.is_empty())
}

fn negated(terms: Vec<Term>) -> Vec<Term> {
    terms.into_iter().map(|term| Term { number: -term.number, ..term }).collect()
}
