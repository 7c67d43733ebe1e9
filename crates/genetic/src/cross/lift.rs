//! Closes an expression: makes it the value of a unit of its own, so that it can be called anywhere.
//!
//! Free values become parameters, free axes and sizes static parameters with the sizes they had
//! (lambda lifting). A unit has no other free names but those of units, so that nothing of where it is
//! put can be captured. A value that looks at the past cannot be handed to a unit: what binds it comes
//! along.

use std::collections::{BTreeMap, BTreeSet};

use genesys_syntax::ast::{
    AxisRef, Block, Call, Comments, Expr, ExprKind, Generic, GenericKind, Param, Stmt, StmtKind, Type as TypeExpr, Unit,
};

use crate::edit::{is_stable, plain_axes};
use crate::genome::Genome;
use crate::operator::{Place, places};
use crate::tree;
use crate::types::{Stage, Types};

/// Fewest expressions that are worth taking.
const SMALLEST: usize = 4;
/// Primitives whose axes' sizes must fit one another.
const SIZED: [&str; 5] = ["concat", "cut", "stack", "take", "window"];
/// Most values that are handed over.
const MOST_PARAMS: usize = 4;

/// A closed expression.
pub(crate) struct Lifted {
    /// The unit whose value it is, under the name it would like.
    pub(crate) unit: Unit,
    /// The unit it was part of.
    pub(crate) from: String,
    /// The types of its parameters.
    pub(crate) params: Vec<(String, BTreeSet<String>)>,
    /// The axes of its value.
    pub(crate) axes: BTreeSet<String>,
    /// Axes that must keep their size, since something multiplies out with it.
    pub(crate) rigid: BTreeSet<String>,
}

/// The expressions of a unit, closed: each over the unit's own parameters, and over the values it reads.
pub(crate) fn lifted(unit: &Unit, genome: &Genome) -> Vec<Lifted> {
    let types = Types::of(unit, genome);
    let mut all = Vec::new();
    for place in places(unit).into_iter().filter(|place| !place.in_scan && is_worth(place.expr)) {
        let Some(axes) = value_axes(&types, place.expr) else { continue };
        let is_whole = unit.body.result.as_ref().is_some_and(|result| result.id == place.expr.id);
        if is_whole || !is_stable(unit, place.expr) || calls_shared(unit) {
            continue;
        }
        let at = statement_of(unit, &place);
        let own = unit.params.iter().map(|param| param.name.text.clone()).collect();
        let mut cuts = vec![cut(unit, &types, place.expr, at, &own)];
        let near = unit.body.stmts[..at].iter().filter_map(|stmt| match &stmt.kind {
            StmtKind::Let { name, value, .. } => value_axes(&types, value).map(|_| name.text.clone()),
            _ => None,
        });
        let near: BTreeSet<String> = own.iter().cloned().chain(near).collect();
        cuts.push(cut(unit, &types, place.expr, at, &near));
        let mut seen = BTreeSet::new();
        for cut in cuts.into_iter().flatten() {
            let fits = !cut.params.is_empty() && cut.params.len() <= MOST_PARAMS;
            if fits && seen.insert(cut.params.keys().cloned().collect::<Vec<_>>()) {
                all.push(close(unit, genome, &place, at, cut, axes.clone()));
            }
        }
    }
    all
}

/// Whether a unit shares instances of weights, which cannot be handed over with an expression.
fn calls_shared(unit: &Unit) -> bool {
    unit.body.stmts.iter().any(|stmt| matches!(stmt.kind, StmtKind::Share { .. }))
}

/// Whether an expression is more than a name and a projection of it.
fn is_worth(expr: &Expr) -> bool {
    let mut count = 0;
    tree::visit_expr(expr, &mut |_| count += 1);
    count >= SMALLEST && matches!(expr.kind, ExprKind::Call(_) | ExprKind::Binary(..) | ExprKind::Scan(_))
}

/// The axes of a value per position without a past.
pub(crate) fn value_axes(types: &Types, expr: &Expr) -> Option<BTreeSet<String>> {
    let ty = types.get(expr).filter(|ty| ty.stage == Stage::Seq)?;
    plain_axes(&ty.axes)?;
    (!types.has_past(expr)).then(|| ty.axes.clone())
}

/// The number of the statement that holds a place; behind the last for the body's value.
pub(crate) fn statement_of(unit: &Unit, place: &Place<'_>) -> usize {
    let holds = |stmt: &Stmt| {
        let mut found = false;
        tree::stmt_expr(stmt).into_iter().for_each(|e| tree::visit_expr(e, &mut |e| found |= e.id == place.expr.id));
        found
    };
    unit.body.stmts.iter().position(holds).unwrap_or(unit.body.stmts.len())
}

/// What an expression needs: values that are handed over, statements that come along.
struct Cut {
    params: BTreeMap<String, BTreeSet<String>>,
    stmts: Vec<Stmt>,
}

/// Goes up from an expression: names of `handed` become parameters, what binds the others comes along.
fn cut(unit: &Unit, types: &Types, expr: &Expr, at: usize, handed: &BTreeSet<String>) -> Option<Cut> {
    let mut open = tree::reads(expr);
    let mut cut = Cut { params: BTreeMap::new(), stmts: Vec::new() };
    for stmt in unit.body.stmts[..at].iter().rev() {
        match &stmt.kind {
            StmtKind::Let { name, value, .. } if open.remove(&name.text) => {
                if handed.contains(&name.text) {
                    cut.params.insert(name.text.clone(), types.get(value)?.axes.clone());
                } else if is_stable(unit, value) {
                    open.extend(tree::reads(value));
                    cut.stmts.push(bare(stmt));
                } else {
                    return None;
                }
            }
            // A tuple is no value that could be handed over, and is not taken apart here.
            StmtKind::LetTuple { names, .. } if names.iter().any(|name| open.contains(&name.text)) => return None,
            StmtKind::Param { name, .. } if open.remove(&name.text) => cut.stmts.push(bare(stmt)),
            _ => {}
        }
    }
    for param in unit.params.iter().filter(|param| open.contains(&param.name.text)) {
        if !param.ty.seq {
            return None;
        }
        cut.params.insert(param.name.text.clone(), crate::types::axis_set(&param.ty.axes));
    }
    cut.stmts.reverse();
    cut.params.values().all(|axes| plain_axes(axes).is_some()).then_some(cut)
}

fn bare(stmt: &Stmt) -> Stmt {
    Stmt { comments: Comments::default(), ..stmt.clone() }
}

fn close(unit: &Unit, genome: &Genome, place: &Place<'_>, at: usize, cut: Cut, axes: BTreeSet<String>) -> Lifted {
    let declared = unit.body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Axis { name, size } => {
            Some(Generic { name: name.clone(), kind: GenericKind::Axis(Some(size.clone())), span: stmt.span })
        }
        _ => None,
    });
    let ty = |axes: &BTreeSet<String>| TypeExpr {
        seq: true,
        axes: axes.iter().map(|axis| AxisRef::Named(tree::ident(axis))).collect(),
        span: Default::default(),
    };
    let params = cut.params.iter().map(|(name, axes)| Param { name: tree::ident(name), ty: ty(axes) });
    let body = Block {
        stmts: cut.stmts,
        result: Some(place.expr.clone()),
        result_comments: Comments::default(),
        trailing: Vec::new(),
        span: Default::default(),
    };
    let from = unit.name.text.clone();
    let unit = Unit {
        name: tree::ident(&wish(unit, place, at)),
        generics: unit.generics.iter().cloned().chain(declared).collect(),
        params: params.collect(),
        result: ty(&axes),
        further: Vec::new(),
        body,
    };
    let rigid = rigid(&unit, genome);
    Lifted { params: cut.params.into_iter().collect(), axes, rigid, from, unit }
}

/// A name: of the `let` whose whole value it is, else of its unit.
fn wish(unit: &Unit, place: &Place<'_>, at: usize) -> String {
    let bound = unit.body.stmts.get(at).and_then(|stmt| match &stmt.kind {
        StmtKind::Let { name, value, .. } if value.id == place.expr.id => Some(&name.text),
        _ => None,
    });
    let own = &unit.name.text;
    bound.map_or_else(|| format!("{own}Part"), |name| format!("{own}{}", camel_case(name)))
}

fn camel_case(name: &str) -> String {
    let upper = |part: &str| {
        let mut chars = part.chars();
        chars.next().map(|c| c.to_ascii_uppercase()).into_iter().chain(chars).collect::<String>()
    };
    name.split('_').map(upper).collect()
}

/// The axes and sizes that an operation ties together: those of regrouping, joining and counting, and
/// all that a call hands to a unit which does such a thing with what the call binds.
fn rigid(unit: &Unit, genome: &Genome) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    tree::visit(&unit.body, &mut |e| {
        let ties = match &e.kind {
            ExprKind::Regroup { .. } | ExprKind::Rename { .. } => true,
            ExprKind::Call(call) => {
                SIZED.contains(&call.head.text.as_str())
                    || genome.unit(&call.head.text).is_some_and(|callee| binds_defaults(call, callee, genome))
            }
            _ => false,
        };
        if ties {
            crate::prune::expr_names(e, &mut names);
        }
    });
    // A size that follows from another one is tied to it.
    for generic in unit.generics.iter().rev() {
        if let GenericKind::Axis(Some(size)) | GenericKind::Size(Some(size)) = &generic.kind
            && names.contains(generic.name.text.as_str())
        {
            tree::size_names(size, &mut names);
        }
    }
    names.into_iter().map(String::from).collect()
}

/// Whether a unit, or one it calls, ties sizes together, and the call may override a default that the
/// unit was checked with.
fn binds_defaults(call: &Call, unit: &Unit, genome: &Genome) -> bool {
    let mut bound = BTreeSet::new();
    unit.params.iter().for_each(|param| tree::axis_names(&param.ty.axes, &mut bound));
    let overridden = |generic: &Generic| {
        matches!(generic.kind, GenericKind::Axis(Some(_)) | GenericKind::Size(_))
            && bound.contains(generic.name.text.as_str())
    };
    let ties = |unit: &Unit| {
        let mut found = false;
        tree::visit(&unit.body, &mut |e| {
            found |= match &e.kind {
                ExprKind::Regroup { .. } | ExprKind::Rename { .. } => true,
                ExprKind::Call(call) => SIZED.contains(&call.head.text.as_str()),
                _ => false,
            }
        });
        found
    };
    let overrides = !call.statics.is_empty() || unit.generics.iter().any(overridden);
    overrides && genome.closure([unit.name.text.as_str()]).iter().filter_map(|name| genome.unit(name)).any(ties)
}
