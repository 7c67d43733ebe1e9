//! Takes out what an operator left without use: units nothing reaches, lets, weights and axes
//! nothing reads, parameters no body uses (at every call as well).
//!
//! Only units that were changed are looked at, since the others are as their author left them.
//! States of a scan, requirements and comments are left alone.

use std::collections::BTreeSet;

use genesys_syntax::ast::{
    Arg, Block, Expr, ExprKind, FieldValue, GenericKind, Param, Slot, StaticArg, Stmt, StmtKind, Type, Unit,
};

use crate::gene::Gene;
use crate::genome::{Genome, design_refs_mut};
use crate::tree;

/// Prunes until nothing more falls.
pub(crate) fn prune(genome: &mut Genome) {
    loop {
        drop_unreached(genome);
        let mut changed = false;
        for unit in touched(genome) {
            changed |= prune_body(unit);
        }
        changed |= drop_params(genome);
        changed |= drop_generics(genome);
        if !changed {
            return;
        }
    }
}

/// The changed units; no other genome shares them.
fn touched(genome: &mut Genome) -> impl Iterator<Item = &mut Unit> {
    genome.genes.iter_mut().filter(|gene| gene.is_touched()).filter_map(Gene::edit_unit)
}

fn drop_unreached(genome: &mut Genome) {
    let reached = genome.reachable();
    genome.genes.retain(|gene| gene.unit().is_none_or(|unit| reached.contains(&unit.name.text)));
}

/// Drops unread lets, weights and axes; whether it dropped any.
fn prune_body(unit: &mut Unit) -> bool {
    let named = static_names(unit);
    let mut changed = false;
    sweep(&mut unit.body, &named, &mut changed);
    changed
}

/// Drops what nothing after it reads, last statement first; returns what the block reads of the
/// names outside it.
fn sweep(block: &mut Block, named: &BTreeSet<String>, changed: &mut bool) -> BTreeSet<String> {
    let mut live = BTreeSet::new();
    if let Some(result) = &mut block.result {
        sweep_expr(result, named, changed, &mut live);
    }
    let mut kept = Vec::with_capacity(block.stmts.len());
    while let Some(mut stmt) = block.stmts.pop() {
        if sweep_stmt(&mut stmt, named, changed, &mut live) {
            kept.push(stmt);
        } else {
            *changed = true;
        }
    }
    kept.reverse();
    block.stmts = kept;
    live
}

/// Whether a statement stays; if it does, what it reads is live.
fn sweep_stmt(stmt: &mut Stmt, named: &BTreeSet<String>, changed: &mut bool, live: &mut BTreeSet<String>) -> bool {
    match &mut stmt.kind {
        StmtKind::Let { name, value, .. } => {
            let read = live.remove(&name.text);
            if read {
                sweep_expr(value, named, changed, live);
            }
            read
        }
        StmtKind::LetTuple { names, value } => {
            let read = names.iter().fold(false, |read, name| live.remove(&name.text) | read);
            if read {
                sweep_expr(value, named, changed, live);
            }
            read
        }
        StmtKind::Share { name, .. } => live.remove(&called(&name.text)),
        StmtKind::Param { name, .. } => live.remove(&name.text),
        StmtKind::Axis { name, .. } => named.contains(&name.text),
        StmtKind::Require { .. } => true,
        StmtKind::Update { state, value } => {
            live.insert(state.text.clone());
            sweep_expr(value, named, changed, live);
            true
        }
        StmtKind::Yield(value) | StmtKind::Loss(value) => {
            sweep_expr(value, named, changed, live);
            true
        }
    }
}

/// What stands for the call of a name among those that are live: a value may bear the name of a
/// primitive, and what is called may not be read.
fn called(name: &str) -> String {
    format!("{name}()")
}

fn sweep_expr(expr: &mut Expr, named: &BTreeSet<String>, changed: &mut bool, live: &mut BTreeSet<String>) {
    match &mut expr.kind {
        ExprKind::Name(name) => {
            live.insert(name.text.clone());
        }
        ExprKind::Call(call) => {
            // What is called may be shared.
            live.insert(called(&call.head.text));
            tree::children_mut(expr).into_iter().for_each(|e| sweep_expr(e, named, changed, live));
        }
        ExprKind::Scan(scan) => {
            let mut inner = sweep(&mut scan.body, named, changed);
            for state in &mut scan.states {
                inner.remove(&state.name.text);
                sweep_expr(&mut state.init, named, changed, live);
            }
            live.append(&mut inner);
        }
        ExprKind::Repeat(repeat) => {
            let mut inner = sweep(&mut repeat.body, named, changed);
            for state in &mut repeat.states {
                inner.remove(&state.name.text);
                sweep_expr(&mut state.init, named, changed, live);
            }
            live.append(&mut inner);
        }
        _ => tree::children_mut(expr).into_iter().for_each(|e| sweep_expr(e, named, changed, live)),
    }
}

/// The names of axes and sizes that a unit uses anywhere but where it declares them.
fn static_names(unit: &Unit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for generic in &unit.generics {
        match &generic.kind {
            GenericKind::Axis(size) | GenericKind::Size(size) => {
                size.iter().for_each(|size| tree::size_names(size, &mut names));
            }
            GenericKind::Row => {}
            GenericKind::Unit { signature, .. } => {
                // A unit parameter stays: which units call it is not looked at here.
                names.insert(generic.name.text.clone());
                for ty in signature.iter().flat_map(|s| s.params.iter().chain([&s.result])) {
                    type_names(ty, &mut names);
                }
            }
        }
    }
    unit.params.iter().for_each(|param| type_names(&param.ty, &mut names));
    results(unit).for_each(|ty| type_names(ty, &mut names));
    block_names(&unit.body, &mut names);
    names
}

fn results(unit: &Unit) -> impl Iterator<Item = &Type> {
    [&unit.result].into_iter().chain(unit.further.iter().map(|result| &result.ty))
}

fn type_names(ty: &Type, names: &mut BTreeSet<String>) {
    tree::axis_names(&ty.axes, names);
}

/// The names of axes, sizes and values that a block uses.
pub(crate) fn block_names(block: &Block, names: &mut BTreeSet<String>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Let { ty, .. } => ty.iter().for_each(|ty| type_names(ty, names)),
            StmtKind::Param { axes, .. } => tree::axis_names(axes, names),
            StmtKind::Axis { size, .. } => tree::size_names(size, names),
            StmtKind::Require { left, right, .. } => [left, right].into_iter().for_each(|s| tree::size_names(s, names)),
            StmtKind::LetTuple { .. } | StmtKind::Share { .. } | StmtKind::Update { .. } => {}
            StmtKind::Yield(_) | StmtKind::Loss(_) => {}
        }
    }
    tree::block_exprs(block).for_each(|e| expr_names(e, names));
}

/// The names of axes, sizes and values that an expression uses.
pub(crate) fn expr_names(expr: &Expr, names: &mut BTreeSet<String>) {
    let mut all = |idents: &[genesys_syntax::ast::Ident]| names.extend(idents.iter().map(|ident| ident.text.clone()));
    match &expr.kind {
        ExprKind::Name(name) | ExprKind::Indexed { axis: name, .. } => all(std::slice::from_ref(name)),
        ExprKind::Each { axes, .. } => all(axes),
        ExprKind::Regroup { from, to, .. } => [from, to].into_iter().for_each(|axes| all(axes)),
        ExprKind::Rename { from, to, .. } => all(&[from.clone(), to.clone()]),
        ExprKind::Call(call) => {
            match &call.slot {
                Some(Slot::Map { from, to, per }) => [from, to, per].into_iter().for_each(|axes| all(axes)),
                Some(Slot::Of { made, axis }) => all(&[made.clone(), axis.clone()]),
                Some(Slot::Axes(axes)) => tree::axis_names(axes, names),
                None => {}
            }
            call.statics.iter().for_each(|arg| tree::static_names(&arg.value, names));
        }
        ExprKind::Scan(scan) => {
            scan.states.iter().for_each(|state| tree::axis_names(&state.axes, names));
            scan.states.iter().for_each(|state| expr_names(&state.init, names));
            scan.every.iter().for_each(|size| tree::size_names(size, names));
            return block_names(&scan.body, names);
        }
        ExprKind::Repeat(repeat) => {
            repeat.states.iter().for_each(|state| tree::axis_names(&state.axes, names));
            repeat.states.iter().for_each(|state| expr_names(&state.init, names));
            tree::size_names(&repeat.count, names);
            return block_names(&repeat.body, names);
        }
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Hole(_)
        | ExprKind::Neg(_)
        | ExprKind::Binary(..)
        | ExprKind::Compare(..)
        | ExprKind::Tuple(_)
        | ExprKind::Labeled { .. } => {}
    }
    tree::children(expr).into_iter().for_each(|e| expr_names(e, names));
}

/// Drops value parameters that a body does not read, with their arguments; not those of units the
/// design itself names, whose signature is fixed.
fn drop_params(genome: &mut Genome) -> bool {
    let mut fixed = genome.stack_units();
    if let Some(FieldValue::Unit(last)) = genome.field("final") {
        fixed.insert(last.name.text.clone());
    }
    let mut dropped = Vec::new();
    for unit in touched(genome).filter(|unit| !fixed.contains(&unit.name.text)) {
        let named = static_names(unit);
        let live = sweep(&mut unit.body, &named, &mut false);
        let unread = |param: &Param| !live.contains(&param.name.text) && !binds(unit, param, &named);
        let unread = unit.params.iter().position(unread);
        if let Some(index) = unread.filter(|_| unit.params.len() > 1) {
            let param = unit.params.remove(index);
            dropped.push((unit.name.text.clone(), index, param.name.text));
        }
    }
    for (unit, index, param) in &dropped {
        for caller in genome.callers_mut(unit) {
            tree::visit_mut(&mut caller.body, &mut |e| match &mut e.kind {
                ExprKind::Call(call) if call.head.text == *unit => drop_argument(&mut call.args, *index, param),
                _ => {}
            });
        }
    }
    !dropped.is_empty()
}

/// Whether a parameter's argument alone binds a static parameter that the unit needs.
fn binds(unit: &Unit, param: &Param, named: &BTreeSet<String>) -> bool {
    let mut own = BTreeSet::new();
    type_names(&param.ty, &mut own);
    let mut others = BTreeSet::new();
    unit.params.iter().filter(|other| other.name != param.name).for_each(|other| type_names(&other.ty, &mut others));
    let mut elsewhere = BTreeSet::new();
    results(unit).for_each(|ty| type_names(ty, &mut elsewhere));
    block_names(&unit.body, &mut elsewhere);
    let is_generic = |name: &String| unit.generics.iter().any(|generic| generic.name.text == *name);
    own.iter()
        .any(|name| is_generic(name) && named.contains(name) && elsewhere.contains(name) && !others.contains(name))
}

fn drop_argument(args: &mut Vec<Arg>, index: usize, param: &str) {
    let place = args.iter().position(|arg| matches!(arg, Arg::Named(name, _) if name.text == param));
    let place = place.or_else(|| matches!(args.get(index), Some(Arg::Value(_))).then_some(index));
    if let Some(place) = place {
        args.remove(place);
    }
}

/// Drops static parameters that a unit does not use, with their arguments.
fn drop_generics(genome: &mut Genome) -> bool {
    let mut dropped = Vec::new();
    for unit in touched(genome) {
        let named = static_names(unit);
        if let Some(index) = unit.generics.iter().position(|generic| !named.contains(&generic.name.text)) {
            let generic = unit.generics.remove(index);
            dropped.push((unit.name.text.clone(), index, generic.name.text));
        }
    }
    for (unit, index, generic) in &dropped {
        let drop = |head: &str, statics: &mut Vec<StaticArg>| {
            if head == unit {
                drop_static(statics, *index, generic);
            }
        };
        for caller in genome.callers_mut(unit) {
            tree::visit_mut(&mut caller.body, &mut |e| {
                if let ExprKind::Call(call) = &mut e.kind {
                    drop(&call.head.text, &mut call.statics);
                }
            });
        }
        if let Some(design) = genome.design_mut() {
            design_refs_mut(design, &mut |unit| drop(&unit.name.text, &mut unit.statics));
        }
    }
    !dropped.is_empty()
}

fn drop_static(statics: &mut Vec<StaticArg>, index: usize, generic: &str) {
    let place = statics.iter().position(|arg| arg.name.as_ref().is_some_and(|name| name.text == generic));
    let place = place.or_else(|| statics.get(index).is_some_and(|arg| arg.name.is_none()).then_some(index));
    if let Some(place) = place {
        statics.remove(place);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn pruned(text: &str) -> String {
        let mut genome = Genome::expand(&testing::parse(text), testing::std());
        let own: Vec<String> = genome.units().map(|unit| unit.name.text.clone()).collect();
        for name in own {
            if !genome.is_standard(&name) {
                genome.unit_mut(&name);
            }
        }
        prune(&mut genome);
        genesys_syntax::print(&genome.collapse())
    }

    #[test]
    fn what_nothing_reads_falls_with_all_it_needed() {
        let text = "use std::{LayerNorm, RmsNorm}\ndesign A { stack = [B*] }\n\
                    unit B(x: Seq[D]) -> Seq[D] { let n = LayerNorm(x)\nlet m = n + F(x)\nx + RmsNorm(x) }\n\
                    unit F(x: Seq[D]) -> Seq[D] { x }";
        let out = pruned(text);
        assert!(out.contains("use std::{RmsNorm}") || out.contains("use std::RmsNorm"), "{out}");
        assert!(!out.contains("unit F") && !out.contains("let n") && !out.contains("let m"), "{out}");
    }

    #[test]
    fn parameters_fall_at_every_call() {
        let text = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] { x + F<K = 4, H = 2>(x, x) }\n\
                    unit F<K = 8, H = 2>(x: Seq[D], y: Seq[D]) -> Seq[D] {\n\
                    param w: [D, K] = 0 @matrix\naxis M = 3\nlinear[H -> D](linear[D -> H](y)) }";
        let out = pruned(text);
        assert!(out.contains("F<H = 2>(x)") && out.contains("unit F<H = 2>(y: Seq[D])"), "{out}");
        assert!(!out.contains("param") && !out.contains("axis"), "{out}");
    }

    #[test]
    fn a_weight_does_not_live_by_a_primitive_of_its_name() {
        let text = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] {\n\
                    param shift: [D] = 0 @bias\nshare f = linear[D -> D]\nshare g = linear[D -> D]\nf(shift(x, 1)) }";
        let out = pruned(text);
        assert!(!out.contains("param shift") && out.contains("share f") && !out.contains("share g"), "{out}");
    }

    #[test]
    fn a_let_bound_again_lives_by_its_own_reads() {
        let text = "design A { stack = [B*] }\nunit B(x: Seq[D]) -> Seq[D] {\nlet y = exp(x)\nlet y = y + x\ny }";
        assert!(pruned(text).contains("let y = exp(x)"));
    }
}
