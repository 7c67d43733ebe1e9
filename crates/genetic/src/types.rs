//! The types of a unit's expressions, as far as names tell: a stage and a set of axes.
//!
//! Operators that write expressions ask here what a value's axes are and which of them hold a past,
//! so that what they write has the type it needs by construction. The rules are those of the checker
//! without its errors, since only checked units are asked about. Where a type is not certain (an
//! axis of a callee's own, a construct not known here) there is none, and operators stay away.

use std::collections::{BTreeMap, BTreeSet};

use genesys_scalar::Function;
use genesys_syntax::ast::{
    Arg, AxisRef, Block, Call, Expr, ExprId, ExprKind, GenericKind, Ident, Loop, Scan, Slot, StmtKind, Unit,
};

use crate::genome::Genome;
use crate::tree;

/// When a value is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// The same at every position.
    Const,
    /// One value per position.
    Seq,
    /// Depends on a scan's state.
    Moment,
}

/// The type of a value. A row is an axis of its name, dots included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Type {
    /// When it is known.
    pub(crate) stage: Stage,
    /// Its axes by name.
    pub(crate) axes: BTreeSet<String>,
}

/// The types within a unit.
#[derive(Debug, Default)]
pub(crate) struct Types {
    types: BTreeMap<ExprId, Type>,
    /// The axes that hold a past.
    pasts: BTreeSet<String>,
}

impl Types {
    /// The types of a unit's expressions; calls are looked up in its genome.
    pub(crate) fn of(unit: &Unit, genome: &Genome) -> Types {
        let mut reader = Reader { genome, names: BTreeMap::new(), hidden: Vec::new(), types: Types::default() };
        for generic in &unit.generics {
            reader.names.insert(&generic.name.text, Some(constant([])));
        }
        reader.names.insert("D", Some(constant([])));
        for param in &unit.params {
            let stage = if param.ty.seq { Stage::Seq } else { Stage::Const };
            reader.names.insert(&param.name.text, Some(Type { stage, axes: axis_set(&param.ty.axes) }));
        }
        reader.block(&unit.body);
        reader.types
    }

    /// The type of an expression, where it is certain.
    pub(crate) fn get(&self, expr: &Expr) -> Option<&Type> {
        self.types.get(&expr.id)
    }

    /// Whether an axis holds a past.
    pub(crate) fn is_past(&self, axis: &str) -> bool {
        self.pasts.contains(axis)
    }

    /// The axes of an expression that hold no past, where its type is certain.
    pub(crate) fn static_axes(&self, expr: &Expr) -> Option<BTreeSet<String>> {
        Some(self.get(expr)?.axes.iter().filter(|axis| !self.is_past(axis)).cloned().collect())
    }

    /// Whether a value has a past among its axes; where its type is not certain, it may have.
    pub(crate) fn has_past(&self, expr: &Expr) -> bool {
        self.get(expr).is_none_or(|ty| ty.axes.iter().any(|axis| self.is_past(axis)))
    }
}

/// The axes written in a type or slot.
pub(crate) fn axis_set(axes: &[AxisRef]) -> BTreeSet<String> {
    axes.iter()
        .map(|axis| match axis {
            AxisRef::Named(name) => name.text.clone(),
            AxisRef::Row(name) => format!("{}..", name.text),
            AxisRef::Rest(_) => "..".into(),
        })
        .collect()
}

fn is_function(head: &str) -> bool {
    Function::from_name(head).is_some_and(Function::is_call)
}

fn constant(axes: impl IntoIterator<Item = String>) -> Type {
    Type { stage: Stage::Const, axes: axes.into_iter().collect() }
}

fn texts(idents: &[Ident]) -> impl Iterator<Item = String> {
    idents.iter().map(|ident| ident.text.clone())
}

struct Reader<'a> {
    genome: &'a Genome,
    /// What values and sizes are, at this point.
    names: BTreeMap<&'a str, Option<Type>>,
    /// Axes of enclosing `each`s, which no call sees.
    hidden: Vec<String>,
    types: Types,
}

impl<'a> Reader<'a> {
    /// The types of what a unit's body ends with, or of what a step yields.
    fn block(&mut self, block: &'a Block) -> Vec<Option<Type>> {
        let mut yielded = vec![None];
        for stmt in &block.stmts {
            match &stmt.kind {
                StmtKind::Let { name, value, .. } => {
                    let ty = self.expr(value);
                    self.names.insert(&name.text, ty);
                }
                StmtKind::LetTuple { names, value } => {
                    let types = Some(self.given(value)).filter(|types| types.len() == names.len());
                    let types = types.unwrap_or_else(|| vec![None; names.len()]);
                    self.names.extend(names.iter().map(|name| name.text.as_str()).zip(types));
                }
                StmtKind::Share { .. } => {}
                StmtKind::Param { name, axes, .. } => {
                    self.names.insert(&name.text, Some(constant(axis_set(axes))));
                }
                StmtKind::Axis { name, .. } => _ = self.names.insert(&name.text, Some(constant([]))),
                StmtKind::Require { .. } => {}
                StmtKind::Update { value, .. } | StmtKind::Loss(value) => _ = self.expr(value),
                StmtKind::Yield(value) => yielded = self.given(value),
            }
        }
        match &block.result {
            Some(result) => self.given(result),
            None => yielded,
        }
    }

    fn expr(&mut self, expr: &'a Expr) -> Option<Type> {
        let ty = self.infer(expr)?;
        self.types.types.insert(expr.id, ty.clone());
        Some(ty)
    }

    fn infer(&mut self, expr: &'a Expr) -> Option<Type> {
        match &expr.kind {
            ExprKind::Number { .. } => Some(constant([])),
            ExprKind::Bool(_) | ExprKind::Hole(_) => None,
            ExprKind::Name(name) => match (self.names.get(name.text.as_str()), name.text.as_str()) {
                (Some(ty), _) => ty.clone(),
                (None, "pos") => Some(Type { stage: Stage::Seq, axes: BTreeSet::new() }),
                (None, "layer") => Some(constant([])),
                (None, _) => None,
            },
            ExprKind::Indexed { head, axis } if head.text == "age" => {
                self.types.pasts.insert(axis.text.clone());
                Some(Type { stage: Stage::Seq, axes: [axis.text.clone()].into() })
            }
            ExprKind::Indexed { axis, .. } => Some(constant([axis.text.clone()])),
            ExprKind::Neg(e) | ExprKind::Labeled { call: e, .. } => self.expr(e),
            ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => {
                let (a, b) = (self.expr(a), self.expr(b));
                join([a, b])
            }
            ExprKind::Each { axes, call } => {
                let outer = self.hidden.len();
                self.hidden.extend(texts(axes));
                let ty = self.expr(call);
                self.hidden.truncate(outer);
                ty.map(|ty| Type { axes: ty.axes.into_iter().chain(texts(axes)).collect(), ..ty })
            }
            ExprKind::Regroup { from, to, value } => {
                let ty = self.expr(value);
                ty.map(|ty| swapped(ty, texts(from), texts(to)))
            }
            ExprKind::Rename { value, from, to } => {
                let ty = self.expr(value);
                ty.map(|ty| swapped(ty, [from.text.clone()], [to.text.clone()]))
            }
            ExprKind::Call(call) => self.call(call),
            ExprKind::Tuple(_) | ExprKind::Scan(_) | ExprKind::Repeat(_) => match self.given(expr).as_mut_slice() {
                [only] => only.take(),
                _ => None,
            },
        }
    }

    /// The types of a tuple's values, where it is written out; else the type of the one value.
    fn given(&mut self, value: &'a Expr) -> Vec<Option<Type>> {
        let types = match &value.kind {
            ExprKind::Tuple(parts) => parts.iter().map(|part| self.expr(part)).collect(),
            ExprKind::Scan(scan) => self.scan(scan),
            ExprKind::Repeat(repeat) => self.repeat(repeat),
            _ => return vec![self.expr(value)],
        };
        if let [Some(ty)] = types.as_slice() {
            self.types.types.insert(value.id, ty.clone());
        }
        types
    }

    fn scan(&mut self, scan: &'a Scan) -> Vec<Option<Type>> {
        let outer = self.names.clone();
        for state in &scan.states {
            self.expr(&state.init);
            let axes = axis_set(&state.axes).into_iter().chain(self.hidden.iter().cloned()).collect();
            self.names.insert(&state.name.text, Some(Type { stage: Stage::Moment, axes }));
        }
        let types = self.block(&scan.body).into_iter();
        self.names = outer;
        types.map(|ty| ty.map(|ty| Type { stage: Stage::Seq, ..ty })).collect()
    }

    fn repeat(&mut self, repeat: &'a Loop) -> Vec<Option<Type>> {
        let outer = self.names.clone();
        repeat.states.iter().for_each(|state| _ = self.expr(&state.init));
        // The stage of a state may rise from round to round: its type is not certain.
        let bound = repeat.counter.iter().chain(repeat.states.iter().map(|state| &state.name));
        bound.for_each(|name| _ = self.names.insert(&name.text, None));
        let types = self.block(&repeat.body);
        self.names = outer;
        types
    }

    fn call(&mut self, call: &'a Call) -> Option<Type> {
        let mut values = Vec::new();
        for arg in &call.args {
            let ty = self.expr(tree::arg_expr(arg));
            if matches!(arg, Arg::Value(_)) {
                values.push(ty);
            }
        }
        if let Some(unit) = self.genome.unit(&call.head.text) {
            let named = call.args.iter().any(|arg| matches!(arg, Arg::Named(..)));
            return if named { None } else { self.unit_call(unit, call, &values) };
        }
        self.primitive(call, values)
    }

    fn primitive(&mut self, call: &'a Call, values: Vec<Option<Type>>) -> Option<Type> {
        let reduces = call.slot.is_some() || values.len() < 2;
        match (call.head.text.as_str(), &call.slot) {
            ("sum" | "mean" | "logsumexp", slot) => reduced(values.into_iter().next()??, slot.as_ref()),
            ("max" | "min", slot) if reduces => reduced(values.into_iter().next()??, slot.as_ref()),
            ("dot", slot) => {
                let shared = slot.is_none().then(|| shared(&values)).flatten();
                let ty = join(values)?;
                shared.map_or_else(|| reduced(ty.clone(), slot.as_ref()), |axis| Some(swapped(ty.clone(), [axis], [])))
            }
            ("linear" | "cut", Some(Slot::Map { from, to, .. })) => {
                Some(swapped(values.into_iter().next()??, texts(from), texts(to)))
            }
            ("concat", Some(Slot::Map { from, to, .. })) => Some(swapped(join(values)?, texts(from), texts(to))),
            ("take", Some(Slot::Axes(axes))) => Some(swapped(values.into_iter().next()??, axis_set(axes), [])),
            ("stack", Some(Slot::Axes(axes))) => Some(swapped(join(values)?, [], axis_set(axes))),
            ("shift" | "pool", None) => values.into_iter().next()?.map(|ty| Type { stage: Stage::Seq, ..ty }),
            ("past", slot) => {
                let axis = match slot {
                    Some(Slot::Axes(axes)) => axis_set(axes).pop_first()?,
                    Some(Slot::Map { .. } | Slot::Of { .. }) => return None,
                    None => "Past".into(),
                };
                self.types.pasts.insert(axis.clone());
                let ty = values.into_iter().next()??;
                Some(Type { stage: Stage::Seq, ..swapped(ty, [], [axis]) })
            }
            ("blocks", Some(Slot::Axes(axes))) => {
                if let Some(AxisRef::Named(blocks)) = axes.first() {
                    self.types.pasts.insert(blocks.text.clone());
                }
                let ty = swapped(values.into_iter().next()??, [], axis_set(axes));
                Some(Type { stage: Stage::Seq, ..ty })
            }
            ("window", Some(Slot::Axes(axes))) => {
                let ty = swapped(values.into_iter().next()??, [], axis_set(axes));
                Some(Type { stage: Stage::Seq, ..ty })
            }
            ("softmax" | "cumsum" | "after", _) => values.into_iter().next()?,
            (head, None) if is_function(head) || head == "outer" => join(values),
            _ => None,
        }
    }

    /// What a call of a unit gives: the axes that its signature binds.
    fn unit_call(&self, unit: &'a Unit, call: &'a Call, values: &[Option<Type>]) -> Option<Type> {
        if !unit.further.is_empty() {
            return None;
        }
        let mut bound: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for (position, arg) in call.statics.iter().enumerate() {
            let name = arg.name.as_ref().or_else(|| unit.generics.get(position).map(|generic| &generic.name))?;
            if let Some(axis) = arg.value.name() {
                bound.insert(&name.text, [axis.text.clone()].into());
            }
        }
        if let Some(Slot::Axes(axes)) = &call.slot {
            bind_slot(unit, axes, &mut bound);
        }
        for (param, value) in unit.params.iter().zip(values) {
            bind_argument(unit, &param.ty.axes, value.as_ref(), &self.hidden, &mut bound);
        }
        let mut axes = BTreeSet::new();
        for axis in &unit.result.axes {
            match axis {
                AxisRef::Named(name) if bound.contains_key(name.text.as_str()) => {
                    axes.extend(bound[name.text.as_str()].iter().cloned());
                }
                AxisRef::Named(name) if name.text == "D" => _ = axes.insert("D".into()),
                AxisRef::Named(_) => return None,
                AxisRef::Row(name) => axes.extend(bound.get(name.text.as_str())?.iter().cloned()),
                AxisRef::Rest(_) => axes.extend(bound.get("..")?.iter().cloned()),
            }
        }
        let of_arguments = values.iter().flatten();
        axes.extend(self.hidden.iter().filter(|axis| of_arguments.clone().any(|ty| ty.axes.contains(*axis))).cloned());
        let stage = values.iter().flatten().map(|ty| ty.stage).fold(Stage::Seq, Stage::max);
        Some(Type { stage: if unit.result.seq { stage } else { Stage::Const }, axes })
    }
}

fn bind_slot<'a>(unit: &'a Unit, axes: &[AxisRef], bound: &mut BTreeMap<&'a str, BTreeSet<String>>) {
    let mut names = axes.iter().flat_map(|axis| axis_set(std::slice::from_ref(axis)));
    for generic in &unit.generics {
        let name = generic.name.text.as_str();
        match generic.kind {
            GenericKind::Axis(None) if !bound.contains_key(name) => {
                names.next().into_iter().for_each(|axis| _ = bound.insert(name, [axis].into()));
            }
            GenericKind::Row => _ = bound.insert(name, names.by_ref().collect()),
            GenericKind::Axis(_) | GenericKind::Size(_) | GenericKind::Unit { .. } => {}
        }
    }
}

/// Binds the axes of a parameter's type to an argument's: by name, then the only one left over.
fn bind_argument<'a>(
    unit: &'a Unit,
    param: &'a [AxisRef],
    value: Option<&Type>,
    hidden: &[String],
    bound: &mut BTreeMap<&'a str, BTreeSet<String>>,
) {
    let Some(value) = value else { return };
    let mut left: BTreeSet<String> = value.axes.iter().filter(|axis| !hidden.contains(axis)).cloned().collect();
    let (mut open, mut rows) = (Vec::new(), Vec::new());
    for axis in param {
        let name = match axis {
            AxisRef::Named(name) | AxisRef::Row(name) => name.text.as_str(),
            AxisRef::Rest(_) => "..",
        };
        match bound.get(name) {
            Some(axes) => left.retain(|axis| !axes.contains(axis)),
            None if unit.generics.iter().any(|generic| generic.name.text == name) || name == ".." => match axis {
                AxisRef::Named(_) => open.push(name),
                AxisRef::Row(_) | AxisRef::Rest(_) => rows.push(name),
            },
            None => _ = left.remove(name),
        }
    }
    open.retain(|name| match left.take(*name) {
        Some(axis) => bound.insert(name, [axis].into()).is_some(),
        None => true,
    });
    if let ([only], 1) = (open.as_slice(), left.len()) {
        bound.insert(only, std::mem::take(&mut left));
    }
    if let Some(row) = rows.first() {
        bound.insert(row, left);
        rows[1..].iter().for_each(|row| _ = bound.insert(row, BTreeSet::new()));
    }
}

fn join(types: impl IntoIterator<Item = Option<Type>>) -> Option<Type> {
    let mut all = constant([]);
    for ty in types {
        let ty = ty?;
        all.stage = all.stage.max(ty.stage);
        all.axes.extend(ty.axes);
    }
    Some(all)
}

/// Without some axes, and with others.
fn swapped(mut ty: Type, from: impl IntoIterator<Item = String>, to: impl IntoIterator<Item = String>) -> Type {
    for axis in from {
        ty.axes.remove(&axis);
    }
    ty.axes.extend(to);
    ty
}

/// The one axis that two values share.
fn shared(values: &[Option<Type>]) -> Option<String> {
    let [Some(a), Some(b)] = values else { return None };
    let mut both = a.axes.intersection(&b.axes);
    both.next().filter(|_| both.next().is_none()).cloned()
}

fn reduced(ty: Type, slot: Option<&Slot>) -> Option<Type> {
    match slot {
        Some(Slot::Axes(axes)) => Some(swapped(ty, axis_set(axes), [])),
        Some(Slot::Map { .. } | Slot::Of { .. }) => None,
        None => (ty.axes.len() == 1).then(|| Type { axes: BTreeSet::new(), ..ty }),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing;

    /// The type of the body's value in a unit `F(x: Seq[D])` with axes `H`, `K` and `V`.
    fn value(body: &str) -> Option<String> {
        let text = format!(
            "use std::{{RmsNorm, Rope, SwiGlu}}\nunit F<H = 2, K = 8, V = 4>(x: Seq[D]) -> Seq[D] {{\n{body}\n}}\n\
             unit Heads<A, B>(x: Seq[A]) -> Seq[A, B] {{ x }}\nunit Own<B = 4>(x: Seq[D]) -> Seq[B] {{ x }}"
        );
        let genome = Genome::expand(&testing::parse(&text), testing::std());
        let unit = genome.unit("F").unwrap();
        let types = Types::of(unit, &genome);
        let ty = types.get(unit.body.result.as_ref().unwrap())?;
        Some(format!("{:?} {}", ty.stage, ty.axes.iter().cloned().collect::<Vec<_>>().join(" ")))
    }

    #[test]
    fn primitives_move_axes() {
        assert_eq!(value("linear[D -> H, K](x)").unwrap(), "Seq H K");
        assert_eq!(value("let k = linear[D -> H, K](x)\ndot[K](k, past(k))").unwrap(), "Seq H Past");
        assert_eq!(value("sum[Near](age[Near] * past[Near](x, window = 4))").unwrap(), "Seq D");
        assert_eq!(value("index[H] / sqrt(K)").unwrap(), "Const H");
        assert_eq!(value("[D -> H, K](x) as [K -> V]").unwrap(), "Seq H V");
        assert_eq!(value("mean(shift(x, 1))").unwrap(), "Seq ");
    }

    #[test]
    fn a_scan_gives_what_it_yields() {
        let scan = "let k = linear[D -> H, K](x)\nscan S: [H, K] = 0 { S <- 0.5 * S + k\nyield dot[K](k, S) }";
        assert_eq!(value(scan).unwrap(), "Seq H");
    }

    #[test]
    fn values_of_a_tuple_have_types_of_their_own() {
        let scan = |name: &str| {
            let body =
                "let k = linear[D -> H, K](x)\nlet (a, b) = scan S: [H, K] = 0 { S <- 0.5 * S + k\nyield (S, sum(x)) }";
            value(&format!("{body}\n{name}"))
        };
        assert_eq!((scan("a").unwrap(), scan("b").unwrap()), ("Seq H K".into(), "Seq ".into()));
        let few = "let (a, b) = repeat 2 R: [D] = x { R <- tanh(R)\nyield x }\na";
        assert_eq!(value(few), None, "there are as many values as names");
    }

    #[test]
    fn calls_bind_the_axes_of_what_they_call() {
        assert_eq!(value("SwiGlu(RmsNorm(x))").unwrap(), "Seq D");
        assert_eq!(value("Rope[K](RmsNorm[K](linear[D -> H, K](x)))").unwrap(), "Seq H K");
        assert_eq!(value("Heads<B = V>(linear[D -> K](x))").unwrap(), "Seq K V");
        assert_eq!(value("each[H] RmsNorm[K](linear[D -> H, K](x))").unwrap(), "Seq H K");
    }

    #[test]
    fn what_is_not_certain_has_no_type() {
        assert_eq!(value("Own(x)"), None, "the axis is the callee's own");
        assert_eq!(value("unheard(x)"), None);
    }
}
