//! What every module keeps. Passes may rely on it, and causality rests on it.
//!
//! For fixed weights, a value at (item, position t) depends on that item's positions up to t only:
//!
//! 1. A value is defined once, before its uses, in the region of its use or one around it. What a
//!    region defines leaves it as a result only.
//! 2. Other positions are read by `shift`, `window`, `pool`, `view`, `blocks` and `scan` alone, never backwards
//!    outside functions marked adjoint. All but `scan` read values of stage const or
//!    seq without dependent axes: so no state is seen from outside its step, and the index set of
//!    what is read does not vary with the position.
//! 3. A dependent axis exists only inside its past-region, one region at a time along a chain. It
//!    is reduced, normalized, summed in order, picked from, or contracted with a value that has it too; it is
//!    never regrouped, joined, cut, stacked or held by a weight, and leaves no region, scan or function.
//! 4. There is no way from seq to const. From seq to loss lead cross-entropy, which stands in `main` and whose result
//!    nothing reads, and the mean over tokens. A loss is read by losses only, and leaves a function as its last result.
//! 5. A state starts from a constant. Its step holds no scan, shift, window, pool, gather or call: whatever is
//!    free of the state stands outside, and a state is used at its own position only.
//! 6. A derivative is taken at each (item, position) by itself: its region looks at no other one.
//! 7. Sums over tokens and the transposes of looks at other positions stand in functions marked adjoint, which adjoint
//!    functions alone call. What such a sum gives in a region is read behind the region only, for it is complete there.
//! 8. Sizes that are known are at least 1, shifts and skips at least 0, slices within bounds.
//!
//! And for those who come after: results have the inferred stage, kind and set of axes; weights'
//! paths and streams are unique in a function, their full names in the model; callees stand
//! before callers, calls in `main` only, `main` last; an adjoint function shares the weights of the function that it is
//! named after. Nothing nests deeper than [`MAX_DEPTH`].
//!
//! Here are the rules of regions; `adjoint` has those of backward passes, `sizes` those of numbers, `model` those of `main`.

mod adjoint;
mod model;
mod sizes;

use std::collections::BTreeSet;
use std::fmt;

use genesys_axis::{Domain, Size};

use crate::MAX_DEPTH;
use crate::infer::{Scope, infer, same_axes};
use crate::module::{AxisId, Direction, Dtype, Function, Instruction, Module, Op, Region, Stage, State, Type, ValueId};

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The function, or the module's name.
    pub function: String,
    /// The values defined by the instruction: `%4`; empty for the function as a whole.
    pub place: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation { function, place, message } = self;
        if place.is_empty() { write!(f, "{function}: {message}") } else { write!(f, "{function}: {place}: {message}") }
    }
}

/// Checks every invariant; all violations found, in order.
pub fn validate(module: &Module) -> Result<(), Vec<Violation>> {
    let mut found = Vec::new();
    let mut report = |message: String| {
        found.push(Violation { function: module.name.clone(), place: String::new(), message });
    };
    axes(module, &mut report);
    names(module, &mut report);
    if module.functions.is_empty() {
        report("a module has a main function".into());
    }
    for index in 0..module.functions.len() {
        let mut checker = Checker::new(module, index, &mut found);
        checker.function();
    }
    if let (true, Some(main)) = (found.is_empty(), module.functions.last()) {
        let mut checker = Checker::new(module, module.functions.len() - 1, &mut found);
        checker.main(main);
    }
    if found.is_empty() { Ok(()) } else { Err(found) }
}

fn axes(module: &Module, report: &mut impl FnMut(String)) {
    for axis in &module.axes {
        let low = |size: &Size, least: i64| size.as_int().is_some_and(|value| value < least);
        let bad = match &axis.domain {
            Domain::Static(size) => low(size, 1),
            Domain::Past { window, skip } => window.as_ref().is_some_and(|window| low(window, 1)) || low(skip, 0),
            Domain::Blocks { size } => low(size, 1),
        };
        if bad {
            report(format!("the axis {} has an impossible extent", axis.name));
        }
    }
}

fn names(module: &Module, report: &mut impl FnMut(String)) {
    let mut seen = BTreeSet::new();
    module.axes.iter().filter(|axis| !seen.insert(&axis.name)).for_each(|a| report(format!("two axes {}", a.name)));
    let mut seen = BTreeSet::new();
    let twice = module.functions.iter().filter(|function| !seen.insert(&function.name));
    twice.for_each(|function| report(format!("two functions {}", function.name)));
}

/// What surrounds a region.
#[derive(Clone, Debug, Default)]
struct Around {
    /// Dependent axes whose regions are open.
    open: Vec<AxisId>,
    in_scan: bool,
    in_grad: bool,
    depth: usize,
}

struct Checker<'a> {
    module: &'a Module,
    function: &'a Function,
    is_main: bool,
    scope: Scope<'a>,
    defined: Vec<bool>,
    visible: Vec<bool>,
    place: String,
    found: &'a mut Vec<Violation>,
}

impl<'a> Checker<'a> {
    fn new(module: &'a Module, index: usize, found: &'a mut Vec<Violation>) -> Self {
        let function = &module.functions[index];
        let scope = Scope {
            axes: &module.axes,
            functions: &module.functions[..index],
            weights: &function.weights,
            values: &function.values,
        };
        let unseen = vec![false; function.values.len()];
        let is_main = index + 1 == module.functions.len();
        let (defined, visible) = (unseen.clone(), unseen);
        Checker { module, function, is_main, scope, defined, visible, place: String::new(), found }
    }

    fn report(&mut self, message: impl Into<String>) {
        let (function, place) = (self.function.name.clone(), self.place.clone());
        self.found.push(Violation { function, place, message: message.into() });
    }

    fn require(&mut self, holds: bool, message: &str) {
        if !holds {
            self.report(message);
        }
    }

    fn function(&mut self) {
        let function = self.function;
        self.weights();
        for id in &function.inputs {
            self.define(*id);
            if let Ok(ty) = self.scope.value(*id) {
                self.require(ty.stage != Stage::Step, "an argument depends on a state");
                self.require(ty.stage != Stage::Loss || function.adjoint, "an argument is a loss");
                self.ty(ty, &[]);
            }
        }
        self.region(&function.body, &Around::default());
        for id in &function.body.results {
            if let Ok(ty) = self.scope.value(*id) {
                self.require(ty.stage != Stage::Step, "a result depends on a state");
                self.ty(ty, &[]);
            }
        }
        if !self.is_main && !function.adjoint {
            self.loss(&function.body.results);
        }
        let count = self.defined.iter().filter(|defined| !**defined).count();
        self.require(count == 0, "a value is never defined");
    }

    /// Of a function's results at most the last is a loss, and a number.
    fn loss(&mut self, results: &[ValueId]) {
        let losses = results.iter().enumerate().filter_map(|(at, id)| Some((at, self.scope.value(*id).ok()?)));
        let mut losses = losses.filter(|(_, ty)| ty.stage == Stage::Loss);
        let alone = losses.all(|(at, ty)| at + 1 == results.len() && ty.axes.is_empty());
        self.require(alone, "a loss is the last result, and a number");
    }

    fn weights(&mut self) {
        let (mut paths, mut streams) = (BTreeSet::new(), BTreeSet::new());
        for weight in &self.function.weights {
            self.require(paths.insert(&weight.path), "two weights have one path");
            self.require(streams.insert(weight.stream), "two weights have one random stream");
            let missing = weight.axes.iter().any(|axis| self.scope.axis(*axis).is_err());
            self.require(!missing, "a weight has an axis that does not exist");
            let dependent = weight.axes.iter().any(|axis| self.scope.is_dependent(*axis));
            self.require(!dependent, "a weight has a dependent axis");
            self.require(no_repeats(&weight.axes), "a weight has an axis twice");
        }
    }

    /// The type of a value where those dependent axes exist.
    fn ty(&mut self, ty: &Type, open: &[AxisId]) {
        for axis in &ty.axes {
            match self.scope.axis(*axis) {
                Err(why) => self.report(why),
                Ok(found) if found.domain.is_dependent() && !open.contains(axis) => {
                    self.report(format!("the dependent axis {} outside its past-region", found.name));
                }
                Ok(_) => {}
            }
        }
        self.require(no_repeats(&ty.axes), "a value has an axis twice");
        self.require(ty.dtype == Dtype::Real || ty.stage == Stage::Seq, "tokens are a sequence");
    }

    fn define(&mut self, id: ValueId) {
        match self.defined.get_mut(id.0 as usize) {
            None => self.report(format!("the value %{} has no type", id.0)),
            Some(true) => self.report(format!("the value %{} is defined twice", id.0)),
            Some(defined) => {
                *defined = true;
                self.visible[id.0 as usize] = true;
            }
        }
    }

    fn sees(&mut self, id: ValueId) -> bool {
        let seen = self.visible.get(id.0 as usize).copied().unwrap_or(false);
        if !seen {
            self.report(format!("the value %{} is not defined here", id.0));
        }
        seen
    }

    /// A region's instructions and results. The region's values are visible until [`Self::leave`].
    fn region(&mut self, region: &Region, around: &Around) {
        if around.depth > MAX_DEPTH {
            return self.report("regions nest too deeply");
        }
        for instruction in &region.instructions {
            self.instruction(instruction, around);
        }
        for id in &region.results {
            self.sees(*id);
        }
    }

    /// Hides what a region defined.
    fn leave(&mut self, region: &Region) {
        for id in region.instructions.iter().flat_map(|instruction| &instruction.results) {
            if let Some(visible) = self.visible.get_mut(id.0 as usize) {
                *visible = false;
            }
        }
    }

    fn instruction(&mut self, instruction: &Instruction, around: &Around) {
        let Instruction { op, args, results } = instruction;
        let place: Vec<String> = results.iter().map(|id| format!("%{}", id.0)).collect();
        let place = place.join(", ");
        self.place.clone_from(&place);
        let seen = args.iter().filter(|id| self.sees(**id)).count() == args.len();
        self.standing(op, around);
        self.attributes(op, args.len());
        match op {
            Op::Past { axis, body, .. } => self.past(*axis, body, around),
            Op::Scan { states, chunk, body, .. } => self.scan(states, chunk.as_ref(), body, around),
            Op::Grad { variable, body } => self.grad(*variable, body, around),
            _ => {}
        }
        self.place = place;
        if seen {
            match infer(&self.scope, op, args) {
                Ok(types) => self.results(&types, results, around),
                Err(why) => self.report(why),
            }
        }
        results.iter().for_each(|id| self.define(*id));
    }

    fn results(&mut self, types: &[Type], results: &[ValueId], around: &Around) {
        self.require(types.len() == results.len(), "the number of results is wrong");
        for (inferred, id) in types.iter().zip(results) {
            let Ok(ty) = self.scope.value(*id) else { continue };
            let same = ty.stage == inferred.stage && ty.dtype == inferred.dtype && same_axes(&ty.axes, &inferred.axes);
            self.require(same, "a result's type is not what the operation gives");
            self.ty(ty, &around.open);
        }
    }

    /// Whether an operation may stand where it does, and which way time may run.
    fn standing(&mut self, op: &Op, around: &Around) {
        let inside = around.in_scan || around.in_grad || !around.open.is_empty();
        match op {
            Op::Shift { direction, reset, .. } => {
                self.require(!inside, "a shift stands in a region");
                self.time(*direction, *reset);
            }
            Op::Window { direction, reset, .. } => {
                self.require(!inside, "a window stands in a region");
                self.time(*direction, *reset);
            }
            Op::Pool { direction, reset, .. } => {
                self.require(!inside, "a pool stands in a region");
                self.time(*direction, *reset);
            }
            Op::Past { direction, reset, .. } => {
                self.require(!around.in_grad, "a past is looked at where a derivative is taken");
                self.time(*direction, *reset);
            }
            Op::Scan { direction, reset, .. } => {
                self.require(!inside, "a scan stands in a region");
                self.time(*direction, *reset);
            }
            Op::View(axis) | Op::Age(axis) | Op::Blocks { axis, .. } => {
                self.require(around.open.contains(axis), "a look at a past stands outside its region");
            }
            Op::MeanTokens => self.require(!inside, "a mean over tokens stands in a region"),
            Op::Adjoint(op) => self.adjoint(op, around),
            Op::Gather { .. } | Op::CrossEntropy { .. } | Op::Call { .. } => {
                if let Op::Call { function, .. } = op {
                    let callee = self.scope.functions.get(function.0 as usize);
                    let legal = self.function.adjoint || !callee.is_some_and(|callee| callee.adjoint);
                    self.require(legal, "a function that is no adjoint calls an adjoint one");
                }
                self.require(self.is_main && !inside, "a model's outer operation stands outside main, or in a region");
            }
            _ => {}
        }
    }

    fn time(&mut self, direction: Direction, reset: Option<ValueId>) {
        let legal = direction == Direction::Forward || self.function.adjoint;
        self.require(legal, "time runs in reverse in a function that is no adjoint");
        let Some(id) = reset else { return };
        if self.sees(id)
            && let Ok(ty) = self.scope.value(id)
        {
            let legal = ty.stage == Stage::Seq && ty.dtype == Dtype::Real && ty.axes.is_empty();
            self.require(legal, "a reset is a sequence without axes");
        }
    }

    fn grad(&mut self, variable: ValueId, body: &Region, around: &Around) {
        self.define(variable);
        if let Ok(ty) = self.scope.value(variable) {
            let at_positions = matches!(ty.stage, Stage::Seq | Stage::Step);
            self.require(at_positions, "a derivative is taken at each position");
            self.ty(ty, &[]);
        }
        self.region(body, &Around { in_grad: true, depth: around.depth + 1, ..around.clone() });
        for id in &body.results {
            if let Ok(ty) = self.scope.value(*id) {
                let fits = ty.dtype == Dtype::Real && ty.stage != Stage::Loss;
                self.require(fits, "a real number of a position is differentiated");
                self.ty(ty, &[]);
            }
        }
        self.leave(body);
        if let Some(visible) = self.visible.get_mut(variable.0 as usize) {
            *visible = false;
        }
    }

    fn past(&mut self, axis: AxisId, body: &Region, around: &Around) {
        self.require(!around.open.contains(&axis), "a past-region stands in another of its axis");
        let mut inner = around.clone();
        inner.open.push(axis);
        inner.depth += 1;
        self.region(body, &inner);
        self.incomplete(body);
        self.leave(body);
    }

    fn scan(&mut self, states: &[State], chunk: Option<&Size>, body: &Region, around: &Around) {
        self.require(!states.is_empty(), "a scan has no state");
        let chunked = states.iter().any(|state| state.anew || state.start.is_some());
        self.require(chunked == chunk.is_some(), "a scan has chunks where a state has a start or begins anew");
        chunk.iter().for_each(|chunk| self.at_least(chunk, 1, "a chunk"));
        for state in states {
            if self.sees(state.init) {
                self.state_type(state.init, state.current, Stage::Const, true);
            }
            self.define(state.current);
            if let Ok(ty) = self.scope.value(state.current) {
                self.require(ty.stage == Stage::Step && ty.dtype == Dtype::Real, "a state is a real number in a step");
                self.ty(ty, &[]);
            }
            if let Some(start) = state.start {
                self.define(start);
                self.state_type(start, state.current, Stage::Step, false);
            }
        }
        self.region(body, &Around { in_scan: true, depth: around.depth + 1, ..around.clone() });
        for state in states {
            if self.sees(state.next) {
                self.state_type(state.next, state.current, Stage::Step, false);
            }
        }
        self.leave(body);
        for id in states.iter().flat_map(State::defined) {
            if let Some(visible) = self.visible.get_mut(id.0 as usize) {
                *visible = false;
            }
        }
    }

    /// Whether a value fits a state: its stage at most that, its axes the state's, or some of them.
    fn state_type(&mut self, value: ValueId, state: ValueId, stage: Stage, fewer: bool) {
        let (Ok(value), Ok(state)) = (self.scope.value(value), self.scope.value(state)) else { return };
        let fits = if fewer {
            value.axes.iter().all(|axis| state.axes.contains(axis))
        } else {
            same_axes(&value.axes, &state.axes)
        };
        self.require(fits && value.dtype == Dtype::Real, "a value does not have its state's axes");
        self.require(value.stage <= stage, "a state starts from a constant");
    }
}

fn no_repeats(axes: &[AxisId]) -> bool {
    axes.iter().enumerate().all(|(i, axis)| !axes[..i].contains(axis))
}
