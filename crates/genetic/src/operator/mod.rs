//! The operators: each looks at a parent and lists the changes it could make.
//!
//! An operator is a function from a [`Pool`] (the parent and the units at hand) to [`Candidate`]s.
//! Each file says what it changes and why the result is well typed; requirements at the scales and
//! equality with the parent are decided afterwards, for all operators alike.

mod activation;
mod attention;
mod bias;
pub(crate) mod call;
mod decay;
mod field;
mod gate;
mod gate_place;
mod gate_rank;
mod hybrid;
mod kernel;
mod literal;
mod norm;
mod qk_norm;
mod reach;
mod recurrence;
mod resize;
pub(crate) mod stack;
mod state;
mod stream_gate;
pub(crate) mod sublayer;
mod wrap;
mod write;

use genesys_syntax::ast::{AxisRef, Block, Expr, ExprKind, Ident, Slot, Stmt, StmtKind, Unit};

use crate::candidate::Candidate;
use crate::pool::Pool;
use crate::tree;

/// Lists an operator's candidates.
pub(crate) type Operator = fn(&Pool<'_>) -> Vec<Candidate>;

/// Every operator, in the order in which their candidates are drawn from.
pub(crate) const ALL: [Operator; 34] = [
    activation::swap_activation,
    attention::change_age_bias,
    attention::change_scale,
    attention::toggle_cap,
    attention::toggle_sink,
    bias::toggle_bias,
    call::replace_unit,
    decay::change_decay,
    field::replace_final,
    field::toggle_tie,
    gate::add_gate,
    gate::remove_gate,
    gate_place::move_gate,
    gate_rank::change_gate_rank,
    hybrid::add_block_variant,
    kernel::change_kernel,
    literal::scale_literal,
    norm::add_norm,
    norm::remove_norm,
    qk_norm::add_qk_norm,
    reach::change_reach,
    resize::resize,
    stack::change_stack,
    state::change_read,
    state::change_start,
    state::toggle_normalizer,
    stream_gate::toggle_stream_gate,
    sublayer::delete,
    sublayer::duplicate,
    sublayer::insert,
    sublayer::rearrange,
    wrap::wrap_argument,
    write::change_strength,
    write::toggle_delta,
];

/// Every candidate of every operator, grouped by operator.
pub(crate) fn candidates(pool: &Pool<'_>) -> Vec<Vec<Candidate>> {
    ALL.iter().map(|operator| operator(pool)).collect()
}

/// An expression of a body and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// The expression.
    pub(crate) expr: &'a Expr,
    /// What the expression is a part of.
    pub(crate) parent: Option<&'a Expr>,
    /// The label and the `each` around a call, which can stand around nothing but a call.
    around: Option<&'a Expr>,
    /// Whether it stands in the body of a scan.
    pub(crate) in_scan: bool,
}

impl Place<'_> {
    /// The expression to replace where this one is: its label and its `each` go with it.
    pub(crate) fn outer(&self) -> &Expr {
        self.around.unwrap_or(self.expr)
    }

    /// The axes of the `each` that the expression is the call of.
    pub(crate) fn each(&self) -> &[Ident] {
        match self.parent.map(|parent| &parent.kind) {
            Some(ExprKind::Each { axes, .. }) => axes,
            _ => &[],
        }
    }
}

/// Every expression of a unit outside the initial laws of its weights and states.
pub(crate) fn places(unit: &Unit) -> Vec<Place<'_>> {
    let mut all = Vec::new();
    places_of_block(&unit.body, false, &mut all);
    all
}

fn places_of_block<'a>(block: &'a Block, in_scan: bool, all: &mut Vec<Place<'a>>) {
    // Laws are no values, and what is shared is not called yet.
    let is_law = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Param { .. } | StmtKind::Share { .. });
    let values = block.stmts.iter().filter(|stmt| !is_law(stmt)).filter_map(tree::stmt_expr).chain(&block.result);
    values.for_each(|expr| places_of(Place { expr, parent: None, around: None, in_scan }, all));
}

fn places_of<'a>(place: Place<'a>, all: &mut Vec<Place<'a>>) {
    all.push(place);
    let (expr, in_scan) = (place.expr, place.in_scan);
    let part = |part| Place { expr: part, parent: Some(expr), around: None, in_scan };
    match &expr.kind {
        ExprKind::Labeled { call, .. } | ExprKind::Each { call, .. } => {
            places_of(Place { around: place.around.or(Some(expr)), ..part(call) }, all);
        }
        ExprKind::Scan(scan) => places_of_block(&scan.body, true, all),
        // The body stands for all rounds: what is put into it must do in each, as in a step.
        ExprKind::Repeat(repeat) => {
            repeat.states.iter().for_each(|state| places_of(part(&state.init), all));
            places_of_block(&repeat.body, true, all);
        }
        _ => tree::each_part(expr, &mut |e| places_of(part(e), all)),
    }
}

/// The axes of a plain `linear[from -> to](x)`, and `x`.
fn projection(expr: &Expr) -> Option<(&[Ident], &[Ident], &Expr)> {
    let ExprKind::Call(call) = &expr.kind else { return None };
    match (&call.slot, call.args.first()) {
        (Some(Slot::Map { from, to, per }), Some(arg)) if call.head.text == "linear" && per.is_empty() => {
            Some((from, to, tree::arg_expr(arg)))
        }
        _ => None,
    }
}

fn is_width(axes: &[Ident]) -> bool {
    matches!(axes, [axis] if axis.text == "D")
}

/// `norm[axis](value)`, without the axis where it is the width's only one.
fn normed(norm: &str, axis: Option<&str>, value: Expr) -> Expr {
    let slot = axis.map(|axis| Slot::Axes(vec![AxisRef::Named(tree::ident(axis))]));
    tree::call(norm, slot, vec![value])
}

/// Whether an expression calls a norm of the pool.
fn is_norm_call(pool: &Pool<'_>, expr: &Expr) -> bool {
    matches!(&tree::unlabeled(expr).kind, ExprKind::Call(call) if pool.is_own_norm(&call.head.text))
}
