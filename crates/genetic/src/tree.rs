//! Walks over syntax trees, and the small trees that operators build.
//!
//! Built nodes carry empty spans: an offspring is printed and read again before anything looks at
//! a span. Depth is bounded by the nesting that the parser admits.

use std::collections::BTreeSet;

use genesys_span::Span;
use genesys_syntax::ast::{
    Arg, AxisRef, Block, Call, Expr, ExprId, ExprKind, GenericKind, Ident, Size, SizeKind, Slot, StaticArg,
    StaticValue, Stmt, StmtKind, Unit,
};

/// A name without a place.
pub(crate) fn ident(text: &str) -> Ident {
    Ident { text: text.into(), span: Span::default() }
}

/// An expression without a place.
pub(crate) fn expr(kind: ExprKind) -> Expr {
    Expr { id: ExprId::default(), kind, span: Span::default() }
}

/// A value by name.
pub(crate) fn name(text: &str) -> Expr {
    expr(ExprKind::Name(ident(text)))
}

/// `head[slot](args..)`
pub(crate) fn call(head: &str, slot: Option<Slot>, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(Arg::Value).collect();
    expr(ExprKind::Call(Call { head: ident(head), statics: Vec::new(), slot, args }))
}

/// `let name = value`
pub(crate) fn let_stmt(name: &str, value: Expr) -> Stmt {
    let kind = StmtKind::Let { name: ident(name), ty: None, value };
    Stmt { kind, comments: Default::default(), span: Span::default() }
}

/// The names that a `let` or `share` binds.
pub(crate) fn bound_values(stmt: &Stmt) -> &[Ident] {
    match &stmt.kind {
        StmtKind::Let { name, .. } | StmtKind::Share { name, .. } => std::slice::from_ref(name),
        StmtKind::LetTuple { names, .. } => names,
        StmtKind::Param { .. }
        | StmtKind::Axis { .. }
        | StmtKind::Require { .. }
        | StmtKind::Update { .. }
        | StmtKind::Yield(_)
        | StmtKind::Loss(_) => &[],
    }
}

/// Whether a `let` or `share` binds that name.
pub(crate) fn binds(stmt: &Stmt, name: &str) -> bool {
    bound_values(stmt).iter().any(|bound| bound.text == name)
}

/// The expression a statement holds.
pub(crate) fn stmt_expr(stmt: &Stmt) -> Option<&Expr> {
    match &stmt.kind {
        StmtKind::Let { value, .. }
        | StmtKind::LetTuple { value, .. }
        | StmtKind::Share { value, .. }
        | StmtKind::Update { value, .. }
        | StmtKind::Yield(value)
        | StmtKind::Loss(value) => Some(value),
        StmtKind::Param { init, .. } => Some(init),
        StmtKind::Axis { .. } | StmtKind::Require { .. } => None,
    }
}

/// The expression a statement holds, to be changed.
pub(crate) fn stmt_expr_mut(stmt: &mut Stmt) -> Option<&mut Expr> {
    match &mut stmt.kind {
        StmtKind::Let { value, .. }
        | StmtKind::LetTuple { value, .. }
        | StmtKind::Share { value, .. }
        | StmtKind::Update { value, .. }
        | StmtKind::Yield(value)
        | StmtKind::Loss(value) => Some(value),
        StmtKind::Param { init, .. } => Some(init),
        StmtKind::Axis { .. } | StmtKind::Require { .. } => None,
    }
}

/// The expressions directly in a block: of its statements, then its value.
pub(crate) fn block_exprs(block: &Block) -> impl Iterator<Item = &Expr> {
    block.stmts.iter().filter_map(stmt_expr).chain(&block.result)
}

/// The expressions directly in a block, to be changed.
pub(crate) fn block_exprs_mut(block: &mut Block) -> impl Iterator<Item = &mut Expr> {
    block.stmts.iter_mut().filter_map(stmt_expr_mut).chain(&mut block.result)
}

/// The parts of an expression, left to right; a scan's or a loop's are its initial values, then its body's.
pub(crate) fn each_part<'a>(expr: &'a Expr, see: &mut dyn FnMut(&'a Expr)) {
    match &expr.kind {
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Hole(_)
        | ExprKind::Indexed { .. } => {}
        ExprKind::Neg(e) | ExprKind::Regroup { value: e, .. } | ExprKind::Rename { value: e, .. } => see(e),
        ExprKind::Each { call: e, .. } | ExprKind::Labeled { call: e, .. } => see(e),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => [a, b].into_iter().for_each(|e| see(e)),
        ExprKind::Call(call) => call.args.iter().map(arg_expr).for_each(see),
        ExprKind::Tuple(values) => values.iter().for_each(see),
        ExprKind::Scan(scan) => scan.states.iter().map(|s| &s.init).chain(block_exprs(&scan.body)).for_each(see),
        ExprKind::Repeat(repeat) => {
            repeat.states.iter().map(|s| &s.init).chain(block_exprs(&repeat.body)).for_each(see);
        }
    }
}

/// The parts of an expression, to be changed.
pub(crate) fn each_part_mut<'a>(expr: &'a mut Expr, see: &mut dyn FnMut(&'a mut Expr)) {
    match &mut expr.kind {
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Hole(_)
        | ExprKind::Indexed { .. } => {}
        ExprKind::Neg(e) | ExprKind::Regroup { value: e, .. } | ExprKind::Rename { value: e, .. } => see(e),
        ExprKind::Each { call: e, .. } | ExprKind::Labeled { call: e, .. } => see(e),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => [a, b].into_iter().for_each(|e| see(e)),
        ExprKind::Call(call) => call.args.iter_mut().map(arg_expr_mut).for_each(see),
        ExprKind::Tuple(values) => values.iter_mut().for_each(see),
        ExprKind::Scan(scan) => {
            let inits = scan.states.iter_mut().map(|state| &mut state.init);
            inits.chain(block_exprs_mut(&mut scan.body)).for_each(see);
        }
        ExprKind::Repeat(repeat) => {
            let inits = repeat.states.iter_mut().map(|state| &mut state.init);
            inits.chain(block_exprs_mut(&mut repeat.body)).for_each(see);
        }
    }
}

/// An argument's value.
pub(crate) fn arg_expr(arg: &Arg) -> &Expr {
    match arg {
        Arg::Value(e) | Arg::Named(_, e) => e,
    }
}

fn arg_expr_mut(arg: &mut Arg) -> &mut Expr {
    match arg {
        Arg::Value(e) | Arg::Named(_, e) => e,
    }
}

/// Every expression of a block, parents before parts.
pub(crate) fn visit<'a>(block: &'a Block, see: &mut dyn FnMut(&'a Expr)) {
    block_exprs(block).for_each(|e| visit_expr(e, see));
}

/// Every expression within one, itself first.
pub(crate) fn visit_expr<'a>(expr: &'a Expr, see: &mut dyn FnMut(&'a Expr)) {
    see(expr);
    each_part(expr, &mut |e| visit_expr(e, see));
}

/// Every expression of a block, parts before parents, to be changed.
pub(crate) fn visit_mut(block: &mut Block, see: &mut dyn FnMut(&mut Expr)) {
    block_exprs_mut(block).for_each(|e| visit_expr_mut(e, see));
}

/// Every expression within one, itself last, to be changed.
pub(crate) fn visit_expr_mut(expr: &mut Expr, see: &mut dyn FnMut(&mut Expr)) {
    each_part_mut(expr, &mut |e| visit_expr_mut(e, see));
    see(expr);
}

/// Changes the one expression of that number. A label or an `each` that stood around a call goes
/// where the call does: it can stand around nothing else.
pub(crate) fn edit(unit: &mut Unit, id: ExprId, change: &mut dyn FnMut(&mut Expr)) {
    visit_mut(&mut unit.body, &mut |e| {
        if e.id == id {
            change(e);
        } else if let ExprKind::Labeled { call, .. } | ExprKind::Each { call, .. } = &e.kind
            && !matches!(call.kind, ExprKind::Call(_) | ExprKind::Each { .. })
        {
            replace_with(e, |e| match e.kind {
                ExprKind::Labeled { call, .. } | ExprKind::Each { call, .. } => *call,
                _ => e,
            });
        }
    });
}

/// Replaces an expression by what `make` makes of it.
pub(crate) fn replace_with(expr: &mut Expr, make: impl FnOnce(Expr) -> Expr) {
    let hole = Expr { id: expr.id, kind: ExprKind::Bool(false), span: expr.span };
    let old = std::mem::replace(expr, hole);
    *expr = make(old);
}

/// The expression below a label.
pub(crate) fn unlabeled(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Labeled { call, .. } => call,
        _ => expr,
    }
}

/// The names of values and sizes that an expression reads, those bound inside its scans included.
pub(crate) fn reads(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    visit_expr(expr, &mut |e| {
        if let ExprKind::Name(name) = &e.kind {
            names.insert(name.text.clone());
        }
    });
    names
}

/// Every size expression of a unit outside its requirements, with the name of what has the size:
/// defaults, then the body's axes, then static arguments.
pub(crate) fn sizes_mut(unit: &mut Unit, see: &mut dyn FnMut(&str, &mut Size)) {
    for generic in &mut unit.generics {
        match &mut generic.kind {
            GenericKind::Axis(Some(size)) | GenericKind::Size(Some(size)) => see(&generic.name.text, size),
            GenericKind::Axis(None) | GenericKind::Size(None) | GenericKind::Row | GenericKind::Unit { .. } => {}
        }
    }
    for stmt in &mut unit.body.stmts {
        if let StmtKind::Axis { name, size } = &mut stmt.kind {
            see(&name.text, size);
        }
    }
    visit_mut(&mut unit.body, &mut |e| {
        if let ExprKind::Call(Call { head, statics, .. }) = &mut e.kind {
            for arg in statics {
                let name = arg.name.as_ref().map_or(head.text.as_str(), |name| &name.text);
                if let StaticValue::Size(size) = &mut arg.value {
                    see(name, size);
                }
            }
        }
    });
}

/// The names of units that a unit hands to others as static arguments, or takes as defaults: those of
/// its own static parameters and axes are none.
pub(crate) fn static_units<'a>(unit: &'a Unit, see: &mut dyn FnMut(&'a Ident)) {
    let mut see = |name: &'a Ident| {
        if !is_own_static(unit, &name.text) {
            see(name);
        }
    };
    for generic in &unit.generics {
        if let GenericKind::Unit { default: Some(default), .. } = &generic.kind {
            see(&default.name);
            names_of_statics(&default.statics, &mut see);
        }
    }
    visit(&unit.body, &mut |e| {
        if let ExprKind::Call(call) = &e.kind {
            names_of_statics(&call.statics, &mut see);
        }
    });
}

/// Whether a name is that of a static parameter or of an axis of the unit's own.
fn is_own_static(unit: &Unit, text: &str) -> bool {
    let axes = unit.body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Axis { name, .. } => Some(name),
        _ => None,
    });
    unit.generics.iter().map(|generic| &generic.name).chain(axes).any(|name| name.text == text)
}

/// The names of [`static_units`], to be changed.
pub(crate) fn static_units_mut(unit: &mut Unit, see: &mut dyn FnMut(&mut Ident)) {
    let own: BTreeSet<String> = own_statics(unit);
    let mut see = |name: &mut Ident| {
        if !own.contains(&name.text) {
            see(name);
        }
    };
    for generic in &mut unit.generics {
        if let GenericKind::Unit { default: Some(default), .. } = &mut generic.kind {
            see(&mut default.name);
            names_of_statics_mut(&mut default.statics, &mut see);
        }
    }
    visit_mut(&mut unit.body, &mut |e| {
        if let ExprKind::Call(call) = &mut e.kind {
            names_of_statics_mut(&mut call.statics, &mut see);
        }
    });
}

fn own_statics(unit: &Unit) -> BTreeSet<String> {
    let axes = unit.body.stmts.iter().filter_map(|stmt| match &stmt.kind {
        StmtKind::Axis { name, .. } => Some(name.text.clone()),
        _ => None,
    });
    unit.generics.iter().map(|generic| generic.name.text.clone()).chain(axes).collect()
}

/// The names that static arguments consist of, also within those of units among them.
fn names_of_statics<'a>(statics: &'a [StaticArg], see: &mut dyn FnMut(&'a Ident)) {
    for arg in statics {
        match &arg.value {
            StaticValue::Size(Size { kind: SizeKind::Name(name), .. }) => see(name),
            StaticValue::Size(_) => {}
            StaticValue::Unit(unit) => {
                see(&unit.name);
                names_of_statics(&unit.statics, see);
            }
        }
    }
}

/// The same, to be changed.
pub(crate) fn names_of_statics_mut(statics: &mut [StaticArg], see: &mut dyn FnMut(&mut Ident)) {
    for arg in statics {
        match &mut arg.value {
            StaticValue::Size(Size { kind: SizeKind::Name(name), .. }) => see(name),
            StaticValue::Size(_) => {}
            StaticValue::Unit(unit) => {
                see(&mut unit.name);
                names_of_statics_mut(&mut unit.statics, see);
            }
        }
    }
}

/// The names in a static argument.
pub(crate) fn static_names<'a>(value: &'a StaticValue, names: &mut BTreeSet<&'a str>) {
    match value {
        StaticValue::Size(size) => size_names(size, names),
        StaticValue::Unit(unit) => {
            names.insert(&unit.name.text);
            unit.statics.iter().for_each(|arg| static_names(&arg.value, names));
        }
    }
}

/// The names in a size expression.
pub(crate) fn size_names<'a>(size: &'a Size, names: &mut BTreeSet<&'a str>) {
    match &size.kind {
        SizeKind::Int(_) => {}
        SizeKind::Name(name) => {
            names.insert(&name.text);
        }
        SizeKind::Binary(_, a, b) | SizeKind::Call(_, a, b) => {
            size_names(a, names);
            size_names(b, names);
        }
    }
}

/// The names among axes as written.
pub(crate) fn axis_names<'a>(axes: &'a [AxisRef], names: &mut BTreeSet<&'a str>) {
    for axis in axes {
        match axis {
            AxisRef::Named(name) | AxisRef::Row(name) => {
                names.insert(&name.text);
            }
            AxisRef::Rest(_) => {}
        }
    }
}
