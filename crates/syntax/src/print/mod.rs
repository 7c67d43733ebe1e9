//! The canonical printer: one text for one tree.
//!
//! Four spaces a level, one statement a line, one blank line between items (none between uses), no
//! parentheses but those that are needed. A line that would pass 100 columns is broken at its
//! outermost list, one entry a line with a trailing comma, or before the operators of its outermost
//! chain; sizes and axes are never broken. Comments stand above or beside their node, after two
//! blanks; nothing else of the original layout counts. Printing the parsed print gives the print.

mod doc;
mod expr;

use doc::{Doc, set};
use expr::{Place, axes, compare, names, size, statics, ty};

use crate::ast::{
    Block, Comments, Design, Expr, Field, FieldValue, File, Generic, GenericKind, Item, ItemKind, Repeat, Size,
    StackItem, StackKind, Stmt, StmtKind, Type, Unit, UnitRef, Use,
};

/// The file's canonical text; it ends in a newline unless it is empty.
pub fn print(file: &File) -> String {
    let mut out = String::new();
    push_marked(&mut out, "//!", &file.docs);
    let mut previous: Option<&Item> = None;
    for item in &file.items {
        if !out.is_empty() && !previous.is_some_and(|before| are_adjoining_uses(before, item)) {
            out.push('\n');
        }
        push_marked(&mut out, "//", &item.comments.above);
        push_marked(&mut out, "///", &item.docs);
        out.push_str(&set(&item_doc(item)));
        out.push('\n');
        previous = Some(item);
    }
    if !file.trailing.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        push_marked(&mut out, "//", &file.trailing);
    }
    out
}

/// A unit's canonical text, without a trailing newline.
pub fn print_unit(unit: &Unit) -> String {
    set(&unit_doc(unit))
}

/// A value's canonical text, as in an argument.
pub fn print_expr(value: &Expr) -> String {
    set(&expr::expr(value, Place::default()))
}

/// A size's canonical text.
pub fn print_size(value: &Size) -> String {
    size(value)
}

/// A type's canonical text.
pub fn print_type(value: &Type) -> String {
    ty(value)
}

fn are_adjoining_uses(before: &Item, item: &Item) -> bool {
    let is_use = |item: &Item| matches!(item.kind, ItemKind::Use(_));
    is_use(before) && is_use(item) && item.docs.is_empty() && item.comments.above.is_empty()
}

fn push_marked(out: &mut String, marker: &str, texts: &[String]) {
    for line in texts.iter().flat_map(|text| lines(text)) {
        out.push_str(&marked(marker, line));
        out.push('\n');
    }
}

/// The lines of a comment; an empty one has one.
fn lines(text: &str) -> Vec<&str> {
    if text.is_empty() { vec![""] } else { text.lines().collect() }
}

fn marked(marker: &str, line: &str) -> String {
    let line = line.trim_end();
    if line.is_empty() { marker.to_owned() } else { format!("{marker} {line}") }
}

fn beside(comments: &Comments) -> Doc {
    match &comments.beside {
        None => Doc::text(""),
        Some(text) => Doc::text(format!("  {}", marked("//", &text.replace('\n', " ")))),
    }
}

/// Adds a new line and the node, its comments above and beside it.
fn push_line(lines_out: &mut Vec<Doc>, comments: &Comments, node: Doc) {
    push_comments(lines_out, &comments.above);
    lines_out.extend([Doc::Hard, node, beside(comments)]);
}

fn push_comments(lines_out: &mut Vec<Doc>, texts: &[String]) {
    for line in texts.iter().flat_map(|text| lines(text)) {
        lines_out.extend([Doc::Hard, Doc::text(marked("//", line))]);
    }
}

fn item_doc(item: &Item) -> Doc {
    let node = match &item.kind {
        ItemKind::Use(used) => use_doc(used),
        ItemKind::Design(design) => design_doc(design),
        ItemKind::Unit(unit) => unit_doc(unit),
    };
    Doc::Concat(vec![node, beside(&item.comments)])
}

fn use_doc(used: &Use) -> Doc {
    let path: String = used.path.iter().map(|part| format!("{}::", part.text)).collect();
    let head = Doc::text(format!("use {path}"));
    let names = match used.names.as_slice() {
        [one] => Doc::text(&one.text),
        several => Doc::list("{", several.iter().map(|name| Doc::text(&name.text)).collect(), "}"),
    };
    Doc::Concat(vec![head, names])
}

fn design_doc(design: &Design) -> Doc {
    let mut inner = Vec::new();
    for field in &design.fields {
        push_line(&mut inner, &field.comments, field_doc(field));
    }
    push_comments(&mut inner, &design.trailing);
    Doc::Concat(vec![Doc::text(format!("design {} ", design.name.text)), braces(inner)])
}

fn braces(inner: Vec<Doc>) -> Doc {
    if inner.is_empty() {
        return Doc::text("{}");
    }
    Doc::Concat(vec![Doc::text("{"), Doc::Indent(inner), Doc::Hard, Doc::text("}")])
}

fn field_doc(field: &Field) -> Doc {
    let value = match &field.value {
        FieldValue::Stack(items) => stack_doc(items),
        FieldValue::Unit(unit) => Doc::text(unit_ref(unit)),
        FieldValue::Bool(value) => Doc::text(value.to_string()),
    };
    Doc::Concat(vec![Doc::text(format!("{} = ", field.name.text)), value])
}

fn stack_doc(items: &[StackItem]) -> Doc {
    Doc::list("[", items.iter().map(stack_item).collect(), "]")
}

fn stack_item(item: &StackItem) -> Doc {
    let what = match &item.kind {
        StackKind::Unit(unit) => Doc::text(unit_ref(unit)),
        StackKind::Group(items) => stack_doc(items),
    };
    let times = match item.repeat {
        Repeat::Once => String::new(),
        Repeat::Times(count) => format!("*{count}"),
        Repeat::ToDepth => "*".to_owned(),
    };
    let share = if item.share { "share " } else { "" };
    Doc::Concat(vec![Doc::text(share), what, Doc::text(times)])
}

fn unit_ref(unit: &UnitRef) -> String {
    format!("{}{}", unit.name.text, statics(&unit.statics))
}

fn unit_doc(unit: &Unit) -> Doc {
    let generics: Vec<String> = unit.generics.iter().map(generic).collect();
    let generics = if generics.is_empty() { String::new() } else { format!("<{}>", generics.join(", ")) };
    let params = unit.params.iter().map(|param| Doc::text(format!("{}: {}", param.name.text, ty(&param.ty))));
    Doc::Concat(vec![
        Doc::text(format!("unit {}{generics}", unit.name.text)),
        Doc::list("(", params.collect(), ")"),
        Doc::text(" -> "),
        results(unit),
        if unit.is_open() { Doc::text(";") } else { Doc::Concat(vec![Doc::text(" "), block(&unit.body)]) },
    ])
}

/// `Seq[D]`, or `(Seq[D], v1: Seq[H, E])`
fn results(unit: &Unit) -> Doc {
    let main = Doc::text(ty(&unit.result));
    if unit.further.is_empty() {
        return main;
    }
    let further = unit.further.iter().map(|result| {
        let name = result.name.as_ref().map_or_else(String::new, |name| format!("{}: ", name.text));
        Doc::text(format!("{name}{}", ty(&result.ty)))
    });
    Doc::list("(", [main].into_iter().chain(further).collect(), ")")
}

fn generic(generic: &Generic) -> String {
    let name = &generic.name.text;
    match &generic.kind {
        GenericKind::Axis(None) => name.clone(),
        GenericKind::Axis(Some(default)) => format!("{name} = {}", size(default)),
        GenericKind::Size(None) => format!("{name}: size"),
        GenericKind::Size(Some(default)) => format!("{name}: size = {}", size(default)),
        GenericKind::Row => format!("{name}.."),
        GenericKind::Unit { pointwise, signature, default } => {
            let pointwise = if *pointwise { "pointwise " } else { "" };
            let signature = signature.as_ref().map_or_else(String::new, |signature| {
                let params: Vec<String> = signature.params.iter().map(ty).collect();
                format!("({}) -> {}", params.join(", "), ty(&signature.result))
            });
            let default = default.as_ref().map_or_else(String::new, |unit| format!(" = {}", unit_ref(unit)));
            format!("{name}: {pointwise}unit{signature}{default}")
        }
    }
}

/// A body in braces, one statement a line.
fn block(body: &Block) -> Doc {
    let mut inner = Vec::new();
    for stmt in &body.stmts {
        push_line(&mut inner, &stmt.comments, stmt_doc(stmt));
    }
    if let Some(result) = &body.result {
        let place = Place { no_minus: !body.stmts.is_empty(), no_scan: false };
        push_line(&mut inner, &body.result_comments, expr::expr(result, place));
    }
    push_comments(&mut inner, &body.trailing);
    braces(inner)
}

fn stmt_doc(stmt: &Stmt) -> Doc {
    let value = |head: String, value: &Expr| vec![Doc::text(head), expr::expr(value, Place::default())];
    Doc::Concat(match &stmt.kind {
        StmtKind::Let { name, ty: None, value: e } => value(format!("let {} = ", name.text), e),
        StmtKind::Let { name, ty: Some(stated), value: e } => value(format!("let {}: {} = ", name.text, ty(stated)), e),
        StmtKind::LetTuple { names: list, value: e } => value(format!("let ({}) = ", names(list)), e),
        StmtKind::Share { name, value: e } => vec![Doc::text(format!("share {} = ", name.text)), expr::shared(e)],
        StmtKind::Param { name, axes: list, init, role } => {
            let mut parts = value(format!("param {}: [{}] = ", name.text, axes(list)), init);
            parts.extend(role.iter().map(|role| Doc::text(format!(" @{}", role.text))));
            parts
        }
        StmtKind::Axis { name, size: value } => vec![Doc::text(format!("axis {} = {}", name.text, size(value)))],
        StmtKind::Require { left, compare: op, right } => {
            vec![Doc::text(format!("require {} {} {}", size(left), compare(*op), size(right)))]
        }
        StmtKind::Update { state, value: e } => value(format!("{} <- ", state.text), e),
        StmtKind::Yield(e) => value("yield ".to_owned(), e),
        StmtKind::Loss(e) => value("loss ".to_owned(), e),
    })
}
