//! A design as candle source, with the names and lines of its text.
//!
//! In: a checked text and a scale. Out: a Rust file. What is written there of the text (names, comments) is found by
//! the places that values come from, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::CheckedDesign;
use genesys_check::core::Graph;
use genesys_emit_rust::{FunctionNotes, Notes, Unsupported, ValueNote};
use genesys_ladder::Scale;
use genesys_span::{Sources, Span};
use genesys_syntax::ast::{File, Item, ItemKind, StmtKind, Unit};

use crate::{CheckedText, CompileError, compile_traced, standard_units};

/// Why a checked design has no candle source at a scale.
#[derive(Clone, Debug)]
pub enum EmitError {
    /// It has no module.
    Compile(CompileError),
    /// The module holds what is not written.
    Unsupported(Unsupported),
}

impl std::fmt::Display for EmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EmitError::Compile(error) => error.fmt(f),
            EmitError::Unsupported(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EmitError {}

/// The candle source of a design at a scale, over a vocabulary of that many tokens.
///
/// # Errors
/// The design does not run at the scale, or its module holds what is not written.
pub fn emit_rust(
    text: &CheckedText,
    design: &CheckedDesign,
    scale: &Scale,
    vocabulary: u64,
) -> Result<String, EmitError> {
    let (module, origins) = compile_traced(design, scale, vocabulary).map_err(EmitError::Compile)?;
    let statements = Statements::of(text);
    let mut functions = Vec::new();
    for (function, origins) in module.functions.iter().zip(&origins) {
        let graph = design.functions().iter().find(|known| known.name == function.name).map(|known| &known.graph);
        let names = graph.map(|graph| statements.names(&text.sources, graph)).unwrap_or_default();
        let mut values = BTreeMap::new();
        for (id, span) in origins {
            // A part of a product that was regrouped comes from the place of the whole, which has other axes.
            let axes = function.ty(*id).axes.iter().map(|axis| plain(&module.axis(*axis).name)).collect();
            let name = names.get(span).filter(|named| named.1 == axes).map(|named| named.0.clone());
            if name.is_some() || !names.contains_key(span) {
                values.insert(*id, ValueNote { name, statement: statements.around(*span) });
            }
        }
        let inputs = graph.map_or(&[][..], |graph| &graph.inputs);
        for (id, port) in function.inputs.iter().zip(inputs) {
            values.insert(*id, ValueNote { name: port.name.clone(), statement: None });
        }
        functions.push(FunctionNotes { docs: docs_of(text, &function.name), values });
    }
    let mut docs = text.syntax.docs.clone();
    docs.push(String::new());
    docs.push(format!("The design `{}` at the scale `{}`, {}.", design.name(), scale.name, design.hash()));
    genesys_emit_rust::emit(&module, &Notes { docs, functions }).map_err(EmitError::Unsupported)
}

/// What a unit's text says of it; that of a unit with several arguments has a number behind its name.
fn docs_of(text: &CheckedText, function: &str) -> Vec<String> {
    let named = |item: &&Item| matches!(&item.kind, ItemKind::Unit(unit) if unit.name.text == function);
    let own = text.syntax.items.iter().find(named);
    own.or_else(|| standard_units().file().items.iter().find(named)).map(|item| item.docs.clone()).unwrap_or_default()
}

/// The statements of the units of a text and of the standard ones.
struct Statements {
    /// Places and texts.
    all: Vec<(Span, String)>,
    /// Where names are given.
    names: BTreeSet<Span>,
}

impl Statements {
    fn of(text: &CheckedText) -> Self {
        let (mut all, mut names) = (Vec::new(), BTreeSet::new());
        for unit in units(&text.syntax).chain(units(standard_units().file())) {
            for statement in &unit.body.stmts {
                all.push((statement.span, text.sources.text(statement.span).to_owned()));
                match &statement.kind {
                    StmtKind::Let { name, .. } => _ = names.insert(name.span),
                    StmtKind::LetTuple { names: several, .. } => names.extend(several.iter().map(|name| name.span)),
                    _ => {}
                }
            }
            all.extend(unit.body.result.iter().map(|e| (e.span, text.sources.text(e.span).to_owned())));
        }
        Self { all, names }
    }

    /// The statement that a place is part of.
    fn around(&self, span: Span) -> Option<String> {
        let inside = |outer: &Span| outer.file == span.file && outer.start <= span.start && span.end <= outer.end;
        self.all.iter().find(|(outer, _)| inside(outer)).map(|(_, text)| text.clone())
    }

    /// The names that the text gives to what is written at a place, where it gives one name, and the axes there.
    fn names(&self, sources: &Sources, graph: &Graph) -> BTreeMap<Span, (String, BTreeSet<String>)> {
        let mut found: BTreeMap<Span, BTreeSet<(String, BTreeSet<String>)>> = BTreeMap::new();
        for named in graph.named.iter().filter(|named| self.names.contains(&named.span)) {
            let node = graph.node(named.value);
            let axes = node.ty.axes.iter().map(|axis| graph.axis(*axis).name.clone()).collect();
            found.entry(node.span).or_default().insert((sources.text(named.span).to_owned(), axes));
        }
        let one = |names: BTreeSet<_>| if names.len() == 1 { names.into_iter().next() } else { None };
        found.into_iter().filter_map(|(span, names)| Some((span, one(names)?))).collect()
    }
}

/// The name of an axis as it was declared: that of several of one name has a number behind it.
fn plain(name: &str) -> String {
    match name.rsplit_once('_') {
        Some((stem, number)) if number.parse::<u32>().is_ok() => stem.to_owned(),
        _ => name.to_owned(),
    }
}

fn units(file: &File) -> impl Iterator<Item = &Unit> {
    file.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Unit(unit) => Some(unit),
        ItemKind::Use(_) | ItemKind::Design(_) => None,
    })
}
