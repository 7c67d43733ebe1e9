//! Maps of a step that are the update of a state: `decay state + u v`, with `u v` an outer product.
//!
//! Linear recurrences write such a product at each step. As one operation it goes through the state once, and the product, which
//! is as large as the state, is never there. Where the state before is read by nothing behind it, it is updated in place.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{AxisId, Expr, Instruction, Op as IrOp, Region, State, ValueId};
use genesys_scalar::Function;

use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::op::{Op, Strided, Update};
use crate::view::{Extent, View};

/// A map that is an update.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    decay: Option<ValueId>,
    state: ValueId,
    u: ValueId,
    v: ValueId,
    sign: f32,
}

/// A summand: its sign, and its factors.
type Term = (f32, Vec<ValueId>);

/// The updates of a region by their results, and the products that only they read.
pub(crate) fn updates(lowering: &Lowering<'_>, body: &Region) -> (BTreeMap<ValueId, Form>, BTreeSet<ValueId>) {
    let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
    for id in body.instructions.iter().flat_map(|i| &i.args).chain(&body.results) {
        *readers.entry(*id).or_default() += 1;
    }
    let made: BTreeMap<ValueId, &Instruction> = body.instructions.iter().map(|i| (i.results[0], i)).collect();
    let (mut forms, mut gone) = (BTreeMap::new(), BTreeSet::new());
    for instruction in &body.instructions {
        let Some(terms) = terms(instruction) else { continue };
        let mut products = BTreeSet::new();
        let terms: Vec<Term> = terms
            .into_iter()
            .map(|(sign, factors)| match factors[..] {
                [one] if readers.get(&one) == Some(&1) => match made.get(&one).and_then(|i| product(i)) {
                    Some((own, factors)) => {
                        products.insert(one);
                        (sign * own, factors)
                    }
                    None => (sign, factors),
                },
                _ => (sign, factors),
            })
            .collect();
        if let Some(form) = form(lowering, instruction.results[0], &terms) {
            forms.insert(instruction.results[0], form);
            gone.extend(products);
        }
    }
    (forms, gone)
}

/// A sum of two products, of at most two operands each.
fn terms(instruction: &Instruction) -> Option<[Term; 2]> {
    let (IrOp::Map(Expr::Apply(function, operands)), args) = (&instruction.op, &instruction.args) else { return None };
    let sign = match function {
        Function::Add => 1.0,
        Function::Sub => -1.0,
        _ => return None,
    };
    let term = |expr: &Expr| -> Option<Vec<ValueId>> {
        match expr {
            Expr::Arg(i) => Some(vec![args[*i]]),
            Expr::Apply(Function::Mul, factors) => match factors.as_slice() {
                [Expr::Arg(i), Expr::Arg(j)] => Some(vec![args[*i], args[*j]]),
                _ => None,
            },
            _ => None,
        }
    };
    Some([(1.0, term(&operands[0])?), (sign, term(&operands[1])?)])
}

/// The factors of a product, with its sign.
fn product(instruction: &Instruction) -> Option<Term> {
    let args = &instruction.args;
    match &instruction.op {
        IrOp::Contract { axes } if axes.is_empty() => Some((1.0, args.clone())),
        IrOp::Map(Expr::Apply(Function::Mul, factors)) => match factors.as_slice() {
            [Expr::Arg(i), Expr::Arg(j)] => Some((1.0, vec![args[*i], args[*j]])),
            _ => None,
        },
        _ => None,
    }
}

/// The update that a sum of products is, if one has the state among its factors, and the other none that is as large.
fn form(lowering: &Lowering<'_>, result: ValueId, terms: &[Term]) -> Option<Form> {
    let axes = |id: ValueId| lowering.function.ty(id).axes.iter().copied().collect::<BTreeSet<AxisId>>();
    let all = axes(result);
    let fixed = all.iter().all(|axis| matches!(lowering.extent(*axis), Extent::Fixed(_)));
    if !fixed || all.len() < 2 {
        return None;
    }
    let whole = |id: &ValueId| axes(*id) == all;
    for (kept, written) in [(&terms[0], &terms[1]), (&terms[1], &terms[0])] {
        let (sign, [u, v]) = (written.0, written.1.as_slice()) else { continue };
        if kept.0 < 0.0 || whole(u) || whole(v) {
            continue;
        }
        let (state, decay) = match kept.1.as_slice() {
            [state] if whole(state) => (*state, None),
            [decay, state] if whole(state) => (*state, Some(*decay)),
            [state, decay] if whole(state) => (*state, Some(*decay)),
            _ => continue,
        };
        return Some(Form { decay, state, u: *u, v: *v, sign });
    }
    None
}

/// The states that may be updated where they lie: what follows the update reads the next state only.
pub(crate) fn in_place(states: &[State], body: &Region) -> BTreeSet<ValueId> {
    let free = |state: &&State| {
        let Some(at) = body.instructions.iter().position(|i| i.results.contains(&state.next)) else { return false };
        // Only what goes element by element may write what it reads.
        if !matches!(body.instructions[at].op, IrOp::Map(_)) {
            return false;
        }
        let later = body.instructions[at + 1..].iter().flat_map(|i| &i.args).chain(&body.results);
        let shared = states.iter().filter(|other| other.next == state.next).count() > 1;
        !shared && later.into_iter().all(|id| *id != state.current)
    };
    states.iter().filter(free).map(|state| state.current).collect()
}

impl Build {
    /// Appends an update; nothing where strides do not allow it.
    pub(crate) fn update(&mut self, lowering: &mut Lowering<'_>, result: ValueId, form: &Form) -> Result<bool> {
        let views = [Some(form.state), form.decay, Some(form.u), Some(form.v)];
        let mut found = Vec::new();
        for id in views.into_iter().flatten() {
            found.push(self.view(lowering, id)?);
        }
        let out = self.out(lowering, result);
        let mut order: Vec<(AxisId, usize)> = out.axes.clone();
        order.sort_by_key(|(_, stride)| std::cmp::Reverse(*stride));
        let axes: Vec<AxisId> = order.iter().map(|(axis, _)| *axis).collect();
        let strided =
            |view: &View| Strided { spot: view.spot, strides: axes.iter().map(|axis| view.stride(*axis)).collect() };
        let from = strided(&found[0]);
        let state = strided(&out);
        let inner = |view: &View| axes.last().is_some_and(|axis| view.stride(*axis) <= 1);
        if state.strides != from.strides
            || state.strides.last() != Some(&1)
            || !found.iter().all(inner)
            || axes.len() < 2
        {
            return Ok(false);
        }
        let sizes = axes.iter().map(|axis| lowering.size(*axis)).collect::<Result<Vec<_>>>()?;
        let decay = form.decay.map(|_| strided(&found[1]));
        let [u, v] = [found.len() - 2, found.len() - 1].map(|i| strided(&found[i]));
        self.ops.push(Op::Update(Update { sizes, state, from, decay, u, v, sign: form.sign }));
        self.define_as(lowering, result, out);
        Ok(true)
    }
}
