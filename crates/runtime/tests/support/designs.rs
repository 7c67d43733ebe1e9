//! Functions that together use every operation.

use genesys_axis::Size;
use genesys_ir::module::{AxisId, Direction, Module, Op, Reduction, StateClass, ValueId};
use genesys_scalar::Function::*;

use super::{D, Sketch};

/// Name, function, and whether it looks back by attention over pasts that include the position: this
/// keeps gradients apart from a later NaN as well. Elsewhere candle's backward multiplies the zero
/// gradient of the later position with what stands there.
pub fn all() -> Vec<(&'static str, Module, bool)> {
    vec![
        ("attention", attention(None, 0, None), true),
        ("windowed attention", attention(Some(5), 0, None), true),
        ("strict attention with sink", attention(Some(70), 1, Some(0.3)), true),
        ("reductions of pasts", reductions(), false),
        ("products of pasts", products(), false),
        ("two pasts", two_pasts(), true),
        ("attention that forgets", attention_that_forgets(Some(6), 1), false),
        ("sums in order", sums_in_order(), false),
        ("windows", windows(), false),
        ("pools and blocks", pools_and_blocks(), true),
        ("the largest of an axis and of a past", largest(), false),
        ("scan that picks", scan_that_picks(), false),
        ("linear scan", linear_scan(), false),
        ("nonlinear scan", nonlinear_scan(), false),
        ("scan that attends", scan_that_attends(), false),
        ("scan in chunks", scan_in_chunks(), false),
        ("functions of ages", functions_of_ages(), false),
        ("layout", layout(), false),
        ("elementwise", elementwise(), true),
    ]
}

fn rotate(s: &mut Sketch, x: ValueId, e: AxisId) -> ValueId {
    let position = s.op(Op::Position, &[]);
    let index = s.op(Op::Index(e), &[]);
    let rate = s.with(Mul, index, 0.1);
    let angle = s.map(Mul, &[position, rate]);
    let cos = s.map(Cos, &[angle]);
    s.map(Mul, &[x, cos])
}

fn norm(s: &mut Sketch, x: ValueId) -> ValueId {
    let square = s.map(Mul, &[x, x]);
    let mean = s.reduce(Reduction::Mean, square, &[D], None);
    let eps = s.with(Add, mean, 1e-5);
    let root = s.map(Sqrt, &[eps]);
    let y = s.map(Div, &[x, root]);
    let gain = s.weight(&[D]);
    s.map(Mul, &[y, gain])
}

/// A state moved by what it was at the start of its chunk, through a sum that begins anew there.
pub fn scan_in_chunks() -> Module {
    let mut s = Sketch::new(4);
    let e = s.axis("E", 3);
    let x = s.input();
    let (u, g) = (s.linear(x, &[D], &[e]), s.linear(x, &[D], &[e]));
    let (from, zero) = (s.weight(&[e]), s.number(0.0));
    let y = s.chunked(StateClass::General, Some(3), &[(&[e], from), (&[e], zero)], |s, current, starts| {
        let seen = s.map(Mul, &[starts[0], u]);
        let moved = s.map(Add, &[seen, g]);
        let step = s.map(Tanh, &[moved]);
        let sum = s.map(Add, &[current[1], step]);
        let next = s.map(Sub, &[starts[0], sum]);
        let read = s.map(Mul, &[next, starts[1]]);
        let result = s.map(Add, &[read, current[0]]);
        (vec![next, sum], result)
    });
    let y = s.linear(y, &[e], &[D]);
    s.finish(y)
}

pub fn attention(window: Option<i64>, skip: i64, sink: Option<f64>) -> Module {
    let mut s = Sketch::new(6);
    let (h, e, p) = (s.axis("H", 2), s.axis("E", 3), s.past_axis("P", window, skip));
    let x = s.input();
    let n = norm(&mut s, x);
    let (q, k, v) = (s.linear(n, &[D], &[h, e]), s.linear(n, &[D], &[h, e]), s.linear(n, &[D], &[h, e]));
    let (q, k) = (rotate(&mut s, q, e), rotate(&mut s, k, e));
    let y = s.past(p, |s| {
        let k = s.view(k, p);
        let score = s.contract(q, k, &[e]);
        let score = s.with(Div, score, 3f64.sqrt());
        let weights = s.softmax(score, &[p], sink);
        let v = s.view(v, p);
        let product = s.map(Mul, &[weights, v]);
        s.reduce(Reduction::Sum, product, &[p], None)
    });
    let y = s.linear(y, &[h, e], &[D]);
    let out = s.map(Add, &[x, y]);
    s.finish(out)
}

fn reductions() -> Module {
    let mut s = Sketch::new(4);
    let (p, q) = (s.past_axis("P", None, 1), s.past_axis("Q", Some(3), 2));
    let x = s.input();
    let mut sum = x;
    for (axis, scale) in [(p, 0.5), (q, 0.25)] {
        for how in [Reduction::Sum, Reduction::Mean, Reduction::Max, Reduction::Min, Reduction::LogSumExp] {
            let otherwise = match how {
                Reduction::Sum | Reduction::Mean => None,
                Reduction::Max | Reduction::Min | Reduction::LogSumExp => Some(0.75),
            };
            let y = s.past(axis, |s| {
                let age = s.op(Op::Age(axis), &[]);
                let decay = s.with(Mul, age, -scale);
                let decay = s.map(Exp, &[decay]);
                let seen = s.view(x, axis);
                let product = s.map(Mul, &[seen, decay]);
                let product = s.map(Add, &[product, x]);
                s.reduce(how, product, &[axis], otherwise)
            });
            sum = s.map(Add, &[sum, y]);
        }
        let y = s.past(axis, |s| {
            let seen = s.view(x, axis);
            s.reduce(Reduction::LogSumExp, seen, &[D, axis], Some(-1.0))
        });
        sum = s.map(Add, &[sum, y]);
    }
    s.finish(sum)
}

/// A logarithm and a root that have values at the ages 1 to 5, which are seen, and at no other.
fn functions_of_ages() -> Module {
    let mut s = Sketch::new(4);
    let p = s.past_axis("P", Some(5), 1);
    let (x, gain) = (s.input(), s.weight(&[D]));
    let y = s.past(p, |s| {
        let age = s.op(Op::Age(p), &[]);
        let (log, negative) = (s.map(Log, &[age]), s.with(Mul, age, -1.0));
        let left = s.with(Add, negative, 5.5);
        let root = s.map(Sqrt, &[left]);
        let shape = s.map(Mul, &[log, root]);
        let score = s.map(Mul, &[gain, shape]);
        let weights = s.softmax(score, &[p], Some(0.3));
        let seen = s.view(x, p);
        let product = s.map(Mul, &[weights, seen]);
        s.reduce(Reduction::Sum, product, &[p], None)
    });
    s.finish(y)
}

/// Sums of products of pasts where neither, one or both factors vary with the position.
fn products() -> Module {
    let mut s = Sketch::new(4);
    let (e, p) = (s.axis("E", 3), s.past_axis("P", Some(6), 1));
    let x = s.input();
    let (k, v) = (s.linear(x, &[D], &[e]), s.linear(x, &[D], &[e]));
    let memory = s.past(p, |s| {
        let (seen_k, seen_x) = (s.view(k, p), s.view(x, p));
        s.contract(seen_k, seen_x, &[p])
    });
    let read = s.contract(v, memory, &[e]);
    let both = s.past(p, |s| {
        let (seen_k, seen_v) = (s.view(k, p), s.view(v, p));
        let a = s.map(Sub, &[seen_k, v]);
        let b = s.map(Add, &[seen_v, k]);
        let score = s.contract(a, b, &[e, p]);
        let c = s.contract(a, b, &[e]);
        let seen_x = s.view(x, p);
        let c = s.softmax(c, &[p], None);
        let y = s.contract(c, seen_x, &[p]);
        s.map(Add, &[score, y])
    });
    let out = s.map(Add, &[read, both]);
    s.finish(out)
}

/// A gate at each position closes a little of what lies before it (Lin et al., 2025).
fn attention_that_forgets(window: Option<i64>, skip: i64) -> Module {
    let mut s = Sketch::new(6);
    let (h, e, p) = (s.axis("H", 2), s.axis("E", 3), s.past_axis("P", window, skip));
    let x = s.input();
    let (q, k, v) = (s.linear(x, &[D], &[h, e]), s.linear(x, &[D], &[h, e]), s.linear(x, &[D], &[h, e]));
    let gate = s.linear(x, &[D], &[h]);
    let gate = s.map(LogSigmoid, &[gate]);
    let y = s.past(p, |s| {
        let (k, v, gate) = (s.view(k, p), s.view(v, p), s.view(gate, p));
        let score = s.contract(q, k, &[e]);
        let forgotten = s.op(Op::After(p), &[gate]);
        let score = s.map(Add, &[score, forgotten]);
        let weights = s.softmax(score, &[p], None);
        s.contract(weights, v, &[p])
    });
    let y = s.linear(y, &[h, e], &[D]);
    let out = s.map(Add, &[x, y]);
    s.finish(out)
}

/// Both sums along two pasts at once, of elements that vary with the position.
fn sums_in_order() -> Module {
    let mut s = Sketch::new(4);
    let (p, q) = (s.past_axis("P", None, 0), s.past_axis("Q", Some(5), 2));
    let x = s.input();
    let out = s.past(p, |s| {
        let seen = s.view(x, p);
        let score = s.contract(x, seen, &[D]);
        let near = s.past(q, |s| {
            let near = s.view(x, q);
            let pair = s.contract(seen, near, &[D]);
            let pair = s.map(Add, &[pair, score]);
            let sums = s.op(Op::Cumsum(q), &[pair]);
            let sums = s.op(Op::After(p), &[sums]);
            let sums = s.map(Tanh, &[sums]);
            s.contract(sums, near, &[q])
        });
        let sums = s.op(Op::Cumsum(p), &[near]);
        let age = s.op(Op::Age(p), &[]);
        let age = s.with(Add, age, 1.0);
        let scaled = s.map(Div, &[sums, age]);
        s.reduce(Reduction::Mean, scaled, &[p], None)
    });
    s.finish(out)
}

/// The last positions under a kernel; a window that is longer than a row.
fn windows() -> Module {
    let mut s = Sketch::new(4);
    let (w, far, one) = (s.axis("W", 3), s.axis("Far", 70), s.axis("One", 1));
    let x = s.input();
    let window = |s: &mut Sketch, axis| s.op(Op::Window { axis, direction: Direction::Forward, reset: None }, &[x]);
    let (recent, long, last) = (window(&mut s, w), window(&mut s, far), window(&mut s, one));
    let kernel = s.weight(&[w, D]);
    let product = s.map(Mul, &[kernel, recent]);
    let convolved = s.reduce(Reduction::Sum, product, &[w], None);
    let largest = s.reduce(Reduction::Max, long, &[far], None);
    let same = s.op(Op::Select { axis: one, index: Size::int(0) }, &[last]);
    let sum = s.map(Mul, &[convolved, same]);
    let out = s.map(Add, &[sum, largest]);
    s.finish(out)
}

/// Means of blocks held, blocks longer than a row, and the two blocks that are most like the position.
fn pools_and_blocks() -> Module {
    let mut s = Sketch::new(4);
    let (w, far, k) = (s.axis("W", 3), s.axis("Far", 70), s.axis("K", 2));
    let (b, long) = (s.block_axis("B", 3), s.block_axis("Long", 70));
    let x = s.input();
    let mut sum = x;
    for size in [1, 3, 70, 200] {
        let pool = Op::Pool { size: Size::int(size), direction: Direction::Forward, reset: None };
        let pooled = s.op(pool, &[x]);
        sum = s.map(Add, &[sum, pooled]);
    }
    let mean = |s: &mut Sketch, (axis, within)| {
        let seen = s.op(Op::Blocks { axis, within }, &[x]);
        (seen, s.reduce(Reduction::Mean, seen, &[within], None))
    };
    let all = s.past(long, |s| {
        let (_, means) = mean(s, (long, far));
        let age = s.op(Op::Age(long), &[]);
        let aged = s.map(Sub, &[means, age]);
        s.reduce(Reduction::Max, aged, &[long], Some(0.5))
    });
    sum = s.map(Add, &[sum, all]);
    let best = s.past(b, |s| {
        let (seen, means) = mean(s, (b, w));
        let score = s.contract(x, means, &[D]);
        s.op(Op::Top { from: b, to: k }, &[score, seen])
    });
    let picked = s.past(b, |s| {
        let (_, means) = mean(s, (b, w));
        s.op(Op::Picked { from: b, to: k }, &[means])
    });
    let order = s.op(Op::Index(k), &[]);
    let best = s.reduce(Reduction::Max, best, &[w], None);
    let best = s.map(Add, &[best, picked]);
    let best = s.map(Add, &[best, order]);
    let best = s.reduce(Reduction::LogSumExp, best, &[k], None);
    let out = s.map(Add, &[sum, best]);
    s.finish(out)
}

/// More elements than there are at the start; equal scores; elements of a static axis.
fn largest() -> Module {
    let mut s = Sketch::new(4);
    let (k, three) = (s.axis("K", 5), s.axis("Three", 3));
    let p = s.past_axis("P", Some(7), 1);
    let x = s.input();
    let found = s.past(p, |s| {
        let seen = s.view(x, p);
        let coarse = s.map(Round, &[seen]);
        s.op(Op::Top { from: p, to: k }, &[coarse, seen])
    });
    let order = s.op(Op::Index(k), &[]);
    let found = s.map(Sub, &[found, order]);
    let found = s.reduce(Reduction::LogSumExp, found, &[k], None);
    let index = s.op(Op::Index(D), &[]);
    let parity = s.with(Rem, index, 2.0);
    let even = s.op(Op::Top { from: D, to: three }, &[parity, x]);
    let large = s.op(Op::Top { from: D, to: three }, &[x, x]);
    let order = s.op(Op::Index(three), &[]);
    let sum = s.map(Add, &[even, large]);
    let sum = s.map(Add, &[sum, order]);
    let sum = s.reduce(Reduction::LogSumExp, sum, &[three], None);
    let out = s.map(Add, &[found, sum]);
    s.finish(out)
}

/// A state that asks for the positions that are most like it.
fn scan_that_picks() -> Module {
    let mut s = Sketch::new(4);
    let (e, k, p) = (s.axis("E", 4), s.axis("K", 2), s.past_axis("P", Some(5), 0));
    let x = s.input();
    let key = s.linear(x, &[D], &[e]);
    let start = s.number(0.25);
    let y = s.scan(StateClass::General, &[(&[e], start)], |s, state| {
        let found = s.past(p, |s| {
            let seen = s.view(key, p);
            let score = s.contract(state[0], seen, &[e]);
            s.op(Op::Top { from: p, to: k }, &[score, seen])
        });
        let found = s.reduce(Reduction::Sum, found, &[k], None);
        let sum = s.map(Sub, &[found, key]);
        let next = s.map(Tanh, &[sum]);
        (vec![next], s.op(Op::Regroup { from: vec![e], to: vec![D] }, &[next]))
    });
    s.finish(y)
}

/// A past within a past, and a value found by one past that another looks back on.
fn two_pasts() -> Module {
    let mut s = Sketch::new(4);
    let (p, q) = (s.past_axis("P", None, 0), s.past_axis("Q", Some(4), 0));
    let x = s.input();
    let out = s.past(p, |s| {
        let seen = s.view(x, p);
        let score = s.contract(x, seen, &[D]);
        let inner = s.past(q, |s| {
            let near = s.view(x, q);
            let score = s.contract(x, near, &[D]);
            let weights = s.softmax(score, &[q], None);
            s.contract(weights, near, &[q])
        });
        let again = s.view(inner, p);
        let both = s.past(q, |s| {
            let near = s.view(x, q);
            let near = s.contract(x, near, &[D]);
            let sum = s.map(Add, &[near, score]);
            let weights = s.softmax(sum, &[p, q], Some(0.0));
            s.reduce(Reduction::Sum, weights, &[q], None)
        });
        let weights = s.softmax(score, &[p], None);
        let weights = s.map(Add, &[weights, both]);
        s.contract(weights, again, &[p])
    });
    s.finish(out)
}

pub fn linear_scan() -> Module {
    let mut s = Sketch::new(6);
    let (h, k, v) = (s.axis("H", 2), s.axis("K", 2), s.axis("V", 3));
    let x = s.input();
    let (query, key, value) = (s.linear(x, &[D], &[h, k]), s.linear(x, &[D], &[h, k]), s.linear(x, &[D], &[h, v]));
    let gate = s.linear(x, &[D], &[h, k]);
    let gate = s.map(LogSigmoid, &[gate]);
    let gate = s.with(Div, gate, 4.0);
    let decay = s.map(Exp, &[gate]);
    let write = s.map(Mul, &[key, value]);
    let zero = s.number(0.0);
    let y = s.scan(StateClass::Diagonal, &[(&[h, k, v], zero)], |s, state| {
        let kept = s.map(Mul, &[decay, state[0]]);
        let next = s.map(Add, &[kept, write]);
        (vec![next], s.contract(query, next, &[k]))
    });
    let y = s.linear(y, &[h, v], &[D]);
    let out = s.map(Add, &[x, y]);
    s.finish(out)
}

fn nonlinear_scan() -> Module {
    let mut s = Sketch::new(4);
    let e = s.axis("E", 4);
    let x = s.input();
    let start = s.weight(&[e]);
    let one = s.number(1.0);
    let drive = s.linear(x, &[D], &[e]);
    let recurrent = s.weight(&[D, e]);
    let y = s.scan(StateClass::General, &[(&[e], start), (&[], one)], |s, state| {
        let renamed = s.op(Op::Regroup { from: vec![e], to: vec![D] }, &[state[0]]);
        let fed = s.contract(renamed, recurrent, &[D]);
        let sum = s.map(Add, &[fed, drive]);
        let next = s.map(Tanh, &[sum]);
        let total = s.reduce(Reduction::Sum, next, &[e], None);
        let count = s.map(Add, &[state[1], total]);
        let scaled = s.map(Mul, &[renamed, state[1]]);
        (vec![next, count], s.map(Add, &[scaled, count]))
    });
    let out = s.map(Add, &[x, y]);
    s.finish(out)
}

/// A state that is updated by what it finds in the past.
fn scan_that_attends() -> Module {
    let mut s = Sketch::new(4);
    let (e, p) = (s.axis("E", 4), s.past_axis("P", Some(5), 0));
    let x = s.input();
    let key = s.linear(x, &[D], &[e]);
    let zero = s.number(0.25);
    let y = s.scan(StateClass::General, &[(&[e], zero)], |s, state| {
        let read = |s: &mut Sketch, query: ValueId| {
            s.past(p, |s| {
                let doubled = s.with(Mul, key, 2.0);
                let (seen, age) = (s.view(doubled, p), s.op(Op::Age(p), &[]));
                let score = s.contract(query, seen, &[e]);
                let before = s.op(Op::After(p), &[score]);
                let score = s.map(Sub, &[score, age]);
                let score = s.map(Sub, &[score, before]);
                let weights = s.softmax(score, &[p], None);
                let seen = s.view(key, p);
                s.contract(weights, seen, &[p])
            })
        };
        let found = read(s, state[0]);
        let sum = s.map(Add, &[found, key]);
        let next = s.map(Tanh, &[sum]);
        let again = read(s, next);
        let position = s.op(Op::Position, &[]);
        let scale = s.with(Div, position, 50.0);
        let again = s.map(Mul, &[again, scale]);
        (vec![next], s.op(Op::Regroup { from: vec![e], to: vec![D] }, &[again]))
    });
    s.finish(y)
}

fn layout() -> Module {
    let mut s = Sketch::new(6);
    let (a, b, c, w) = (s.axis("A", 2), s.axis("B", 3), s.axis("C", 4), s.axis("W", 10));
    let (m, n) = (s.axis("M", 3), s.axis("N", 2));
    let x = s.input();
    let split = s.op(Op::Regroup { from: vec![D], to: vec![a, b] }, &[x]);
    let swapped = s.op(Op::Regroup { from: vec![b, a], to: vec![D] }, &[split]);
    let earlier = s.shift(swapped, 2);
    let far = s.shift(x, 200);
    let tail = s.op(Op::Slice { whole: D, part: c, offset: Size::int(2) }, &[earlier]);
    let joined = s.op(Op::Concat { parts: vec![D, c], whole: w }, &[x, tail]);
    let index = s.op(Op::Index(w), &[]);
    let joined = s.map(Mul, &[joined, index]);
    let one = s.op(Op::Select { axis: w, index: Size::int(7) }, &[joined]);
    let stacked = s.op(Op::Stack { axis: n }, &[joined, joined]);
    let order = s.op(Op::Index(n), &[]);
    let stacked = s.map(Mul, &[stacked, order]);
    let total = s.reduce(Reduction::Max, stacked, &[n, w], None);
    let repeated = s.op(Op::Broadcast { axes: vec![m] }, &[one]);
    let repeated = s.reduce(Reduction::Sum, repeated, &[m], None);
    let layer = s.op(Op::Layer, &[]);
    let sum = s.map(Add, &[repeated, layer]);
    let sum = s.map(Add, &[sum, total]);
    let sum = s.map(Add, &[sum, far]);
    let padded = s.op(Op::Pad { part: c, whole: D, offset: Size::int(1) }, &[tail]);
    let sum = s.map(Add, &[sum, padded]);
    let out = s.map(Add, &[sum, earlier]);
    s.finish(out)
}

fn elementwise() -> Module {
    let mut s = Sketch::new(5);
    let x = s.input();
    let w = s.weight(&[D]);
    let mut sum = s.map(Mul, &[x, w]);
    for f in [Neg, Abs, Sign, Floor, Round, Expm1, Sin, Cos, Tanh, Erf, Sigmoid, LogSigmoid, Softplus, Silu, Gelu, Relu]
    {
        let y = s.map(f, &[x]);
        sum = s.map(Add, &[sum, y]);
    }
    let positive = s.map(Softplus, &[x]);
    for f in [Exp, Log, Log1p, Sqrt, InvSoftplus] {
        let y = s.map(f, &[positive]);
        sum = s.map(Add, &[sum, y]);
    }
    for f in [Sub, Div, Pow, Rem, Min, Max, Less, AtMost, Equal] {
        let y = s.map(f, &[positive, sum]);
        let y = s.map(Tanh, &[y]);
        let other = s.map(Exp, &[w]);
        let z = s.map(f, &[positive, other]);
        let pick = s.map(Where, &[y, z, x]);
        sum = s.map(Add, &[sum, pick]);
    }
    s.finish(sum)
}
