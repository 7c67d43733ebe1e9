//! Recurrences that are sums of outer products which fade.
//!
//! In: the body of a recurrence with one state. Out: its chain, or nothing if it is another kind. The state goes through stages in
//! a step: to each it is multiplied by numbers that are the same for all rows and columns, and outer products are added. So what
//! a position reads is a sum over those before it, which a chunk of positions computes as products of matrices: the chunkwise
//! form of linear attention, of scalar decays, and of delta rules, whose writes are linear in what they read.
//! Not here: in which order all is computed (`order`), and by which operations (`matrices`).

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{AxisId, Instruction, Op as IrOp, Reduction, Region, State, ValueId};

use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::sweep::{Space, Term, own_axes, terms};

/// A place in a step of a chain: which chain, and behind which stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    pub(super) chain: usize,
    pub(super) stage: usize,
}

/// A number and values to multiply, which are the same for all rows and columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    pub(super) number: f64,
    pub(super) factors: Vec<ValueId>,
}

/// An outer product that is added to a state: the factors of its rows, and those of its columns.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) stage: usize,
    pub(super) rows: Vec<ValueId>,
    pub(super) columns: Vec<ValueId>,
    pub(super) scale: Scale,
    /// Where this is 0, nothing is added, whatever the factors are.
    pub(super) only: Option<ValueId>,
}

/// A state from the beginning of a step to its end.
#[derive(Clone, Debug)]
pub(super) struct Chain {
    pub(super) space: Space,
    /// The value of the state where a step begins, which says where it lies.
    pub(super) state: ValueId,
    /// What the state is multiplied by on the way to each stage; the first is where a step begins.
    pub(super) decays: Vec<Option<Scale>>,
    pub(super) writes: Vec<Write>,
    /// The stage that the state is multiplied on the way to by numbers of their own for each row, if there is one.
    pub(super) diagonal: Option<usize>,
    /// Whether it goes from the last position to the first.
    pub(super) reverse: bool,
}

/// What is summed with a state.
#[derive(Clone, Debug)]
pub(super) enum By {
    /// A vector of rows, or of columns.
    Vector(ValueId),
    /// Another state.
    State(At),
    /// An outer product.
    Product(Write),
}

/// A sum of products with a state, with what a position adds to it for itself, or with that alone.
#[derive(Clone, Debug)]
pub(super) struct Read {
    pub(super) at: Option<At>,
    pub(super) own: Vec<Write>,
    pub(super) by: By,
    pub(super) axes: Vec<AxisId>,
    pub(super) result: ValueId,
}

/// What an instruction of a step is.
#[derive(Clone, Debug)]
pub(super) enum Item<'a> {
    /// Neither reads nor gives a state.
    Small(&'a Instruction),
    Read(Read),
}

/// Chains, and the instructions around them.
#[derive(Default)]
pub(super) struct Form<'a> {
    pub(super) chains: Vec<Chain>,
    pub(super) items: Vec<Item<'a>>,
    /// Where values are that are as large as states.
    values: BTreeMap<ValueId, At>,
    /// The same with outer products of the position, which are not carried on.
    branches: BTreeMap<ValueId, (At, Vec<Write>)>,
    /// Outer products that are added somewhere.
    products: BTreeMap<ValueId, Term>,
    /// What a recurrence gives of its small values, and which these are.
    pub(super) aliases: BTreeMap<ValueId, ValueId>,
}

/// A recurrence: its state and body.
pub(super) struct Recurrence<'a> {
    pub(super) state: &'a State,
    pub(super) body: &'a Region,
    pub(super) results: &'a [ValueId],
    pub(super) reverse: bool,
}

impl<'a> Form<'a> {
    /// Adds a recurrence, which may read what those before it held; gives whether it has such a form.
    pub(super) fn add(
        &mut self,
        build: &Build,
        lowering: &Lowering<'_>,
        recurrence: &Recurrence<'a>,
        space: &Space,
    ) -> Result<bool> {
        let Recurrence { state, body, results, reverse } = recurrence;
        let chain = self.chains.len();
        if !space.is_of(&own_axes(build, lowering, state.current)) || state.start.is_some() || state.anew {
            return Ok(false);
        }
        self.values.insert(state.current, At { chain, stage: 0 });
        self.chains.push(Chain {
            space: space.clone(),
            state: state.current,
            decays: vec![None],
            writes: Vec::new(),
            diagonal: None,
            reverse: *reverse,
        });
        let path = path(build, lowering, space, recurrence);
        for instruction in &body.instructions {
            if !self.instruction(build, lowering, &path, instruction) {
                return Ok(false);
            }
        }
        let last = At { chain, stage: self.chains[chain].decays.len() - 1 };
        for (result, value) in results.iter().zip(&body.results) {
            match self.values.get(value).copied() {
                Some(at) => _ = self.values.insert(*result, at),
                None if lowering.homes.contains_key(result) => {}
                None => _ = self.aliases.insert(*result, *value),
            }
        }
        let leaves = results.iter().any(|id| self.values.contains_key(id) && lowering.homes.contains_key(id));
        let products = body.results.iter().any(|id| self.products.contains_key(id) || self.branches.contains_key(id));
        let known = self.values.get(&state.next) == Some(&last) && !leaves && !products;
        Ok(last.stage > 0 && known && self.is_sound(chain))
    }

    /// Whether the chain and what is read of it go together: where rows fade by themselves they do so at one stage, nothing is
    /// written before that, and what is summed along rows keeps all that is around.
    fn is_sound(&self, chain: usize) -> bool {
        let own = &self.chains[chain];
        let one = own.diagonal.is_none_or(|stage| {
            let others = own.decays.iter().enumerate().filter(|(i, decay)| *i != stage && decay.is_some());
            others.count() == 0 && own.writes.iter().all(|write| write.stage >= stage)
        });
        let reads = self.items.iter().filter_map(|item| if let Item::Read(read) = item { Some(read) } else { None });
        one && reads.filter(|read| read.at.is_some_and(|at| at.chain == chain)).all(|read| {
            let down = read.axes.contains(&own.space.rows());
            match read.by {
                By::Product(_) => false,
                By::Vector(_) => own.diagonal.is_none() || down || read.axes.len() == 1,
                By::State(other) => {
                    let other = &self.chains[other.chain];
                    let turns = own.reverse && !other.reverse;
                    let by_row = own.diagonal.is_some() && other.diagonal.is_some() && !down && read.axes.len() == 1;
                    by_row && turns || down && own.diagonal.is_none() && other.diagonal.is_none()
                }
            }
        })
    }

    fn instruction(
        &mut self,
        build: &Build,
        lowering: &Lowering<'_>,
        path: &BTreeSet<ValueId>,
        instruction: &'a Instruction,
    ) -> bool {
        let Instruction { op, args, results } = instruction;
        let space = self.chains[self.chains.len() - 1].space.clone();
        let large = |id: &ValueId| {
            self.values.contains_key(id) || self.branches.contains_key(id) || self.products.contains_key(id)
        };
        match op {
            IrOp::Map(_) | IrOp::Contract { .. } if space.is_of(&own_axes(build, lowering, results[0])) => {
                let terms = match op {
                    IrOp::Map(expr) => terms(expr, args, &|id| build.known(lowering, id)),
                    IrOp::Contract { axes } if axes.is_empty() => {
                        Some(vec![Term { number: 1.0, factors: args.clone(), only: None }])
                    }
                    _ => None,
                };
                terms.is_some_and(|terms| self.source(build, lowering, path, results[0], terms))
            }
            IrOp::Contract { axes } | IrOp::Reduce { reduction: Reduction::Sum, axes, otherwise: None }
                if args.iter().any(large) =>
            {
                let read = self.read(build, lowering, &space, args, axes, results[0]);
                read.map(|read| self.items.push(Item::Read(read))).is_some()
            }
            _ if args.iter().any(large) => false,
            _ => {
                self.items.push(Item::Small(instruction));
                true
            }
        }
    }

    /// Takes a sum of products as the next stage, if it is on the way to the next state, or beside a stage; or a single one as
    /// what may be added.
    fn source(
        &mut self,
        build: &Build,
        lowering: &Lowering<'_>,
        path: &BTreeSet<ValueId>,
        result: ValueId,
        found: Vec<Term>,
    ) -> bool {
        let chain = self.chains.len() - 1;
        let stage = self.chains[chain].decays.len();
        let space = self.chains[chain].space.clone();
        let (mut base, mut writes) = (None, Vec::new());
        let Some(found) = found.iter().map(|term| self.factors(term)).collect::<Option<Vec<_>>>() else {
            return false;
        };
        let states = |term: &Term| term.factors.iter().filter(|id| self.values.contains_key(id)).count();
        if let [term] = found.as_slice()
            && states(term) == 0
        {
            let outer = written(build, lowering, &space, term, 0).is_some();
            if outer {
                self.products.insert(result, term.clone());
            }
            return outer;
        }
        for term in found {
            match (states(&term), written(build, lowering, &space, &term, stage)) {
                (0, Some(write)) => writes.push(write),
                (1, _) if base.is_none() && term.only.is_none() => {
                    let own = term.factors.iter().position(|id| self.values.contains_key(id));
                    let mut factors = term.factors;
                    let state = factors.remove(own.expect("one of them is a state"));
                    base = Some((self.values[&state], Scale { number: term.number, factors }));
                }
                _ => return false,
            }
        }
        let Some((at, decay)) = base else { return false };
        if !path.contains(&result) {
            self.branches.insert(result, (at, writes));
            return decay.is_one();
        }
        let fits = |id: &ValueId| {
            let own = own_axes(build, lowering, *id);
            own.iter().all(|axis| space.axes.contains(axis)) && !own.contains(&space.columns())
        };
        let by_row = decay.factors.iter().any(|id| own_axes(build, lowering, *id).contains(&space.rows()));
        if at != (At { chain, stage: stage - 1 }) || !decay.factors.iter().all(fits) {
            return false;
        }
        let own = &mut self.chains[chain];
        own.diagonal = own.diagonal.or(by_row.then_some(stage));
        own.decays.push(Some(decay).filter(|decay| !decay.is_one()));
        own.writes.extend(writes);
        self.values.insert(result, At { chain, stage });
        true
    }

    /// A term with products in place of their values; nothing where it would have two conditions.
    fn factors(&self, term: &Term) -> Option<Term> {
        let mut all = Term { factors: Vec::new(), ..*term };
        for id in &term.factors {
            match self.products.get(id) {
                Some(product) if product.only.is_some() && all.only.is_some() => return None,
                Some(product) => {
                    all.number *= product.number;
                    all.factors.extend(&product.factors);
                    all.only = all.only.or(product.only);
                }
                None => all.factors.push(*id),
            }
        }
        Some(all)
    }

    fn read(
        &self,
        build: &Build,
        lowering: &Lowering<'_>,
        space: &Space,
        args: &[ValueId],
        axes: &[AxisId],
        result: ValueId,
    ) -> Option<Read> {
        let [a, b] = args else { return None };
        let product = |id: &ValueId| self.products.get(id).and_then(|term| written(build, lowering, space, term, 0));
        let whole = |id: &ValueId| match (self.values.get(id), self.branches.get(id)) {
            (Some(at), _) => Some((Some(*at), Vec::new())),
            (None, Some((at, own))) => Some((Some(*at), own.clone())),
            (None, None) => product(id).map(|write| (None, vec![write])),
        };
        let (at, own, by) = match (whole(a), whole(b)) {
            (Some((Some(a), own)), Some((Some(b), others))) if own.is_empty() && others.is_empty() => {
                (Some(a.max(b)), own, By::State(a.min(b)))
            }
            (Some((None, mut own)), Some((None, others))) => {
                let by = By::Product(own.pop()?);
                (None, others, by)
            }
            (Some((at, own)), None) => (at, own, By::Vector(*b)),
            (None, Some((at, own))) => (at, own, By::Vector(*a)),
            _ => return None,
        };
        let axes: Vec<AxisId> = axes.iter().copied().filter(|axis| Some(*axis) != build.task).collect();
        let summed = (axes.contains(&space.rows()), axes.contains(&space.columns()));
        let one = summed.0 != summed.1;
        let fits = match by {
            By::State(other) => at.is_some_and(|at| at.chain != other.chain) && summed.1,
            By::Product(_) => one && axes.len() == 1,
            By::Vector(id) => {
                let has = own_axes(build, lowering, id);
                let within = has.iter().all(|axis| space.axes.contains(axis));
                let has = (has.contains(&space.rows()), has.contains(&space.columns()));
                within && summed == has && one && (own.is_empty() || axes.len() == 1)
            }
        };
        fits.then_some(Read { at, own, by, axes, result })
    }
}

/// The values as large as states that lead to the next state.
fn path(build: &Build, lowering: &Lowering<'_>, space: &Space, recurrence: &Recurrence<'_>) -> BTreeSet<ValueId> {
    let mut path = BTreeSet::from([recurrence.state.next]);
    for instruction in recurrence.body.instructions.iter().rev() {
        if instruction.results.iter().any(|id| path.contains(id)) {
            path.extend(instruction.args.iter().filter(|id| space.is_of(&own_axes(build, lowering, **id))));
        }
    }
    path
}

impl Read {
    /// All values that it is made of, but for states.
    pub(super) fn values(&self) -> impl Iterator<Item = ValueId> {
        let (vector, product) = match &self.by {
            By::Vector(id) => (Some(*id), None),
            By::Product(write) => (None, Some(write)),
            By::State(_) => (None, None),
        };
        vector.into_iter().chain(self.own.iter().chain(product).flat_map(Write::values))
    }
}

impl Scale {
    fn is_one(&self) -> bool {
        self.number == 1.0 && self.factors.is_empty()
    }
}

impl Write {
    /// All values that it is made of.
    pub(super) fn values(&self) -> impl Iterator<Item = ValueId> {
        self.rows.iter().chain(&self.columns).chain(&self.scale.factors).chain(&self.only).copied()
    }
}

impl Chain {
    /// All values that it is made of.
    pub(super) fn values(&self) -> impl Iterator<Item = ValueId> {
        let decays = self.decays.iter().flatten().flat_map(|decay| decay.factors.iter().copied());
        decays.chain(self.writes.iter().flat_map(Write::values))
    }
}

/// A term as an outer product of what has rows and what has columns.
fn written(build: &Build, lowering: &Lowering<'_>, space: &Space, term: &Term, stage: usize) -> Option<Write> {
    let scale = Scale { number: term.number, factors: Vec::new() };
    // What is written where a condition does not hold has no such form.
    let only = match term.only {
        None => None,
        Some((id, true)) if space.is_around(&own_axes(build, lowering, id)) => Some(id),
        Some(_) => return None,
    };
    let mut write = Write { stage, rows: Vec::new(), columns: Vec::new(), scale, only };
    for id in &term.factors {
        let own = own_axes(build, lowering, *id);
        if !own.iter().all(|axis| space.axes.contains(axis)) {
            return None;
        }
        match (own.contains(&space.rows()), own.contains(&space.columns())) {
            (true, true) => return None,
            (true, false) => write.rows.push(*id),
            (false, true) => write.columns.push(*id),
            (false, false) => write.scale.factors.push(*id),
        }
    }
    (!write.rows.is_empty() && !write.columns.is_empty()).then_some(write)
}
