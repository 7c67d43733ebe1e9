//! The canonical text of a text that can be read.

use genesys_diag::Diagnostic;
use genesys_span::Sources;
use lsp_types::{DocumentFormattingParams, TextEdit};

use crate::state::{Refusal, State};

/// The edit to the canonical text; what cannot be read as a whole is left as it is.
pub(crate) fn format(state: &State, params: &DocumentFormattingParams) -> Result<Option<Vec<TextEdit>>, Refusal> {
    let document = state.document(&params.text_document.uri)?;
    let mut sources = Sources::default();
    let file = sources.add(document.uri.as_str(), document.text.as_str());
    let parsed = genesys_syntax::parse(&sources, file);
    if let Some(error) = parsed.diagnostics.iter().find(|diagnostic| Diagnostic::is_error(diagnostic)) {
        let line = sources.position(file, error.primary.span.start).line;
        let message = format!("expected a text that can be read as a whole; line {line}: {}", error.message);
        return Err(Refusal::Failed(message));
    }
    Ok(Some(document.edit_to(&genesys_syntax::print(&parsed.file)).into_iter().collect()))
}
