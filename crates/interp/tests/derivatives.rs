//! The derivatives that are written as operations against the limit that they are: a module with a
//! `grad`, which the interpreter takes differences of, and the same module expanded.
#![allow(clippy::unwrap_used)]

use genesys_autodiff::expand;
use genesys_axis::{Constant, Domain, Size};
use genesys_interp::Interpreter;
use genesys_ir::module::{
    Axis, AxisId, Dtype, Expr, FunctionId, Module, Op, Reduction, Region, Stage, Type, ValueId, Weight,
};
use genesys_ir::{Builder, validate};
use genesys_scalar::Function::{self, *};
use genesys_scalar::{Law, Role};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const A: AxisId = AxisId(0);
const D: AxisId = AxisId(1);
const B: AxisId = AxisId(2);
/// `A` and `B` joined.
const C: AxisId = AxisId(3);
/// A part of `D`.
const P: AxisId = AxisId(4);
/// `A` and `D` as one.
const M: AxisId = AxisId(5);
/// Two values stacked.
const S: AxisId = AxisId(6);

/// A function of `x: Seq[D]` and `u: Seq[A, D]`: the derivative at `u` of what the sketch appends.
struct Sketch {
    axes: Vec<Axis>,
    builder: Builder,
    region: Region,
    /// Values that an operation may read: the variable first.
    have: Vec<ValueId>,
}

impl Sketch {
    fn op(&mut self, op: Op, args: &[ValueId]) -> Option<ValueId> {
        let pushed = self.builder.push((&self.axes, &[]), &mut self.region, op, args.to_vec());
        let id = pushed.ok()?[0];
        // Larger ones would only be slow.
        (self.builder.ty(id).axes.len() <= 4).then_some(id)
    }

    fn map(&mut self, expr: Expr, args: &[ValueId]) -> Option<ValueId> {
        self.op(Op::Map(expr), args)
    }
}

fn axes() -> Vec<Axis> {
    let sizes = [("A", 2), ("D", 3), ("B", 2), ("C", 4), ("P", 2), ("M", 6), ("S", 2)];
    let axis = |(name, size): (&str, i64)| Axis { name: name.into(), domain: Domain::Static(Size::int(size)) };
    sizes.into_iter().map(axis).collect()
}

/// A module whose function gives the derivative of what `grow` appends and names.
fn module(grow: impl FnOnce(&mut Sketch) -> ValueId) -> Module {
    let seq = |axes: &[AxisId]| Type { stage: Stage::Seq, dtype: Dtype::Real, axes: axes.to_vec() };
    let mut builder = Builder::default();
    let (x, u) = (builder.input(seq(&[D])), builder.input(seq(&[A, D])));
    let weight = builder.weight(Weight {
        path: "w".into(),
        axes: vec![B, D],
        law: Law::Const(Constant::Real(0.0)),
        role: Role::Matrix,
        stream: 0,
    });
    let mut sketch = Sketch { axes: axes(), builder, region: Region::default(), have: Vec::new() };
    let w = sketch.op(Op::Weight(weight), &[]).unwrap();
    let outer = std::mem::take(&mut sketch.region);
    let variable = sketch.builder.value(seq(&[A, D]));
    sketch.have = vec![variable, variable, x, w, u];
    let result = grow(&mut sketch);
    let Sketch { axes, mut builder, region: mut body, .. } = sketch;
    body.results = vec![result];
    let mut region = outer;
    let grad = builder.push((&axes, &[]), &mut region, Op::Grad { variable, body }, vec![u]).unwrap();
    region.results = grad;
    let mut function = builder.finish("f".into(), region);
    genesys_ir::renumber(&mut function);
    // A module ends in its main function; this one is never run.
    Module { name: "m".into(), axes, functions: vec![function] }
}

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let draw =
        |i| 2.0 * genesys_random::unit(genesys_random::finalize(genesys_random::GAMMA.wrapping_mul(i + seed))) - 1.0;
    (1..=n as u64).map(draw).collect()
}

fn run(module: &Module) -> Vec<f64> {
    let weights = |_: &str| Some(noise(6, 50));
    let mut interpreter = Interpreter::function(module, FunctionId(0), 0, &weights);
    // Two positions: each has a derivative of its own.
    let mut found = interpreter.step_vectors(&[noise(3, 7), noise(6, 20)]).unwrap().concat();
    found.extend(interpreter.step_vectors(&[noise(3, 90), noise(6, 71)]).unwrap().concat());
    found
}

/// Holds the expanded derivative to the differences; gives its largest element.
fn agrees(module: &Module) -> f64 {
    let mut expanded = module.clone();
    expand(&mut expanded).unwrap();
    let text = format!("{:?}", expanded.functions[0].body);
    assert!(!text.contains("Grad"), "a derivative was left");
    // Beside that there is no main function, nothing is wrong.
    let violations = validate(&expanded).err().unwrap_or_default();
    let of_function: Vec<_> = violations.iter().filter(|v| !v.place.is_empty()).collect();
    assert!(of_function.is_empty(), "{of_function:?}");
    let (found, expected) = (run(&expanded), run(module));
    for (i, (a, b)) in found.iter().zip(&expected).enumerate() {
        assert!(
            (a - b).abs() <= 1e-7 * (1.0 + b.abs()),
            "element {i}: {a}, not {b}, of\n{}",
            genesys_ir::print(&expanded)
        );
    }
    expected.iter().fold(0.0, |most, x| x.abs().max(most))
}

fn apply(function: Function, operands: &[Expr]) -> Expr {
    Expr::Apply(function, operands.to_vec())
}

fn number(value: f64) -> Expr {
    Expr::Const(Constant::Real(value))
}

/// Every function with one operand that varies, and with all that do, where it has a derivative.
#[test]
fn every_function_has_its_derivative() {
    // What is stopped has a derivative that is not its limit.
    for function in Function::ALL.into_iter().filter(|function| *function != Stop) {
        // Positive where a function is defined there only; no point of a jump is near.
        let positive = apply(Add, &[number(0.3), apply(Softplus, &[Expr::Arg(0)])]);
        let operand = if matches!(function, Log | Log1p | Sqrt | InvSoftplus | Pow) { positive } else { Expr::Arg(0) };
        let other = apply(Add, &[number(1.7), apply(Mul, &[number(0.4), Expr::Arg(1)])]);
        let forms: Vec<Vec<Expr>> = match function.arity() {
            1 => vec![vec![operand]],
            2 => vec![
                vec![operand.clone(), other.clone()],
                vec![other.clone(), operand.clone()],
                vec![operand.clone(), number(2.0)],
                vec![operand.clone(), number(1.0)],
                vec![operand.clone(), number(0.0)],
                vec![operand.clone(), number(-1.3)],
                vec![number(1.3), operand],
            ],
            _ => vec![
                vec![Expr::Arg(1), operand.clone(), other.clone()],
                vec![number(0.0), operand.clone(), other.clone()],
                vec![operand, other, Expr::Arg(0)],
            ],
        };
        // A remainder by 0 is none, and nothing is divided by 0 here.
        let defined = |form: &Vec<Expr>| !(matches!(function, Rem | Div) && form.get(1) == Some(&number(0.0)));
        for form in forms.into_iter().filter(defined) {
            agrees(&module(|s| {
                let (v, x) = (s.have[0], s.have[2]);
                s.map(apply(function, &form), &[v, x]).unwrap()
            }));
        }
    }
}

/// Equal extremes share the derivative; what is not selected may hold anything.
#[test]
fn derivatives_select_and_share() {
    let slope = |expr: Expr| {
        let mut module = module(|s| {
            let (v, u) = (s.have[0], s.have[4]);
            s.map(expr, &[v, u]).unwrap()
        });
        expand(&mut module).unwrap();
        run(&module)
    };
    assert!(slope(apply(Max, &[Expr::Arg(0), Expr::Arg(1)])).iter().all(|g| *g == 0.5));
    assert!(slope(apply(Min, &[Expr::Arg(1), Expr::Arg(0)])).iter().all(|g| *g == 0.5));
    let bad = apply(Log, &[apply(Sub, &[Expr::Arg(1), Expr::Arg(1)])]);
    assert!(slope(apply(Where, &[number(1.0), Expr::Arg(0), bad])).iter().all(|g| *g == 1.0));
    assert!(slope(apply(Stop, &[Expr::Arg(0)])).iter().all(|g| *g == 0.0));
}

fn expression(kind: usize, other: bool) -> Expr {
    let (a, b) = (Expr::Arg(0), Expr::Arg(usize::from(other)));
    let positive = apply(Add, &[number(0.5), apply(Mul, &[b.clone(), b.clone()])]);
    match kind % 10 {
        0 => apply(Tanh, &[apply(Add, &[a, b])]),
        1 => apply(Mul, &[apply(Silu, std::slice::from_ref(&a)), apply(Sigmoid, &[apply(Sub, &[b, a])])]),
        2 => apply(Div, &[a, positive]),
        3 => apply(Sqrt, &[positive]),
        4 => apply(Log, &[apply(Add, &[positive, apply(Exp, &[apply(Tanh, &[a])])])]),
        5 => apply(Pow, &[positive, number(0.3)]),
        6 => apply(Sub, &[apply(Gelu, &[a]), apply(Erf, &[b])]),
        7 => apply(Where, &[apply(Less, &[number(-5.0), b.clone()]), apply(Mul, &[a, b]), number(1.0)]),
        8 => apply(Sin, &[apply(Mul, &[a, apply(Cos, &[b])])]),
        _ => apply(Softplus, &[apply(Neg, &[apply(Mul, &[a, b])])]),
    }
}

/// One operation on values there are; nothing where it is not well typed.
fn grow(s: &mut Sketch, (kind, left, right): (usize, usize, usize)) -> Option<ValueId> {
    // Later values are read more often.
    let pick = |n: usize, i: usize| n - 1 - (i * i / n.max(1)) % n;
    let (a, b) = (s.have[pick(s.have.len(), left % 7)], s.have[pick(s.have.len(), right % 7)]);
    let shared: Vec<AxisId> =
        s.builder.ty(a).axes.iter().copied().filter(|x| s.builder.ty(b).axes.contains(x)).collect();
    let axis = s.builder.ty(a).axes.get(right % 3).copied().unwrap_or(D);
    // Largest and smallest elements have kinks, which differences must not straddle: see the test of their own.
    let reductions = [Reduction::Sum, Reduction::Mean, Reduction::LogSumExp];
    match kind % 14 {
        0..4 => s.map(expression(left, right % 2 == 0), &[a, b]),
        4 | 5 => {
            let axes = if right % 2 == 0 { vec![axis] } else { s.builder.ty(a).axes.clone() };
            s.op(Op::Reduce { reduction: reductions[left % 3], axes, otherwise: None }, &[a])
        }
        6 => s.op(Op::Softmax { axes: vec![axis], sink: (right % 2 == 0).then_some(0.3) }, &[a]),
        7 => s.op(Op::Contract { axes: shared }, &[a, b]),
        8 => s.op(Op::Regroup { from: vec![A, D], to: vec![M] }, &[a]),
        9 => {
            let b = s.op(Op::Regroup { from: vec![A], to: vec![B] }, &[b])?;
            s.op(Op::Concat { parts: vec![A, B], whole: C }, &[a, b])
        }
        10 => s.op(Op::Slice { whole: D, part: P, offset: Size::int((right % 2) as i64) }, &[a]),
        11 => s.op(Op::Select { axis, index: Size::int((left % 2) as i64) }, &[a]),
        12 => s.op(Op::Stack { axis: S }, &[a, b]),
        _ => s.op(Op::Broadcast { axes: vec![B] }, &[a]),
    }
}

#[test]
fn random_expressions_have_their_derivative() {
    let config = Config { cases: 500, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let varied = std::cell::Cell::new(0);
    let steps = proptest::collection::vec((0usize..1000, 0usize..1000, 0usize..1000), 3..14);
    let outcome = runner.run(&steps, |steps| {
        let module = module(|s| {
            for step in &steps {
                if let Some(value) = grow(s, *step) {
                    s.have.push(value);
                }
            }
            *s.have.last().unwrap()
        });
        varied.set(varied.get() + usize::from(agrees(&module) > 1e-6));
        Ok(())
    });
    assert!(outcome.is_ok(), "{outcome:?}");
    assert!(varied.get() > 100, "only {} of the derivatives were not 0", varied.get());
}

#[test]
fn the_largest_and_the_smallest_have_their_derivative() {
    for reduction in [Reduction::Max, Reduction::Min] {
        for axes in [vec![A], vec![D], vec![D, A]] {
            let most = agrees(&module(|s| {
                let (v, x) = (s.have[0], s.have[2]);
                let seen = s.map(expression(0, true), &[v, x]).unwrap();
                let extreme = s.op(Op::Reduce { reduction, axes, otherwise: None }, &[seen]).unwrap();
                s.map(expression(1, true), &[extreme, x]).unwrap()
            }));
            assert!(most > 1e-3);
        }
    }
}

/// A derivative within what is differentiated: the second one.
#[test]
fn derivatives_nest() {
    let module = module(|s| {
        let (v, x) = (s.have[0], s.have[2]);
        let inner = s.builder.value(Type { stage: Stage::Seq, dtype: Dtype::Real, axes: vec![A, D] });
        let outer = std::mem::take(&mut s.region);
        let sin = s.map(apply(Sin, &[apply(Mul, &[Expr::Arg(0), Expr::Arg(1)])]), &[inner, x]).unwrap();
        let cube = s.map(apply(Mul, &[Expr::Arg(0), apply(Mul, &[Expr::Arg(0), Expr::Arg(0)])]), &[sin]).unwrap();
        let body = Region { results: vec![cube], ..std::mem::replace(&mut s.region, outer) };
        let slope = s.op(Op::Grad { variable: inner, body }, &[v]).unwrap();
        s.map(apply(Mul, &[Expr::Arg(0), Expr::Arg(1)]), &[slope, v]).unwrap()
    });
    // Differences of differences keep fewer digits.
    let mut expanded = module.clone();
    expand(&mut expanded).unwrap();
    for (a, b) in run(&expanded).iter().zip(run(&module)) {
        assert!((a - b).abs() < 1e-5, "{a}, not {b}");
    }
}
