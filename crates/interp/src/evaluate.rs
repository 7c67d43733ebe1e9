//! Regions and operations at one position.
//!
//! A machine knows the module, the weights and the position; a frame holds the values of one
//! call at that position. Every instruction is evaluated at every position, in order, so that
//! what it remembers is complete.

use std::collections::BTreeMap;

use genesys_axis::{Constant, Domain, Size};
use genesys_ir::module::{
    Adjoint, AxisId, Direction, Function, IGNORE, Instruction, Module, Op, Region, State, ValueId, WeightId,
};

use crate::memory::Memory;
use crate::{InterpError, Tensor, ops};

type Result<T> = std::result::Result<T, InterpError>;

/// What stays the same over all calls at a position.
pub(crate) struct Machine<'m> {
    pub(crate) module: &'m Module,
    pub(crate) weights: &'m dyn Fn(&str) -> Option<Vec<f64>>,
    pub(crate) loaded: BTreeMap<String, Tensor>,
    pub(crate) position: usize,
    /// Products summed by contractions so far.
    pub(crate) multiplications: u64,
}

/// A call under evaluation.
struct Frame<'a> {
    function: &'a Function,
    layer: u32,
    path: &'a str,
    values: BTreeMap<ValueId, Tensor>,
    memory: &'a mut Memory,
}

impl Frame<'_> {
    fn get(&self, id: ValueId) -> Result<&Tensor> {
        self.values.get(&id).ok_or(InterpError::Unsupported("a value that is used before it is defined"))
    }

    fn all(&self, ids: &[ValueId]) -> Result<Vec<Tensor>> {
        ids.iter().map(|id| self.get(*id).cloned()).collect()
    }
}

impl Machine<'_> {
    /// A function's results at the present position.
    pub(crate) fn call(
        &mut self,
        function: &Function,
        inputs: Vec<Tensor>,
        layer: u32,
        path: &str,
        memory: &mut Memory,
    ) -> Result<Vec<Tensor>> {
        let values = function.inputs.iter().copied().zip(inputs).collect();
        let mut frame = Frame { function, layer, path, values, memory };
        self.region(&function.body, &mut frame)?;
        frame.all(&function.body.results)
    }

    /// A tensor of numbers in the storage order of `axes`.
    pub(crate) fn tensor(&self, name: &str, axes: &[AxisId], data: Vec<f64>) -> Result<Tensor> {
        let sized = self.sized(axes)?;
        let (expected, found) = (sized.iter().map(|(_, n)| n).product(), data.len());
        Tensor::from_data(sized, data).ok_or_else(|| InterpError::Length { name: name.to_string(), expected, found })
    }

    fn region(&mut self, region: &Region, frame: &mut Frame<'_>) -> Result<()> {
        for instruction in &region.instructions {
            let values = self.instruction(instruction, frame)?;
            frame.values.extend(instruction.results.iter().copied().zip(values));
        }
        Ok(())
    }

    fn instruction(&mut self, instruction: &Instruction, frame: &mut Frame<'_>) -> Result<Vec<Tensor>> {
        let args = frame.all(&instruction.args)?;
        let key = *instruction.results.first().ok_or(InterpError::Unsupported("an operation without results"))?;
        if let Some(value) = self.local(&instruction.op, &args, frame.layer)? {
            return Ok(vec![value]);
        }
        let one = |value: Result<Tensor>| value.map(|v| vec![v]);
        let x = || args.first().ok_or(InterpError::Unsupported("an operation that lacks an operand"));
        match &instruction.op {
            Op::Weight(id) => one(self.weight(*id, frame.function, frame.path)),
            Op::Shift { by, direction, reset } => {
                forward_only(*direction, *reset)?;
                Ok(vec![ops::shift(size(by)?, frame.memory.remember(key, x()?.clone()))])
            }
            Op::Window { axis, direction, reset } => {
                forward_only(*direction, *reset)?;
                let axis = self.sized(&[*axis])?[0];
                Ok(vec![ops::window(axis, frame.memory.remember(key, x()?.clone()))])
            }
            Op::Pool { size: block, direction, reset } => {
                forward_only(*direction, *reset)?;
                Ok(vec![ops::pool(size(block)?, frame.memory.remember(key, x()?.clone()))])
            }
            Op::Past { direction, reset, body, .. } => {
                forward_only(*direction, *reset)?;
                self.region(body, frame)?;
                frame.all(&body.results)
            }
            Op::View(axis) => {
                let seen = self.seen(*axis)?;
                let history = frame.memory.remember(key, x()?.clone());
                Ok(vec![ops::view(*axis, seen, history)])
            }
            Op::Blocks { axis, within } => {
                let blocks = (*axis, self.seen(*axis)?.len());
                let within = self.sized(&[*within])?[0];
                let history = frame.memory.remember(key, x()?.clone());
                Ok(vec![ops::blocks(blocks, within, history)])
            }
            Op::Scan { states, class: _, chunk, direction, reset, body } => {
                forward_only(*direction, *reset)?;
                self.scan(states, self.begins(chunk.as_ref())?, body, frame)
            }
            Op::Grad { variable, body } => one(self.differences(*variable, body, x()?, frame)),
            Op::CrossEntropy { axis } => Ok(vec![cross_entropy(*axis, &args[0], &args[1], key, frame.memory)]),
            Op::MeanTokens => Ok(vec![mean_tokens(&args[0], &args[1], key, frame.memory)]),
            Op::Call { function, layer, path } => {
                let path = join(frame.path, path);
                let callee = frame.memory.calls.entry(key).or_default();
                self.call(self.module.function(*function), args, *layer, &path, callee)
            }
            Op::Adjoint(_) => Err(InterpError::Unsupported("the operations of a backward pass")),
            _ => unreachable!("all other operations look at their own position only"),
        }
    }

    /// What an operation gives that looks at its own position only; `None` for any other one.
    pub(crate) fn local(&mut self, op: &Op, args: &[Tensor], layer: u32) -> Result<Option<Tensor>> {
        let x = || args.first().ok_or(InterpError::Unsupported("an operation that lacks an operand"));
        Ok(Some(match op {
            Op::Constant(c) => Tensor::scalar(number(c)?),
            Op::Position => Tensor::scalar(self.position as f64),
            Op::Layer => Tensor::scalar(f64::from(layer)),
            Op::Index(axis) => Tensor::build(self.sized(&[*axis])?, |at| at[0].1 as f64),
            Op::Age(axis) => self.age(*axis)?,
            Op::Map(expr) => ops::map(expr, args)?,
            Op::Reduce { reduction, axes, otherwise } => ops::reduce(*reduction, axes, *otherwise, x()?),
            Op::Softmax { axes, sink } => ops::softmax(axes, *sink, x()?),
            Op::Contract { axes } => {
                let result = ops::contract(axes, &args[0], &args[1]);
                let summed: usize = axes.iter().filter_map(|axis| args[0].size(*axis)).product();
                self.multiplications += (result.data().len() * summed) as u64;
                result
            }
            Op::Regroup { from, to } => ops::regroup(from, &self.sized(to)?, x()?),
            Op::Concat { parts, whole } => ops::concat(parts, *whole, args),
            Op::Slice { whole, part, offset } => ops::slice(*whole, self.sized(&[*part])?[0], size(offset)?, x()?),
            Op::Pad { part, whole, offset } => ops::pad(*part, self.sized(&[*whole])?[0], size(offset)?, x()?),
            Op::Select { axis, index } => ops::select(*axis, size(index)?, x()?),
            Op::Stack { axis } => ops::stack(*axis, args),
            Op::Broadcast { axes } => ops::broadcast(&self.sized(axes)?, x()?),
            Op::Top { from, to } => ops::top(*from, self.sized(&[*to])?[0], &args[0], &args[1]),
            Op::Picked { from, to } => ops::picked(*from, self.sized(&[*to])?[0], x()?),
            Op::Cumsum(axis) => ops::sum_where(*axis, |other, own| other <= own, x()?),
            Op::After(axis) => ops::sum_where(*axis, |other, own| other > own, x()?),
            Op::Gather { axis } => ops::select(*axis, args[1].at(&[]) as usize, x()?),
            Op::Adjoint(Adjoint::Before(axis)) => ops::sum_where(*axis, |other, own| other < own, x()?),
            Op::Adjoint(Adjoint::Top { from, to }) => ops::scatter_top(*from, *to, &args[0], &args[1]),
            Op::Weight(_) | Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } | Op::Past { .. } => {
                return Ok(None);
            }
            Op::View(_) | Op::Blocks { .. } | Op::Scan { .. } | Op::Grad { .. } | Op::Call { .. } => return Ok(None),
            Op::CrossEntropy { .. } | Op::MeanTokens | Op::Adjoint(_) => return Ok(None),
        }))
    }

    /// Whether a chunk begins at this position.
    fn begins(&self, chunk: Option<&Size>) -> Result<bool> {
        chunk.map_or(Ok(false), |chunk| Ok(self.position.is_multiple_of(size(chunk)?)))
    }

    /// The derivative as the limit that it is, by differences of fourth order: the numbers of a derivative
    /// that was not expanded are those of its definition, to about ten digits.
    fn differences(&mut self, variable: ValueId, body: &Region, at: &Tensor, frame: &mut Frame<'_>) -> Result<Tensor> {
        let mut slopes = Vec::with_capacity(at.data().len());
        for i in 0..at.data().len() {
            let h = 1e-4 * at.data()[i].abs().max(1.0);
            let mut moved = |by: f64| {
                let mut data = at.data().to_vec();
                data[i] += by * h;
                let point = Tensor::from_data(at.axes().to_vec(), data).expect("as many numbers as before");
                frame.values.insert(variable, point);
                self.region(body, frame)?;
                Ok::<f64, InterpError>(frame.get(body.results[0])?.data().iter().sum())
            };
            let (near, far) = (moved(1.0)? - moved(-1.0)?, moved(2.0)? - moved(-2.0)?);
            slopes.push((8.0 * near - far) / (12.0 * h));
        }
        Ok(Tensor::from_data(at.axes().to_vec(), slopes).expect("as many numbers as before"))
    }

    /// A weight of a function that is called under a path.
    pub(crate) fn weight(&mut self, id: WeightId, function: &Function, path: &str) -> Result<Tensor> {
        let weight = &function.weights[id.0 as usize];
        let name = join(path, &weight.path);
        if let Some(tensor) = self.loaded.get(&name) {
            return Ok(tensor.clone());
        }
        let data = (self.weights)(&name).ok_or_else(|| InterpError::MissingWeight(name.clone()))?;
        let tensor = self.tensor(&name, &weight.axes, data)?;
        self.loaded.insert(name, tensor.clone());
        Ok(tensor)
    }

    /// The positions that a past holds now, or the numbers of the blocks that are complete, in increasing order.
    pub(crate) fn seen(&self, axis: AxisId) -> Result<std::ops::Range<usize>> {
        match &self.module.axis(axis).domain {
            Domain::Static(_) => Err(InterpError::Unsupported("a view along a static axis")),
            Domain::Past { window, skip } => {
                let end = (self.position + 1).saturating_sub(size(skip)?);
                let start = match window {
                    Some(window) => end.saturating_sub(size(window)?),
                    None => 0,
                };
                Ok(start..end)
            }
            Domain::Blocks { size: block } => Ok(0..(self.position + 1) / size(block)?),
        }
    }

    fn age(&self, axis: AxisId) -> Result<Tensor> {
        let seen = self.seen(axis)?;
        let block = match &self.module.axis(axis).domain {
            Domain::Blocks { size: block } => size(block)?,
            Domain::Static(_) | Domain::Past { .. } => 1,
        };
        let last = |element: usize| (seen.start + element + 1) * block - 1;
        Ok(Tensor::build(vec![(axis, seen.len())], |at| (self.position - last(at[0].1)) as f64))
    }

    pub(crate) fn sized(&self, axes: &[AxisId]) -> Result<Vec<(AxisId, usize)>> {
        let sized = |axis: &AxisId| match self.module.axis(*axis).domain.size() {
            Some(n) => Ok((*axis, size(n)?)),
            None => Ok((*axis, self.seen(*axis)?.len())),
        };
        axes.iter().map(sized).collect()
    }

    /// One step, with which a chunk may begin: the states are read, the body runs, the states are
    /// written together.
    fn scan(&mut self, states: &[State], begins: bool, body: &Region, frame: &mut Frame<'_>) -> Result<Vec<Tensor>> {
        for state in states {
            let axes = self.sized(&frame.function.ty(state.current).axes)?;
            let held = frame.memory.states.get(&state.current).filter(|_| !(state.anew && begins));
            let current = match held {
                Some(held) => held.clone(),
                None => {
                    let init = frame.get(state.init)?;
                    Tensor::build(axes, |at| init.at(at))
                }
            };
            if let Some(start) = state.start {
                if begins {
                    frame.memory.states.insert(start, current.clone());
                }
                let held = frame.memory.states.get(&start).cloned();
                frame.values.insert(start, held.expect("the first position begins a chunk"));
            }
            frame.values.insert(state.current, current);
        }
        self.region(body, frame)?;
        for state in states {
            let next = frame.get(state.next)?.clone();
            frame.memory.states.insert(state.current, next);
        }
        frame.all(&body.results)
    }
}

/// `log(sum(exp(logits))) - logits[target]`, averaged over the positions so far that count.
fn cross_entropy(axis: AxisId, logits: &Tensor, target: &Tensor, key: ValueId, memory: &mut Memory) -> Tensor {
    let (sum, count) = memory.losses.entry(key).or_insert((0.0, 0.0));
    let target = target.at(&[]);
    if target != f64::from(IGNORE) {
        *sum += ops::log_sum_exp(logits.data()) - logits.at(&[(axis, target as usize)]);
        *count += 1.0;
    }
    Tensor::scalar(if *count > 0.0 { *sum / *count } else { 0.0 })
}

/// The mean over the positions so far that count.
fn mean_tokens(x: &Tensor, target: &Tensor, key: ValueId, memory: &mut Memory) -> Tensor {
    let nothing = || (Tensor::build(x.axes().to_vec(), |_| 0.0), 0.0);
    let (sum, count) = memory.means.entry(key).or_insert_with(nothing);
    if target.at(&[]) != f64::from(IGNORE) {
        *sum = Tensor::build(x.axes().to_vec(), |at| sum.at(at) + x.at(at));
        *count += 1.0;
    }
    Tensor::build(x.axes().to_vec(), |at| if *count > 0.0 { sum.at(at) / *count } else { 0.0 })
}

fn forward_only(direction: Direction, reset: Option<ValueId>) -> Result<()> {
    match (direction, reset) {
        (Direction::Forward, None) => Ok(()),
        (Direction::Reverse, _) => Err(InterpError::Unsupported("reversed time")),
        (Direction::Forward, Some(_)) => Err(InterpError::Unsupported("document starts within a row")),
    }
}

pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() || name.is_empty() { format!("{path}{name}") } else { format!("{path}.{name}") }
}

pub(crate) fn number(constant: &Constant) -> Result<f64> {
    Ok(constant.eval(&|_| None)?)
}

pub(crate) fn size(size: &Size) -> Result<usize> {
    usize::try_from(size.eval(&|_| None)?).map_err(|_| InterpError::Unsupported("a negative size"))
}
