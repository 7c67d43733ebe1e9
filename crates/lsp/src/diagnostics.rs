//! Diagnostics, as the checker gives them.

use std::str::FromStr;

use genesys_diag::{Code, Diagnostic, Severity};
use lsp_types::{
    CodeDescription, DiagnosticRelatedInformation, DiagnosticSeverity, DiagnosticTag, NumberOrString,
    PublishDiagnosticsParams, Uri,
};

use crate::document::Document;
use crate::state::State;

/// Where the pages of errors lie.
const PAGES: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/errors/");

/// All diagnostics of a text.
pub(crate) fn publish(state: &State, uri: &str) -> Option<PublishDiagnosticsParams> {
    let uri = Uri::from_str(uri).ok()?;
    let document = state.document(&uri).ok()?;
    let found = document.checked().diagnostics.iter();
    let diagnostics = found.map(|diagnostic| translated(state, document, diagnostic)).collect();
    Some(PublishDiagnosticsParams { uri, diagnostics, version: Some(document.version) })
}

/// A diagnostic as the protocol has it.
pub(crate) fn translated(state: &State, document: &Document, diagnostic: &Diagnostic) -> lsp_types::Diagnostic {
    let label = (!diagnostic.primary.message.is_empty()).then_some(&diagnostic.primary.message);
    let parts = [Some(&diagnostic.message), label, diagnostic.help.as_ref()];
    let message = parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n");
    let related = diagnostic.secondary.iter().filter_map(|label| {
        let within = if document.holds(label.span) { document } else { state.std() };
        let location = state.location(within, label.span)?;
        Some(DiagnosticRelatedInformation { location, message: label.message.clone() })
    });
    let related: Vec<_> = related.collect();
    lsp_types::Diagnostic {
        range: document.range(diagnostic.primary.span),
        severity: Some(match diagnostic.severity {
            Severity::Error => DiagnosticSeverity::ERROR,
            Severity::Warning => DiagnosticSeverity::WARNING,
        }),
        code: Some(NumberOrString::String(diagnostic.code.to_string())),
        code_description: page(diagnostic.code).map(|href| CodeDescription { href }),
        source: Some("genesys".into()),
        message,
        related_information: (!related.is_empty()).then_some(related),
        tags: (diagnostic.code == Code::DEAD_CODE).then(|| vec![DiagnosticTag::UNNECESSARY]),
        data: None,
    }
}

/// The page on a code.
fn page(code: Code) -> Option<Uri> {
    Uri::from_str(&format!("{PAGES}{code}.md")).ok()
}
