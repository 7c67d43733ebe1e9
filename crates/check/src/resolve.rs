//! Which unit a name means, and that no unit calls itself.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;
use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, Expr, ExprKind, ItemKind, StmtKind, Unit};

use crate::library::Library;
use crate::{error, foreign};

/// Most units that a file may declare.
const MAX_UNITS: usize = 1024;

/// The units in sight, and in the order in which they can be checked.
pub(crate) struct Units<'a> {
    /// The standard units, then those of the file; callees before callers where there is no cycle.
    pub(crate) all: Vec<Entry<'a>>,
    /// Units of the user's file and those it imports.
    user: HashMap<&'a str, usize, RandomState>,
    pub(crate) library: &'a Library,
    /// Where a further import goes: before the first item, unless its documentation stands there.
    import: Option<Span>,
}

/// A unit and where it was declared.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    /// The unit.
    pub(crate) unit: &'a Unit,
    /// Whether it is a standard unit.
    pub(crate) is_std: bool,
    /// Whether it calls itself, directly or through others.
    pub(crate) recursive: bool,
}

impl<'a> Units<'a> {
    /// The unit a name means in a standard unit, or in the user's file.
    pub(crate) fn find(&self, name: &str, in_std: bool) -> Option<usize> {
        if in_std { self.library.place(name) } else { self.user.get(name).copied() }
    }

    /// The names of the user's scope in order, for suggestions.
    pub(crate) fn names(&self, in_std: bool) -> Vec<&'a str> {
        if in_std {
            return self.library.names().collect();
        }
        let mut names: Vec<&str> = self.user.keys().copied().collect();
        names.sort_unstable();
        names
    }

    /// Whether a standard unit of that name exists, imported or not.
    pub(crate) fn is_standard(&self, name: &str) -> bool {
        self.library.place(name).is_some()
    }
}

/// Collects the units of a file beside the standard ones.
pub(crate) fn resolve<'a>(file: &'a ast::File, library: &'a Library, diagnostics: &mut Vec<Diagnostic>) -> Units<'a> {
    let std = library.units().map(|(unit, known)| Entry { unit, is_std: true, recursive: known.recursive });
    let user = HashMap::default();
    let mut units = Units { all: std.collect(), user, library, import: import_place(file) };
    let mut declared: HashMap<&str, &ast::Ident, RandomState> = HashMap::default();
    for unit in units_of(file).take(MAX_UNITS) {
        if let Some(first) = declared.insert(unit.name.text.as_str(), &unit.name) {
            diagnostics.push(error::duplicate("unit", &unit.name, first));
            continue;
        }
        units.user.insert(&unit.name.text, units.all.len());
        units.all.push(Entry { unit, is_std: false, recursive: false });
    }
    if let Some(unit) = units_of(file).nth(MAX_UNITS) {
        diagnostics.push(error::too_large(unit.name.span, &format!("more than {MAX_UNITS} units in a file")));
    }
    import(file, &mut units, diagnostics);
    order(&mut units, diagnostics);
    units
}

/// Before the first item; with documentation its own start is further up, where nothing is known to begin.
fn import_place(file: &ast::File) -> Option<Span> {
    let first = file.items.first()?;
    let is_bare = first.docs.is_empty() && first.comments.above.is_empty();
    is_bare.then_some(Span { end: first.span.start, ..first.span })
}

fn units_of(file: &ast::File) -> impl Iterator<Item = &Unit> {
    file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    })
}

fn import<'a>(file: &'a ast::File, units: &mut Units<'a>, diagnostics: &mut Vec<Diagnostic>) {
    let mut imported: HashMap<&str, &ast::Ident, RandomState> = HashMap::default();
    for item in &file.items {
        let ItemKind::Use(import) = &item.kind else { continue };
        if let Some(root) = import.path.first()
            && (root.text != "std" || import.path.len() > 1)
        {
            diagnostics.push(error::unknown("module", root, ["std"].into_iter()));
            continue;
        }
        for name in &import.names {
            if let Some(first) = imported.insert(&name.text, name) {
                diagnostics.push(error::duplicate("import", name, first));
            } else if let Some(&own) = units.user.get(name.text.as_str()) {
                diagnostics.push(error::duplicate("unit", &units.all[own].unit.name, name));
            } else if let Some(unit) = units.library.place(&name.text) {
                units.user.insert(&name.text, unit);
            } else {
                diagnostics.push(error::unknown("standard unit", name, units.library.names()));
            }
        }
    }
}

/// Puts callees before callers and marks the units on a cycle; iterative, so that a long chain of
/// calls cannot exhaust the stack. The standard units stand in order already.
fn order(units: &mut Units<'_>, diagnostics: &mut Vec<Diagnostic>) {
    let standard = units.library.units().count();
    let calls: Vec<Vec<usize>> = units.all[standard..].iter().map(|entry| callees(entry, units)).collect();
    let mut state = vec![Visit::New; units.all.len()];
    state[..standard].fill(Visit::Done);
    let mut sorted: Vec<usize> = (0..standard).collect();
    let mut stack = Vec::new();
    for root in standard..units.all.len() {
        stack.push((root, 0));
        while let Some((unit, next)) = stack.pop() {
            if next == 0 && state[unit] != Visit::New {
                continue;
            }
            state[unit] = Visit::Open;
            match calls[unit - standard].get(next) {
                Some(&callee) => {
                    stack.push((unit, next + 1));
                    match state[callee] {
                        Visit::New => stack.push((callee, 0)),
                        Visit::Open => mark_cycle(units, &stack, callee, diagnostics),
                        Visit::Done => {}
                    }
                }
                None => {
                    state[unit] = Visit::Done;
                    sorted.push(unit);
                }
            }
        }
    }
    reorder(units, &sorted);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

fn mark_cycle(units: &mut Units<'_>, stack: &[(usize, usize)], callee: usize, diagnostics: &mut Vec<Diagnostic>) {
    let from = stack.iter().position(|(unit, _)| *unit == callee).unwrap_or(0);
    let cycle: Vec<usize> = stack[from..].iter().map(|(unit, _)| *unit).collect();
    let names: Vec<&str> = cycle.iter().map(|&u| units.all[u].unit.name.text.as_str()).collect();
    diagnostics.push(error::recursive(&units.all[callee].unit.name, &names));
    for unit in cycle {
        units.all[unit].recursive = true;
    }
}

fn reorder(units: &mut Units<'_>, sorted: &[usize]) {
    let mut place = vec![0; sorted.len()];
    for (new, &old) in sorted.iter().enumerate() {
        place[old] = new;
    }
    units.all = sorted.iter().map(|&old| units.all[old]).collect();
    units.user.values_mut().for_each(|index| *index = place[*index]);
}

/// The units that a unit names, called or given to others, each once, in the order of the text.
fn callees(entry: &Entry<'_>, units: &Units<'_>) -> Vec<usize> {
    let mut heads = Vec::new();
    heads_of_block(&entry.unit.body, &mut heads);
    for generic in &entry.unit.generics {
        if let ast::GenericKind::Unit { default: Some(unit), .. } = &generic.kind {
            heads.push(&unit.name.text);
            heads_of_statics(&unit.statics, &mut heads);
        }
    }
    let own = names_of_axes(entry.unit);
    let mut seen = BTreeSet::new();
    let named = heads.into_iter().filter(|head| !own.contains(head));
    named.filter_map(|head| units.find(head, entry.is_std)).filter(|&unit| seen.insert(unit)).collect()
}

/// The names that are axes, sizes or unit parameters in a unit, and so no units.
fn names_of_axes(unit: &Unit) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = unit.generics.iter().map(|generic| generic.name.text.as_str()).collect();
    for stmt in &unit.body.stmts {
        if let StmtKind::Axis { name, .. } = &stmt.kind {
            names.insert(&name.text);
        }
    }
    names
}

/// Whether a unit, or one it calls, holds a view or a scan, or adds a loss.
pub(crate) fn looks_back(units: &Units<'_>, index: usize, seen: &mut BTreeSet<usize>) -> bool {
    const VIEWS: [&str; 5] = ["shift", "window", "past", "pool", "blocks"];
    if !seen.insert(index) {
        return false;
    }
    let entry = &units.all[index];
    let mut heads = Vec::new();
    heads_of_block(&entry.unit.body, &mut heads);
    let mut looks = entry.unit.body.stmts.iter().any(|stmt| matches!(stmt.kind, StmtKind::Loss(_)));
    genesys_syntax::walk_block(&entry.unit.body, &mut |e| looks |= matches!(e.kind, ExprKind::Scan(_)));
    looks
        || heads.iter().any(|head| VIEWS.contains(head) && units.find(head, entry.is_std).is_none())
        || callees(entry, units).into_iter().any(|callee| looks_back(units, callee, seen))
}

/// The names among static arguments that may be units.
fn heads_of_statics<'a>(statics: &'a [ast::StaticArg], heads: &mut Vec<&'a str>) {
    for arg in statics {
        heads.extend(arg.value.name().map(|name| name.text.as_str()));
        if let ast::StaticValue::Unit(unit) = &arg.value {
            heads_of_statics(&unit.statics, heads);
        }
    }
}

fn heads_of_block<'a>(block: &'a ast::Block, heads: &mut Vec<&'a str>) {
    for stmt in &block.stmts {
        match &stmt.kind {
            StmtKind::Let { value, .. }
            | StmtKind::LetTuple { value, .. }
            | StmtKind::Share { value, .. }
            | StmtKind::Update { value, .. }
            | StmtKind::Yield(value)
            | StmtKind::Loss(value) => {
                heads_of(value, heads);
            }
            StmtKind::Param { .. } | StmtKind::Axis { .. } | StmtKind::Require { .. } => {}
        }
    }
    if let Some(result) = &block.result {
        heads_of(result, heads);
    }
}

fn heads_of<'a>(expr: &'a Expr, heads: &mut Vec<&'a str>) {
    match &expr.kind {
        ExprKind::Number { .. }
        | ExprKind::Bool(_)
        | ExprKind::Name(_)
        | ExprKind::Hole(_)
        | ExprKind::Indexed { .. } => {}
        ExprKind::Neg(e) | ExprKind::Regroup { value: e, .. } | ExprKind::Rename { value: e, .. } => heads_of(e, heads),
        ExprKind::Each { call: e, .. } | ExprKind::Labeled { call: e, .. } => heads_of(e, heads),
        ExprKind::Binary(_, a, b) | ExprKind::Compare(_, a, b) => {
            heads_of(a, heads);
            heads_of(b, heads);
        }
        ExprKind::Call(call) => {
            heads.push(&call.head.text);
            heads_of_statics(&call.statics, heads);
            for arg in &call.args {
                match arg {
                    ast::Arg::Value(e) | ast::Arg::Named(_, e) => heads_of(e, heads),
                }
            }
        }
        ExprKind::Tuple(values) => values.iter().for_each(|value| heads_of(value, heads)),
        ExprKind::Scan(scan) => {
            scan.states.iter().for_each(|state| heads_of(&state.init, heads));
            heads_of_block(&scan.body, heads);
        }
        ExprKind::Repeat(repeat) => {
            repeat.states.iter().for_each(|state| heads_of(&state.init, heads));
            heads_of_block(&repeat.body, heads);
        }
    }
}

/// What a name that is not found was probably meant to be, as a help.
pub(crate) fn unit_hint(units: &Units<'_>, name: &ast::Ident, in_std: bool) -> Diagnostic {
    let camel = camel_case(&name.text);
    if !in_std && units.is_standard(&camel) {
        let diagnostic = Diagnostic::error(
            Code::UNKNOWN_NAME,
            name.span,
            format!("expected a unit or a primitive, found `{}`, which is not declared here", name.text),
        );
        let help = format!("`{camel}` is a standard unit: add `use std::{{{camel}}}` at the top of the file");
        let diagnostic = diagnostic.help(help);
        return match units.import {
            _ if camel != name.text => diagnostic.edit(name.span, camel),
            Some(place) => diagnostic.edit(place, format!("use std::{{{camel}}}\n")),
            None => diagnostic,
        };
    }
    if let Some(answer) = foreign::answer(&name.text) {
        return error::unknown("unit or a primitive", name, std::iter::empty()).help(answer);
    }
    let known = units.names(in_std).into_iter().chain(crate::elaborate::PRIMITIVES.iter().copied());
    let diagnostic = error::unknown("unit or a primitive", name, known);
    match error::nearest(&name.text, units.library.names()) {
        Some(near) if diagnostic.help.is_none() => {
            diagnostic.help(format!("did you mean the standard unit `{near}`? add `use std::{{{near}}}`"))
        }
        _ => diagnostic,
    }
}

/// `rms_norm` and `rmsnorm`-like spellings in the case of units: `RmsNorm`.
fn camel_case(name: &str) -> String {
    name.split('_')
        .map(|part| {
            let mut chars = part.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
        })
        .collect()
}
