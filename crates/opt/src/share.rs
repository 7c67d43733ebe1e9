//! Makes equal operations one.
//!
//! In a region, an operation that another one equals, there or around it, is that one. What nothing needs any more goes.
//! Regions are never equal here; a sum over positions is one with those of its own region only, for it is complete behind it.

use std::collections::BTreeMap;

use genesys_axis::Constant;
use genesys_ir::module::{Expr, Function, Instruction, Module, Op, Region, Type, ValueId};
use genesys_ir::{prune, substitute};

use crate::work::{gathers, has_dead, inner};

/// Shares in every function.
pub fn share(module: &mut Module) {
    for function in &mut module.functions {
        if shared(function) | has_dead(function) {
            prune(function);
        }
    }
}

/// Operations that are there, by their operands.
#[derive(Default)]
struct Table<'a> {
    types: &'a [Type],
    /// For each value the one that it is.
    same: Vec<ValueId>,
    by_args: BTreeMap<Vec<ValueId>, Vec<Entry>>,
    depth: usize,
    changed: bool,
}

struct Entry {
    op: Op,
    results: Vec<ValueId>,
    depth: usize,
}

fn shared(function: &mut Function) -> bool {
    let mut body = std::mem::take(&mut function.body);
    let types = &function.values;
    let mut table = Table { types, same: (0..types.len() as u32).map(ValueId).collect(), ..Table::default() };
    table.region(&mut body);
    let Table { same, changed, .. } = table;
    if changed {
        substitute(&mut body, &|id| same[id.0 as usize]);
    }
    function.body = body;
    changed
}

impl Table<'_> {
    fn region(&mut self, region: &mut Region) {
        self.depth += 1;
        let mut added = Vec::new();
        let mut kept = Vec::with_capacity(region.instructions.len());
        for mut instruction in std::mem::take(&mut region.instructions) {
            instruction.args.iter_mut().for_each(|id| *id = self.same[id.0 as usize]);
            if let Some(body) = inner(&mut instruction.op) {
                self.region(body);
                self.given_twice(&mut instruction);
            } else if self.is_known(&instruction) {
                self.changed = true;
                continue;
            } else {
                added.push(self.add(&instruction));
            }
            kept.push(instruction);
        }
        region.instructions = kept;
        for args in added {
            self.by_args.get_mut(&args).and_then(Vec::pop);
        }
        self.depth -= 1;
    }

    /// Makes those results of a region one that leave it as one value.
    fn given_twice(&mut self, Instruction { op, results, .. }: &mut Instruction) {
        let (Op::Past { body, .. } | Op::Scan { body, .. }) = op else { return };
        let mut kept: Vec<(ValueId, ValueId)> = Vec::new();
        for (own, inner) in std::mem::take(results).into_iter().zip(std::mem::take(&mut body.results)) {
            let inner = self.same[inner.0 as usize];
            match kept.iter().find(|(first, known)| *known == inner && self.types(&[*first], &[own])) {
                Some((first, _)) => {
                    self.same[own.0 as usize] = *first;
                    self.changed = true;
                }
                None => kept.push((own, inner)),
            }
        }
        (*results, body.results) = kept.into_iter().unzip();
    }

    /// Whether an equal operation is there; its results stand for those of the instruction then.
    fn is_known(&mut self, instruction: &Instruction) -> bool {
        let Instruction { op, args, results } = instruction;
        let own = |entry: &&Entry| !gathers(instruction) || entry.depth == self.depth;
        let alike =
            |entry: &&Entry| entry.op == *op && signs(&entry.op) == signs(op) && self.types(&entry.results, results);
        let Some(entry) = self.by_args.get(args).and_then(|all| all.iter().find(|e| own(e) && alike(e))) else {
            return false;
        };
        for (own, other) in results.iter().zip(&entry.results) {
            self.same[own.0 as usize] = *other;
        }
        true
    }

    /// Whether values have the same types, layouts included.
    fn types(&self, a: &[ValueId], b: &[ValueId]) -> bool {
        let ty = |id: &ValueId| &self.types[id.0 as usize];
        a.iter().map(ty).eq(b.iter().map(ty))
    }

    fn add(&mut self, Instruction { op, args, results }: &Instruction) -> Vec<ValueId> {
        let entry = Entry { op: op.clone(), results: results.clone(), depth: self.depth };
        self.by_args.entry(args.clone()).or_default().push(entry);
        args.clone()
    }
}

/// Which numbers of an operation are negative: 0 and -0 are equal, and not the same.
fn signs(op: &Op) -> Vec<bool> {
    fn add(expr: &Expr, found: &mut Vec<bool>) {
        match expr {
            Expr::Arg(_) | Expr::Const(Constant::Size(_)) => {}
            Expr::Const(Constant::Real(value)) => found.push(value.is_sign_negative()),
            Expr::Apply(_, operands) => operands.iter().for_each(|operand| add(operand, found)),
        }
    }
    let mut found = Vec::new();
    match op {
        Op::Map(expr) => add(expr, &mut found),
        Op::Constant(Constant::Real(value)) => found.push(value.is_sign_negative()),
        Op::Reduce { otherwise: Some(value), .. } | Op::Softmax { sink: Some(value), .. } => {
            found.push(value.is_sign_negative());
        }
        _ => {}
    }
    found
}
