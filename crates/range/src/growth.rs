//! Whether a state can grow of itself: in which norms its transition shrinks no difference larger.
//!
//! A transition is what a step does to a state, all else fixed. It is built of the state by scaling, by sums with
//! what does not depend on the state, by convex sums, by Householder reflections `e - b k (k' e)`, by means under
//! weights of a softmax and by `max(a + m, b)`; the norms in which each part is non-expansive are met. Anything
//! else is unknown, with the reason.

use std::collections::BTreeSet;

use genesys_check::core::{NodeId, Op, ScanId, Stage};
use genesys_scalar::Function;
use genesys_span::Span;

use crate::{Interval, Ranges, pattern};

/// A norm of a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Norm {
    /// Sum of absolute values.
    One,
    /// Euclidean length.
    Two,
    /// Largest absolute value.
    Infinity,
}

/// How a state grows by itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A step makes no difference of two states larger, in these norms.
    NonExpansive(BTreeSet<Norm>),
    /// A step makes it smaller, by this factor at least.
    Contractive(f64),
    /// A step keeps what is there, and adds to it: the state grows like the length.
    Neutral,
    /// The state is what was written the step before.
    Held,
    /// None of these could be proven.
    Unknown {
        /// The operation that stands in the way.
        span: Span,
        /// Why.
        reason: String,
    },
}

/// The verdict on one state.
#[derive(Clone, Debug, PartialEq)]
pub struct Growth {
    /// Its scan.
    pub scan: ScanId,
    /// Which of its states.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The values that it takes.
    pub interval: Interval,
}

/// The verdicts on all states that are read, in the order of the program.
pub fn growth(ranges: &Ranges<'_>) -> Vec<Growth> {
    let states = ranges.program.states();
    states
        .map(|(reader, scan, index)| {
            let name = ranges.program.graph.scan(scan).states[index as usize].name.clone();
            Growth { scan, index, name, verdict: verdict(ranges, reader, scan, index), interval: ranges.of(reader) }
        })
        .collect()
}

fn verdict(ranges: &Ranges<'_>, reader: NodeId, scan: ScanId, index: u32) -> Verdict {
    let (_, next) = ranges.program.state(scan, index);
    if ranges.program.graph.node(next).ty.stage < Stage::Moment {
        return Verdict::Held;
    }
    let own = dependents(ranges, reader);
    if let Some(other) = ranges.program.states().find(|(id, of, _)| {
        *of == scan
            && *id != reader
            && own.contains(&ranges.program.state(*of, state_index(ranges, *id)).1)
            && dependents(ranges, *id).contains(&next)
    }) {
        let span = ranges.program.graph.node(other.0).span;
        let reason = "it and another state read one another".to_owned();
        return Verdict::Unknown { span, reason };
    }
    let proof = Proof { ranges, state: reader, own };
    match proof.of(next) {
        Ok(Bound { factor, norms }) if factor == 1.0 && norms.len() == 3 && proof.is_kept(next) => Verdict::Neutral,
        Ok(Bound { factor, .. }) if factor < 1.0 => Verdict::Contractive(factor),
        Ok(Bound { norms, .. }) if !norms.is_empty() => Verdict::NonExpansive(norms),
        Ok(_) => {
            let reason = "its parts are non-expansive in different norms".to_owned();
            Verdict::Unknown { span: ranges.program.graph.node(next).span, reason }
        }
        Err((id, reason)) => Verdict::Unknown { span: ranges.program.graph.node(id).span, reason },
    }
}

fn state_index(ranges: &Ranges<'_>, reader: NodeId) -> u32 {
    match ranges.program.graph.node(reader).op {
        Op::State { index, .. } => index,
        _ => unreachable!("a reader of a state is one"),
    }
}

/// All live nodes that depend on one within a step; operands stand before uses.
fn dependents(ranges: &Ranges<'_>, from: NodeId) -> BTreeSet<NodeId> {
    let mut found = BTreeSet::from([from]);
    for &id in &ranges.program.live {
        if ranges.program.args(id).any(|arg| found.contains(&arg)) {
            found.insert(id);
        }
    }
    found
}

/// By how much differences shrink, and in which norms.
#[derive(Clone, Debug)]
struct Bound {
    factor: f64,
    norms: BTreeSet<Norm>,
}

type Proven = Result<Bound, (NodeId, String)>;

/// A part of a sum that depends on the state: factors that do not, and what does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Term {
    positive: bool,
    factors: Vec<NodeId>,
    divisors: Vec<NodeId>,
    core: NodeId,
}

struct Proof<'r, 'p> {
    ranges: &'r Ranges<'p>,
    state: NodeId,
    /// What depends on the state.
    own: BTreeSet<NodeId>,
}

impl Proof<'_, '_> {
    fn of(&self, id: NodeId) -> Proven {
        if id == self.state {
            return Ok(Bound { factor: 1.0, norms: BTreeSet::from([Norm::One, Norm::Two, Norm::Infinity]) });
        }
        let mut terms = Vec::new();
        self.expand(id, Term { positive: true, factors: vec![], divisors: vec![], core: id }, &mut terms);
        if let [Term { core, .. }] = terms.as_slice()
            && *core == id
        {
            return self.whole(id);
        }
        self.sum(id, terms)
    }

    /// Writes a node out as a sum of products.
    fn expand(&self, id: NodeId, term: Term, terms: &mut Vec<Term>) {
        let args: Vec<NodeId> = self.ranges.program.args(id).collect();
        let is_own = |id: &NodeId| self.own.contains(id);
        match (&self.ranges.program.graph.node(id).op, args.as_slice()) {
            _ if !is_own(&id) => {}
            (Op::Map(Function::Add), [a, b]) => {
                self.expand(*a, term.clone(), terms);
                self.expand(*b, term, terms);
            }
            (Op::Map(Function::Sub), [a, b]) => {
                self.expand(*a, term.clone(), terms);
                self.expand(*b, Term { positive: !term.positive, ..term }, terms);
            }
            (Op::Map(Function::Neg), [a]) => self.expand(*a, Term { positive: !term.positive, ..term }, terms),
            (Op::Broadcast { .. }, [a]) => self.expand(*a, term, terms),
            (Op::Map(Function::Mul), [a, b]) if !(is_own(a) && is_own(b)) => {
                let (own, free) = if is_own(a) { (*a, *b) } else { (*b, *a) };
                let mut term = term;
                self.factors(free, &mut term.factors);
                self.expand(own, term, terms);
            }
            (Op::Map(Function::Div), [a, b]) if !is_own(b) => {
                let mut term = term;
                term.divisors.push(*b);
                self.expand(*a, term, terms);
            }
            _ => terms.push(Term { core: id, ..term }),
        }
    }

    /// The factors of a product that does not depend on the state.
    fn factors(&self, id: NodeId, factors: &mut Vec<NodeId>) {
        match self.ranges.map(id, Function::Mul) {
            Some([a, b]) => {
                self.factors(a, factors);
                self.factors(b, factors);
            }
            None => factors.push(id),
        }
    }

    fn coefficient(&self, term: &Term) -> Interval {
        let factors = term.factors.iter().map(|id| self.ranges.of(*id));
        let divisors = term.divisors.iter().map(|id| self.ranges.of(*id).inverse());
        let product = factors.chain(divisors).fold(Interval::point(1.0), Interval::times);
        if term.positive { product } else { product.negated() }
    }

    fn sum(&self, id: NodeId, mut terms: Vec<Term>) -> Proven {
        if let Some([a, b]) = self.ranges.map(id, Function::Add)
            && let Some((x, y)) = pattern::convex(self.ranges, a, b)
            && self.own.contains(&x)
            && self.own.contains(&y)
        {
            return Ok(met(self.of(x)?, self.of(y)?));
        }
        let shared = self.take_shared(&mut terms);
        let rest = match terms.as_slice() {
            [] => return Err((id, "nothing of the state is left".into())),
            all if all.iter().all(|term| term.core == all[0].core) => {
                let total = all.iter().map(|term| self.coefficient(term)).reduce(Interval::plus);
                self.scaled(id, total.unwrap_or(Interval::point(1.0)), self.of(all[0].core)?)?
            }
            all => match (0..all.len()).find_map(|place| self.reflected(all, place)) {
                Some(result) => result?,
                None => return Err((id, "a sum of parts of the state that no rule covers".into())),
            },
        };
        let factor = shared.iter().map(|id| self.ranges.of(*id)).fold(Interval::point(1.0), Interval::times);
        self.scaled(id, factor, rest)
    }

    /// Takes the factors that all terms share out of them.
    fn take_shared(&self, terms: &mut [Term]) -> Vec<NodeId> {
        if terms.len() < 2 {
            return Vec::new();
        }
        let candidates = terms[0].factors.clone();
        let shared: Vec<NodeId> =
            candidates.into_iter().filter(|id| terms.iter().all(|term| term.factors.contains(id))).collect();
        for term in terms {
            for id in &shared {
                if let Some(place) = term.factors.iter().position(|factor| factor == id) {
                    term.factors.remove(place);
                }
            }
        }
        shared
    }

    /// `e - b k (k' e)` with `b` in `[0, 2]` and `k` of length at most 1, where the term at `place` is the one that
    /// is taken away and the others are `e`; `None` where they are something else.
    fn reflected(&self, terms: &[Term], place: usize) -> Option<Proven> {
        let taken = &terms[place];
        let Op::Dot { axes } = &self.ranges.program.graph.node(taken.core).op else { return None };
        let args: Vec<NodeId> = self.ranges.program.args(taken.core).collect();
        let (key, e) = match args.as_slice() {
            [k, e] if self.own.contains(e) => (*k, *e),
            [e, k] => (*k, *e),
            _ => return None,
        };
        let mut whole = Vec::new();
        self.expand(e, Term { positive: true, factors: vec![], divisors: vec![], core: e }, &mut whole);
        let kept: Vec<Term> =
            terms.iter().enumerate().filter(|(i, _)| *i != place).map(|(_, term)| term.clone()).collect();
        if sorted(kept) != sorted(whole) {
            return None;
        }
        // The contraction may be with `b k`, the lift with `k`, or the other way round.
        let mut contracted = Vec::new();
        self.factors(key, &mut contracted);
        let vector =
            contracted.iter().copied().find(|id| axes.is_subset(&self.ranges.program.graph.node(*id).ty.axes))?;
        let mut rest = taken.clone();
        let lift = rest.factors.iter().position(|id| *id == vector)?;
        rest.factors.remove(lift);
        rest.factors.extend(contracted.iter().copied().filter(|id| *id != vector));
        if !self.ranges.is_short(vector, axes) {
            return Some(Err((taken.core, "the key is not of length at most 1: `L2Norm` makes it so".into())));
        }
        let rate = self.coefficient(&rest).negated();
        if !rate.within(Interval::new(0.0, 2.0)) {
            return Some(Err((taken.core, format!("the rate of the update is in {rate}, not in [0, 2]"))));
        }
        let two = BTreeSet::from([Norm::Two]);
        Some(self.of(e).map(|bound| met(bound, Bound { factor: 1.0, norms: two })))
    }

    fn scaled(&self, id: NodeId, coefficient: Interval, bound: Bound) -> Proven {
        let size = coefficient.low.abs().max(coefficient.high.abs());
        if size <= 1.0 {
            return Ok(Bound { factor: bound.factor * size, ..bound });
        }
        Err((id, format!("the factor of the state is in {coefficient}, not in [-1, 1]")))
    }

    /// An operation on the state that is no sum.
    fn whole(&self, id: NodeId) -> Proven {
        let args: Vec<NodeId> = self.ranges.program.args(id).collect();
        let own: Vec<NodeId> = args.iter().copied().filter(|arg| self.own.contains(arg)).collect();
        let node = self.ranges.program.graph.node(id);
        let infinity = |bound: Bound| met(bound, Bound { factor: 1.0, norms: BTreeSet::from([Norm::Infinity]) });
        match (&node.op, own.as_slice()) {
            (Op::Map(Function::Max | Function::Min), own) => {
                let bounds = own.iter().map(|arg| self.of(*arg)).collect::<Result<Vec<_>, _>>()?;
                let met = bounds.into_iter().reduce(met).expect("a node of its own has an operand of its own");
                Ok(infinity(Bound { factor: 1.0, ..met }))
            }
            (Op::Map(Function::Where), own) if !self.own.contains(&args[0]) => {
                let bounds = own.iter().map(|arg| self.of(*arg)).collect::<Result<Vec<_>, _>>()?;
                Ok(bounds.into_iter().reduce(met).expect("a node of its own has an operand of its own"))
            }
            (Op::Dot { axes }, [e]) => {
                let weights = args.iter().copied().find(|arg| arg != e);
                let stochastic = weights.is_some_and(|weights| {
                    matches!(&self.ranges.program.graph.node(weights).op, Op::Softmax { axes: own, .. } if own == axes)
                });
                match stochastic {
                    true => self.of(*e).map(infinity),
                    false => Err((id, "a contraction of the state with weights that need not sum to 1".into())),
                }
            }
            (op, _) => Err((id, format!("the state goes through {}", describe(op)))),
        }
    }

    /// Whether a step adds to the state and takes nothing of it.
    fn is_kept(&self, next: NodeId) -> bool {
        let mut terms = Vec::new();
        self.expand(next, Term { positive: true, factors: vec![], divisors: vec![], core: next }, &mut terms);
        match terms.as_slice() {
            [term] => term.core == self.state && self.coefficient(term) == Interval::point(1.0),
            _ => false,
        }
    }
}

/// Terms and their factors in one order.
fn sorted(mut terms: Vec<Term>) -> Vec<Term> {
    for term in &mut terms {
        term.factors.sort();
        term.divisors.sort();
    }
    terms.sort();
    terms
}

fn met(a: Bound, b: Bound) -> Bound {
    Bound { factor: a.factor.max(b.factor), norms: a.norms.intersection(&b.norms).copied().collect() }
}

fn describe(op: &Op) -> String {
    match op {
        Op::Map(function) => format!("`{}`", function.name()),
        Op::Softmax { .. } => "`softmax`".into(),
        Op::Reduce { .. } => "a reduction".into(),
        Op::Regroup { .. } => "a regrouping of its axes".into(),
        _ => "an operation that no rule covers".into(),
    }
}
