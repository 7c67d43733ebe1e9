//! Computes in a backward pass what its function computed.
//!
//! In: a function and its backward pass. Out: copies of instructions of the one on the values of the other, and what has to be
//! handed on for them. They are the same operations in the same order, so no bit of a result changes. Not here: what is worth it.

use std::collections::BTreeMap;

use genesys_ir::module::{
    Axis, Expr, Function, Instruction, Module, Op, Region, Stage, Type, ValueId, Weight, WeightId,
};
use genesys_ir::{Origins, Scope, definitions, infer, substitute};

use crate::operands::{covers, numbered};
use crate::tape::{Given, Pair};
use crate::work::value;

/// A backward pass that computes again.
pub(crate) struct Again<'a> {
    pub(crate) axes: &'a [Axis],
    pub(crate) forward: &'a Function,
    types: &'a mut Vec<Type>,
    origins: &'a mut Origins,
    weights: &'a mut Vec<Weight>,
    /// Where the forward function makes each value.
    pub(crate) made: BTreeMap<ValueId, &'a Instruction>,
    /// Values of the forward function that the backward pass has, and what it calls them.
    pub(crate) there: BTreeMap<ValueId, ValueId>,
    /// What is computed again.
    out: Vec<Instruction>,
    /// Arguments that are computed again, and as what.
    pub(crate) replaced: BTreeMap<ValueId, ValueId>,
    /// Values that are handed on instead, and what they are called.
    added: Vec<(ValueId, ValueId)>,
}

/// What becomes of a backward pass.
pub(crate) struct Repeated {
    out: Vec<Instruction>,
    replaced: BTreeMap<ValueId, ValueId>,
    added: Vec<(ValueId, ValueId)>,
}

impl<'a> Again<'a> {
    pub(crate) fn new(axes: &'a [Axis], forward: &'a Function, backward: &'a mut Function, pair: &Pair) -> Self {
        let all = forward.body.instructions.iter();
        let made = all.flat_map(|instruction| instruction.results.iter().map(move |id| (*id, instruction))).collect();
        let own = |given: &Given| match given {
            Given::Operand(i) => Some(forward.inputs[*i]),
            Given::Result(i) => Some(forward.body.results[*i]),
            Given::Other => None,
        };
        let (mut there, mut replaced) = (BTreeMap::new(), BTreeMap::new());
        for (given, id) in pair.given.iter().zip(&backward.inputs) {
            // What is handed on twice is handed on once.
            match own(given).map(|own| *there.entry(own).or_insert(*id)) {
                Some(first) if first != *id => _ = replaced.insert(*id, first),
                Some(_) | None => {}
            }
        }
        let Function { values: types, origins, weights, .. } = backward;
        Again { axes, forward, types, origins, weights, made, there, out: Vec::new(), replaced, added: Vec::new() }
    }

    pub(crate) fn done(self) -> Repeated {
        let Again { out, replaced, added, .. } = self;
        Repeated { out, replaced, added }
    }

    /// A value that the backward pass has from now on.
    pub(crate) fn hand_on(&mut self, id: ValueId) {
        if !self.there.contains_key(&id) {
            let name = value(self.types, self.forward.ty(id).clone());
            self.there.insert(id, name);
            self.added.push((id, name));
        }
    }

    /// Appends a copy of an instruction on the values of the backward pass.
    pub(crate) fn repeat(&mut self, instruction: &Instruction) {
        let mut copy = Region { instructions: vec![instruction.clone()], results: Vec::new() };
        for id in definitions(&copy) {
            let name = value(self.types, self.forward.ty(id).clone());
            self.origins.adopt(name, &self.forward.origins, id);
            self.there.insert(id, name);
        }
        let there = &self.there;
        substitute(&mut copy, &|id| there.get(&id).copied().unwrap_or(id));
        for mut instruction in copy.instructions {
            if let Op::Weight(id) = &mut instruction.op {
                *id = self.weight(*id);
            }
            self.append(instruction);
        }
    }

    /// The same weight of the backward pass.
    fn weight(&mut self, id: WeightId) -> WeightId {
        let weight = &self.forward.weights[id.0 as usize];
        let known = self.weights.iter().position(|own| own.path == weight.path);
        WeightId(known.unwrap_or_else(|| {
            self.weights.push(weight.clone());
            self.weights.len() - 1
        }) as u32)
    }

    /// Appends an instruction; a map with one function an instruction, as `differentiate` writes those that it repeats, so
    /// that equal ones are found.
    fn append(&mut self, Instruction { op, args, results }: Instruction) {
        match op {
            Op::Map(Expr::Apply(function, operands)) => {
                let mut read = Vec::new();
                let operands = operands.iter().map(|operand| self.piece(operand, &args, &mut read)).collect();
                // An operand that is not read gives its axes all the same.
                for arg in args {
                    if !covers(self.types, &read, &self.types[arg.0 as usize]) {
                        read.push(arg);
                    }
                }
                self.out.push(Instruction { op: Op::Map(Expr::Apply(function, operands)), args: read, results });
            }
            op => self.out.push(Instruction { op, args, results }),
        }
    }

    /// An operand of a function: a number, or a value, which is read.
    fn piece(&mut self, expr: &Expr, args: &[ValueId], read: &mut Vec<ValueId>) -> Expr {
        let id = match expr {
            Expr::Const(_) => return expr.clone(),
            Expr::Arg(i) => args[*i],
            Expr::Apply(function, operands) => {
                let mut own = Vec::new();
                let operands: Vec<Expr> = operands.iter().map(|operand| self.piece(operand, args, &mut own)).collect();
                let expr = Expr::Apply(*function, operands);
                if own.is_empty() {
                    return expr;
                }
                self.map(expr, own)
            }
        };
        Expr::Arg(numbered(read, id))
    }

    fn map(&mut self, expr: Expr, args: Vec<ValueId>) -> ValueId {
        let scope = Scope { axes: self.axes, functions: &[], weights: &[], values: self.types };
        let op = Op::Map(expr);
        let types = infer(&scope, &op, &args).expect("a part of a map is a map");
        let ty = types.into_iter().next().expect("a map has a result");
        let result = value(self.types, ty);
        self.out.push(Instruction { op, args, results: vec![result] });
        result
    }
}

impl Repeated {
    /// Puts what is computed again before all else, and hands other values on.
    pub(crate) fn apply(self, module: &mut Module, pair: &Pair) {
        let Self { out, replaced, added } = self;
        if replaced.is_empty() {
            return;
        }
        let backward = &mut module.functions[pair.backward];
        let now = |id: ValueId| replaced.get(&id).copied().unwrap_or(id);
        substitute(&mut backward.body, &|id| now(now(id)));
        backward.body.instructions.splice(0..0, out);
        pair.hand(module, &replaced.into_keys().collect(), &added);
    }
}

/// Whether an operation only arranges, or computes element by element; or what it gives is the same at every position.
pub(crate) fn is_light(function: &Function, Instruction { op, results, .. }: &Instruction) -> bool {
    let once = results.iter().all(|id| function.ty(*id).stage == Stage::Const);
    once || match op {
        Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Map(_) => true,
        Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } => true,
        Op::Concat { .. } | Op::Stack { .. } | Op::Pad { .. } => true,
        Op::Reduce { .. } | Op::Softmax { .. } | Op::Contract { .. } | Op::Shift { .. } | Op::Window { .. } => false,
        Op::Pool { .. } | Op::Past { .. } | Op::Scan { .. } | Op::Top { .. } | Op::Picked { .. } => false,
        Op::Age(_) | Op::View(_) | Op::Blocks { .. } | Op::Cumsum(_) | Op::After(_) | Op::Grad { .. } => false,
        Op::Gather { .. } | Op::CrossEntropy { .. } | Op::MeanTokens | Op::Call { .. } | Op::Adjoint(_) => false,
    }
}
