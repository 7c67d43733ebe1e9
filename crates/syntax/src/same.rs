//! Equality of trees up to where they stand: spans and expression numbers do not count.
//!
//! Comments and the spelling of numbers do count.

use genesys_span::Span;

use crate::ast::{
    Arg, AxisRef, Block, Call, Design, Expr, ExprId, ExprKind, FieldValue, File, GenericKind, Ident, ItemKind, Scan,
    Size, SizeKind, Slot, StackItem, StackKind, State, StaticArg, StaticValue, StmtKind, Type, Unit, UnitRef,
};
use crate::walk::walk_exprs_mut;

/// Whether two files are one tree, wherever their text stood.
pub fn same(a: &File, b: &File) -> bool {
    let (mut a, mut b) = (a.clone(), b.clone());
    erase(&mut a);
    erase(&mut b);
    a == b
}

/// Numbers the expressions from 0 in text order, a parent before its parts.
pub fn renumber(file: &mut File) {
    let mut next = 0;
    walk_exprs_mut(file, &mut |expr| {
        expr.id = ExprId(next);
        next += 1;
    });
}

/// Sets every span and expression number to zero.
pub fn erase(file: &mut File) {
    for item in &mut file.items {
        item.span = Span::default();
        match &mut item.kind {
            ItemKind::Use(used) => {
                idents(&mut used.path);
                idents(&mut used.names);
            }
            ItemKind::Design(design) => erase_design(design),
            ItemKind::Unit(unit) => erase_unit(unit),
        }
    }
}

fn ident(name: &mut Ident) {
    name.span = Span::default();
}

fn idents(names: &mut [Ident]) {
    names.iter_mut().for_each(ident);
}

fn erase_design(design: &mut Design) {
    ident(&mut design.name);
    for field in &mut design.fields {
        field.span = Span::default();
        ident(&mut field.name);
        match &mut field.value {
            FieldValue::Stack(items) => items.iter_mut().for_each(stack_item),
            FieldValue::Unit(unit) => unit_ref(unit),
            FieldValue::Bool(_) => {}
        }
    }
}

fn stack_item(item: &mut StackItem) {
    item.span = Span::default();
    match &mut item.kind {
        StackKind::Unit(unit) => unit_ref(unit),
        StackKind::Group(items) => items.iter_mut().for_each(stack_item),
    }
}

fn unit_ref(unit: &mut UnitRef) {
    ident(&mut unit.name);
    unit.statics.iter_mut().for_each(static_arg);
}

fn static_arg(arg: &mut StaticArg) {
    arg.name.iter_mut().for_each(ident);
    match &mut arg.value {
        StaticValue::Size(value) => size(value),
        StaticValue::Unit(unit) => unit_ref(unit),
    }
}

fn size(value: &mut Size) {
    value.span = Span::default();
    match &mut value.kind {
        SizeKind::Int(_) => {}
        SizeKind::Name(name) => ident(name),
        SizeKind::Binary(_, a, b) | SizeKind::Call(_, a, b) => {
            size(a);
            size(b);
        }
    }
}

fn erase_unit(unit: &mut Unit) {
    ident(&mut unit.name);
    for generic in &mut unit.generics {
        generic.span = Span::default();
        ident(&mut generic.name);
        match &mut generic.kind {
            GenericKind::Axis(default) | GenericKind::Size(default) => default.iter_mut().for_each(size),
            GenericKind::Row => {}
            GenericKind::Unit { pointwise: _, signature, default } => {
                if let Some(signature) = signature {
                    signature.params.iter_mut().for_each(ty);
                    ty(&mut signature.result);
                }
                default.iter_mut().for_each(unit_ref);
            }
        }
    }
    for param in &mut unit.params {
        ident(&mut param.name);
        ty(&mut param.ty);
    }
    ty(&mut unit.result);
    for result in &mut unit.further {
        result.name.iter_mut().for_each(ident);
        ty(&mut result.ty);
    }
    block(&mut unit.body);
}

fn ty(value: &mut Type) {
    value.span = Span::default();
    axes(&mut value.axes);
}

fn axes(list: &mut [AxisRef]) {
    for axis in list {
        match axis {
            AxisRef::Named(name) | AxisRef::Row(name) => ident(name),
            AxisRef::Rest(span) => *span = Span::default(),
        }
    }
}

fn block(body: &mut Block) {
    body.span = Span::default();
    for stmt in &mut body.stmts {
        stmt.span = Span::default();
        match &mut stmt.kind {
            StmtKind::Let { name, ty: stated, value } => {
                ident(name);
                stated.iter_mut().for_each(ty);
                expr(value);
            }
            StmtKind::LetTuple { names, value } => {
                idents(names);
                expr(value);
            }
            StmtKind::Share { name, value } => {
                ident(name);
                expr(value);
            }
            StmtKind::Param { name, axes: list, init, role } => {
                ident(name);
                axes(list);
                expr(init);
                role.iter_mut().for_each(ident);
            }
            StmtKind::Axis { name, size: value } => {
                ident(name);
                size(value);
            }
            StmtKind::Require { left, compare: _, right } => {
                size(left);
                size(right);
            }
            StmtKind::Update { state, value } => {
                ident(state);
                expr(value);
            }
            StmtKind::Yield(value) | StmtKind::Loss(value) => expr(value),
        }
    }
    body.result.iter_mut().for_each(expr);
}

fn expr(value: &mut Expr) {
    value.id = ExprId::default();
    value.span = Span::default();
    match &mut value.kind {
        ExprKind::Number { .. } | ExprKind::Bool(_) => {}
        ExprKind::Name(name) => ident(name),
        ExprKind::Hole(name) => name.iter_mut().for_each(ident),
        ExprKind::Indexed { head, axis } => {
            ident(head);
            ident(axis);
        }
        ExprKind::Neg(value) => expr(value),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => {
            expr(a);
            expr(b);
        }
        ExprKind::Call(value) => call(value),
        ExprKind::Each { axes, call } => {
            idents(axes);
            expr(call);
        }
        ExprKind::Regroup { from, to, value } => {
            idents(from);
            idents(to);
            expr(value);
        }
        ExprKind::Rename { value, from, to } => {
            ident(from);
            ident(to);
            expr(value);
        }
        ExprKind::Labeled { label, call } => {
            ident(label);
            expr(call);
        }
        ExprKind::Tuple(values) => values.iter_mut().for_each(expr),
        ExprKind::Scan(value) => scan(value),
        ExprKind::Repeat(value) => {
            value.counter.iter_mut().for_each(ident);
            size(&mut value.count);
            states(&mut value.states);
            block(&mut value.body);
        }
    }
}

fn call(value: &mut Call) {
    ident(&mut value.head);
    value.statics.iter_mut().for_each(static_arg);
    match &mut value.slot {
        None => {}
        Some(Slot::Axes(list)) => axes(list),
        Some(Slot::Of { made, axis }) => {
            ident(made);
            ident(axis);
        }
        Some(Slot::Map { from, to, per }) => {
            idents(from);
            idents(to);
            idents(per);
        }
    }
    for arg in &mut value.args {
        match arg {
            Arg::Value(value) => expr(value),
            Arg::Named(name, value) => {
                ident(name);
                expr(value);
            }
        }
    }
}

fn scan(value: &mut Scan) {
    value.every.iter_mut().for_each(size);
    value.class.iter_mut().for_each(ident);
    states(&mut value.states);
    block(&mut value.body);
}

fn states(list: &mut [State]) {
    for state in list {
        ident(&mut state.name);
        axes(&mut state.axes);
        expr(&mut state.init);
    }
}
