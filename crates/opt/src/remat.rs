//! Computes recurrences again instead of keeping their states for the backward pass.
//!
//! A scan whose states are larger than all that it is computed from (a matrix from vectors) is run again by the backward pass:
//! what goes on the tape instead are the vectors, most of which it holds already. The same for a window, which holds what was
//! there several times. What leads from the tape to the scan is computed again too: maps, parts and other arrangements.
//!
//! What is computed again is so by the same operations in the same order, so no bit of a result changes.
//!
//! Not here: which states a back end keeps while it goes backwards. States of the size of what is read stay on the tape.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{
    Axis, Expr, Function, Instruction, Module, Op, Region, Stage, Type, ValueId, Weight, WeightId,
};
use genesys_ir::{Scope, definitions, infer, reads, substitute};

use crate::operands::{covers, numbered};
use crate::tape::{self, Given, Pair, pairs};
use crate::work::{elements, value};

/// Repeats in every backward pass.
pub fn remat(module: &mut Module) {
    for pair in pairs(module) {
        let forward = tape::of(module, pair.forward).clone();
        let Module { axes, functions, .. } = &mut *module;
        let mut again = Again::new(axes, &forward, &mut functions[pair.backward], &pair);
        forward.body.instructions.iter().for_each(|instruction| again.consider(instruction));
        let Again { out, replaced, added, .. } = again;
        if replaced.is_empty() {
            continue;
        }
        let backward = &mut functions[pair.backward];
        let now = |id: ValueId| replaced.get(&id).copied().unwrap_or(id);
        substitute(&mut backward.body, &|id| now(now(id)));
        backward.body.instructions.splice(0..0, out);
        pair.hand(module, &replaced.into_keys().collect(), &added);
    }
}

/// What a backward pass computes again.
struct Again<'a> {
    axes: &'a [Axis],
    forward: &'a Function,
    types: &'a mut Vec<Type>,
    weights: &'a mut Vec<Weight>,
    /// Where the forward function makes each value.
    made: BTreeMap<ValueId, &'a Instruction>,
    /// Values of the forward function that the backward pass has, and what it calls them.
    there: BTreeMap<ValueId, ValueId>,
    /// Those of them that are arguments.
    taped: BTreeSet<ValueId>,
    /// What is computed again.
    out: Vec<Instruction>,
    /// Arguments that are computed again, and as what.
    replaced: BTreeMap<ValueId, ValueId>,
    /// Values that are handed on instead, and what they are called.
    added: Vec<(ValueId, ValueId)>,
}

impl<'a> Again<'a> {
    fn new(axes: &'a [Axis], forward: &'a Function, backward: &'a mut Function, pair: &Pair) -> Self {
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
        let Function { values: types, weights, .. } = backward;
        let (out, added) = (Vec::new(), Vec::new());
        let taped = there.keys().copied().collect();
        Again { axes, forward, types, weights, made, there, taped, out, replaced, added }
    }

    /// Computes an instruction again where a result of it is on the tape, and larger than what it comes from.
    fn consider(&mut self, instruction: &Instruction) {
        let taped: Vec<ValueId> =
            instruction.results.iter().copied().filter(|result| self.taped.contains(result)).collect();
        if taped.is_empty() || !matches!(instruction.op, Op::Scan { .. } | Op::Window { .. }) {
            return;
        }
        let (mut path, mut leaves) = (BTreeSet::new(), BTreeSet::new());
        for id in reads(instruction) {
            self.way(id, &mut path, &mut leaves);
        }
        if !self.pays(&taped, &leaves) {
            return;
        }
        for id in leaves.into_iter().filter(|id| !self.there.contains_key(id)).collect::<Vec<_>>() {
            let name = value(self.types, self.forward.ty(id).clone());
            self.there.insert(id, name);
            self.added.push((id, name));
        }
        let all: Vec<&Instruction> = self
            .forward
            .body
            .instructions
            .iter()
            .filter(|other| other.results.iter().any(|id| path.contains(id)))
            .collect();
        all.into_iter().for_each(|other| self.repeat(other));
        let before: Vec<ValueId> = taped.iter().map(|id| self.there[id]).collect();
        self.repeat(instruction);
        for (id, before) in taped.iter().zip(before) {
            self.replaced.insert(before, self.there[id]);
        }
    }

    /// The values on the way from what the backward pass has to one, and what else they begin with.
    fn way(&self, id: ValueId, path: &mut BTreeSet<ValueId>, leaves: &mut BTreeSet<ValueId>) {
        if path.contains(&id) || leaves.contains(&id) {
            return;
        }
        match self.made.get(&id) {
            Some(instruction) if !self.there.contains_key(&id) && self.is_cheap(instruction) => {
                path.insert(id);
                reads(instruction).into_iter().for_each(|id| self.way(id, path, leaves));
            }
            _ => _ = leaves.insert(id),
        }
    }

    /// Whether an instruction is computed again where its value is needed.
    fn is_cheap(&self, Instruction { op, results, .. }: &Instruction) -> bool {
        let once = results.iter().all(|id| self.forward.ty(*id).stage == Stage::Const);
        once || match op {
            Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Map(_) => true,
            Op::Regroup { .. } | Op::Slice { .. } | Op::Select { .. } | Op::Broadcast { .. } => true,
            Op::Concat { .. } | Op::Stack { .. } | Op::Pad { .. } => true,
            Op::Reduce { .. } | Op::Softmax { .. } | Op::Contract { .. } | Op::Shift { .. } | Op::Window { .. } => {
                false
            }
            Op::Pool { .. } | Op::Past { .. } | Op::Scan { .. } | Op::Top { .. } | Op::Picked { .. } => false,
            Op::Age(_) | Op::View(_) | Op::Blocks { .. } | Op::Cumsum(_) | Op::After(_) | Op::Grad { .. } => false,
            Op::Gather { .. } | Op::CrossEntropy { .. } | Op::MeanTokens | Op::Call { .. } | Op::Adjoint(_) => false,
        }
    }

    fn pays(&self, taped: &[ValueId], leaves: &BTreeSet<ValueId>) -> bool {
        let size = |id: &ValueId| elements(self.axes, self.forward.ty(*id));
        let varies = |id: &&ValueId| self.forward.ty(**id).stage != Stage::Const;
        let read: Option<u64> = leaves.iter().filter(varies).map(size).sum();
        let made: Option<u64> = taped.iter().map(size).max().flatten();
        matches!((made, read), (Some(made), Some(read)) if made > read)
    }

    /// Appends a copy of an instruction on the values of the backward pass.
    fn repeat(&mut self, instruction: &Instruction) {
        if !matches!(instruction.op, Op::Scan { .. } | Op::Window { .. })
            && instruction.results.iter().all(|id| self.there.contains_key(id))
        {
            return;
        }
        let mut copy = Region { instructions: vec![instruction.clone()], results: Vec::new() };
        for id in definitions(&copy) {
            let name = value(self.types, self.forward.ty(id).clone());
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
