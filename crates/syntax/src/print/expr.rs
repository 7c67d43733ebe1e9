//! Values, sizes, axes and types as documents.

use super::block;
use super::doc::Doc;
use crate::ast::{
    Arg, AxisRef, BinaryOp, Call, CompareOp, Expr, ExprKind, Ident, Loop, Scan, Size, SizeFn, SizeKind, SizeOp, Slot,
    State, StaticArg, StaticValue, Type,
};

/// How tightly the forms bind; a part that binds less than its place asks for gets parentheses.
const COMPARE: u8 = 1;
const ADD: u8 = 2;
const MUL: u8 = 3;
const NEG: u8 = 4;
const POW: u8 = 5;
const POSTFIX: u8 = 6;

/// What the place of a value forbids.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    /// The first character may not be a minus: the value begins a line after a statement.
    pub(super) no_minus: bool,
    /// A scan or a loop needs parentheses: the place is an initial value.
    pub(super) no_scan: bool,
}

impl Place {
    /// The place of a part that is not leftmost.
    fn inner(self) -> Place {
        Place { no_minus: false, ..self }
    }
}

/// The value as it stands where `place` says.
pub(super) fn expr(value: &Expr, place: Place) -> Doc {
    part(value, 0, place)
}

fn part(value: &Expr, least: u8, place: Place) -> Doc {
    let bare = match &value.kind {
        ExprKind::Neg(_) => !place.no_minus && strength(value) >= least,
        ExprKind::Scan(_) | ExprKind::Repeat(_) => !place.no_scan,
        _ => strength(value) >= least,
    };
    let inner = form(value, if bare { place } else { Place::default() });
    match &value.kind {
        _ if bare => inner,
        // These never break, so that a comment beside a body's value stays beside the value.
        ExprKind::Neg(_) if place.no_minus => Doc::Concat(vec![Doc::text("("), inner, Doc::text(")")]),
        _ => parens(inner),
    }
}

fn parens(doc: Doc) -> Doc {
    let inner = Doc::Indent(vec![Doc::Line { flat: "" }, doc]);
    Doc::group(vec![Doc::text("("), inner, Doc::Line { flat: "" }, Doc::text(")")])
}

fn strength(value: &Expr) -> u8 {
    match &value.kind {
        ExprKind::Compare(..) => COMPARE,
        ExprKind::Binary(op, ..) => binary(*op).1,
        ExprKind::Neg(_) => NEG,
        ExprKind::Rename { .. } => POSTFIX,
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Indexed { .. }
        | ExprKind::Call(_)
        | ExprKind::Each { .. }
        | ExprKind::Regroup { .. }
        | ExprKind::Labeled { .. }
        | ExprKind::Tuple(_)
        | ExprKind::Hole(_)
        | ExprKind::Scan(_)
        | ExprKind::Repeat(_) => POSTFIX + 1,
    }
}

fn form(value: &Expr, place: Place) -> Doc {
    match &value.kind {
        ExprKind::Number { text, .. } => Doc::text(text),
        ExprKind::Bool(value) => Doc::text(value.to_string()),
        ExprKind::Name(name) => Doc::text(&name.text),
        ExprKind::Hole(name) => Doc::text(format!("?{}", name.as_ref().map_or("", |name| &name.text))),
        ExprKind::Indexed { head, axis } => Doc::text(format!("{}[{}]", head.text, axis.text)),
        ExprKind::Neg(value) => Doc::Concat(vec![Doc::text("-"), part(value, NEG, place.inner())]),
        ExprKind::Binary(BinaryOp::Pow, a, b) => power(a, b, place),
        ExprKind::Binary(op, ..) => chain(value, binary(*op).1, place),
        ExprKind::Compare(op, a, b) => Doc::group(vec![
            part(a, ADD, place),
            Doc::Indent(vec![
                Doc::Line { flat: " " },
                Doc::text(format!("{} ", compare(*op))),
                part(b, ADD, place.inner()),
            ]),
        ]),
        ExprKind::Call(value) => call(value),
        ExprKind::Each { axes, call } => {
            Doc::Concat(vec![Doc::text(format!("each[{}] ", names(axes))), part(call, 0, place.inner())])
        }
        ExprKind::Regroup { from, to, value } => {
            let slot = Doc::text(format!("[{} -> {}]", names(from), names(to)));
            Doc::Concat(vec![slot, Doc::list("(", vec![part(value, 0, Place::default())], ")")])
        }
        ExprKind::Rename { value, from, to } => {
            Doc::Concat(vec![part(value, POSTFIX, place), Doc::text(format!(" as [{} -> {}]", from.text, to.text))])
        }
        ExprKind::Labeled { label, call } => {
            Doc::Concat(vec![Doc::text(format!("{}: ", label.text)), part(call, 0, Place::default())])
        }
        ExprKind::Tuple(values) => {
            Doc::list("(", values.iter().map(|value| part(value, 0, Place::default())).collect(), ")")
        }
        ExprKind::Scan(value) => scan(value),
        ExprKind::Repeat(value) => repeat(value),
    }
}

/// `a ^ b`: a sign may stand in the exponent, not in the base.
fn power(a: &Expr, b: &Expr, place: Place) -> Doc {
    let least = if matches!(b.kind, ExprKind::Neg(_)) { NEG } else { POW };
    Doc::Concat(vec![part(a, POSTFIX, place), Doc::text(" ^ "), part(b, least, place.inner())])
}

/// Operators of one strength as one group, broken before each operator.
fn chain(value: &Expr, least: u8, place: Place) -> Doc {
    let mut tail = Vec::new();
    let mut first = value;
    while let ExprKind::Binary(op, a, b) = &first.kind {
        let (text, strength) = binary(*op);
        if strength != least {
            break;
        }
        tail.push((text, b));
        first = a;
    }
    let mut rest = Vec::new();
    for (text, operand) in tail.into_iter().rev() {
        rest.extend([Doc::Line { flat: " " }, Doc::text(format!("{text} ")), part(operand, least + 1, place.inner())]);
    }
    Doc::group(vec![part(first, least, place), Doc::Indent(rest)])
}

/// What is shared: a call that has no parentheses where it has no options.
pub(super) fn shared(value: &Expr) -> Doc {
    match &value.kind {
        ExprKind::Call(value) if value.args.is_empty() => Doc::text(head(value)),
        _ => expr(value, Place::default()),
    }
}

fn head(value: &Call) -> String {
    let mut head = value.head.text.clone();
    head.push_str(&statics(&value.statics));
    if let Some(value) = &value.slot {
        head.push_str(&slot(value));
    }
    head
}

fn call(value: &Call) -> Doc {
    let args = value.args.iter().map(|arg| match arg {
        Arg::Value(value) => part(value, 0, Place::default()),
        Arg::Named(name, value) => {
            Doc::Concat(vec![Doc::text(format!("{} = ", name.text)), part(value, 0, Place::default())])
        }
    });
    Doc::Concat(vec![Doc::text(head(value)), Doc::list("(", args.collect(), ")")])
}

fn scan(value: &Scan) -> Doc {
    let mut parts = vec![Doc::text("scan ")];
    states(&value.states, &mut parts);
    if let Some(every) = &value.every {
        parts.push(Doc::text(format!(" every {}", size(every))));
    }
    if let Some(class) = &value.class {
        parts.push(Doc::text(format!(" : {}", class.text)));
    }
    parts.push(Doc::text(" "));
    parts.push(block(&value.body));
    Doc::Concat(parts)
}

fn repeat(value: &Loop) -> Doc {
    let counter = value.counter.as_ref().map_or_else(String::new, |name| format!("{} < ", name.text));
    let mut parts = vec![Doc::text(format!("repeat {counter}{} ", size(&value.count)))];
    states(&value.states, &mut parts);
    parts.push(Doc::text(" "));
    parts.push(block(&value.body));
    Doc::Concat(parts)
}

fn states(list: &[State], parts: &mut Vec<Doc>) {
    for (i, state) in list.iter().enumerate() {
        let comma = if i > 0 { ", " } else { "" };
        parts.push(Doc::text(format!("{comma}{}: [{}] = ", state.name.text, axes(&state.axes))));
        parts.push(expr(&state.init, Place { no_minus: false, no_scan: true }));
        parts.extend(state.reset.then(|| Doc::text(" reset")));
    }
}

fn slot(value: &Slot) -> String {
    match value {
        Slot::Axes(list) => format!("[{}]", axes(list)),
        Slot::Of { made, axis } => format!("[{} of {}]", made.text, axis.text),
        Slot::Map { from, to, per } => {
            let per = if per.is_empty() { String::new() } else { format!("; per {}", names(per)) };
            let arrow = [names(from), "->".to_owned(), names(to)];
            let arrow: Vec<&str> = arrow.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
            format!("[{}{per}]", arrow.join(" "))
        }
    }
}

/// `<H = 8, E>`, or nothing.
pub(super) fn statics(args: &[StaticArg]) -> String {
    let texts: Vec<String> = args
        .iter()
        .map(|arg| match &arg.name {
            Some(name) => format!("{} = {}", name.text, static_value(&arg.value)),
            None => static_value(&arg.value),
        })
        .collect();
    if texts.is_empty() { String::new() } else { format!("<{}>", texts.join(", ")) }
}

fn static_value(value: &StaticValue) -> String {
    match value {
        StaticValue::Size(value) => size(value),
        StaticValue::Unit(unit) => format!("{}{}", unit.name.text, statics(&unit.statics)),
    }
}

/// `Seq[H, E]`
pub(super) fn ty(value: &Type) -> String {
    format!("{}[{}]", if value.seq { "Seq" } else { "" }, axes(&value.axes))
}

/// `H, A.., ..`
pub(super) fn axes(list: &[AxisRef]) -> String {
    let texts: Vec<String> = list
        .iter()
        .map(|axis| match axis {
            AxisRef::Named(name) => name.text.clone(),
            AxisRef::Row(name) => format!("{}..", name.text),
            AxisRef::Rest(_) => "..".to_owned(),
        })
        .collect();
    texts.join(", ")
}

/// `A, B`
pub(super) fn names(list: &[Ident]) -> String {
    list.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(", ")
}

/// A size on one line.
pub(super) fn size(value: &Size) -> String {
    match &value.kind {
        SizeKind::Int(number) => number.to_string(),
        SizeKind::Name(name) => name.text.clone(),
        SizeKind::Binary(op, a, b) => {
            let (text, strength) = size_op(*op);
            format!("{} {text} {}", size_part(a, strength), size_part(b, strength + 1))
        }
        SizeKind::Call(function, a, b) => {
            let name = match function {
                SizeFn::CeilTo => "ceil_to",
                SizeFn::Min => "min",
                SizeFn::Max => "max",
            };
            format!("{name}({}, {})", size(a), size(b))
        }
    }
}

fn size_part(value: &Size, least: u8) -> String {
    let strength = match &value.kind {
        SizeKind::Binary(op, ..) => size_op(*op).1,
        SizeKind::Int(_) | SizeKind::Name(_) | SizeKind::Call(..) => POSTFIX,
    };
    if strength < least { format!("({})", size(value)) } else { size(value) }
}

fn size_op(op: SizeOp) -> (&'static str, u8) {
    match op {
        SizeOp::Add => ("+", ADD),
        SizeOp::Sub => ("-", ADD),
        SizeOp::Mul => ("*", MUL),
        SizeOp::Div => ("/", MUL),
        SizeOp::Rem => ("%", MUL),
    }
}

fn binary(op: BinaryOp) -> (&'static str, u8) {
    match op {
        BinaryOp::Add => ("+", ADD),
        BinaryOp::Sub => ("-", ADD),
        BinaryOp::Mul => ("*", MUL),
        BinaryOp::Div => ("/", MUL),
        BinaryOp::Rem => ("%", MUL),
        BinaryOp::Pow => ("^", POW),
    }
}

/// The relation as written.
pub(super) fn compare(op: CompareOp) -> &'static str {
    match op {
        CompareOp::Lt => "<",
        CompareOp::Le => "<=",
        CompareOp::Gt => ">",
        CompareOp::Ge => ">=",
        CompareOp::Eq => "==",
        CompareOp::Ne => "!=",
    }
}
