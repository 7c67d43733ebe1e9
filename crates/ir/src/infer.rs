//! The types of an operation's results, from its attributes and the types of its operands.
//!
//! One rule for each operation, used by the builder to make types and by the validator to compare
//! them. It also fixes a layout for each result: the operand of the highest stage (then of most
//! axes) leads, axes that are made stand where their source stood, dependent axes stand last.
//!
//! Not here: where an operation may stand, what is visible, sizes: see [`validate`](crate::validate).

use genesys_axis::Domain;

use crate::adjoint;
use crate::module::{Axis, AxisId, Dtype, Function, Op, Region, Stage, Type, ValueId, Weight};

/// What an operation can refer to.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// The module's axes.
    pub axes: &'a [Axis],
    /// The functions that may be called.
    pub functions: &'a [Function],
    /// The function's weights.
    pub weights: &'a [Weight],
    /// The types of the function's values.
    pub values: &'a [Type],
}

pub(crate) type Result<T> = std::result::Result<T, String>;

/// The types of the results of `op` on `args`, or why the operation is not well typed.
/// Bodies of regions are taken at their results' word; the validator descends into them.
pub fn infer(scope: &Scope<'_>, op: &Op, args: &[ValueId]) -> Result<Vec<Type>> {
    let args = args.iter().map(|id| scope.value(*id)).collect::<Result<Vec<_>>>()?;
    check_arity(op, args.len())?;
    loss_stays_within(op, &args)?;
    match op {
        Op::Past { axis, body, .. } => past(scope, *axis, &body.results),
        Op::Scan { body, .. } => body.results.iter().map(|id| scan_result(scope, *id)).collect(),
        Op::Grad { variable, body } => grad(scope, *variable, body, args[0]).map(one),
        Op::Call { function, .. } => call(scope, function.0 as usize, &args),
        Op::Gather { axis } => gather(*axis, args[0], args[1]).map(one),
        Op::CrossEntropy { axis } => cross_entropy(*axis, args[0], args[1]).map(one),
        Op::MeanTokens => mean_tokens(scope, args[0], args[1]).map(one),
        Op::Adjoint(op) => adjoint::infer(scope, op, &args).map(one),
        _ => {
            if let Some(index) = args.iter().position(|ty| ty.dtype != Dtype::Real) {
                return Err(format!("operand {index} holds tokens; real numbers are expected"));
            }
            single(scope, op, &args).map(one)
        }
    }
}

impl<'a> Scope<'a> {
    /// The type of a value.
    pub fn value(&self, id: ValueId) -> Result<&'a Type> {
        self.values.get(id.0 as usize).ok_or_else(|| format!("there is no value %{}", id.0))
    }

    /// An axis.
    pub fn axis(&self, id: AxisId) -> Result<&'a Axis> {
        self.axes.get(id.0 as usize).ok_or_else(|| format!("there is no axis number {}", id.0))
    }

    /// Whether an axis is dependent; one that does not exist is not.
    pub fn is_dependent(&self, id: AxisId) -> bool {
        self.axis(id).is_ok_and(|axis| axis.domain.is_dependent())
    }

    fn name(&self, id: AxisId) -> &'a str {
        self.axis(id).map_or("?", |axis| axis.name.as_str())
    }

    pub(crate) fn fixed(&self, axes: &[AxisId]) -> Result<()> {
        for axis in axes {
            if self.axis(*axis)?.domain.is_dependent() {
                return Err(format!(
                    "the dependent axis {} is only reduced, normalized or contracted",
                    self.name(*axis)
                ));
            }
        }
        distinct(self, axes)
    }

    /// A dependent axis of single positions.
    pub(crate) fn positions(&self, axis: AxisId) -> Result<()> {
        match self.axis(axis)?.domain {
            Domain::Past { .. } => Ok(()),
            Domain::Static(_) | Domain::Blocks { .. } => Err(format!("{} is not a past of positions", self.name(axis))),
        }
    }

    /// A dependent axis of blocks.
    pub(crate) fn blocks(&self, axis: AxisId) -> Result<()> {
        match self.axis(axis)?.domain {
            Domain::Blocks { .. } => Ok(()),
            Domain::Static(_) | Domain::Past { .. } => Err(format!("{} is no axis of blocks", self.name(axis))),
        }
    }

    pub(crate) fn dependent(&self, axis: AxisId) -> Result<()> {
        if self.axis(axis)?.domain.is_dependent() { Ok(()) } else { Err(format!("{} is not a past", self.name(axis))) }
    }

    pub(crate) fn has(&self, ty: &Type, axes: &[AxisId]) -> Result<()> {
        match axes.iter().find(|axis| !ty.axes.contains(axis)) {
            Some(axis) => Err(format!("an operand lacks the axis {}", self.name(*axis))),
            None => distinct(self, axes),
        }
    }

    pub(crate) fn lacks(&self, ty: &Type, axes: &[AxisId]) -> Result<()> {
        match axes.iter().find(|axis| ty.axes.contains(axis)) {
            Some(axis) => Err(format!("the axis {} is there already", self.name(*axis))),
            None => Ok(()),
        }
    }
}

/// Whether two lists hold the same axes, in any order.
pub(crate) fn same_axes(a: &[AxisId], b: &[AxisId]) -> bool {
    a.len() == b.len() && a.iter().all(|axis| b.contains(axis))
}

fn one(ty: Type) -> Vec<Type> {
    vec![ty]
}

pub(crate) fn real(stage: Stage, axes: Vec<AxisId>) -> Type {
    Type { stage, dtype: Dtype::Real, axes }
}

fn distinct(scope: &Scope<'_>, axes: &[AxisId]) -> Result<()> {
    for (i, axis) in axes.iter().enumerate() {
        if axes[..i].contains(axis) {
            return Err(format!("the axis {} stands twice", scope.name(*axis)));
        }
    }
    Ok(())
}

fn check_arity(op: &Op, found: usize) -> Result<()> {
    let expected = match op {
        Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) => 0,
        Op::Past { .. } | Op::Scan { .. } => 0,
        Op::Grad { .. } => 1,
        Op::Reduce { .. } | Op::Softmax { .. } | Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } => 1,
        Op::Pad { .. } => 1,
        Op::Broadcast { .. } | Op::Shift { .. } | Op::Window { .. } | Op::View(_) => 1,
        Op::Cumsum(_) | Op::After(_) | Op::Pool { .. } | Op::Blocks { .. } | Op::Picked { .. } => 1,
        Op::Top { .. } | Op::Contract { .. } => 2,
        Op::Gather { .. } | Op::CrossEntropy { .. } | Op::MeanTokens => 2,
        Op::Concat { parts, .. } => parts.len(),
        Op::Adjoint(op) => op.arity(),
        Op::Map(_) | Op::Stack { .. } | Op::Call { .. } => return Ok(()),
    };
    if expected == found { Ok(()) } else { Err(format!("{expected} operands are expected, {found} are given")) }
}

/// A loss meets constants and other losses, element by element or along its axes: no value of a position reads it.
fn loss_stays_within(op: &Op, args: &[&Type]) -> Result<()> {
    if args.iter().all(|ty| ty.stage != Stage::Loss) {
        return Ok(());
    }
    let may_read = match op {
        Op::Map(_) | Op::Reduce { .. } | Op::Softmax { .. } | Op::Contract { .. } | Op::Regroup { .. } => true,
        Op::Concat { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Stack { .. } | Op::Broadcast { .. } => true,
        Op::Pad { .. } | Op::Adjoint(_) | Op::Call { .. } => true,
        Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) => false,
        Op::Shift { .. } | Op::Window { .. } | Op::Pool { .. } | Op::Past { .. } | Op::View(_) => false,
        Op::Blocks { .. } | Op::Top { .. } | Op::Picked { .. } | Op::Cumsum(_) | Op::After(_) => false,
        Op::Scan { .. } | Op::Grad { .. } | Op::Gather { .. } | Op::CrossEntropy { .. } => false,
        Op::MeanTokens => false,
    };
    // What an adjoint makes of the cotangent of a loss is its own rule, and what a call takes that of its function.
    let among_losses = args.iter().all(|ty| matches!(ty.stage, Stage::Const | Stage::Loss));
    if may_read && (among_losses || matches!(op, Op::Adjoint(_) | Op::Call { .. })) {
        Ok(())
    } else {
        Err("a loss is read by what is no loss".into())
    }
}

/// A value that leaves a region is one of positions.
fn no_loss(ty: &Type) -> Result<()> {
    if ty.stage == Stage::Loss { Err("a loss is read by what is no loss".into()) } else { Ok(()) }
}

/// Operations on real numbers with one result.
fn single(scope: &Scope<'_>, op: &Op, args: &[&Type]) -> Result<Type> {
    match op {
        Op::Weight(id) => match scope.weights.get(id.0 as usize) {
            Some(weight) => Ok(real(Stage::Const, weight.axes.clone())),
            None => Err(format!("there is no weight number {}", id.0)),
        },
        Op::Constant(_) | Op::Layer => Ok(real(Stage::Const, vec![])),
        Op::Position => Ok(real(Stage::Seq, vec![])),
        Op::Index(axis) => scope.fixed(&[*axis]).map(|()| real(Stage::Const, vec![*axis])),
        Op::Age(axis) => scope.dependent(*axis).map(|()| real(Stage::Seq, vec![*axis])),
        Op::Map(_) => Ok(union(scope, args)),
        Op::Reduce { axes, .. } => scope.has(args[0], axes).map(|()| without(args[0], axes)),
        Op::Softmax { axes, .. } => scope.has(args[0], axes).map(|()| args[0].clone()),
        Op::Contract { axes } => contract(scope, axes, args[0], args[1]),
        Op::Regroup { from, to } => regroup(scope, args[0], from, to),
        Op::Concat { parts, whole } => concat(scope, args, parts, *whole),
        Op::Slice { whole, part, .. } => replace(scope, args[0], *whole, *part),
        Op::Pad { part, whole, .. } => replace(scope, args[0], *part, *whole),
        Op::Select { axis, .. } => {
            scope.fixed(&[*axis])?;
            scope.has(args[0], &[*axis]).map(|()| without(args[0], &[*axis]))
        }
        Op::Stack { axis } => stack(scope, args, *axis),
        Op::Broadcast { axes } => {
            scope.fixed(axes)?;
            scope.lacks(args[0], axes)?;
            let all = axes.iter().chain(&args[0].axes).copied().collect();
            Ok(real(args[0].stage, dependent_last(scope, all)))
        }
        Op::Shift { .. } | Op::Pool { .. } => viewable(scope, args[0]).map(|()| real(Stage::Seq, args[0].axes.clone())),
        Op::Window { axis, .. } => {
            viewable(scope, args[0])?;
            scope.fixed(&[*axis])?;
            scope.lacks(args[0], &[*axis])?;
            Ok(real(Stage::Seq, [axis].into_iter().chain(&args[0].axes).copied().collect()))
        }
        Op::View(axis) => {
            viewable(scope, args[0])?;
            scope.positions(*axis)?;
            Ok(real(Stage::Seq, args[0].axes.iter().chain([axis]).copied().collect()))
        }
        Op::Blocks { axis, within } => {
            viewable(scope, args[0])?;
            scope.blocks(*axis)?;
            scope.fixed(&[*within])?;
            scope.lacks(args[0], &[*within])?;
            Ok(real(Stage::Seq, [within].into_iter().chain(&args[0].axes).chain([axis]).copied().collect()))
        }
        Op::Top { from, to } => picked(scope, &[args[1], args[0]], *from, *to),
        Op::Picked { from, to } => picked(scope, args, *from, *to),
        Op::Cumsum(axis) | Op::After(axis) => {
            scope.dependent(*axis)?;
            scope.has(args[0], &[*axis]).map(|()| args[0].clone())
        }
        Op::Past { .. }
        | Op::Scan { .. }
        | Op::Grad { .. }
        | Op::Gather { .. }
        | Op::CrossEntropy { .. }
        | Op::MeanTokens
        | Op::Adjoint(_)
        | Op::Call { .. } => Err("not an operation of one result on real numbers".into()),
    }
}

/// Only what is the same in every step, and is not itself a past, may be looked at in time.
fn viewable(scope: &Scope<'_>, ty: &Type) -> Result<()> {
    if ty.stage == Stage::Step {
        return Err("a view in time of a value that depends on a scan's state".into());
    }
    match ty.axes.iter().find(|axis| scope.is_dependent(**axis)) {
        Some(axis) => Err(format!("a view in time of a value with the dependent axis {}", scope.name(*axis))),
        None => Ok(()),
    }
}

pub(crate) fn without(ty: &Type, axes: &[AxisId]) -> Type {
    real(ty.stage, ty.axes.iter().filter(|axis| !axes.contains(axis)).copied().collect())
}

pub(crate) fn dependent_last(scope: &Scope<'_>, axes: Vec<AxisId>) -> Vec<AxisId> {
    let (dependent, mut fixed): (Vec<_>, Vec<_>) = axes.into_iter().partition(|axis| scope.is_dependent(*axis));
    fixed.extend(dependent);
    fixed
}

/// All axes of all operands; the one of most axes leads.
pub(crate) fn union(scope: &Scope<'_>, args: &[&Type]) -> Type {
    let most = args.iter().map(|ty| ty.axes.len()).max().unwrap_or(0);
    let lead = args.iter().find(|ty| ty.axes.len() == most);
    let mut axes = Vec::new();
    for ty in lead.into_iter().chain(args) {
        for axis in &ty.axes {
            if !axes.contains(axis) {
                axes.push(*axis);
            }
        }
    }
    real(args.iter().map(|ty| ty.stage).max().unwrap_or(Stage::Const), dependent_last(scope, axes))
}

fn contract(scope: &Scope<'_>, axes: &[AxisId], a: &Type, b: &Type) -> Result<Type> {
    scope.has(a, axes)?;
    scope.has(b, axes)?;
    let (lead, other) = if b.stage > a.stage { (b, a) } else { (a, b) };
    let mut kept: Vec<AxisId> = Vec::new();
    for axis in lead.axes.iter().chain(&other.axes) {
        if !axes.contains(axis) && !kept.contains(axis) {
            kept.push(*axis);
        }
    }
    Ok(real(lead.stage, dependent_last(scope, kept)))
}

fn regroup(scope: &Scope<'_>, ty: &Type, from: &[AxisId], to: &[AxisId]) -> Result<Type> {
    scope.fixed(from)?;
    scope.fixed(to)?;
    scope.has(ty, from)?;
    let rest = without(ty, from);
    scope.lacks(&rest, to)?;
    let at = ty.axes.iter().position(|axis| from.contains(axis)).unwrap_or(0);
    let mut axes = rest.axes;
    axes.splice(at..at, to.iter().copied());
    Ok(real(ty.stage, axes))
}

fn replace(scope: &Scope<'_>, ty: &Type, from: AxisId, to: AxisId) -> Result<Type> {
    regroup(scope, ty, &[from], &[to])
}

fn concat(scope: &Scope<'_>, args: &[&Type], parts: &[AxisId], whole: AxisId) -> Result<Type> {
    let mut joined: Option<Type> = None;
    for (ty, part) in args.iter().zip(parts) {
        let ty = replace(scope, ty, *part, whole)?;
        joined = Some(match joined {
            None => ty,
            Some(first) if same_axes(&first.axes, &ty.axes) => real(first.stage.max(ty.stage), first.axes),
            Some(_) => return Err("operands joined differ in axes beside the one joined".into()),
        });
    }
    joined.ok_or_else(|| "nothing is joined".into())
}

fn stack(scope: &Scope<'_>, args: &[&Type], axis: AxisId) -> Result<Type> {
    scope.fixed(&[axis])?;
    let Some(first) = args.first() else { return Err("nothing is stacked".into()) };
    scope.lacks(first, &[axis])?;
    if args.iter().any(|ty| !same_axes(&ty.axes, &first.axes)) {
        return Err("operands stacked differ in axes".into());
    }
    let axes = dependent_last(scope, first.axes.iter().copied().chain([axis]).collect());
    Ok(real(args.iter().map(|ty| ty.stage).max().unwrap_or(Stage::Const), axes))
}

/// All axes of all operands, with `to` in place of `from`.
fn picked(scope: &Scope<'_>, args: &[&Type], from: AxisId, to: AxisId) -> Result<Type> {
    scope.fixed(&[to])?;
    for ty in args {
        scope.has(ty, &[from])?;
        scope.lacks(ty, &[to])?;
    }
    let rest = without(&union(scope, args), &[from]);
    Ok(real(rest.stage, dependent_last(scope, [to].into_iter().chain(rest.axes).collect())))
}

fn past(scope: &Scope<'_>, axis: AxisId, results: &[ValueId]) -> Result<Vec<Type>> {
    scope.dependent(axis)?;
    let leaves = |id: &ValueId| {
        let ty = scope.value(*id)?;
        scope.lacks(ty, &[axis]).map(|()| ty.clone())
    };
    results.iter().map(leaves).collect()
}

fn scan_result(scope: &Scope<'_>, id: ValueId) -> Result<Type> {
    let ty = scope.value(id)?;
    no_loss(ty)?;
    match ty.axes.iter().find(|axis| scope.is_dependent(**axis)) {
        Some(axis) => Err(format!("the dependent axis {} leaves a scan", scope.name(*axis))),
        None => Ok(Type { stage: Stage::Seq, ..ty.clone() }),
    }
}

fn grad(scope: &Scope<'_>, variable: ValueId, body: &Region, at: &Type) -> Result<Type> {
    let ty = scope.value(variable)?;
    if ty.stage != at.stage || ty.dtype != at.dtype || !same_axes(&ty.axes, &at.axes) {
        return Err("an operand is not of its variable's type".into());
    }
    match body.results.as_slice() {
        [_] => Ok(ty.clone()),
        _ => Err("one value is differentiated".into()),
    }
}

fn gather(axis: AxisId, table: &Type, tokens: &Type) -> Result<Type> {
    let good_table = table.stage == Stage::Const && table.dtype == Dtype::Real && table.axes.contains(&axis);
    let good_tokens = tokens.stage == Stage::Seq && tokens.dtype == Dtype::Token && tokens.axes.is_empty();
    if !good_table || !good_tokens {
        return Err("a constant table with the axis and a sequence of tokens are expected".into());
    }
    Ok(real(Stage::Seq, without(table, &[axis]).axes))
}

fn cross_entropy(axis: AxisId, logits: &Type, targets: &Type) -> Result<Type> {
    let good_logits = logits.stage == Stage::Seq && logits.dtype == Dtype::Real && logits.axes == [axis];
    let good_targets = targets.stage == Stage::Seq && targets.dtype == Dtype::Token && targets.axes.is_empty();
    if !good_logits || !good_targets {
        return Err("a sequence of logits over the axis and a sequence of tokens are expected".into());
    }
    Ok(real(Stage::Loss, vec![]))
}

fn mean_tokens(scope: &Scope<'_>, x: &Type, targets: &Type) -> Result<Type> {
    let good_operand = matches!(x.stage, Stage::Const | Stage::Seq) && x.dtype == Dtype::Real;
    let good_targets = targets.stage == Stage::Seq && targets.dtype == Dtype::Token && targets.axes.is_empty();
    if !good_operand || !good_targets {
        return Err("a value of positions and a sequence of tokens are expected".into());
    }
    scope.fixed(&x.axes).map(|()| real(Stage::Loss, x.axes.clone()))
}

fn call(scope: &Scope<'_>, index: usize, args: &[&Type]) -> Result<Vec<Type>> {
    let Some(function) = scope.functions.get(index) else {
        return Err(format!("function number {index} does not stand before its caller"));
    };
    let ty = |id: &ValueId| function.values.get(id.0 as usize).ok_or_else(|| format!("{} is broken", function.name));
    if function.inputs.len() != args.len() {
        return Err(format!("{} takes {} values, {} are given", function.name, function.inputs.len(), args.len()));
    }
    for (input, arg) in function.inputs.iter().zip(args) {
        let input = ty(input)?;
        if input.stage != arg.stage || input.dtype != arg.dtype || !same_axes(&input.axes, &arg.axes) {
            return Err(format!("an operand is not what {} takes", function.name));
        }
    }
    function.body.results.iter().map(|id| ty(id).cloned()).collect()
}
