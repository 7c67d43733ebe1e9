//! Another name for what a text declares, where the design stays the same: its hash must not move.

use genesys_compiler::{CheckedText, check_text};
use genesys_diag::Diagnostic;
use lsp_types::{PrepareRenameResponse, RenameParams, TextDocumentPositionParams, TextEdit, WorkspaceEdit};

use crate::action::of_one;
use crate::definition::meant;
use crate::document::Document;
use crate::state::{Refusal, State};

/// Whether what stands under the cursor can be renamed, and what of it is the name.
pub(crate) fn prepare(
    state: &State,
    params: &TextDocumentPositionParams,
) -> Result<Option<PrepareRenameResponse>, Refusal> {
    let (document, _) = own(state, params)?;
    let (_, offset) = state.place(&params.text_document.uri, params.position)?;
    let mention = document.names().at(u32::try_from(offset).unwrap_or(u32::MAX));
    Ok(mention.map(|mention| PrepareRenameResponse::Range(document.range(mention.span))))
}

/// The edits that rename it.
pub(crate) fn rename(state: &State, params: &RenameParams) -> Result<Option<WorkspaceEdit>, Refusal> {
    let at = &params.text_document_position;
    let (document, number) = own(state, at)?;
    let before = document.checked();
    if before.diagnostics.iter().any(Diagnostic::is_error) {
        let message = "expected a text without errors, where a rename can be checked: mend its errors first";
        return Err(Refusal::Failed(message.into()));
    }
    let mut text = document.text.clone();
    let mut edits = Vec::new();
    let mentions: Vec<_> = document.names().mentions_of(number).map(|mention| mention.span).collect();
    for span in mentions.into_iter().rev() {
        text.replace_range(span.range(), &params.new_name);
        edits.push(TextEdit { range: document.range(span), new_text: params.new_name.clone() });
    }
    let after = check_text(&document.uri, &text);
    match after.diagnostics.iter().find(|diagnostic| diagnostic.is_error()) {
        Some(error) => Err(Refusal::Failed(format!("`{}` cannot be the name: {}", params.new_name, error.message))),
        None if identity(before) != identity(&after) => {
            Err(Refusal::Failed(format!("`{}` cannot be the name: the design would be another", params.new_name)))
        }
        None => Ok(Some(of_one(&at.text_document.uri, edits))),
    }
}

/// What a rename leaves as it is: the hash of a design, the number of holes of a sketch.
fn identity(checked: &CheckedText) -> (Option<String>, Option<usize>) {
    let hash = checked.design.as_ref().map(|design| design.hash().to_string());
    (hash, checked.sketch.as_ref().map(|sketch| sketch.holes().len()))
}

/// What is meant, where the text declares it itself.
fn own<'s>(state: &'s State, at: &TextDocumentPositionParams) -> Result<(&'s Document, usize), Refusal> {
    match meant(state, at)? {
        Some((document, within, number)) if std::ptr::eq(document, within) && document.uri != crate::STD_URI => {
            Ok((document, number))
        }
        Some(_) => Err(Refusal::Failed("expected a name that this text declares, found a standard unit's".into())),
        None => Err(Refusal::Failed("expected a name that this text declares".into())),
    }
}
