//! The text of a design with what was inferred, as comments.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::SizeError;
use genesys_check::CheckedDesign;
use genesys_check::core::{Graph, NodeId, Stage};
use genesys_compiler::CheckedText;
use genesys_cost::{Cost, Program, UnitCost, reach, unit_cost};
use genesys_span::{FileId, Span};
use genesys_syntax::ast::{File, ItemKind, Unit};

/// The text back, with a comment behind the first line of each unit of the stack (reach, parameters, operations)
/// and of each `let` (type, and the operations of the contractions that it adds to what stands before it).
///
/// # Errors
/// A coefficient does not fit in 64 bits.
pub fn annotated(text: &CheckedText, design: &CheckedDesign) -> Result<String, SizeError> {
    let mut comments: BTreeMap<u32, String> = BTreeMap::new();
    for function in design.functions() {
        let graph = &function.graph;
        let cost = unit_cost(graph)?;
        let base = function.name.as_str();
        if let Some(unit) = unit_named(&text.syntax, base) {
            comments.entry(unit.name.span.start).or_insert(unit_comment(graph, &cost)?);
        }
        for unit in units(&text.syntax) {
            for (at, comment) in lets(text.file, unit, graph, &cost)? {
                comments.entry(at).or_insert(comment);
            }
        }
    }
    let source = &text.sources.get(text.file).text;
    let mut behind: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for (at, comment) in comments {
        let line = source[..(at as usize).min(source.len())].matches('\n').count();
        behind.entry(line).or_default().push(comment);
    }
    let mut out = String::new();
    for (number, line) in source.lines().enumerate() {
        out.push_str(line);
        if let Some(comments) = behind.get(&number) {
            out.push_str("  // ");
            out.push_str(&comments.join("; "));
        }
        out.push('\n');
    }
    Ok(out)
}

fn units(file: &File) -> impl Iterator<Item = &Unit> {
    file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    })
}

/// The unit of a function's name, which has a number behind it where a unit stands with several arguments.
fn unit_named<'f>(file: &'f File, name: &str) -> Option<&'f Unit> {
    units(file).find(|unit| unit.name.text == name)
}

/// Reach, weights and operations of a unit, in one line.
pub(crate) fn unit_comment(graph: &Graph, cost: &UnitCost) -> Result<String, SizeError> {
    let reach = reach(graph);
    let label = match reach.label.name() {
        "local" => format!("local({})", reach.horizon),
        name => name.to_owned(),
    };
    Ok(format!("{label}, {} weights, {} operations", cost.parameters.formula(), cost.forward()?))
}

/// A comment for each value that a unit's text names in this graph, at its first expansion.
fn lets(file: FileId, unit: &Unit, graph: &Graph, cost: &UnitCost) -> Result<Vec<(u32, String)>, SizeError> {
    let program = Program::new(graph);
    let inside = |span: Span| span.file == file && unit.body.span.start <= span.start && span.end <= unit.body.span.end;
    let mut seen = BTreeSet::new();
    let mut before: BTreeSet<NodeId> = BTreeSet::new();
    let mut found = Vec::new();
    for named in graph.named.iter().filter(|named| inside(named.span)) {
        if !seen.insert(named.span.start) {
            continue;
        }
        let behind = program.behind(named.value);
        let mut added =
            cost.contractions.iter().filter(|one| behind.contains(&one.node) && !before.contains(&one.node));
        let work = added.try_fold(Cost::default(), |sum, one| sum.plus(&one.forward))?;
        let ty = show_type(graph, named.value);
        let comment = if work.is_zero() { ty } else { format!("{ty}, {work}") };
        found.push((named.span.start, comment));
        before.extend(behind);
    }
    Ok(found)
}

/// The type of a value as the language writes it.
pub(crate) fn show_type(graph: &Graph, id: NodeId) -> String {
    let ty = &graph.node(id).ty;
    let names: Vec<&str> = ty.axes.iter().map(|axis| graph.axis(*axis).name.as_str()).collect();
    match ty.stage {
        Stage::Const => format!("[{}]", names.join(", ")),
        Stage::Seq => format!("Seq[{}]", names.join(", ")),
        Stage::Moment => format!("Seq[{}] of a state", names.join(", ")),
        Stage::Loss => format!("Loss[{}]", names.join(", ")),
    }
}
