//! Takes out what an operator left without use: units nothing reaches, lets, weights and axes
//! nothing reads, parameters no body uses (at every call as well).
//!
//! Only units that were changed are looked at, since the others are as their author left them.
//! States of a scan, requirements and comments are left alone.

use std::collections::BTreeSet;

use genesys_syntax::ast::{
    Arg, Block, Expr, ExprKind, FieldValue, Generic, GenericKind, Ident, Param, Slot, StaticArg, Stmt, StmtKind, Type,
    Unit,
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
    let idle = idle_axes(unit);
    let mut changed = false;
    sweep(&mut unit.body, &idle, &mut changed);
    changed
}

/// The axes that a unit declares in its body and does not use.
fn idle_axes(unit: &Unit) -> BTreeSet<String> {
    let axes = unit.body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Axis { name, .. } => Some(name.text.as_str()),
        _ => None,
    });
    let mut idle: BTreeSet<&str> = axes.collect();
    if !idle.is_empty() {
        let named = static_names(unit);
        idle.retain(|axis| !named.contains(axis));
    }
    idle.into_iter().map(String::from).collect()
}

/// What is read behind a statement.
#[derive(Default)]
struct Live {
    /// Names of values.
    read: BTreeSet<String>,
    /// What is called, which may be shared. A value may bear the name of a primitive, and what is called may not be
    /// read: these are names of their own.
    called: BTreeSet<String>,
}

impl Live {
    fn read(&mut self, name: &str) {
        if !self.read.contains(name) {
            self.read.insert(name.into());
        }
    }

    fn call(&mut self, name: &str) {
        if !self.called.contains(name) {
            self.called.insert(name.into());
        }
    }

    fn append(&mut self, mut other: Live) {
        self.read.append(&mut other.read);
        self.called.append(&mut other.called);
    }
}

/// Drops what nothing after it reads, last statement first; returns what the block reads of the
/// names outside it.
fn sweep(block: &mut Block, idle: &BTreeSet<String>, changed: &mut bool) -> Live {
    let mut live = Live::default();
    if let Some(result) = &mut block.result {
        sweep_expr(result, idle, changed, &mut live);
    }
    for at in (0..block.stmts.len()).rev() {
        if !sweep_stmt(&mut block.stmts[at], idle, changed, &mut live) {
            block.stmts.remove(at);
            *changed = true;
        }
    }
    live
}

/// Whether a statement stays; if it does, what it reads is live.
fn sweep_stmt(stmt: &mut Stmt, idle: &BTreeSet<String>, changed: &mut bool, live: &mut Live) -> bool {
    match &mut stmt.kind {
        StmtKind::Let { name, value, .. } => {
            let read = live.read.remove(&name.text);
            if read {
                sweep_expr(value, idle, changed, live);
            }
            read
        }
        StmtKind::LetTuple { names, value } => {
            let read = names.iter().fold(false, |read, name| live.read.remove(&name.text) | read);
            if read {
                sweep_expr(value, idle, changed, live);
            }
            read
        }
        StmtKind::Share { name, .. } => live.called.remove(&name.text),
        StmtKind::Param { name, .. } => live.read.remove(&name.text),
        StmtKind::Axis { name, .. } => !idle.contains(&name.text),
        StmtKind::Require { .. } => true,
        StmtKind::Update { state, value } => {
            live.read(&state.text);
            sweep_expr(value, idle, changed, live);
            true
        }
        StmtKind::Yield(value) | StmtKind::Loss(value) => {
            sweep_expr(value, idle, changed, live);
            true
        }
    }
}

fn sweep_expr(expr: &mut Expr, idle: &BTreeSet<String>, changed: &mut bool, live: &mut Live) {
    match &mut expr.kind {
        ExprKind::Name(name) => live.read(&name.text),
        ExprKind::Call(call) => {
            live.call(&call.head.text);
            tree::each_part_mut(expr, &mut |e| sweep_expr(e, idle, changed, live));
        }
        ExprKind::Scan(scan) => {
            let mut inner = sweep(&mut scan.body, idle, changed);
            for state in &mut scan.states {
                inner.read.remove(&state.name.text);
                sweep_expr(&mut state.init, idle, changed, live);
            }
            live.append(inner);
        }
        ExprKind::Repeat(repeat) => {
            let mut inner = sweep(&mut repeat.body, idle, changed);
            for state in &mut repeat.states {
                inner.read.remove(&state.name.text);
                sweep_expr(&mut state.init, idle, changed, live);
            }
            live.append(inner);
        }
        _ => tree::each_part_mut(expr, &mut |e| sweep_expr(e, idle, changed, live)),
    }
}

/// The names of axes and sizes that a unit uses anywhere but where it declares them.
fn static_names(unit: &Unit) -> BTreeSet<&str> {
    let mut names = BTreeSet::new();
    for generic in &unit.generics {
        match &generic.kind {
            GenericKind::Axis(size) | GenericKind::Size(size) => {
                size.iter().for_each(|size| tree::size_names(size, &mut names));
            }
            GenericKind::Row => {}
            GenericKind::Unit { signature, .. } => {
                // A unit parameter stays: which units call it is not looked at here.
                names.insert(&generic.name.text);
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

fn type_names<'a>(ty: &'a Type, names: &mut BTreeSet<&'a str>) {
    tree::axis_names(&ty.axes, names);
}

/// The names of axes, sizes and values that a block uses.
pub(crate) fn block_names<'a>(block: &'a Block, names: &mut BTreeSet<&'a str>) {
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
pub(crate) fn expr_names<'a>(expr: &'a Expr, names: &mut BTreeSet<&'a str>) {
    let mut all = |idents: &'a [Ident]| names.extend(idents.iter().map(|ident| ident.text.as_str()));
    match &expr.kind {
        ExprKind::Name(name) | ExprKind::Indexed { axis: name, .. } => all(std::slice::from_ref(name)),
        ExprKind::Each { axes, .. } => all(axes),
        ExprKind::Regroup { from, to, .. } => [from, to].into_iter().for_each(|axes| all(axes)),
        ExprKind::Rename { from, to, .. } => [from, to].into_iter().for_each(|axis| all(std::slice::from_ref(axis))),
        ExprKind::Call(call) => {
            match &call.slot {
                Some(Slot::Map { from, to, per }) => [from, to, per].into_iter().for_each(|axes| all(axes)),
                Some(Slot::Of { made, axis }) => {
                    [made, axis].into_iter().for_each(|axis| all(std::slice::from_ref(axis)))
                }
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
    tree::each_part(expr, &mut |e| expr_names(e, names));
}

/// Drops value parameters that a body does not read, with their arguments; not those of units the
/// design itself names, whose signature is fixed.
fn drop_params(genome: &mut Genome) -> bool {
    let mut fixed = genome.stack_units();
    if let Some(FieldValue::Unit(last)) = genome.field("final") {
        fixed.insert(last.name.text.clone());
    }
    let mut dropped = Vec::new();
    let candidates = |unit: &&mut Unit| unit.params.len() > 1 && !fixed.contains(&unit.name.text);
    for unit in touched(genome).filter(candidates) {
        let idle = idle_axes(unit);
        let live = sweep(&mut unit.body, &idle, &mut false);
        let named = static_names(unit);
        let unread = |param: &Param| !live.read.contains(&param.name.text) && !binds(unit, param, &named);
        if let Some(index) = unit.params.iter().position(unread) {
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
fn binds(unit: &Unit, param: &Param, named: &BTreeSet<&str>) -> bool {
    let mut own = BTreeSet::new();
    type_names(&param.ty, &mut own);
    let mut others = BTreeSet::new();
    unit.params.iter().filter(|other| other.name != param.name).for_each(|other| type_names(&other.ty, &mut others));
    let mut elsewhere = BTreeSet::new();
    results(unit).for_each(|ty| type_names(ty, &mut elsewhere));
    block_names(&unit.body, &mut elsewhere);
    let is_generic = |name: &str| unit.generics.iter().any(|generic| generic.name.text == name);
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
    for unit in touched(genome).filter(|unit| !unit.generics.is_empty()) {
        let named = static_names(unit);
        let unnamed = |generic: &Generic| !named.contains(generic.name.text.as_str());
        if let Some(index) = unit.generics.iter().position(unnamed) {
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
