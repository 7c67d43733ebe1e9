//! The design block: its fields, and the units of its stack elaborated.

use std::collections::BTreeMap;
use std::sync::Arc;

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, Design, FieldValue, ItemKind, Repeat, StackItem, StackKind, UnitRef};

use crate::design::{CheckedDesign, Entry, Function, FunctionId, Required, StackPart, Times};
use crate::elaborate::{Elaborated, UnitChecks};
use crate::resolve::Units;
use crate::{elaborate, error, identity, side};

/// Most entries of a stack as written out.
const MAX_ENTRIES: usize = 4096;

/// Builds the design of a file from its sound units.
pub(crate) fn build(
    file: &Arc<ast::File>,
    units: &Units<'_>,
    checks: UnitChecks,
    diagnostics: &mut Vec<Diagnostic>,
) -> Option<CheckedDesign> {
    let design = the_design(file, diagnostics)?;
    let mut builder = Builder {
        units,
        checks,
        diagnostics,
        functions: Vec::new(),
        digests: Vec::new(),
        by_text: BTreeMap::new(),
        requirements: Vec::new(),
        failed: false,
    };
    let fields = builder.fields(design);
    let stack = fields.stack.map(|(items, span)| (builder.stack(items, span), span));
    let last = fields.last.and_then(|unit| builder.function(unit));
    let Builder { functions, digests, requirements, failed, .. } = builder;
    let Some((stack, stack_span)) = stack else {
        let message = "expected a stack in the design, as in `stack = [Block*]`, found none";
        diagnostics.push(Diagnostic::error(Code::DESIGN_FIELD, design.name.span, message));
        return None;
    };
    if failed || !side::check(&stack, last, &functions, diagnostics) {
        return None;
    }
    let mut checked = CheckedDesign {
        name: design.name.text.clone(),
        file: Arc::clone(file),
        functions,
        stack,
        stack_span,
        last,
        tie_embeddings: fields.tie_embeddings,
        requirements,
        hash: identity::DesignHash::default(),
    };
    checked.hash = identity::identify(&mut checked, &digests);
    Some(checked)
}

fn the_design<'a>(file: &'a ast::File, diagnostics: &mut Vec<Diagnostic>) -> Option<&'a Design> {
    let mut designs = file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Design(design) => Some(design),
        ItemKind::Use(_) | ItemKind::Unit(_) => None,
    });
    let Some(design) = designs.next() else {
        let span = file.items.first().map_or_else(Span::default, |item| Span { end: item.span.start, ..item.span });
        let message = "expected one design in the file, found none";
        let help = "a design names the units it stacks: `design Name { stack = [Block*] final = RmsNorm }`";
        // Where items failed to parse, the design may be among them.
        if !file.items.is_empty() {
            diagnostics.push(Diagnostic::error(Code::DESIGN_COUNT, span, message).help(help));
        }
        return None;
    };
    for other in designs {
        let message =
            format!("expected one design in the file, found `{}` beside `{}`", other.name.text, design.name.text);
        let diagnostic = Diagnostic::error(Code::DESIGN_COUNT, other.name.span, message);
        diagnostics.push(diagnostic.label(design.name.span, "the first one").help("give each design its own file"));
    }
    Some(design)
}

struct Fields<'a> {
    stack: Option<(&'a [StackItem], Span)>,
    last: Option<&'a UnitRef>,
    tie_embeddings: bool,
}

struct Builder<'a, 'u, 'd> {
    units: &'u Units<'a>,
    checks: UnitChecks,
    diagnostics: &'d mut Vec<Diagnostic>,
    functions: Vec<Function>,
    /// Their digests, as far as they are known.
    digests: Vec<Option<blake3::Hash>>,
    /// Functions by the canonical text of the unit reference they come from.
    by_text: BTreeMap<String, FunctionId>,
    requirements: Vec<Required>,
    failed: bool,
}

impl Builder<'_, '_, '_> {
    fn fields<'a>(&mut self, design: &'a Design) -> Fields<'a> {
        let mut fields = Fields { stack: None, last: None, tie_embeddings: true };
        let mut seen: BTreeMap<&str, &ast::Ident> = BTreeMap::new();
        for field in &design.fields {
            if let Some(first) = seen.insert(&field.name.text, &field.name) {
                self.diagnostics.push(error::duplicate("field", &field.name, first));
                continue;
            }
            match (field.name.text.as_str(), &field.value) {
                ("stack", FieldValue::Stack(items)) => fields.stack = Some((items, field.span)),
                ("final", FieldValue::Unit(unit)) => fields.last = Some(unit),
                ("tie_embeddings", FieldValue::Bool(value)) => fields.tie_embeddings = *value,
                (name @ ("stack" | "final" | "tie_embeddings"), _) => {
                    let form = match name {
                        "stack" => "a list of units, as in `[Block*]`",
                        "final" => "a unit, as in `RmsNorm`",
                        _ => "`true` or `false`",
                    };
                    let message = format!("expected {form} as the value of `{name}`");
                    self.refuse(Diagnostic::error(Code::DESIGN_FIELD, field.span, message));
                }
                _ => {
                    let known = ["stack", "final", "tie_embeddings"].into_iter();
                    let diagnostic = error::unknown("field of a design", &field.name, known);
                    self.refuse(match diagnostic.help {
                        Some(_) => diagnostic,
                        None => diagnostic.help("a design has `stack = [..]`, `final = ..` and `tie_embeddings = ..`"),
                    });
                }
            }
        }
        fields
    }

    fn refuse(&mut self, diagnostic: Diagnostic) {
        self.failed = true;
        self.diagnostics.push(diagnostic);
    }

    fn stack(&mut self, items: &[StackItem], span: Span) -> Vec<StackPart> {
        let mut parts = Vec::new();
        let mut starred: Option<Span> = None;
        for item in items {
            let times = match item.repeat {
                Repeat::Once => Times::Fixed(1),
                Repeat::Times(n) => Times::Fixed(usize::try_from(n).unwrap_or(usize::MAX)),
                Repeat::ToDepth => Times::ToDepth,
            };
            if times == Times::ToDepth && starred.replace(item.span).is_some() {
                let message = "expected one starred part in the stack, found another";
                let help = "group what is repeated together: `[A, B]*`";
                self.refuse(Diagnostic::error(Code::DESIGN_FIELD, item.span, message).help(help));
            }
            self.shared_repeats(item);
            let mut body = Vec::new();
            self.entry(&item.kind, 1, false, &mut body);
            let total = match times {
                Times::Fixed(times) => body.len().saturating_mul(times),
                Times::ToDepth => body.len(),
            };
            if total == 0 || total > MAX_ENTRIES {
                let message = format!("expected 1 to {MAX_ENTRIES} layers here, found {total}");
                self.refuse_unless_failed(Diagnostic::error(Code::DESIGN_FIELD, item.span, message));
            }
            parts.push(StackPart { body, times, shared: item.share });
        }
        if parts.is_empty() {
            self.refuse(Diagnostic::error(
                Code::DESIGN_FIELD,
                span,
                "expected at least one unit in the stack, found none",
            ));
        }
        parts
    }

    /// To share weights takes more than one that has them.
    fn shared_repeats(&mut self, item: &StackItem) {
        if item.share && matches!(item.repeat, Repeat::Once | Repeat::Times(1)) {
            let message = "expected a number of repeats behind what is shared, found one: it has its weights to itself";
            let help = "`share Block*4` is one block, called four times; `share [A, B]*` repeats both to the depth";
            self.refuse(Diagnostic::error(Code::DESIGN_FIELD, item.span, message).help(help));
        }
    }

    fn refuse_unless_failed(&mut self, diagnostic: Diagnostic) {
        if !self.failed {
            self.refuse(diagnostic);
        }
    }

    /// Writes a group out; a star within a group has nothing to reach, so it is refused.
    fn entry(&mut self, kind: &StackKind, times: u64, share: bool, body: &mut Vec<Entry>) {
        let from = body.len();
        match kind {
            StackKind::Unit(unit) => {
                body.extend(self.function(unit).map(|function| Entry { function, weights_of: from }));
            }
            StackKind::Group(items) => {
                for item in items {
                    self.shared_repeats(item);
                    match item.repeat {
                        Repeat::Once => self.entry(&item.kind, 1, item.share, body),
                        Repeat::Times(n) => self.entry(&item.kind, n, item.share, body),
                        Repeat::ToDepth => {
                            let message = "expected a number of repeats within a group, found a star";
                            let help = "the star stands behind the outermost group: `[A*5, B]*`";
                            self.refuse(Diagnostic::error(Code::DESIGN_FIELD, item.span, message).help(help));
                        }
                    }
                }
            }
        }
        let once = body[from..].to_vec();
        let total = (once.len() as u64).saturating_mul(times);
        if total.saturating_add(from as u64) > MAX_ENTRIES as u64 {
            let span = match kind {
                StackKind::Unit(unit) => unit.name.span,
                StackKind::Group(items) => items.first().map_or_else(Span::default, |item| item.span),
            };
            self.refuse_unless_failed(error::too_large(span, &format!("more than {MAX_ENTRIES} layers")));
            return;
        }
        body.truncate(from);
        for repeat in 0..times as usize {
            let by = if share { 0 } else { repeat * once.len() };
            body.extend(once.iter().map(|entry| Entry { weights_of: entry.weights_of + by, ..*entry }));
        }
    }

    /// The function of a unit with its static arguments, elaborated once.
    fn function(&mut self, unit: &UnitRef) -> Option<FunctionId> {
        let text = reference_text(unit);
        if let Some(&id) = self.by_text.get(&text) {
            return Some(id);
        }
        let function = self.elaborate(unit);
        if function.is_none() {
            self.failed = true;
        }
        let (name, Elaborated { graph, requirements, .. }, digest) = function?;
        let id = FunctionId(self.functions.len());
        let same = self.functions.iter().filter(|f| f.name == name || f.name.starts_with(&format!("{name}_"))).count();
        let name = if same == 0 { name } else { format!("{name}_{}", same + 1) };
        self.functions.push(Function { name, graph });
        self.digests.push(digest);
        for required in requirements {
            if !self.requirements.iter().any(|known| known.requirement == required.requirement) {
                self.requirements.push(required);
            }
        }
        self.by_text.insert(text, id);
        Some(id)
    }

    /// What a unit is called and means, and the digest of that if it is known.
    fn elaborate(&mut self, unit: &UnitRef) -> Option<(String, Elaborated, Option<blake3::Hash>)> {
        let Some(index) = self.units.find(&unit.name.text, false) else {
            self.diagnostics.push(crate::resolve::unit_hint(self.units, &unit.name, false));
            return None;
        };
        let entry = self.units.all[index];
        if self.checks.broken[index] || entry.recursive {
            return None;
        }
        if let Err(diagnostic) = stackable(entry.unit, &unit.name) {
            self.diagnostics.push(*diagnostic);
            return None;
        }
        let name = entry.unit.name.text.clone();
        if unit.statics.is_empty() {
            // Each unit of the stack is expanded once, so what its own check made can be taken away.
            if let Some(closed) = self.checks.closed.remove(&index) {
                return Some((name, closed, None));
            }
            if let Some(closed) = self.units.library.stacked(index) {
                return Some((name, closed.elaborated.clone(), Some(closed.digest)));
            }
        }
        // The arguments live as long as the file; the builder is done with them when it returns.
        let args: Vec<ast::StaticArg> = unit.statics.clone();
        let elaborated = elaborate::instantiate_root(self.units, &self.checks, index, &args, self.diagnostics)?;
        Some((name, elaborated, None))
    }
}

/// A unit of the stack maps `Seq[D]` to `Seq[D]`.
fn stackable(unit: &ast::Unit, at: &ast::Ident) -> Result<(), Box<Diagnostic>> {
    let takes_width = |ty: &ast::Type| {
        let named = ty.axes.iter().filter(|axis| matches!(axis, ast::AxisRef::Named(_))).count();
        let rows = ty.axes.len() - named;
        let only_width = ty.axes.iter().all(|axis| match axis {
            ast::AxisRef::Named(name) => name.text == "D",
            ast::AxisRef::Row(_) | ast::AxisRef::Rest(_) => true,
        });
        ty.seq && only_width && named <= 1 && named + rows >= 1
    };
    if !unit.params.first().is_some_and(|param| takes_width(&param.ty)) || !takes_width(&unit.result) {
        let message = format!("expected a unit from Seq[D] to Seq[D] in the stack, found `{}`", unit.name.text);
        let diagnostic = Diagnostic::error(Code::AXIS_MISMATCH, at.span, message);
        return Err(Box::new(diagnostic.label(unit.name.span, "declared here")));
    }
    side::named(unit, at)
}

/// The text of a unit reference, so that equal ones share a function.
fn reference_text(unit: &UnitRef) -> String {
    let statics: Vec<String> = unit
        .statics
        .iter()
        .map(|arg| {
            let name = arg.name.as_ref().map(|name| name.text.as_str()).unwrap_or_default();
            let value = match &arg.value {
                ast::StaticValue::Size(size) => size_text(size),
                ast::StaticValue::Unit(unit) => reference_text(unit),
            };
            format!("{name}={value}")
        })
        .collect();
    format!("{}<{}>", unit.name.text, statics.join(","))
}

fn size_text(size: &ast::Size) -> String {
    match &size.kind {
        ast::SizeKind::Int(n) => n.to_string(),
        ast::SizeKind::Name(name) => name.text.clone(),
        ast::SizeKind::Binary(op, a, b) => format!("({}{op:?}{})", size_text(a), size_text(b)),
        ast::SizeKind::Call(function, a, b) => format!("{function:?}({},{})", size_text(a), size_text(b)),
    }
}
