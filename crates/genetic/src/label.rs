//! Gives names to weights that would share one.
//!
//! A call that owns weights is known by its label; by the name its statement binds, where it is
//! the statement's only call without a label, or the outermost; else by what it calls. Where two
//! calls of a unit would have one name, the later one gets a label if it is an argument, and a
//! `let` of its own if it is not.

use std::collections::{BTreeMap, BTreeSet};

use genesys_syntax::ast::{Arg, Block, Expr, ExprId, ExprKind, Ident, Stmt, StmtKind, Unit};

use crate::chain::fresh;
use crate::gene::{Gene, number};
use crate::genome::Genome;
use crate::interface::{Facts, facts};
use crate::tree;

/// Labels the units that were changed, and those that call a unit which owns weights now and did not
/// `before`, or the other way round.
pub(crate) fn label(genome: &mut Genome, before: &BTreeMap<String, Facts>) {
    let facts = facts(genome);
    let turned = |name: &String| before.get(name).zip(facts.get(name)).is_some_and(|(old, new)| old.owns != new.owns);
    for gene in &mut genome.genes {
        if (gene.is_touched() || gene.heads().iter().any(turned))
            && let Some(unit) = Gene::edit_unit(gene)
        {
            label_unit(unit, &facts);
        }
    }
}

fn label_unit(unit: &mut Unit, facts: &BTreeMap<String, Facts>) {
    strip_block(&mut unit.body, facts);
    // Each round names one call for good, so that there are at most as many rounds as calls.
    loop {
        number(unit);
        let mut sites = Sites { facts, all: Vec::new(), names: BTreeSet::new() };
        sites.block(&unit.body);
        let names: BTreeSet<String> = sites.all.iter().map(|site| site.name.clone()).chain(bound(unit)).collect();
        let Some(site) = sites.first_clash() else { return };
        let label = fresh(&site.wish(), |name| names.contains(name));
        if site.is_argument {
            tree::edit(unit, site.outer, &mut |e| set_label(e, &label));
        } else if !hoist(&mut unit.body, site.outer, &label) {
            return;
        }
    }
}

/// Every name a unit binds.
fn bound(unit: &Unit) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = unit.params.iter().map(|param| param.name.text.clone()).collect();
    collect_bound(&unit.body, &mut names);
    tree::visit(&unit.body, &mut |e| match &e.kind {
        ExprKind::Scan(scan) => collect_bound(&scan.body, &mut names),
        ExprKind::Repeat(repeat) => collect_bound(&repeat.body, &mut names),
        _ => {}
    });
    names
}

fn collect_bound(block: &Block, names: &mut BTreeSet<String>) {
    for stmt in &block.stmts {
        names.extend(tree::bound_values(stmt).iter().map(|name| name.text.clone()));
        if let StmtKind::Param { name, .. } = &stmt.kind {
            names.insert(name.text.clone());
        }
    }
}

/// Takes off labels that are no argument's, or that name no weights.
fn strip_block(block: &mut Block, facts: &BTreeMap<String, Facts>) {
    tree::block_exprs_mut(block).for_each(|e| strip(e, false, facts));
}

fn strip(expr: &mut Expr, is_argument: bool, facts: &BTreeMap<String, Facts>) {
    while let ExprKind::Labeled { call, .. } = &expr.kind
        && !(is_argument && owner(call, facts).is_some())
    {
        tree::replace_with(expr, |e| match e.kind {
            ExprKind::Labeled { call, .. } => *call,
            _ => e,
        });
    }
    match &mut expr.kind {
        ExprKind::Labeled { call, .. } => strip(call, false, facts),
        ExprKind::Call(call) => {
            for arg in &mut call.args {
                match arg {
                    Arg::Value(e) => strip(e, true, facts),
                    Arg::Named(_, e) => strip(e, false, facts),
                }
            }
        }
        ExprKind::Scan(scan) => {
            scan.states.iter_mut().for_each(|state| strip(&mut state.init, false, facts));
            strip_block(&mut scan.body, facts);
        }
        ExprKind::Repeat(repeat) => {
            repeat.states.iter_mut().for_each(|state| strip(&mut state.init, false, facts));
            strip_block(&mut repeat.body, facts);
        }
        _ => tree::each_part_mut(expr, &mut |e| strip(e, false, facts)),
    }
}

/// What is called, where the call owns weights.
fn owner<'e>(expr: &'e Expr, facts: &BTreeMap<String, Facts>) -> Option<&'e str> {
    match &expr.kind {
        ExprKind::Each { call, .. } => owner(call, facts),
        ExprKind::Call(call) => {
            let head = call.head.text.as_str();
            (head == "linear" || facts.get(head).is_some_and(|facts| facts.owns)).then_some(head)
        }
        _ => None,
    }
}

fn set_label(expr: &mut Expr, text: &str) {
    match &mut expr.kind {
        ExprKind::Labeled { label, .. } => label.text = text.into(),
        _ => {
            tree::replace_with(expr, |e| tree::expr(ExprKind::Labeled { label: tree::ident(text), call: Box::new(e) }))
        }
    }
}

/// Binds the expression of that number just before the statement that holds it.
fn hoist(block: &mut Block, id: ExprId, name: &str) -> bool {
    for i in 0..block.stmts.len() {
        if let Some(e) = tree::stmt_expr_mut(&mut block.stmts[i])
            && let Some(value) = take(e, id, name)
        {
            block.stmts.insert(i, tree::let_stmt(name, value));
            return true;
        }
    }
    match block.result.as_mut().and_then(|e| take(e, id, name)) {
        Some(value) => {
            block.stmts.push(tree::let_stmt(name, value));
            true
        }
        None => bodies_mut(block).into_iter().any(|body| hoist(body, id, name)),
    }
}

/// Takes the expression of that number out, outside the bodies of scans and loops.
fn take(expr: &mut Expr, id: ExprId, name: &str) -> Option<Expr> {
    if expr.id == id {
        return Some(std::mem::replace(expr, tree::name(name)));
    }
    match &mut expr.kind {
        ExprKind::Scan(scan) => scan.states.iter_mut().find_map(|state| take(&mut state.init, id, name)),
        ExprKind::Repeat(repeat) => repeat.states.iter_mut().find_map(|state| take(&mut state.init, id, name)),
        _ => {
            let mut taken = None;
            tree::each_part_mut(expr, &mut |e| taken = taken.take().or_else(|| take(e, id, name)));
            taken
        }
    }
}

/// The bodies of the scans and loops in a block.
fn bodies_mut(block: &mut Block) -> Vec<&mut Block> {
    let mut bodies = Vec::new();
    tree::block_exprs_mut(block).for_each(|e| bodies_of(e, &mut bodies));
    bodies
}

fn bodies_of<'a>(expr: &'a mut Expr, bodies: &mut Vec<&'a mut Block>) {
    match &expr.kind {
        ExprKind::Scan(_) | ExprKind::Repeat(_) => match &mut expr.kind {
            ExprKind::Scan(scan) => bodies.push(&mut scan.body),
            ExprKind::Repeat(repeat) => bodies.push(&mut repeat.body),
            _ => {}
        },
        _ => tree::each_part_mut(expr, &mut |e| bodies_of(e, bodies)),
    }
}

/// A call that owns weights.
struct Site {
    /// The label, the `each` or the call: what a label goes around.
    outer: ExprId,
    label: Option<String>,
    /// What is called, in snake case.
    default: String,
    /// The unit that it is an argument of, in snake case.
    caller: Option<String>,
    is_argument: bool,
    /// Its name, once its statement is known.
    name: String,
    /// Whether the statement's `let` names it.
    is_bound: bool,
}

impl Site {
    /// A name that says more than what is called.
    fn wish(&self) -> String {
        let kind = self.default.rsplit('_').next().unwrap_or(&self.default);
        match (&self.caller, &self.label) {
            (Some(caller), _) => format!("{caller}_{kind}"),
            (None, Some(label)) => label.trim_end_matches(|c: char| c.is_ascii_digit()).into(),
            (None, None) => self.default.clone(),
        }
    }
}

struct Sites<'a> {
    facts: &'a BTreeMap<String, Facts>,
    all: Vec<Site>,
    names: BTreeSet<String>,
}

impl Sites<'_> {
    fn block(&mut self, block: &Block) {
        block.stmts.iter().for_each(|stmt| self.statement(stmt));
        if let Some(result) = &block.result {
            self.value(result, None);
        }
    }

    fn statement(&mut self, stmt: &Stmt) {
        match &stmt.kind {
            StmtKind::Let { name, value, .. } => self.value(value, Some(&name.text)),
            StmtKind::LetTuple { names, value } => self.tuple(names, value),
            StmtKind::Share { name, .. } => _ = self.names.insert(name.text.clone()),
            StmtKind::Update { value, .. } | StmtKind::Yield(value) | StmtKind::Loss(value) => self.value(value, None),
            StmtKind::Param { .. } | StmtKind::Axis { .. } | StmtKind::Require { .. } => {}
        }
    }

    /// Each value of a tuple written out has a name of its own; another's calls take the first.
    fn tuple(&mut self, names: &[Ident], value: &Expr) {
        let wanted = |name: &&Ident| name.text != "_";
        match &value.kind {
            ExprKind::Tuple(parts) if parts.len() == names.len() => {
                let each = names.iter().zip(parts);
                each.for_each(|(name, part)| {
                    self.value(part, Some(name).filter(wanted).map(|name| name.text.as_str()))
                });
            }
            _ => self.value(value, names.iter().find(wanted).map(|name| name.text.as_str())),
        }
    }

    /// The calls of a statement, arguments before what they are arguments of, and their names.
    fn value(&mut self, expr: &Expr, bound: Option<&str>) {
        let mut sites = Vec::new();
        self.collect(expr, None, None, &mut sites);
        let unlabeled = sites.iter().filter(|site| site.label.is_none()).count();
        let last = sites.len().saturating_sub(1);
        for (i, site) in sites.iter_mut().enumerate() {
            site.is_bound = site.label.is_none() && bound.is_some() && (unlabeled == 1 || i == last);
            site.name = match (&site.label, bound) {
                (Some(label), _) => label.clone(),
                (None, Some(bound)) if site.is_bound => bound.into(),
                (None, _) => site.default.clone(),
            };
        }
        self.all.extend(sites);
    }

    fn collect(
        &mut self,
        expr: &Expr,
        argument_of: Option<&str>,
        label: Option<(&str, ExprId)>,
        sites: &mut Vec<Site>,
    ) {
        match &expr.kind {
            ExprKind::Labeled { label, call } => self.collect(call, argument_of, Some((&label.text, expr.id)), sites),
            ExprKind::Each { call, .. } => {
                let first = sites.len();
                self.collect(call, argument_of, label, sites);
                if let Some(site) = sites[first..].last_mut().filter(|site| site.outer == call.id) {
                    site.outer = expr.id;
                }
            }
            ExprKind::Call(call) => {
                for arg in &call.args {
                    match arg {
                        Arg::Value(e) => self.collect(e, Some(&call.head.text), None, sites),
                        Arg::Named(_, e) => self.collect(e, None, None, sites),
                    }
                }
                if let Some(head) = owner(expr, self.facts) {
                    let caller =
                        argument_of.filter(|head| self.facts.contains_key(*head)).map(genesys_check::weight_name);
                    sites.push(Site {
                        outer: label.map_or(expr.id, |(_, id)| id),
                        label: label.map(|(text, _)| text.into()),
                        default: genesys_check::weight_name(head),
                        caller,
                        is_argument: argument_of.is_some(),
                        name: String::new(),
                        is_bound: false,
                    });
                }
            }
            ExprKind::Scan(scan) => {
                scan.states.iter().for_each(|state| self.collect(&state.init, None, None, sites));
                self.block(&scan.body);
            }
            ExprKind::Repeat(repeat) => {
                repeat.states.iter().for_each(|state| self.collect(&state.init, None, None, sites));
                self.block(&repeat.body);
            }
            _ => tree::each_part(expr, &mut |e| self.collect(e, None, None, sites)),
        }
    }

    /// The first call whose name an earlier one has; names that are bound are numbered in silence.
    fn first_clash(&mut self) -> Option<&Site> {
        self.all.iter().find(|site| !self.names.insert(site.name.clone()) && !site.is_bound)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing;

    fn labeled(body: &str) -> String {
        let text = format!(
            "use std::{{RmsNorm, SwiGlu}}\ndesign A {{ stack = [B*] }}\nunit B(x: Seq[D]) -> Seq[D] {{\n{body}\n}}"
        );
        let mut genome = Genome::expand(&testing::parse(&text), testing::std());
        Gene::edit(&mut genome.genes[1]);
        label(&mut genome, &BTreeMap::new());
        genesys_syntax::print_unit(genome.unit("B").unwrap())
    }

    #[test]
    fn arguments_get_labels() {
        let out = labeled("let h = x + SwiGlu(RmsNorm(x))\nh + SwiGlu(RmsNorm(h))");
        assert!(out.contains("let h = x + SwiGlu(RmsNorm(x))"), "{out}");
        assert!(out.contains("h + SwiGlu(swi_glu_norm: RmsNorm(h))"), "{out}");
    }

    #[test]
    fn what_is_no_argument_gets_a_let() {
        let out = labeled("let h = SwiGlu(x) + SwiGlu(x)\nh + SwiGlu(h) + SwiGlu(x)");
        assert!(out.contains("let swi_glu2 = SwiGlu("), "{out}");
        assert_eq!(out.matches("SwiGlu(").count(), 4, "{out}");
    }

    #[test]
    fn labels_that_name_nothing_go() {
        let out = labeled("x + exp(a: SwiGlu(b: exp(x)))");
        assert!(out.contains("exp(a: SwiGlu(exp(x)))"), "{out}");
    }
}
