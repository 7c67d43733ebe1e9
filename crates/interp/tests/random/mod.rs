//! Random modules, well typed by construction: a unit of random operations over `Seq[D]`, called twice, between an embedding
//! and the logits that share its weight. It hands a constant on, too. What designs cannot say, the modules can: rows that
//! hold several documents. Rows differ in length, and some tokens predict nothing.
//!
//! Tests of several packages include this file.
#![allow(clippy::unwrap_used)]

use genesys_axis::{Constant, Domain, Size};
use genesys_interp::Row;
use genesys_ir::module::{
    Axis, AxisId, Direction, Dtype, Expr, FunctionId, IGNORE, Module, Op, Reduction, Region, Stage, State, StateClass,
    Type, ValueId, Weight,
};
use genesys_ir::{Builder, renumber};
use genesys_scalar::Function::{self, *};
use genesys_scalar::{Law, Role};

const V: AxisId = AxisId(0);
const D: AxisId = AxisId(1);
const E: AxisId = AxisId(2);
/// Two of `D`, and `D` with them.
const K: AxisId = AxisId(3);
const L: AxisId = AxisId(4);
const W: AxisId = AxisId(5);
/// Pasts: all of it, a part, and blocks with the positions in them.
const P: AxisId = AxisId(6);
const Q: AxisId = AxisId(7);
const B: AxisId = AxisId(8);
const I: AxisId = AxisId(9);

fn axes() -> Vec<Axis> {
    let fixed = |n: i64| Domain::Static(Size::int(n));
    let past = |window: Option<i64>, skip| Domain::Past { window: window.map(Size::int), skip: Size::int(skip) };
    let domains = [
        ("V", fixed(5)),
        ("D", fixed(3)),
        ("E", fixed(3)),
        ("K", fixed(2)),
        ("L", fixed(5)),
        ("W", fixed(3)),
        ("P", past(None, 0)),
        ("Q", past(Some(2), 1)),
        ("B", Domain::Blocks { size: Size::int(2) }),
        ("I", fixed(2)),
    ];
    domains.into_iter().map(|(name, domain)| Axis { name: name.into(), domain }).collect()
}

/// A function under construction, its innermost region last.
struct Sketch {
    axes: Vec<Axis>,
    builder: Builder,
    regions: Vec<Region>,
    weights: u32,
    reset: Option<ValueId>,
}

type Bodies = (Vec<ValueId>, Vec<ValueId>);

impl Sketch {
    fn new() -> Self {
        Sketch { axes: axes(), builder: Builder::default(), regions: vec![Region::default()], weights: 0, reset: None }
    }

    fn all(&mut self, op: Op, args: &[ValueId]) -> Vec<ValueId> {
        let region = self.regions.last_mut().unwrap();
        self.builder.push((&self.axes, &[]), region, op, args.to_vec()).unwrap()
    }

    fn op(&mut self, op: Op, args: &[ValueId]) -> ValueId {
        self.all(op, args)[0]
    }

    fn map(&mut self, function: Function, args: &[ValueId]) -> ValueId {
        let operands = (0..args.len()).map(Expr::Arg).collect();
        self.op(Op::Map(Expr::Apply(function, operands)), args)
    }

    fn tanh(&mut self, x: ValueId) -> ValueId {
        self.map(Tanh, &[x])
    }

    fn weight(&mut self, axes: &[AxisId]) -> ValueId {
        let law = Law::Const(Constant::Real(0.0));
        let (path, stream) = (format!("w{}", self.weights), self.weights);
        self.weights += 1;
        let id = self.builder.weight(Weight { path, axes: axes.to_vec(), law, role: Role::Matrix, stream });
        self.op(Op::Weight(id), &[])
    }

    fn contract(&mut self, a: ValueId, b: ValueId, axes: &[AxisId]) -> ValueId {
        self.op(Op::Contract { axes: axes.to_vec() }, &[a, b])
    }

    fn reduce(&mut self, reduction: Reduction, x: ValueId, axes: &[AxisId], otherwise: Option<f64>) -> ValueId {
        self.op(Op::Reduce { reduction, axes: axes.to_vec(), otherwise }, &[x])
    }

    fn rename(&mut self, x: ValueId, from: AxisId, to: AxisId) -> ValueId {
        self.op(Op::Regroup { from: vec![from], to: vec![to] }, &[x])
    }

    fn past(&mut self, axis: AxisId, body: impl FnOnce(&mut Self) -> ValueId) -> ValueId {
        self.regions.push(Region::default());
        let result = body(self);
        let mut region = self.regions.pop().unwrap();
        region.results = vec![result];
        self.op(Op::Past { axis, direction: Direction::Forward, reset: None, body: region }, &[])
    }

    fn view(&mut self, x: ValueId, axis: AxisId) -> ValueId {
        self.op(Op::View(axis), &[x])
    }

    /// A scan over states `[D]`; in chunks of two where asked for, with starts, the last state anew. The body gives the next
    /// states and the results, from the states and their starts.
    fn scan(
        &mut self,
        class: StateClass,
        chunked: bool,
        inits: &[ValueId],
        body: impl FnOnce(&mut Self, &[ValueId], &[ValueId]) -> Bodies,
    ) -> Vec<ValueId> {
        self.regions.push(Region::default());
        let ty = Type { stage: Stage::Step, dtype: Dtype::Real, axes: vec![D] };
        let current: Vec<ValueId> = inits.iter().map(|_| self.builder.value(ty.clone())).collect();
        let starts: Vec<ValueId> = inits.iter().filter(|_| chunked).map(|_| self.builder.value(ty.clone())).collect();
        let (next, results) = body(self, &current, &starts);
        let region = Region { results, ..self.regions.pop().unwrap() };
        let state = |(i, init): (usize, &ValueId)| State {
            name: format!("S{i}"),
            init: *init,
            current: current[i],
            next: next[i],
            start: starts.get(i).copied(),
            anew: chunked && i + 1 == inits.len(),
        };
        let states = inits.iter().enumerate().map(state).collect();
        let (chunk, reset) = (chunked.then(|| Size::int(2)), self.reset.filter(|_| !chunked));
        self.all(Op::Scan { states, class, chunk, direction: Direction::Forward, reset, body: region }, &[])
    }
}

/// One random operation on values `Seq[D]`, which gives another one.
fn grow(s: &mut Sketch, have: &[ValueId], (kind, left, right): (usize, usize, usize)) -> ValueId {
    let (x, y) = (have[have.len() - 1 - left % have.len().min(3)], have[right % have.len()]);
    match kind {
        5..11 => seen(s, (x, y), (kind, left, right)),
        11..14 => scanned(s, (x, y), (kind, left, right)),
        _ => near(s, (x, y), (kind, left, right)),
    }
}

/// An operation that looks at its own position, or at those beside it.
fn near(s: &mut Sketch, (x, y): (ValueId, ValueId), (kind, left, right): (usize, usize, usize)) -> ValueId {
    let (even, direction) = (right.is_multiple_of(2), Direction::Forward);
    let reset = s.reset.filter(|_| even);
    match kind {
        0 => {
            let sum = s.map([Add, Sub, Mul, Max, Min][left % 5], &[x, y]);
            s.tanh(sum)
        }
        1 => {
            let w = s.weight(&[E, D]);
            let hidden = s.contract(x, w, &[D]);
            let hidden = s.map([Silu, Gelu, Sigmoid, Softplus][left % 4], &[hidden]);
            s.rename(hidden, E, D)
        }
        2 => s.op(Op::Shift { by: Size::int((left % 4) as i64), direction, reset }, &[x]),
        3 => {
            let (seen, w) = (s.op(Op::Window { axis: W, direction, reset }, &[x]), s.weight(&[W, D]));
            let product = s.map(Mul, &[seen, w]);
            s.reduce(Reduction::Sum, product, &[W], None)
        }
        4 => s.op(Op::Pool { size: Size::int(2), direction, reset }, &[x]),
        14 => {
            let cut = s.op(Op::Slice { whole: D, part: K, offset: Size::int((left % 2) as i64) }, &[x]);
            let joined = s.op(Op::Concat { parts: vec![K, D], whole: L }, &[cut, y]);
            let joined = s.op(Op::Softmax { axes: vec![L], sink: even.then_some(0.3) }, &[joined]);
            let back = s.op(Op::Slice { whole: L, part: D, offset: Size::int(1) }, &[joined]);
            let padded = s.op(Op::Pad { part: K, whole: D, offset: Size::int(1) }, &[cut]);
            s.map(Add, &[back, padded])
        }
        15 => {
            let pair = s.op(Op::Stack { axis: K }, &[x, y]);
            let how = [Reduction::Max, Reduction::Min, Reduction::Mean, Reduction::LogSumExp][left % 4];
            let extreme = s.reduce(how, pair, &[D, K], None);
            let one = s.op(Op::Select { axis: K, index: Size::int(i64::from(even)) }, &[pair]);
            s.map(Mul, &[extreme, one])
        }
        _ => {
            let w = s.weight(&[D]);
            let constant = s.map(Exp, &[w]);
            let normal = s.op(Op::Softmax { axes: vec![D], sink: None }, &[constant]);
            s.map(Mul, &[x, normal])
        }
    }
}

/// An operation on a past, or on the largest elements.
fn seen(s: &mut Sketch, (x, y): (ValueId, ValueId), (kind, left, right): (usize, usize, usize)) -> ValueId {
    let even = right.is_multiple_of(2);
    match kind {
        5 => attention(s, x, y, if even { P } else { Q }, left),
        6 => s.past(if even { P } else { Q }, |s| {
            let seen = s.view(x, if even { P } else { Q });
            let gap = s.map(Sub, &[seen, y]);
            let how = [Reduction::Mean, Reduction::LogSumExp, Reduction::Max, Reduction::Sum][left % 4];
            s.reduce(how, gap, &[if even { P } else { Q }], Some(0.5))
        }),
        7 => s.past(P, |s| {
            let seen = s.view(x, P);
            let sums = s.op(if even { Op::Cumsum(P) } else { Op::After(P) }, &[seen]);
            let (sums, other) = (s.tanh(sums), s.view(y, P));
            s.contract(sums, other, &[P])
        }),
        8 => s.past(B, |s| {
            let seen = s.op(Op::Blocks { axis: B, within: I }, &[x]);
            let product = s.map(Mul, &[seen, y]);
            s.reduce(if even { Reduction::Mean } else { Reduction::Sum }, product, &[I, B], Some(0.0))
        }),
        9 => s.past(P, |s| {
            let seen = s.view(y, P);
            let score = s.contract(x, seen, &[D]);
            let picked = s.op(Op::Top { from: P, to: K }, &[score, seen]);
            s.reduce(Reduction::Sum, picked, &[K], None)
        }),
        _ => {
            let picked = s.op(Op::Top { from: D, to: K }, &[x, y]);
            let sum = s.reduce(Reduction::Sum, picked, &[K], None);
            s.map(Mul, &[x, sum])
        }
    }
}

/// A recurrence.
fn scanned(s: &mut Sketch, (x, y): (ValueId, ValueId), (kind, left, right): (usize, usize, usize)) -> ValueId {
    let even = right.is_multiple_of(2);
    match kind {
        11 => recurrence(s, x, y, left),
        12 => {
            let (w, init) = (s.weight(&[E, D]), s.weight(&[D]));
            s.scan(StateClass::General, false, &[init], |s, now, _| {
                let mixed = s.contract(now[0], w, &[D]);
                let mixed = s.rename(mixed, E, D);
                let sum = s.map(Add, &[mixed, x]);
                let next = s.tanh(sum);
                let result = s.map(Mul, &[if even { now[0] } else { next }, y]);
                (vec![next], vec![result])
            })[0]
        }
        _ => {
            let inits = [s.weight(&[D]), s.weight(&[])];
            s.scan(StateClass::General, true, &inits, |s, now, starts| {
                let kept = s.map(Mul, &[starts[0], x]);
                let next = s.map(Add, &[now[1], kept]);
                let (next, pair) = (s.tanh(next), s.map(Mul, &[now[0], starts[1]]));
                let other = s.map(Sub, &[y, pair]);
                let result = s.map(Add, &[next, now[0]]);
                (vec![next, other], vec![result])
            })[0]
        }
    }
}

fn attention(s: &mut Sketch, x: ValueId, y: ValueId, axis: AxisId, left: usize) -> ValueId {
    s.past(axis, |s| {
        let seen = s.view(y, axis);
        let mut score = s.contract(x, seen, &[D]);
        if left.is_multiple_of(2) {
            let (slope, age) = (s.weight(&[]), s.op(Op::Age(axis), &[]));
            let bias = s.map(Mul, &[slope, age]);
            score = s.map(Add, &[score, bias]);
        }
        let weights = s.op(Op::Softmax { axes: vec![axis], sink: left.is_multiple_of(3).then_some(0.5) }, &[score]);
        s.contract(weights, seen, &[axis])
    })
}

/// A linear recurrence, whose decay may be a constant or none.
fn recurrence(s: &mut Sketch, x: ValueId, y: ValueId, left: usize) -> ValueId {
    let zero = s.op(Op::Constant(Constant::Real(0.0)), &[]);
    let init = if left.is_multiple_of(2) { s.weight(&[D]) } else { zero };
    let decay = if left.is_multiple_of(3) { s.weight(&[D]) } else { x };
    let decay = s.map(Sigmoid, &[decay]);
    s.scan(StateClass::Diagonal, false, &[init], |s, now, _| {
        let held = Expr::Apply(Mul, vec![Expr::Arg(2), Expr::Arg(0)]);
        let held = if left.is_multiple_of(5) { Expr::Arg(0) } else { held };
        let next = s.op(Op::Map(Expr::Apply(Add, vec![held, Expr::Arg(1)])), &[now[0], y, decay]);
        (vec![next], vec![if left.is_multiple_of(7) { now[0] } else { next }])
    })[0]
}

/// A model of two calls of one unit, under one path or two; the unit has a loss of its own or none.
pub(crate) fn module(steps: &[(usize, usize, usize)], shared: bool, loss: bool) -> Module {
    let mut s = Sketch::new();
    let tokens = Type { stage: Stage::Seq, dtype: Dtype::Token, axes: vec![] };
    let x = s.builder.input(Type { stage: Stage::Seq, dtype: Dtype::Real, axes: vec![D] });
    let handed = s.builder.input(Type { stage: Stage::Const, dtype: Dtype::Real, axes: vec![D] });
    let targets = loss.then(|| s.builder.input(tokens.clone()));
    let position = s.op(Op::Position, &[]);
    let within = Expr::Apply(Rem, vec![Expr::Arg(0), Expr::Const(Constant::Real(4.0))]);
    let starts = Expr::Apply(Equal, vec![within, Expr::Const(Constant::Real(2.0))]);
    s.reset = Some(s.op(Op::Map(starts), &[position]));
    let mut have = vec![x];
    for step in steps {
        have.push(grow(&mut s, &have, *step));
    }
    let last = *have.last().unwrap();
    let (gain, w) = (s.map(Mul, &[last, handed]), s.weight(&[D]));
    let (sum, on) = (s.map(Add, &[x, gain]), s.map(Sub, &[handed, w]));
    let mut results = vec![sum, on];
    if let Some(targets) = targets {
        let w = s.weight(&[D]);
        let score = s.contract(last, w, &[D]);
        let score = s.map(Sigmoid, &[score]);
        let mean = s.op(Op::MeanTokens, &[score, targets]);
        results.push(s.map(Mul, &[mean, mean]));
    }
    let body = Region { results, ..s.regions.pop().unwrap() };
    let mut unit = s.builder.finish("unit".into(), body);
    renumber(&mut unit);
    let (axes, functions) = (s.axes, vec![unit]);
    let (mut builder, mut body) = (Builder::default(), Region::default());
    let (tokens, targets) = (builder.input(tokens.clone()), builder.input(tokens));
    let law = Law::Const(Constant::Real(0.0));
    let table = Weight { path: "table".into(), axes: vec![V, D], law, role: Role::Embedding, stream: 0 };
    let table = builder.weight(table);
    let law = Law::Const(Constant::Real(0.0));
    let first = Weight { path: "first".into(), axes: vec![D], law, role: Role::Gain, stream: 1 };
    let first = builder.weight(first);
    let mut push = |op, args| builder.push((&axes, &functions), &mut body, op, args).unwrap();
    let table = push(Op::Weight(table), vec![])[0];
    let mut x = push(Op::Gather { axis: V }, vec![table, tokens])[0];
    let mut handed = push(Op::Weight(first), vec![])[0];
    let mut losses = Vec::new();
    for (layer, path) in [(0, "a"), (1, if shared { "a" } else { "b" })] {
        let args = [vec![x, handed], vec![targets; usize::from(loss)]].concat();
        let results = push(Op::Call { function: FunctionId(0), layer, path: path.into() }, args);
        (x, handed) = (results[0], results[1]);
        losses.extend(results.get(2));
    }
    let logits = push(Op::Contract { axes: vec![D] }, vec![x, table])[0];
    let mut results = vec![logits, push(Op::CrossEntropy { axis: V }, vec![logits, targets])[0]];
    if let [a, b] = losses[..] {
        results.push(push(Op::Map(Expr::Apply(Add, vec![Expr::Arg(0), Expr::Arg(1)])), vec![a, b])[0]);
    }
    body.results = results;
    let main = builder.finish("main".into(), body);
    Module { name: "random".into(), axes, functions: [functions, vec![main]].concat() }
}

/// Numbers between -1.2 and 1.2.
pub(crate) fn noise(n: usize, seed: u64) -> Vec<f64> {
    let state = genesys_random::mix(seed);
    (0..n as u64).map(|i| 2.4 * genesys_random::unit(genesys_random::at(state, i)) - 1.2).collect()
}

/// Two rows of different lengths.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        Row { tokens: vec![1, 4, 0, 2, 2, 3, 1], targets: vec![4, 0, 2, IGNORE, 3, 1, 0] },
        Row { tokens: vec![3, 2, 4, 0], targets: vec![2, 4, IGNORE, IGNORE] },
    ]
}
