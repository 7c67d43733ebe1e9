//! What a text declares: units, and what is in them.

use genesys_names::{Declaration, Kind};
use genesys_span::Span;
use lsp_types::{DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, SymbolKind};

use crate::document::Document;
use crate::state::{Refusal, State};

/// The declarations of a text, those of a unit within it.
pub(crate) fn symbols(state: &State, params: &DocumentSymbolParams) -> Result<Option<DocumentSymbolResponse>, Refusal> {
    let document = state.document(&params.text_document.uri)?;
    let names = document.names();
    let items: Vec<(usize, &Declaration)> =
        names.declarations.iter().enumerate().filter(|(_, known)| known.unit.is_none()).collect();
    let ends = items.iter().skip(1).map(|(_, next)| next.head.start);
    let ends = ends.chain([u32::try_from(document.text.len()).unwrap_or(u32::MAX)]);
    let found = items.iter().zip(ends).map(|((number, item), end)| {
        let end = item.head.end.max(trimmed(document, item.head.start, end));
        let inner = names.within(*number).map(|(_, known)| symbol(document, known, known.head, None));
        symbol(document, item, Span { end, ..item.head }, Some(inner.collect()))
    });
    Ok(Some(DocumentSymbolResponse::Nested(found.collect())))
}

/// The end of what is written between two bytes, without the comments of what follows.
fn trimmed(document: &Document, start: u32, end: u32) -> u32 {
    let text = document.text.get(start as usize..end as usize).unwrap_or_default();
    let mut written = text.trim_end();
    while let Some((before, line)) = written.rsplit_once('\n') {
        if !line.trim_start().starts_with("//") {
            break;
        }
        written = before.trim_end();
    }
    start + u32::try_from(written.len()).unwrap_or(0)
}

#[allow(deprecated)] // a field of the protocol that has to be stated
fn symbol(
    document: &Document,
    known: &Declaration,
    range: Span,
    children: Option<Vec<DocumentSymbol>>,
) -> DocumentSymbol {
    // What is selected lies within what is shown.
    let range = Span { start: range.start.min(known.name.start), end: range.end.max(known.name.end), ..range };
    DocumentSymbol {
        name: document.words(known.name).to_owned(),
        detail: Some(document.head(known)),
        kind: kind(known.kind),
        tags: None,
        deprecated: None,
        range: document.range(range),
        selection_range: document.range(known.name),
        children,
    }
}

fn kind(kind: Kind) -> SymbolKind {
    match kind {
        Kind::Design => SymbolKind::MODULE,
        Kind::Unit => SymbolKind::CLASS,
        Kind::Axis | Kind::Row | Kind::Past => SymbolKind::TYPE_PARAMETER,
        Kind::Size | Kind::Counter => SymbolKind::NUMBER,
        Kind::UnitParameter => SymbolKind::INTERFACE,
        Kind::Parameter | Kind::Let => SymbolKind::VARIABLE,
        Kind::Result => SymbolKind::PROPERTY,
        Kind::Weight => SymbolKind::FIELD,
        Kind::Shared => SymbolKind::FUNCTION,
        Kind::State => SymbolKind::OBJECT,
    }
}
