//! Takes an expression of the second parent, closed as a unit, in the place of one of the first.
//!
//! Both give one value per position over equally many axes. The axes of the taken one are bound to
//! those of the place, its parameters to values in sight there whose axes agree; so the call has the
//! type of what it replaces. An axis whose size is tied to others keeps its own.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_syntax::ast::{
    Arg, Call, Expr, ExprId, ExprKind, GenericKind, Param, Size, SizeKind, StaticArg, StaticValue, StmtKind, Unit,
};

use super::Cross;
use super::lift::{Lifted, lifted, statement_of, value_axes};
use crate::candidate::Candidate;
use crate::genome::{Genome, Source};
use crate::operator::{Place, places};
use crate::tree;
use crate::types::{Types, axis_set};

/// An expression for another.
pub(super) fn expression(cross: &Cross<'_>) -> Vec<Candidate> {
    let theirs = cross.donor.genome();
    let reachable = theirs.reachable();
    let units = theirs.units().filter(|unit| reachable.contains(&unit.name.text));
    let taken: Vec<Arc<Lifted>> = units.flat_map(|unit| lifted(unit, theirs)).map(Arc::new).collect();
    let mut all = Vec::new();
    for unit in cross.pool.reached() {
        for site in sites(unit, cross.pool.types(unit)) {
            for lifted in &taken {
                let binding = Binding::of(lifted, &site).filter(|binding| binding.keeps_params(unit));
                if let Some(binding) = binding.filter(|_| cross.fits_unit(lifted, unit)) {
                    all.push(candidate(cross, unit, &site, lifted, binding));
                }
            }
        }
    }
    all
}

fn candidate(cross: &Cross<'_>, unit: &Unit, site: &Site, lifted: &Arc<Lifted>, binding: Binding) -> Candidate {
    let (name, id) = (unit.name.text.clone(), site.id);
    let detail = format!("{name}: {} for {}", lifted.unit.name.text, site.title);
    let (lifted, donor) = (Arc::clone(lifted), Arc::clone(&cross.donor));
    Candidate::new("cross-expression", detail, move |genome| {
        let local = bring(genome, &donor, &lifted);
        let call = binding.call(&local);
        if let Some(unit) = genome.unit_mut(&name) {
            tree::edit(unit, id, &mut |e| *e = call.clone());
        }
    })
}

/// Makes the unit, and what it calls, part of a genome.
fn bring(genome: &mut Genome, donor: &Source, lifted: &Lifted) -> String {
    let mut unit = lifted.unit.clone();
    unit.name.text = genome.fresh(&unit.name.text);
    tree::visit_mut(&mut unit.body, &mut |e| {
        if let ExprKind::Call(call) = &mut e.kind
            && donor.genome().gene(&call.head.text).is_some()
        {
            call.head.text = genome.graft(donor, &call.head.text);
        }
    });
    let name = unit.name.text.clone();
    genome.add(unit, vec![format!("Taken from `{}`.", lifted.from)]);
    name
}

impl Cross<'_> {
    /// Whether nothing that the taken unit calls is a unit of the first parent that calls `unit`.
    fn fits_unit(&self, lifted: &Lifted, unit: &Unit) -> bool {
        let theirs = self.donor.genome();
        let mut heads = BTreeSet::new();
        tree::visit(&lifted.unit.body, &mut |e| {
            if let ExprKind::Call(call) = &e.kind {
                heads.insert(call.head.text.as_str());
            }
        });
        !self.pool.shared(theirs, theirs.closure(heads)).contains(&unit.name.text)
    }
}

/// An expression of the first parent that may be replaced.
struct Site {
    id: ExprId,
    title: String,
    axes: BTreeSet<String>,
    /// The values in sight, and their axes; later ones first.
    scope: Vec<(String, BTreeSet<String>)>,
}

/// The values per position of a unit, outside scans and `each`s.
fn sites(unit: &Unit, types: &Types) -> Vec<Site> {
    let mut hidden = BTreeSet::new();
    tree::visit(&unit.body, &mut |e| {
        if matches!(e.kind, ExprKind::Each { .. }) {
            tree::visit_expr(e, &mut |inner| _ = (inner.id != e.id).then(|| hidden.insert(inner.id)));
        }
    });
    let is_site = |place: &Place<'_>| {
        let is_value = matches!(place.expr.kind, ExprKind::Call(_) | ExprKind::Binary(..) | ExprKind::Scan(_));
        is_value && !place.in_scan && !hidden.contains(&place.expr.id)
    };
    let read = |place: Place<'_>| {
        let axes = value_axes(types, place.expr)?;
        let scope = scope(unit, types, statement_of(unit, &place));
        Some(Site { id: place.outer().id, title: title(place.expr), axes, scope })
    };
    places(unit).into_iter().filter(is_site).filter_map(read).collect()
}

fn title(expr: &Expr) -> String {
    match &expr.kind {
        ExprKind::Call(call) => call.head.text.clone(),
        ExprKind::Scan(_) => "scan".into(),
        _ => "an expression".into(),
    }
}

/// The values per position that a statement sees.
fn scope(unit: &Unit, types: &Types, at: usize) -> Vec<(String, BTreeSet<String>)> {
    let mut all: Vec<(String, Option<BTreeSet<String>>)> = Vec::new();
    for param in unit.params.iter().filter(|param| param.ty.seq) {
        all.push((
            param.name.text.clone(),
            crate::edit::plain_axes(&axis_set(&param.ty.axes)).map(|axes| axes.into_iter().collect()),
        ));
    }
    for stmt in &unit.body.stmts[..at] {
        all.retain(|(known, _)| !tree::binds(stmt, known));
        if let StmtKind::Let { name, value, .. } = &stmt.kind {
            all.push((name.text.clone(), value_axes(types, value)));
        }
    }
    all.into_iter().rev().filter_map(|(name, axes)| Some((name, axes?))).collect()
}

/// How the axes and parameters of a taken unit are bound at a place.
struct Binding {
    /// Static parameter -> axis of the place.
    axes: Vec<(String, String)>,
    /// The arguments, in order.
    args: Vec<String>,
}

impl Binding {
    /// Axes of one name are bound to one another, the others in order; values alike.
    fn of(lifted: &Lifted, site: &Site) -> Option<Binding> {
        let mut bound = BTreeMap::new();
        bind(&lifted.axes, &site.axes, &mut bound)?;
        let mut args = Vec::new();
        for (name, axes) in &lifted.params {
            let same = site.scope.iter().filter(|(value, _)| value == name);
            let (value, after) = same.chain(&site.scope).find_map(|(value, found)| {
                let mut after = bound.clone();
                bind(axes, found, &mut after).map(|()| (value.clone(), after))
            })?;
            args.push(value);
            bound = after;
        }
        let generics = &lifted.unit.generics;
        let is_generic = |name: &str| generics.iter().any(|generic| generic.name.text == name);
        let closed = generics.iter().all(|generic| match &generic.kind {
            GenericKind::Axis(default) => default.is_some() || bound.contains_key(&generic.name.text),
            GenericKind::Size(default) => default.is_some(),
            GenericKind::Row | GenericKind::Unit { .. } => false,
        });
        let axes: Vec<(String, String)> = bound.into_iter().filter(|(from, _)| from != "D").collect();
        let free = axes.iter().all(|(from, _)| is_generic(from) && !lifted.rigid.contains(from));
        (closed && free).then_some(Binding { axes, args })
    }

    /// Whether no parameter that binds an axis of its unit may lose its last use.
    fn keeps_params(&self, unit: &Unit) -> bool {
        let binds = |param: &Param| axis_set(&param.ty.axes).iter().any(|axis| axis != "D");
        let mut binding = unit.params.iter().filter(|param| binds(param));
        unit.params.len() == 1 || binding.all(|param| self.args.contains(&param.name.text))
    }

    /// `Name<K = V, ..>(value, ..)`
    fn call(&self, name: &str) -> Expr {
        let statics = self.axes.iter().map(|(from, to)| StaticArg {
            name: Some(tree::ident(from)),
            value: StaticValue::Size(Size { kind: SizeKind::Name(tree::ident(to)), span: Default::default() }),
        });
        let args = self.args.iter().map(|value| Arg::Value(tree::name(value)));
        let (statics, args) = (statics.collect(), args.collect());
        tree::expr(ExprKind::Call(Call { head: tree::ident(name), statics, slot: None, args }))
    }
}

/// Binds a set of axes to another one, keeping what is bound already; the width only to itself.
fn bind(from: &BTreeSet<String>, to: &BTreeSet<String>, bound: &mut BTreeMap<String, String>) -> Option<()> {
    let mut left = to.clone();
    let mut open = Vec::new();
    for axis in from {
        match bound.get(axis) {
            Some(target) => left.remove(target).then_some(())?,
            None if axis == "D" || (left.contains(axis) && !bound.values().any(|target| target == axis)) => {
                left.remove(axis).then_some(())?;
                bound.insert(axis.clone(), axis.clone());
            }
            None => open.push(axis),
        }
    }
    let used: BTreeSet<&String> = bound.values().collect();
    if left.len() != open.len() || left.iter().any(|axis| axis == "D" || used.contains(axis)) {
        return None;
    }
    bound.extend(open.into_iter().cloned().zip(left));
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{crossing, crossings, design};

    fn mixer(body: &str) -> String {
        design("x + F(x)", &format!("unit F<H = 2, E = 8>(x: Seq[D]) -> Seq[D] {{\n{body} }}"))
    }

    #[test]
    fn an_expression_is_closed_over_what_it_reads() {
        let attention = mixer(
            "let k = linear[D -> H, E](x)\nlet score = dot[E](k, past(k)) / sqrt(E)\n\
             let y = sum[Past](softmax[Past](score) * past(k))\nlinear[H, E -> D](y)",
        );
        let scan = mixer(
            "let k = linear[D -> H, E](x)\nlet y = scan S: [H, E] = 0 { S <- 0.9 * S + k\nyield S }\n\
             linear[H, E -> D](y)",
        );
        let all = crossings(expression, &scan, &attention);
        let has = |parts: [&str; 2]| all.iter().any(|(_, text)| parts.iter().all(|part| text.contains(part)));
        // What looks at the past cannot be handed over, and comes along.
        let head = "unit FY<H = 2, E = 8>(k: Seq[E, H]) -> Seq[E, H] {\n    let score = ";
        assert!(has(["let y = FY<E = E, H = H>(k)", head]), "{all:#?}");
        let deep = "unit FY<H = 2, E = 8>(x: Seq[D]) -> Seq[E, H] {\n    let k = ";
        assert!(has(["let y = FY<E = E, H = H>(x)", deep]), "{all:#?}");
    }

    #[test]
    fn axes_are_bound_to_those_of_the_place() {
        let wide = design(
            "x + F(x)",
            "unit F<K = 4>(x: Seq[D]) -> Seq[D] { linear[K -> D](tanh(shift(linear[D -> K](x), 1))) }",
        );
        let narrow = design(
            "x + G(x)",
            "unit G<R = 2>(x: Seq[D]) -> Seq[D] {\nlet r = linear[D -> R](x)\n\
                             let s = r * sigmoid(shift(r, 3))\nlinear[R -> D](s) }",
        );
        let out = crossing(expression, &wide, &narrow, "F: GS for tanh");
        assert!(out.contains("GS<R = K>("), "{out}");
    }

    #[test]
    fn an_axis_whose_size_is_tied_is_bound_to_none() {
        let first = design(
            "x + F(x)",
            "unit F<K = 4>(x: Seq[D]) -> Seq[D] { linear[K -> D](tanh(shift(linear[D -> K](x), 1))) }",
        );
        let second = design(
            "x + G(x)",
            "unit G<R = 2, P = D / 2>(x: Seq[D]) -> Seq[D] {\n\
                             let r = sum[P](sigmoid([D -> R, P](x)))\nlinear[R -> D](r) }",
        );
        assert!(!crossings(expression, &first, &second).iter().any(|(detail, _)| detail.contains("GR")));
    }
}
