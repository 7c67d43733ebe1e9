//! Functions built by hand, and comparison with the step evaluator.
//!
//! A [`Sketch`] appends operations to a function over `Seq[D]`; [`Sketch::finish`] gives a module
//! whose first function it is.
#![allow(clippy::unwrap_used, dead_code, unreachable_pub, reason = "shared by several test programs")]

pub mod designs;

use std::collections::BTreeMap;

use genesys_axis::{Constant, Domain, Size};
use genesys_interp::Interpreter;
use genesys_ir::Builder;
use genesys_ir::module::{
    Axis, AxisId, Direction, Dtype, Expr, FunctionId, Module, Op, Reduction, Region, Stage, State, StateClass, Type,
    ValueId, Weight,
};
use genesys_runtime::candle_core::{DType, Device, Tensor};
use genesys_runtime::{Block, State as Reading};
use genesys_scalar::{Function, Law, Role};

/// A function under construction, its innermost region last.
pub struct Sketch {
    pub axes: Vec<Axis>,
    pub builder: Builder,
    pub regions: Vec<Region>,
    weights: u32,
}

/// The width axis of every sketch.
pub const D: AxisId = AxisId(0);

impl Sketch {
    pub fn new(width: i64) -> Self {
        let mut sketch =
            Sketch { axes: vec![], builder: Builder::default(), regions: vec![Region::default()], weights: 0 };
        sketch.axis("D", width);
        sketch
    }

    pub fn input(&mut self) -> ValueId {
        self.builder.input(Type { stage: Stage::Seq, dtype: Dtype::Real, axes: vec![D] })
    }

    pub fn axis(&mut self, name: &str, size: i64) -> AxisId {
        self.domain(name, Domain::Static(Size::int(size)))
    }

    pub fn past_axis(&mut self, name: &str, window: Option<i64>, skip: i64) -> AxisId {
        self.domain(name, Domain::Past { window: window.map(Size::int), skip: Size::int(skip) })
    }

    pub fn block_axis(&mut self, name: &str, size: i64) -> AxisId {
        self.domain(name, Domain::Blocks { size: Size::int(size) })
    }

    fn domain(&mut self, name: &str, domain: Domain) -> AxisId {
        self.axes.push(Axis { name: name.to_string(), domain });
        AxisId(self.axes.len() as u32 - 1)
    }

    pub fn ops(&mut self, op: Op, args: &[ValueId]) -> Vec<ValueId> {
        let region = self.regions.last_mut().unwrap();
        self.builder.push((&self.axes, &[]), region, op, args.to_vec()).unwrap()
    }

    pub fn op(&mut self, op: Op, args: &[ValueId]) -> ValueId {
        self.ops(op, args)[0]
    }

    pub fn map(&mut self, function: Function, args: &[ValueId]) -> ValueId {
        let expr = Expr::Apply(function, (0..args.len()).map(Expr::Arg).collect());
        self.op(Op::Map(expr), args)
    }

    /// `function(x, number)`
    pub fn with(&mut self, function: Function, x: ValueId, number: f64) -> ValueId {
        let expr = Expr::Apply(function, vec![Expr::Arg(0), Expr::Const(Constant::Real(number))]);
        self.op(Op::Map(expr), &[x])
    }

    pub fn weight(&mut self, axes: &[AxisId]) -> ValueId {
        self.weight_of(axes, Law::Normal(Box::new(Law::Const(Constant::Real(0.5)))))
    }

    pub fn weight_of(&mut self, axes: &[AxisId], law: Law<Constant>) -> ValueId {
        let weight = Weight {
            path: format!("w{}", self.weights),
            axes: axes.to_vec(),
            law,
            role: Role::Matrix,
            stream: self.weights,
        };
        self.weights += 1;
        let id = self.builder.weight(weight);
        self.op(Op::Weight(id), &[])
    }

    /// `x [.., from] -> [.., to]` by a weight of its own.
    pub fn linear(&mut self, x: ValueId, from: &[AxisId], to: &[AxisId]) -> ValueId {
        let w = self.weight(&[to, from].concat());
        self.op(Op::Contract { axes: from.to_vec() }, &[x, w])
    }

    pub fn contract(&mut self, a: ValueId, b: ValueId, axes: &[AxisId]) -> ValueId {
        self.op(Op::Contract { axes: axes.to_vec() }, &[a, b])
    }

    pub fn reduce(&mut self, reduction: Reduction, x: ValueId, axes: &[AxisId], otherwise: Option<f64>) -> ValueId {
        self.op(Op::Reduce { reduction, axes: axes.to_vec(), otherwise }, &[x])
    }

    pub fn softmax(&mut self, x: ValueId, axes: &[AxisId], sink: Option<f64>) -> ValueId {
        self.op(Op::Softmax { axes: axes.to_vec(), sink }, &[x])
    }

    pub fn shift(&mut self, x: ValueId, by: i64) -> ValueId {
        self.op(Op::Shift { by: Size::int(by), direction: Direction::Forward, reset: None }, &[x])
    }

    pub fn past(&mut self, axis: AxisId, body: impl FnOnce(&mut Self) -> ValueId) -> ValueId {
        self.regions.push(Region::default());
        let result = body(self);
        let mut region = self.regions.pop().unwrap();
        region.results = vec![result];
        self.op(Op::Past { axis, direction: Direction::Forward, reset: None, body: region }, &[])
    }

    pub fn view(&mut self, x: ValueId, axis: AxisId) -> ValueId {
        self.op(Op::View(axis), &[x])
    }

    /// A scan over states of those axes and initial values; the body gives the next states and
    /// the result.
    pub fn scan(
        &mut self,
        class: StateClass,
        states: &[(&[AxisId], ValueId)],
        body: impl FnOnce(&mut Self, &[ValueId]) -> (Vec<ValueId>, ValueId),
    ) -> ValueId {
        self.chunked(class, None, states, |sketch, current, _| body(sketch, current))
    }

    /// As [`scan`](Self::scan); in chunks, where there are such, the body gets the states at their starts
    /// as well, and the last state begins each chunk anew.
    pub fn chunked(
        &mut self,
        class: StateClass,
        chunk: Option<i64>,
        states: &[(&[AxisId], ValueId)],
        body: impl FnOnce(&mut Self, &[ValueId], &[ValueId]) -> (Vec<ValueId>, ValueId),
    ) -> ValueId {
        self.regions.push(Region::default());
        let ty = |axes: &[AxisId]| Type { stage: Stage::Step, dtype: Dtype::Real, axes: axes.to_vec() };
        let current: Vec<ValueId> = states.iter().map(|(axes, _)| self.builder.value(ty(axes))).collect();
        let started = if chunk.is_some() { states } else { &[] };
        let starts: Vec<ValueId> = started.iter().map(|(axes, _)| self.builder.value(ty(axes))).collect();
        let (next, result) = body(self, &current, &starts);
        let mut region = self.regions.pop().unwrap();
        region.results = vec![result];
        let last = states.len() - 1;
        let states = states
            .iter()
            .zip(current.iter().zip(next))
            .enumerate()
            .map(|(i, ((_, init), (current, next)))| State {
                name: format!("S{i}"),
                init: *init,
                current: *current,
                next,
                start: starts.get(i).copied(),
                anew: chunk.is_some() && i == last,
            })
            .collect();
        let chunk = chunk.map(Size::int);
        self.op(Op::Scan { states, class, chunk, direction: Direction::Forward, reset: None, body: region }, &[])
    }

    pub fn number(&mut self, value: f64) -> ValueId {
        self.op(Op::Constant(Constant::Real(value)), &[])
    }

    pub fn finish(mut self, result: ValueId) -> Module {
        let mut body = self.regions.pop().unwrap();
        body.results = vec![result];
        let function = self.builder.finish("block".to_string(), body);
        Module { name: "sketch".to_string(), axes: self.axes, functions: vec![function] }
    }
}

pub const BLOCK: FunctionId = FunctionId(0);

/// Reproducible numbers of the order of 1.
pub fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 53) as f64 * 3.0 - 1.5
        })
        .collect()
}

pub fn block(module: &Module, dtype: DType) -> Block {
    Block::init(module, BLOCK, 1, 7, dtype, &Device::Cpu).unwrap()
}

pub fn width(module: &Module) -> usize {
    module.axis(D).domain.size().unwrap().as_int().unwrap() as usize
}

pub fn tensor(data: &[f64], (b, t, d): (usize, usize, usize), dtype: DType) -> Tensor {
    Tensor::from_slice(data, (b, t, d), &Device::Cpu).unwrap().to_dtype(dtype).unwrap()
}

pub fn numbers(x: &Tensor) -> Vec<f64> {
    x.flatten_all().unwrap().to_dtype(DType::F64).unwrap().to_vec1().unwrap()
}

/// What the step evaluator gives for one item.
pub fn witness(module: &Module, block: &Block, rows: &[f64]) -> Vec<f64> {
    let weights: BTreeMap<String, Vec<f64>> =
        block.parameters().iter().map(|p| (p.name.clone(), numbers(p.var.as_tensor()))).collect();
    let lookup = |name: &str| weights.get(name).cloned();
    let mut interpreter = Interpreter::function(module, BLOCK, 1, &lookup);
    rows.chunks(width(module)).flat_map(|row| interpreter.step_vectors(&[row.to_vec()]).unwrap().remove(0)).collect()
}

/// What the step form gives for rows `[b, t, d]` that are read in pieces of those lengths, with or without a graph.
pub fn in_pieces(block: &Block, x: &Tensor, pieces: &[usize], graph: bool) -> (Tensor, Reading) {
    let mut state = block.start(x.dims()[0]);
    let (mut outputs, mut at) = (vec![], 0);
    for n in pieces {
        let piece = x.narrow(1, at, *n).unwrap();
        let (output, next) = if graph { block.extend(&state, &piece) } else { block.read(&state, &piece) }.unwrap();
        outputs.push(output);
        (state, at) = (next, at + n);
    }
    (Tensor::cat(&outputs, 1).unwrap(), state)
}

/// Ways to read `t` positions: one by one, a prompt and then one by one, two halves.
pub fn splits(t: usize) -> Vec<Vec<usize>> {
    let prompt = t.div_ceil(3);
    let mut splits = vec![vec![1; t], [vec![prompt], vec![1; t - prompt]].concat(), vec![t / 2, t - t / 2]];
    splits.iter_mut().for_each(|pieces| pieces.retain(|n| *n > 0));
    splits
}

/// Values of both forms agree with the step evaluator at each of the lengths.
pub fn agrees(name: &str, module: &Module, lengths: &[usize]) {
    let (block, d, b) = (block(module, DType::F64), width(module), 2);
    for &t in lengths {
        let x = noise(b * t * d, t as u64 + 1);
        let got = numbers(&block.run(&tensor(&x, (b, t, d), DType::F64)).unwrap());
        let expected: Vec<f64> = x.chunks(t * d).flat_map(|rows| witness(module, &block, rows)).collect();
        close(&format!("{name} at length {t}"), &got, &expected, 1e-9);
        let x = tensor(&x, (b, t, d), DType::F64);
        for (pieces, graph) in splits(t).into_iter().zip([false, true, true]) {
            let (got, state) = in_pieces(&block, &x, &pieces, graph);
            close(&format!("{name} in pieces {pieces:?}"), &numbers(&got), &expected, 1e-9);
            assert_eq!(state.bytes().unwrap(), declared(&state), "{name} in pieces {pieces:?}");
        }
    }
}

/// The bytes that a state is declared to hold.
pub fn declared(state: &Reading) -> usize {
    let bytes = state.layout().bytes(&Size::int(state.positions() as i64), 8).unwrap();
    state.batch() * usize::try_from(bytes.as_int().unwrap()).unwrap()
}

pub fn close(name: &str, got: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{name}");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= tolerance * (1.0 + e.abs()), "{name}: element {i} is {g}, not {e}");
    }
}
