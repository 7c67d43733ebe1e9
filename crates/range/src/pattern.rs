//! What intervals alone do not see: operands that are related.
//!
//! `x - max(x, ..)` is not positive, `f a + (1 - f) b` lies between `a` and `b`, a mean under weights that sum to
//! one lies between its values, and `x / sqrt(sum(x x))` is short.

use genesys_check::AxisSet;
use genesys_check::core::{NodeId, Op, Reduction};
use genesys_scalar::Function;

use crate::{Interval, Ranges};

/// A tighter interval of a value, where its operands are related.
pub(crate) fn refine(ranges: &Ranges<'_>, id: NodeId) -> Option<Interval> {
    let node = ranges.program.graph.node(id);
    let args: Vec<NodeId> = ranges.program.args(id).collect();
    match (&node.op, args.as_slice()) {
        (Op::Map(Function::Mul), [a, b]) if a == b => Some(ranges.of(*a).square()),
        (Op::Map(Function::Sub), [a, b]) => difference(ranges, *a, *b),
        (Op::Map(Function::Add), [a, b]) => between(ranges, *a, *b),
        (Op::Map(Function::Div), [a, b]) => share(ranges, *a, *b),
        (Op::Map(Function::Where), [c, a, b]) => sides(ranges, *c, *a, *b),
        (Op::Dot { axes }, [a, b]) if a == b => Some(Interval::NOT_NEGATIVE).filter(|_| !axes.is_empty()),
        (Op::Dot { axes }, [a, b]) => weighted(ranges, axes, *a, *b).or_else(|| weighted(ranges, axes, *b, *a)),
        (Op::Reduce { reduction: Reduction::Sum, axes, .. }, [x]) => match &ranges.program.graph.node(*x).op {
            Op::Softmax { axes: own, .. } if own == axes => Some(Interval::UNIT),
            Op::Map(Function::Mul) => {
                let [a, b] = ranges.map(*x, Function::Mul)?;
                weighted(ranges, axes, a, b).or_else(|| weighted(ranges, axes, b, a))
            }
            _ => None,
        },
        _ => None,
    }
}

/// `x - max(x, ..)` and `x - logsumexp(x)` are at most 0, `x - min(x, ..)` is at least 0.
fn difference(ranges: &Ranges<'_>, a: NodeId, b: NodeId) -> Option<Interval> {
    if a == b {
        return Some(Interval::point(0.0));
    }
    let extreme = |outer: NodeId, x: NodeId, function: Function, reductions: &[Reduction]| {
        let node = ranges.program.graph.node(outer);
        let of_x = ranges.program.args(outer).any(|arg| arg == x);
        match &node.op {
            Op::Map(f) => *f == function && of_x,
            Op::Reduce { reduction, .. } => reductions.contains(reduction) && of_x,
            _ => false,
        }
    };
    let upper = [Reduction::Max, Reduction::LogSumExp];
    if extreme(b, a, Function::Max, &upper) || extreme(a, b, Function::Min, &[Reduction::Min]) {
        return Some(Interval::NOT_POSITIVE);
    }
    if extreme(b, a, Function::Min, &[Reduction::Min]) || extreme(a, b, Function::Max, &upper) {
        return Some(Interval::NOT_NEGATIVE);
    }
    None
}

/// `f x + (1 - f) y` with `f` in `[0, 1]` lies between `x` and `y`.
fn between(ranges: &Ranges<'_>, a: NodeId, b: NodeId) -> Option<Interval> {
    let (x, y) = convex(ranges, a, b)?;
    Some(ranges.of(x).hull(ranges.of(y)))
}

/// `x` and `y` where `a + b` is `f x + (1 - f) y` with `f` in `[0, 1]`.
pub(crate) fn convex(ranges: &Ranges<'_>, a: NodeId, b: NodeId) -> Option<(NodeId, NodeId)> {
    let [a0, a1] = ranges.map(a, Function::Mul)?;
    let [b0, b1] = ranges.map(b, Function::Mul)?;
    for (f, x) in [(a0, a1), (a1, a0)] {
        for (g, y) in [(b0, b1), (b1, b0)] {
            let complements = is_complement(ranges, f, g) || is_complement(ranges, g, f);
            if complements && ranges.of(f).within(Interval::UNIT) && ranges.of(g).within(Interval::UNIT) {
                return Some((x, y));
            }
        }
    }
    None
}

/// Whether `g` is `1 - f`.
fn is_complement(ranges: &Ranges<'_>, f: NodeId, g: NodeId) -> bool {
    ranges.map(g, Function::Sub).is_some_and(|[one, of]| of == f && ranges.of(one) == Interval::point(1.0))
}

/// Under weights of a softmax over these axes, a sum lies between its values, or is 0 where there is none.
fn weighted(ranges: &Ranges<'_>, axes: &AxisSet, weights: NodeId, values: NodeId) -> Option<Interval> {
    match &ranges.program.graph.node(weights).op {
        Op::Softmax { axes: own, .. } if own == axes => Some(ranges.of(values).hull(Interval::point(0.0))),
        _ => None,
    }
}

/// `x / sqrt(sum(x x) + c)` and `x / max(abs(x), ..)` lie between -1 and 1.
fn share(ranges: &Ranges<'_>, a: NodeId, b: NodeId) -> Option<Interval> {
    let symmetric = Interval::new(-1.0, 1.0);
    if euclidean(ranges, a, b).is_some() {
        return Some(symmetric);
    }
    let args = ranges.map::<2>(b, Function::Max)?;
    args.into_iter().any(|arg| ranges.map::<1>(arg, Function::Abs) == Some([a])).then_some(symmetric)
}

/// Under a comparison each side is taken where its operand is on that side: `where(x > 0, x, exp(x))` is not negative.
fn sides(ranges: &Ranges<'_>, condition: NodeId, a: NodeId, b: NodeId) -> Option<Interval> {
    let less = ranges.map::<2>(condition, Function::Less).or_else(|| ranges.map(condition, Function::AtMost));
    let [low, high] = less?;
    let (below, above) = (ranges.of(low), ranges.of(high));
    // Where the condition holds, `low` is at most what `high` can be, and the other way round elsewhere.
    let holds = |id: NodeId| {
        let side = within(ranges, id, low, Interval::new(f64::NEG_INFINITY, above.high), DEEPEST);
        side.meet(within(ranges, id, high, Interval::new(below.low, f64::INFINITY), DEEPEST))
    };
    let fails = |id: NodeId| {
        let side = within(ranges, id, low, Interval::new(above.low, f64::INFINITY), DEEPEST);
        side.meet(within(ranges, id, high, Interval::new(f64::NEG_INFINITY, below.high), DEEPEST))
    };
    Some(holds(a).hull(fails(b)))
}

/// How deep in a side of a condition its operand is looked for.
const DEEPEST: usize = 6;

/// The interval of a value where another, `x`, is known to lie in an interval.
fn within(ranges: &Ranges<'_>, id: NodeId, x: NodeId, known: Interval, depth: usize) -> Interval {
    let own = ranges.of(id);
    if id == x {
        return own.meet(known);
    }
    match ranges.program.graph.node(id).op {
        Op::Map(function) if depth > 0 => {
            let args = ranges.program.args(id).map(|arg| within(ranges, arg, x, known, depth - 1));
            own.meet(Interval::image(function, &args.collect::<Vec<_>>()))
        }
        _ => own,
    }
}

/// The axes over which `b` is at least the Euclidean length of `a`: `sqrt(sum(a a) + c)` with `c >= 0`, or the
/// larger of such a root and something else.
fn euclidean(ranges: &Ranges<'_>, a: NodeId, b: NodeId) -> Option<AxisSet> {
    if let Some(args) = ranges.map::<2>(b, Function::Max) {
        return args.into_iter().find_map(|arg| euclidean(ranges, a, arg));
    }
    let [mut square] = ranges.map(b, Function::Sqrt)?;
    for function in [Function::Add, Function::Max] {
        if let Some([x, y]) = ranges.map(square, function) {
            let is_sum = |id: NodeId| sum_of_squares(ranges, a, id).is_some();
            square = if is_sum(x) && ranges.of(y).low >= 0.0 {
                x
            } else if is_sum(y) && ranges.of(x).low >= 0.0 {
                y
            } else {
                return None;
            };
        }
    }
    sum_of_squares(ranges, a, square)
}

/// The axes over which a node sums the squares of `a`.
fn sum_of_squares(ranges: &Ranges<'_>, a: NodeId, id: NodeId) -> Option<AxisSet> {
    let args: Vec<NodeId> = ranges.program.args(id).collect();
    match (&ranges.program.graph.node(id).op, args.as_slice()) {
        (Op::Reduce { reduction: Reduction::Sum, axes, .. }, [x]) => {
            let squared = ranges.map(*x, Function::Mul) == Some([a, a])
                || ranges
                    .map(*x, Function::Pow)
                    .is_some_and(|[b, two]| b == a && ranges.of(two) == Interval::point(2.0));
            squared.then(|| axes.clone())
        }
        (Op::Dot { axes }, [x, y]) => (*x == a && *y == a).then(|| axes.clone()),
        _ => None,
    }
}

/// Axes along which a value has at most the Euclidean length 1.
pub(crate) fn length(ranges: &Ranges<'_>, id: NodeId) -> Option<AxisSet> {
    let args: Vec<NodeId> = ranges.program.args(id).collect();
    let kept = |arg: NodeId| {
        let axes = ranges.known_length(arg)?;
        // An axis that is gone or new has another meaning.
        axes.is_subset(&ranges.program.graph.node(id).ty.axes).then(|| axes.clone())
    };
    match (&ranges.program.graph.node(id).op, args.as_slice()) {
        (Op::Softmax { axes, .. }, _) => Some(axes.clone()),
        (Op::Map(Function::Div), [a, b]) => euclidean(ranges, *a, *b),
        (Op::Map(Function::Neg) | Op::Shift { .. } | Op::Past(_) | Op::Window(_) | Op::Broadcast { .. }, [x]) => {
            kept(*x)
        }
        (Op::Map(Function::Mul), [a, b]) => {
            let small = |id: NodeId| ranges.of(id).within(Interval::new(-1.0, 1.0));
            if small(*b) { kept(*a) } else { None }.or_else(|| if small(*a) { kept(*b) } else { None })
        }
        (Op::Regroup { from, to }, [x]) => match (from.as_slice(), to.as_slice(), ranges.known_length(*x)) {
            ([from], [to], Some(axes)) if axes.len() == 1 && axes.contains(from) => Some(AxisSet::from([*to])),
            _ => None,
        },
        _ => None,
    }
}
