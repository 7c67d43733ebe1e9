//! Operations on whole sequences: the oracle's reading of the IR.
//!
//! In goes a function with its arguments as named tensors, out come its results; candle records
//! what it needs for its own backward pass. The same code runs one step of a scan, where values
//! have no time.

use std::collections::BTreeMap;

use candle_core::Tensor;
use genesys_axis::{Constant, Size};
use genesys_decode::CallId;
use genesys_ir::module::{AxisId, Expr, Function, Instruction, Module, Op, Reduction, Stage, ValueId};
use genesys_scalar::Function as Scalar;

use crate::attend::Linear;
use crate::frame::{Frame, Slot};
use crate::mask::{Masks, Window};
use crate::memory::{Memory, Seen};
use crate::named::{Label, Named, Place, Value, stack, without};
use crate::origin::{At, Probe};
use crate::{RuntimeError, layout, loss, ordered, pick, reduce, scalar};
use genesys_ir::plan::{Item, flatten};

type Result<T> = std::result::Result<T, RuntimeError>;

/// What stays the same over a run.
pub(crate) struct Executor<'m> {
    pub(crate) module: &'m Module,
    pub(crate) weights: &'m BTreeMap<String, Tensor>,
    pub(crate) place: &'m Place,
    pub(crate) masks: Masks<'m>,
    /// What is remembered of earlier positions, in the step form.
    pub(crate) memory: Option<&'m Memory<'m>>,
    /// Looks for numbers that are not finite, where somebody asks.
    pub(crate) probe: Option<&'m Probe>,
}

impl<'m> Executor<'m> {
    /// A function's results.
    pub(crate) fn call(
        &self,
        function: &'m Function,
        inputs: Vec<Value>,
        layer: u32,
        path: String,
        call: CallId,
    ) -> Result<Vec<Value>> {
        let mut frame = Frame::new(function, layer, path, call);
        for (id, input) in function.inputs.iter().zip(inputs) {
            frame.set(*id, Slot::Ready(input));
        }
        self.run(&mut frame, &flatten(&function.body))?;
        function.body.results.iter().map(|id| self.get(&mut frame, *id)).collect()
    }

    pub(crate) fn run(&self, frame: &mut Frame<'m>, items: &[Item<'m>]) -> Result<()> {
        for item in items {
            match *item {
                Item::Same { result, value } => {
                    let value = self.get(frame, value)?;
                    frame.set(result, Slot::Ready(value));
                }
                Item::Run(instruction) if self.defers(instruction) => {
                    frame.set(instruction.results[0], Slot::Deferred(instruction));
                }
                Item::Run(instruction) => {
                    let before = self.probe.map_or(0, Probe::met);
                    let values = self.instruction(frame, instruction)?;
                    self.note(frame, instruction, &values, before)?;
                    for (id, value) in instruction.results.iter().zip(values) {
                        frame.set(*id, Slot::Ready(value));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether an instruction waits for who reads it. A recurrence is not read without its states where they are asked
    /// for again by the next run.
    fn defers(&self, instruction: &Instruction) -> bool {
        matches!(instruction.op, Op::Map(_)) || (self.memory.is_none() && Linear::of(instruction).is_some())
    }

    /// A value, evaluated if nobody has read it yet.
    pub(crate) fn get(&self, frame: &mut Frame<'m>, id: ValueId) -> Result<Value> {
        if let Some(value) = frame.ready(id)? {
            return Ok(value);
        }
        let value = match *frame.slot(id) {
            Slot::Deferred(Instruction { op: Op::Map(expr), args, .. }) => self.expression(frame, expr, args, id)?,
            Slot::Deferred(instruction @ Instruction { op: Op::Scan { states, chunk, body, .. }, .. }) => {
                let before = self.probe.map_or(0, Probe::met);
                let mut values = self.scan(frame, states, chunk.as_ref(), body)?;
                self.note(frame, instruction, &values, before)?;
                values.remove(0)
            }
            _ => unreachable!("only maps and scans of one result are deferred"),
        };
        frame.set(id, Slot::Ready(value.clone()));
        Ok(value)
    }

    /// Tells the probe, if there is one, that `value` was cut from `operands` or put together of them.
    pub(crate) fn note_parts(&self, frame: &Frame<'m>, id: ValueId, operands: &[Named], value: &Named) -> Result<()> {
        let Some(probe) = self.probe else { return Ok(()) };
        let operands: Vec<Value> = operands.iter().cloned().map(Value::Tensor).collect();
        let at = At { frame, window: self.window(frame), id };
        Ok(probe.note(at, "scan", &operands, &value.clone().into(), probe.met())?)
    }

    /// Tells the probe, if there is one, what an instruction made.
    fn note(&self, frame: &Frame<'m>, instruction: &Instruction, values: &[Value], before: usize) -> Result<()> {
        let Some(probe) = self.probe else { return Ok(()) };
        let mut operands = Vec::new();
        for id in &instruction.args {
            // A map that nobody has read was not read here either.
            operands.extend(frame.ready(*id)?);
        }
        for (id, value) in instruction.results.iter().zip(values) {
            let at = At { frame, window: self.window(frame), id: *id };
            probe.note(at, name(&instruction.op), &operands, value, before)?;
        }
        Ok(())
    }

    pub(crate) fn named(&self, frame: &mut Frame<'m>, id: ValueId) -> Result<Named> {
        Ok(self.get(frame, id)?.named(self.place)?)
    }

    pub(crate) fn window(&self, frame: &Frame<'_>) -> Window<'_> {
        Window { masks: &self.masks, step: frame.step }
    }

    fn instruction(&self, frame: &mut Frame<'m>, instruction: &'m Instruction) -> Result<Vec<Value>> {
        let args = &instruction.args;
        if let Op::Scan { states, chunk, body, .. } = &instruction.op {
            return self.scan(frame, states, chunk.as_ref(), body);
        }
        if let Op::Call { function, layer, path } = &instruction.op {
            let inputs = args.iter().map(|id| self.get(frame, *id)).collect::<Result<_>>()?;
            let path = join(&frame.path, path);
            let call = self.memory.map_or(frame.call, |memory| memory.callee(frame.call, instruction.results[0]));
            return self.call(self.module.function(*function), inputs, *layer, path, call);
        }
        if let Op::Contract { axes } = &instruction.op
            && let Some(read) = self.attend(frame, axes, args)?
        {
            return Ok(vec![read.into()]);
        }
        if let Op::Reduce { reduction: Reduction::Sum, axes, otherwise: None } = &instruction.op
            && let Some(sum) = self.sum_of_products(frame, axes, args[0])?
        {
            return Ok(vec![sum.into()]);
        }
        Ok(vec![self.single(frame, &instruction.op, args, instruction.results[0])?])
    }

    /// An operation with one result.
    fn single(&self, frame: &mut Frame<'m>, op: &'m Op, args: &[ValueId], result: ValueId) -> Result<Value> {
        let window = self.window(frame);
        let contracted = frame.contracted.contains(&result);
        let mut x = |i: usize| self.named(frame, args[i]);
        Ok(Value::Tensor(match op {
            Op::Constant(c) => return Ok(Value::Number(number(c)?)),
            Op::Layer => return Ok(Value::Number(f64::from(frame.layer))),
            Op::Map(expr) => return self.expression(frame, expr, args, result),
            Op::Weight(id) => {
                let weight = &frame.function.weights[id.0 as usize];
                self.weight(&join(&frame.path, &weight.path), &weight.axes)?
            }
            Op::Position => layout::position(self.place, window)?,
            Op::Index(axis) => layout::index(self.place, *axis, self.size(*axis)?)?,
            Op::Age(axis) => window.age(*axis)?,
            Op::Reduce { reduction, axes, otherwise } => reduce::reduce(window, *reduction, axes, *otherwise, &x(0)?)?,
            Op::Softmax { axes, sink } => reduce::softmax(window, axes, *sink, contracted, &x(0)?)?,
            Op::Contract { axes } => window.contract(&x(0)?, &x(1)?, &labels(axes))?,
            Op::Regroup { from, to } => layout::regroup(&x(0)?, from, &self.sized(to)?)?,
            Op::Concat { parts, whole } => layout::concat(&self.all(frame, args)?, parts, *whole)?,
            Op::Slice { whole, part, offset } => {
                let taken = x(0)?.narrow(Label::Axis(*whole), constant(offset)?, self.size(*part)?)?;
                taken.relabel(Label::Axis(*whole), Label::Axis(*part))
            }
            Op::Pad { part, whole, offset } => {
                layout::pad(&x(0)?, *part, (*whole, self.size(*whole)?), constant(offset)?)?
            }
            Op::Select { axis, index } => x(0)?.select(Label::Axis(*axis), constant(index)?)?,
            Op::Stack { axis } => stack(&self.all(frame, args)?, Label::Axis(*axis))?,
            Op::Broadcast { axes } => layout::broadcast(&x(0)?, &self.sized(axes)?)?,
            Op::Shift { by, .. } => layout::shift(&self.seen(frame, args[0])?, constant(by)?, self.masks.positions)?,
            Op::Window { axis, .. } => {
                layout::window(&self.seen(frame, args[0])?, *axis, self.size(*axis)?, self.masks.positions)?
            }
            Op::Pool { size, .. } => self.pool(frame, constant(size)?, args[0], result)?,
            Op::Blocks { axis, within } => {
                let within = (*within, self.size(*within)?);
                layout::blocks(&self.seen(frame, args[0])?, *axis, within, self.masks.positions)?
            }
            Op::Top { from, to } => pick::top(window, self.extent(*from)?, self.extent(*to)?, &x(0)?, &x(1)?)?,
            Op::Picked { from, to } => pick::picked(window, self.extent(*from)?, self.extent(*to)?, &x(0)?)?,
            Op::View(axis) => {
                layout::view(&self.seen(frame, args[0])?, *axis, self.masks.extent(*axis), self.masks.positions)?
            }
            Op::Cumsum(axis) => ordered::cumsum(window, *axis, &x(0)?)?,
            Op::After(axis) => ordered::after(window, *axis, &x(0)?)?,
            Op::Grad { .. } => return Err(RuntimeError::Unsupported("a derivative that was not expanded")),
            Op::Gather { axis } => loss::gather(&x(0)?, &x(1)?, *axis)?,
            Op::CrossEntropy { axis } => loss::cross_entropy(self.place, &x(0)?, &x(1)?, *axis)?,
            Op::MeanTokens => {
                let (value, targets) = (x(0)?, x(1)?);
                let axes = self.sized(&frame.function.ty(args[0]).axes)?;
                loss::mean_tokens(self.place, &value, &targets, &axes)?
            }
            Op::Adjoint(_) => return Err(RuntimeError::Unsupported("the operations of a backward pass")),
            Op::Past { .. } | Op::Scan { .. } | Op::Call { .. } => {
                unreachable!("operations with regions run elsewhere")
            }
        }))
    }

    /// A value at the positions of the run, behind what is remembered of it.
    fn seen(&self, frame: &mut Frame<'m>, id: ValueId) -> Result<Seen> {
        let values = self.named(frame, id)?;
        let constant = frame.function.ty(id).stage == Stage::Const;
        let Some(memory) = self.memory else { return Ok(Seen { values, before: 0 }) };
        match memory.join(frame.call, id, &values)? {
            Some(seen) => Ok(seen),
            None => Ok(Seen { values, before: if constant { memory.start() } else { 0 } }),
        }
    }

    /// The mean over the last completed block of `size` positions of a value.
    fn pool(&self, frame: &mut Frame<'m>, size: usize, id: ValueId, result: ValueId) -> Result<Named> {
        let x = self.named(frame, id)?;
        let remembered = self.memory.map(|memory| memory.pool((frame.call, result), &x, size)).transpose()?;
        match remembered.flatten() {
            Some(pooled) => Ok(pooled),
            None => Ok(layout::pool(&self.seen(frame, id)?, size, self.masks.start, self.masks.positions)?),
        }
    }

    fn all(&self, frame: &mut Frame<'m>, ids: &[ValueId]) -> Result<Vec<Named>> {
        ids.iter().map(|id| self.named(frame, *id)).collect()
    }

    /// The sum over `axes` of a product that nobody has read, as a matrix product: `None` where
    /// the operand is something else, or both factors have the same labels.
    fn sum_of_products(&self, frame: &mut Frame<'m>, axes: &[AxisId], id: ValueId) -> Result<Option<Named>> {
        let &Slot::Deferred(Instruction { op: Op::Map(Expr::Apply(Scalar::Mul, factors)), args, .. }) = frame.slot(id)
        else {
            return Ok(None);
        };
        let [a, b] = factors.as_slice() else { return Ok(None) };
        let (a, b) = (self.expression(frame, a, args, id)?, self.expression(frame, b, args, id)?);
        let (Value::Tensor(a), Value::Tensor(b)) = (a, b) else { return Ok(None) };
        let over = labels(axes);
        let free = |x: &Named, y: &Named| without(x.labels(), &over).iter().any(|l| !y.has(*l));
        let shared = over.iter().all(|l| a.has(*l) && b.has(*l));
        if !shared || !(free(&a, &b) || free(&b, &a)) {
            return Ok(None);
        }
        Ok(Some(self.window(frame).contract(&a, &b, &over)?))
    }

    /// A part of the map that gives the value `id`.
    pub(crate) fn expression(
        &self,
        frame: &mut Frame<'m>,
        expr: &Expr,
        args: &[ValueId],
        id: ValueId,
    ) -> Result<Value> {
        match expr {
            Expr::Arg(i) => self.get(frame, args[*i]),
            Expr::Const(c) => Ok(Value::Number(number(c)?)),
            Expr::Apply(function, operands) => {
                let operands: Vec<Value> =
                    operands.iter().map(|operand| self.expression(frame, operand, args, id)).collect::<Result<_>>()?;
                let value = scalar::apply(self.place, *function, &operands)?;
                if let Some(probe) = self.probe {
                    let at = At { frame, window: self.window(frame), id };
                    probe.note(at, function.name(), &operands, &value, probe.met())?;
                }
                Ok(value)
            }
        }
    }

    fn weight(&self, name: &str, axes: &[AxisId]) -> Result<Named> {
        let tensor = self.weights.get(name).ok_or_else(|| RuntimeError::Module(format!("no weight `{name}`")))?;
        Ok(Named::new(tensor.clone(), labels(axes)))
    }

    pub(crate) fn size(&self, axis: AxisId) -> Result<usize> {
        let size = self.module.axis(axis).domain.size();
        constant(size.ok_or_else(|| RuntimeError::Module("a dependent axis where a static one must be".into()))?)
    }

    /// An axis and the room it takes: of a dependent one, that of the whole row.
    fn extent(&self, axis: AxisId) -> Result<(AxisId, usize)> {
        let dependent = self.masks.pasts.contains_key(&axis);
        Ok((axis, if dependent { self.masks.extent(axis) } else { self.size(axis)? }))
    }

    pub(crate) fn sized(&self, axes: &[AxisId]) -> Result<Vec<(Label, usize)>> {
        axes.iter().map(|axis| Ok((Label::Axis(*axis), self.size(*axis)?))).collect()
    }
}

/// What an operation is called where a person reads of it, as in the text form of the IR.
fn name(op: &Op) -> &'static str {
    match op {
        Op::Weight(_) => "weight",
        Op::Constant(_) => "constant",
        Op::Position => "position",
        Op::Layer => "layer",
        Op::Index(_) => "index",
        Op::Age(_) => "age",
        Op::Map(_) => "map",
        Op::Reduce { reduction: Reduction::Sum, .. } => "sum",
        Op::Reduce { reduction: Reduction::Mean, .. } => "mean",
        Op::Reduce { reduction: Reduction::Max, .. } => "max",
        Op::Reduce { reduction: Reduction::Min, .. } => "min",
        Op::Reduce { reduction: Reduction::LogSumExp, .. } => "log_sum_exp",
        Op::Softmax { .. } => "softmax",
        Op::Contract { .. } => "contract",
        Op::Regroup { .. } => "regroup",
        Op::Concat { .. } => "concat",
        Op::Slice { .. } => "slice",
        Op::Pad { .. } => "pad",
        Op::Select { .. } => "select",
        Op::Stack { .. } => "stack",
        Op::Broadcast { .. } => "broadcast",
        Op::Shift { .. } => "shift",
        Op::Window { .. } => "window",
        Op::Past { .. } => "past",
        Op::Pool { .. } => "pool",
        Op::View(_) => "view",
        Op::Blocks { .. } => "blocks",
        Op::Top { .. } => "top",
        Op::Picked { .. } => "picked",
        Op::Cumsum(_) => "cumsum",
        Op::After(_) => "after",
        Op::Scan { .. } => "scan",
        Op::Grad { .. } => "grad",
        Op::Gather { .. } => "gather",
        Op::CrossEntropy { .. } => "cross_entropy",
        Op::MeanTokens => "mean_tokens",
        Op::Call { .. } => "call",
        Op::Adjoint(op) => op.name(),
    }
}

pub(crate) fn labels(axes: &[AxisId]) -> Vec<Label> {
    axes.iter().map(|axis| Label::Axis(*axis)).collect()
}

/// A path within a path.
fn join(path: &str, name: &str) -> String {
    if path.is_empty() || name.is_empty() { format!("{path}{name}") } else { format!("{path}.{name}") }
}

fn number(constant: &Constant) -> Result<f64> {
    Ok(constant.eval(&|_| None)?)
}

/// The value of a size that names no symbol.
pub(crate) fn constant(size: &Size) -> Result<usize> {
    usize::try_from(size.eval(&|_| None)?).map_err(|_| RuntimeError::Module("a negative size".into()))
}
