//! The types of names that state none, beside them.

use genesys_names::Kind;
use lsp_types::{InlayHint, InlayHintKind, InlayHintLabel, InlayHintParams};

use crate::state::{Refusal, State};

/// The hints of a range: `let q` is shown as `let q: Seq[H, E]`.
pub(crate) fn hints(state: &State, params: &InlayHintParams) -> Result<Option<Vec<InlayHint>>, Refusal> {
    let document = state.document(&params.text_document.uri)?;
    let bytes = document.lines.bytes(&document.text, params.range);
    let lets = document.names().declarations.iter().filter(|known| {
        known.kind == Kind::Let && bytes.start <= known.name.start as usize && known.name.end as usize <= bytes.end
    });
    let hints = lets.filter_map(|known| {
        let stated = document.words(known.head).contains(':') || document.words(known.name) == "_";
        let ty = if stated { None } else { document.facts().named(known.name) };
        Some(InlayHint {
            position: document.range(known.name).end,
            label: InlayHintLabel::String(format!(": {}", ty?)),
            kind: Some(InlayHintKind::TYPE),
            text_edits: None,
            tooltip: None,
            padding_left: None,
            padding_right: None,
            data: None,
        })
    });
    Ok(Some(hints.collect()))
}
