//! Side values: what a unit of the stack gives beside its main value, and a later one takes.
//!
//! A parameter behind the first receives the nearest earlier result of its name. Axes match by the
//! names of the signatures, and their sizes as polynomials: nothing fits by accident. What nothing
//! gives is an error, and so is what nothing takes. Lowering follows the same rule by itself.
//!
//! How often a starred part stands is known at a scale only; but what holds where it stands once
//! and where it stands twice holds wherever it stands more often.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Size;
use genesys_diag::{Code, Diagnostic};
use genesys_syntax::ast;

use crate::core::{Graph, Port, Stage};
use crate::design::{Function, FunctionId, StackPart, Times};

/// What a unit of the stack takes and gives beside `Seq[D]` has a name and named axes.
pub(crate) fn named(unit: &ast::Unit, at: &ast::Ident) -> Result<(), Box<Diagnostic>> {
    let sides = unit.params.iter().skip(1).map(|param| (Some(&param.name), &param.ty));
    for (name, ty) in sides.chain(unit.further.iter().map(|result| (result.name.as_ref(), &result.ty))) {
        let unit = &unit.name.text;
        if name.is_none() {
            let message = format!("expected a name for each further result of `{unit}`, which stands in the stack");
            let diagnostic = Diagnostic::error(Code::SIDE_VALUE, ty.span, message).label(at.span, "in the stack here");
            return Err(Box::new(diagnostic.help("`-> (Seq[D], v1: Seq[E])`: a later unit takes it as `v1: Seq[E]`")));
        }
        if ty.axes.iter().any(|axis| !matches!(axis, ast::AxisRef::Named(_))) {
            let message = format!("expected axes by name beside the main value of `{unit}`, which stands in the stack");
            let diagnostic = Diagnostic::error(Code::SIDE_VALUE, ty.span, message).label(at.span, "in the stack here");
            return Err(Box::new(diagnostic.help("nothing in the stack binds a row: name each axis")));
        }
    }
    Ok(())
}

/// Whether everything taken is given before, of its type, and everything given is taken.
pub(crate) fn check(
    stack: &[StackPart],
    last: Option<FunctionId>,
    functions: &[Function],
    diagnostics: &mut Vec<Diagnostic>,
) -> bool {
    let mut wiring = Wiring { functions, taken: BTreeSet::new(), called: BTreeSet::new(), found: BTreeMap::new() };
    for stars in [1, 2] {
        wiring.run(stack, last, stars);
    }
    wiring.untaken();
    let sound = wiring.found.is_empty();
    diagnostics.extend(wiring.found.into_values());
    sound
}

struct Wiring<'a> {
    functions: &'a [Function],
    /// Results that some call takes, by function and name.
    taken: BTreeSet<(FunctionId, &'a str)>,
    called: BTreeSet<FunctionId>,
    /// One error for each parameter or result, by function and name.
    found: BTreeMap<(FunctionId, &'a str), Diagnostic>,
}

impl<'a> Wiring<'a> {
    /// Goes through the stack where the starred part stands that often.
    fn run(&mut self, stack: &[StackPart], last: Option<FunctionId>, stars: usize) {
        let mut given = BTreeMap::new();
        for part in stack {
            let times = match part.times {
                Times::Fixed(times) => times,
                Times::ToDepth => stars,
            };
            for entry in std::iter::repeat_n(&part.body, times).flatten() {
                self.call(entry.function, &mut given);
            }
        }
        last.into_iter().for_each(|id| self.call(id, &mut given));
    }

    fn call(&mut self, id: FunctionId, given: &mut BTreeMap<&'a str, (FunctionId, &'a Port)>) {
        let functions = self.functions;
        let function = &functions[id.0];
        self.called.insert(id);
        for (name, port) in function.graph.takes() {
            let wrong = match given.get(name) {
                None => Some(never_given(&function.name, name, port)),
                Some((from, source)) => {
                    self.taken.insert((*from, name));
                    let from = &self.functions[from.0];
                    mismatch(function, (name, port), from, source)
                }
            };
            if let Some(diagnostic) = wrong {
                self.found.entry((id, name)).or_insert(diagnostic);
            }
        }
        given.extend(function.graph.gives().map(|(name, port)| (name, (id, port))));
    }

    fn untaken(&mut self) {
        for &id in &self.called {
            let Function { name: unit, graph } = &self.functions[id.0];
            for (name, port) in graph.gives().filter(|(name, _)| !self.taken.contains(&(id, *name))) {
                let message = format!("nothing behind `{unit}` in the stack takes the `{name}` that it gives");
                let help = format!("take it in a later unit by a parameter `{name}`, or leave it out of the result");
                let diagnostic = Diagnostic::error(Code::SIDE_VALUE, port.span, message).help(help);
                self.found.entry((id, name)).or_insert(diagnostic);
            }
        }
    }
}

fn never_given(unit: &str, name: &str, port: &Port) -> Diagnostic {
    let message = format!("nothing before the first `{unit}` in the stack gives the `{name}` that it takes");
    let help = format!("put a unit before it that gives it: `-> (Seq[D], {name}: ..)`");
    Diagnostic::error(Code::SIDE_VALUE, port.span, message).help(help)
}

fn mismatch(to: &Function, (name, port): (&str, &Port), from: &Function, source: &Port) -> Option<Diagnostic> {
    let (expected, found) = (sizes(&to.graph, port), sizes(&from.graph, source));
    if expected == found && port.stage == source.stage {
        return None;
    }
    let message = format!(
        "expected {} as `{name}` of `{}`, found {} from `{}`",
        show(port, &expected),
        to.name,
        show(source, &found),
        from.name
    );
    let help = "a side value keeps the names and sizes of its axes: state them alike in both units";
    let diagnostic = Diagnostic::error(Code::SIDE_VALUE, port.span, message).help(help);
    Some(diagnostic.label(source.span, "given here"))
}

/// The sizes of the axes by their names in the signature.
fn sizes<'a>(graph: &Graph, port: &'a Port) -> BTreeMap<&'a str, Size> {
    let size = |(name, axis): &'a (String, crate::core::AxisId)| {
        (name.as_str(), graph.axis(*axis).domain.size().cloned().unwrap_or_default())
    };
    port.axes.iter().map(size).collect()
}

fn show(port: &Port, sizes: &BTreeMap<&str, Size>) -> String {
    let axes: Vec<String> = sizes.iter().map(|(name, size)| format!("{name} = {size}")).collect();
    let seq = if port.stage == Stage::Const { "" } else { "Seq" };
    format!("{seq}[{}]", axes.join(", "))
}
