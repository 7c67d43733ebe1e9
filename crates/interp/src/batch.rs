//! Modules on whole rows: one instruction after the other, each at every position of every item.
//!
//! In go a module and rows of any lengths; out come the results of `main`. This is what a backward pass needs, whose sums go
//! over all positions and whose time runs in reverse. Each operation is computed by its definition, at its own position, as
//! the step evaluator does; only what it reads of other positions is looked up instead of remembered.
//!
//! Not here: pasts in reverse, or in rows of several documents. No pass makes them.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use genesys_axis::Size;
use genesys_ir::module::{
    Adjoint, Direction, Function, FunctionId, IGNORE, Instruction, Module, Op, Region, Stage, State, ValueId,
};

use crate::evaluate::{Machine, join, size};
use crate::{InterpError, Tensor, ops, transpose};

pub(crate) type Result<T> = std::result::Result<T, InterpError>;

/// An item of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The tokens.
    pub tokens: Vec<u32>,
    /// The target at each of them, or [`IGNORE`].
    pub targets: Vec<u32>,
}

/// What a specialized module's `main` gives on rows, which may differ in length: a result of the whole batch as numbers in
/// the order of its axes, one of positions as those of each position, item after item.
///
/// A backward pass goes through a row up to the last token that counts: what lies behind it no loss depends on. So a NaN
/// there reaches no gradient, for nothing is multiplied by a cotangent of 0.
///
/// # Errors
/// The module is not specialized, lacks a weight, or holds a past in reverse or of several documents.
pub fn run(module: &Module, rows: &[Row], weights: &dyn Fn(&str) -> Option<Vec<f64>>) -> Result<Vec<Vec<f64>>> {
    let machine = Machine { module, weights, loaded: BTreeMap::new(), position: 0, multiplications: 0 };
    let main = module.main();
    let length = |row: &Row| match main.adjoint {
        true => row.targets.iter().rposition(|target| *target != IGNORE).map_or(0, |last| last + 1),
        false => row.tokens.len(),
    };
    let mut batch = Batch { machine, lengths: rows.iter().map(length).collect() };
    let each = |numbers: &dyn Fn(&Row) -> Vec<u32>| {
        let item = |row: &Row| numbers(row).into_iter().map(|n| Tensor::scalar(f64::from(n))).collect();
        Value::Each(Rc::new(rows.iter().map(item).collect()))
    };
    let inputs = vec![each(&|row| row.tokens.clone()), each(&|row| row.targets.clone())];
    let results = batch.call(main, inputs, 0, "")?;
    Ok(main.body.results.iter().zip(results).map(|(id, value)| value.numbers(main, *id)).collect())
}

/// A value at all positions, or one for all of them.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// The same everywhere; within a step, what it is there.
    Same(Tensor),
    /// By item and position.
    Each(Rc<Vec<Vec<Tensor>>>),
}

/// An item and a position in it.
pub(crate) type Place = (usize, usize);

impl Value {
    pub(crate) fn at(&self, (item, t): Place) -> &Tensor {
        match self {
            Value::Same(tensor) => tensor,
            Value::Each(items) => &items[item][t],
        }
    }

    fn numbers(&self, function: &Function, id: ValueId) -> Vec<f64> {
        let arranged = |x: &Tensor| x.arranged(&function.ty(id).axes).data().to_vec();
        match self {
            Value::Same(tensor) => arranged(tensor),
            Value::Each(items) => items.iter().flatten().flat_map(arranged).collect(),
        }
    }
}

/// A call under evaluation.
pub(crate) struct Frame<'a> {
    function: &'a Function,
    layer: u32,
    path: &'a str,
    values: BTreeMap<ValueId, Value>,
}

impl Frame<'_> {
    pub(crate) fn get(&self, id: ValueId) -> Result<&Value> {
        self.values.get(&id).ok_or(InterpError::Unsupported("a value that is used before it is defined"))
    }
}

/// An evaluation.
pub(crate) struct Batch<'m> {
    pub(crate) machine: Machine<'m>,
    /// The positions of each item.
    pub(crate) lengths: Vec<usize>,
}

impl<'m> Batch<'m> {
    fn call(&mut self, function: &'m Function, inputs: Vec<Value>, layer: u32, path: &str) -> Result<Vec<Value>> {
        let values = function.inputs.iter().copied().zip(inputs).collect();
        let mut frame = Frame { function, layer, path, values };
        self.region(&function.body, &mut frame)?;
        function.body.results.iter().map(|id| frame.get(*id).cloned()).collect()
    }

    fn region(&mut self, region: &'m Region, frame: &mut Frame<'_>) -> Result<()> {
        for instruction in &region.instructions {
            let values = self.instruction(instruction, frame)?;
            frame.values.extend(instruction.results.iter().copied().zip(values));
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &'m Instruction, frame: &mut Frame<'_>) -> Result<Vec<Value>> {
        match &instruction.op {
            Op::Past { direction, reset, body, .. } => {
                whole_rows(*direction, *reset)?;
                self.region(body, frame)?;
                body.results.iter().map(|id| frame.get(*id).cloned()).collect()
            }
            Op::Scan { .. } => self.scan(&instruction.op, frame),
            Op::Call { function, layer, path } => self.callee(*function, *layer, path, &instruction.args, frame),
            _ => match frame.function.ty(instruction.results[0]).stage {
                Stage::Const | Stage::Loss => Ok(vec![Value::Same(self.once(instruction, frame)?)]),
                Stage::Seq | Stage::Step => {
                    let lengths = self.lengths.clone();
                    Ok(vec![each(&lengths, |place| self.at(instruction, frame, place))?])
                }
            },
        }
    }

    fn callee(
        &mut self,
        function: FunctionId,
        layer: u32,
        path: &str,
        args: &[ValueId],
        frame: &Frame<'_>,
    ) -> Result<Vec<Value>> {
        let inputs = args.iter().map(|id| frame.get(*id).cloned()).collect::<Result<_>>()?;
        let path = join(frame.path, path);
        self.call(self.machine.module.function(function), inputs, layer, &path)
    }

    /// A value of the whole batch.
    fn once(&mut self, instruction: &Instruction, frame: &Frame<'_>) -> Result<Tensor> {
        let Instruction { op, args, results } = instruction;
        if let Op::Weight(id) = op {
            return self.machine.weight(*id, frame.function, frame.path);
        }
        let values = args.iter().map(|id| frame.get(*id)).collect::<Result<Vec<_>>>()?;
        match op {
            Op::CrossEntropy { axis } => Ok(transpose::cross_entropy(self, *axis, values[0], values[1])),
            Op::MeanTokens | Op::Adjoint(_) => {
                let axes = self.machine.sized(&frame.function.ty(results[0]).axes)?;
                transpose::whole(self, op, axes, &values)
            }
            op => {
                let tensors: Vec<Tensor> = values.iter().map(|value| value.at((0, 0)).clone()).collect();
                self.local(op, &tensors, frame)
            }
        }
    }

    fn local(&mut self, op: &Op, args: &[Tensor], frame: &Frame<'_>) -> Result<Tensor> {
        let value = self.machine.local(op, args, frame.layer)?;
        value.ok_or(InterpError::Unsupported("an operation that passes were to take away"))
    }

    /// A value at one position.
    fn at(&mut self, instruction: &Instruction, frame: &Frame<'_>, place: Place) -> Result<Tensor> {
        self.machine.position = place.1;
        let Instruction { op, args, .. } = instruction;
        let x = |i: usize| frame.get(args[i]);
        match op {
            Op::Shift { by, direction, reset } => {
                Ok(ops::shift(size(by)?, &self.history(x(0)?, place, *direction, *reset, frame)?))
            }
            Op::Window { axis, direction, reset } => {
                let axis = self.machine.sized(&[*axis])?[0];
                Ok(ops::window(axis, &self.history(x(0)?, place, *direction, *reset, frame)?))
            }
            Op::Pool { size: block, direction, reset } => {
                Ok(ops::pool(size(block)?, &self.history(x(0)?, place, *direction, *reset, frame)?))
            }
            Op::View(axis) => {
                let seen = self.machine.seen(*axis)?;
                Ok(ops::view(*axis, seen, &self.history(x(0)?, place, Direction::Forward, None, frame)?))
            }
            Op::Blocks { axis, within } => {
                let blocks = (*axis, self.machine.seen(*axis)?.len());
                let within = self.machine.sized(&[*within])?[0];
                Ok(ops::blocks(blocks, within, &self.history(x(0)?, place, Direction::Forward, None, frame)?))
            }
            Op::Adjoint(Adjoint::Window { axis, direction, reset }) => {
                let axis = self.machine.sized(&[*axis])?[0];
                Ok(transpose::window(axis, &self.history(x(0)?, place, *direction, *reset, frame)?))
            }
            Op::Adjoint(Adjoint::Pool { size: block, direction, reset }) => {
                whole_rows(direction.reversed(), None)?;
                let document = self.document(place, *reset, frame)?;
                Ok(transpose::pool(size(block)?, document, x(0)?, place))
            }
            Op::Adjoint(Adjoint::View(axis)) => transpose::view(self, *axis, x(0)?, place),
            Op::Adjoint(Adjoint::Blocks { axis, within }) => transpose::blocks(self, *axis, *within, x(0)?, place),
            Op::Adjoint(Adjoint::CrossEntropy { axis }) => {
                Ok(transpose::cross_entropy_slope(self, *axis, [x(0)?, x(1)?, x(2)?], place))
            }
            Op::Adjoint(Adjoint::MeanTokens) => Ok(transpose::mean_slope(self, x(0)?, x(1)?, place)),
            op => {
                let args = args.iter().map(|id| Ok(frame.get(*id)?.at(place).clone())).collect::<Result<Vec<_>>>()?;
                self.local(op, &args, frame)
            }
        }
    }

    /// The positions of the document that a position lies in.
    fn document(&self, (item, t): Place, reset: Option<ValueId>, frame: &Frame<'_>) -> Result<Range<usize>> {
        let length = self.lengths[item];
        let Some(reset) = reset else { return Ok(0..length) };
        let starts = frame.get(reset)?;
        let begins = |t: &usize| *t == 0 || starts.at((item, *t)).at(&[]) != 0.0;
        let start = (0..=t).rev().find(begins).unwrap_or(0);
        Ok(start..(t + 1..length).find(begins).unwrap_or(length))
    }

    /// A value at the positions of a document up to one, in the order in which time runs, that one last.
    fn history(
        &self,
        value: &Value,
        place: Place,
        direction: Direction,
        reset: Option<ValueId>,
        frame: &Frame<'_>,
    ) -> Result<Vec<Tensor>> {
        let (item, t) = place;
        let Range { start, end } = self.document(place, reset, frame)?;
        let at = |t: usize| value.at((item, t)).clone();
        Ok(match direction {
            Direction::Forward => (start..=t).map(at).collect(),
            Direction::Reverse => (t..end).rev().map(at).collect(),
        })
    }

    fn scan(&mut self, op: &'m Op, frame: &mut Frame<'_>) -> Result<Vec<Value>> {
        let Op::Scan { states, chunk, direction, reset, body, .. } = op else { unreachable!("asked for scans only") };
        let mut results: Vec<Vec<Vec<Tensor>>> =
            body.results.iter().map(|_| self.lengths.iter().map(|_| Vec::new()).collect()).collect();
        for item in 0..self.lengths.len() {
            let mut order: Vec<usize> = (0..self.lengths[item]).collect();
            if *direction == Direction::Reverse {
                order.reverse();
            }
            for t in order {
                let document = self.document((item, t), *reset, frame)?;
                let first = if *direction == Direction::Forward { document.start } else { document.end - 1 };
                let begins = chunk.as_ref().map(|chunk| self.begins(chunk, t - document.start)).transpose()?;
                self.enter(states, t == first, begins.unwrap_or(false), frame)?;
                self.step(body, frame, (item, t))?;
                for (values, id) in results.iter_mut().zip(&body.results) {
                    values[item].push(frame.get(*id)?.at((item, t)).clone());
                }
                let ends = states.iter().map(|state| Ok(frame.get(state.next)?.at((item, t)).clone()));
                let ends: Vec<Tensor> = ends.collect::<Result<_>>()?;
                let held = states.iter().map(|state| state.current).zip(ends.into_iter().map(Value::Same));
                frame.values.extend(held);
            }
            if *direction == Direction::Reverse {
                results.iter_mut().for_each(|values| values[item].reverse());
            }
        }
        Ok(results.into_iter().map(|values| Value::Each(Rc::new(values))).collect())
    }

    fn begins(&self, chunk: &Size, t: usize) -> Result<bool> {
        Ok(t.is_multiple_of(size(chunk)?))
    }

    /// What the states hold when a step begins: what they held when the one before ended, unless they begin here.
    fn enter(&mut self, states: &[State], first: bool, begins: bool, frame: &mut Frame<'_>) -> Result<()> {
        for state in states {
            if first || (state.anew && begins) {
                let axes = self.machine.sized(&frame.function.ty(state.current).axes)?;
                let init = frame.get(state.init)?.at((0, 0)).clone();
                frame.values.insert(state.current, Value::Same(Tensor::build(axes, |at| init.at(at))));
            }
            if let (Some(start), true) = (state.start, begins) {
                let current = frame.get(state.current)?.clone();
                frame.values.insert(start, current);
            }
        }
        Ok(())
    }

    /// The instructions of a step, at its place only.
    fn step(&mut self, region: &Region, frame: &mut Frame<'_>, place: Place) -> Result<()> {
        for instruction in &region.instructions {
            if let Op::Past { direction, reset, body, .. } = &instruction.op {
                whole_rows(*direction, *reset)?;
                self.step(body, frame, place)?;
                for (result, value) in instruction.results.iter().zip(&body.results) {
                    let tensor = frame.get(*value)?.at(place).clone();
                    frame.values.insert(*result, Value::Same(tensor));
                }
                continue;
            }
            let value = match &instruction.op {
                Op::Weight(_) => self.once(instruction, frame)?,
                _ => self.at(instruction, frame, place)?,
            };
            frame.values.insert(instruction.results[0], Value::Same(value));
        }
        Ok(())
    }

    /// The number of tokens that count.
    pub(crate) fn counted(&self, targets: &Value) -> f64 {
        self.places().filter(|place| counts(targets, *place)).count() as f64
    }

    /// All positions of all items.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> + '_ {
        self.lengths.iter().enumerate().flat_map(|(item, length)| (0..*length).map(move |t| (item, t)))
    }
}

/// Whether the token at a position counts.
pub(crate) fn counts(targets: &Value, place: Place) -> bool {
    targets.at(place).at(&[]) != f64::from(IGNORE)
}

fn each(lengths: &[usize], mut at: impl FnMut(Place) -> Result<Tensor>) -> Result<Value> {
    let mut items = Vec::new();
    for (item, length) in lengths.iter().enumerate() {
        items.push((0..*length).map(|t| at((item, t))).collect::<Result<_>>()?);
    }
    Ok(Value::Each(Rc::new(items)))
}

fn whole_rows(direction: Direction, reset: Option<ValueId>) -> Result<()> {
    match (direction, reset) {
        (Direction::Forward, None) => Ok(()),
        (Direction::Reverse, _) => Err(InterpError::Unsupported("a past in reverse")),
        (Direction::Forward, Some(_)) => Err(InterpError::Unsupported("document starts in a past")),
    }
}
