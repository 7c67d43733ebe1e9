//! Code actions: the edits that diagnostics offer, one by one or all that help.

use std::collections::HashMap;

use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeActionParams, CodeActionResponse, Range, TextEdit, Uri,
    WorkspaceEdit,
};

use crate::diagnostics::translated;
use crate::document::Document;
use crate::state::{Refusal, State};

/// All edits that help, as `genesys fix` applies them.
pub(crate) const FIX_ALL: CodeActionKind = CodeActionKind::new("source.fixAll.genesys");

/// What can be done to a range of a text.
pub(crate) fn actions(state: &State, params: &CodeActionParams) -> Result<Option<CodeActionResponse>, Refusal> {
    let uri = &params.text_document.uri;
    let document = state.document(uri)?;
    let asks = |kind: &CodeActionKind| params.context.only.as_ref().map(|only| only.iter().any(|one| holds(one, kind)));
    let mut actions = Vec::new();
    if asks(&CodeActionKind::QUICKFIX).unwrap_or(true) {
        actions.extend(quick(state, document, uri, params.range));
    }
    // It checks the text once an edit, so it is made when it is asked for by name.
    if asks(&FIX_ALL).unwrap_or(false) {
        actions.extend(all(document, uri));
    }
    Ok(Some(actions.into_iter().map(CodeActionOrCommand::CodeAction).collect()))
}

/// Whether a kind that was asked for is the other or one above it.
fn holds(asked: &CodeActionKind, kind: &CodeActionKind) -> bool {
    kind.as_str().strip_prefix(asked.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn quick(state: &State, document: &Document, uri: &Uri, range: Range) -> Vec<CodeAction> {
    let own = document.checked().diagnostics.iter().filter_map(|diagnostic| {
        let edit = diagnostic.edit.as_ref().filter(|edit| document.holds(edit.span))?;
        let shown = translated(state, document, diagnostic);
        let meets = shown.range.start <= range.end && range.start <= shown.range.end;
        let title = diagnostic.help.clone().unwrap_or_else(|| format!("write `{}`", edit.replacement.trim()));
        let edit = TextEdit { range: document.range(edit.span), new_text: edit.replacement.clone() };
        meets.then(|| CodeAction {
            title,
            kind: Some(CodeActionKind::QUICKFIX),
            diagnostics: Some(vec![shown]),
            edit: Some(of_one(uri, vec![edit])),
            is_preferred: Some(true),
            ..CodeAction::default()
        })
    });
    own.collect()
}

fn all(document: &Document, uri: &Uri) -> Option<CodeAction> {
    let fixed = genesys_compiler::fix(&document.uri, &document.text);
    let edit = document.edit_to(&fixed.text)?;
    let count = fixed.applied.len();
    Some(CodeAction {
        title: format!("apply {count} edit{} that diagnostics offer", if count == 1 { "" } else { "s" }),
        kind: Some(FIX_ALL),
        edit: Some(of_one(uri, vec![edit])),
        ..CodeAction::default()
    })
}

/// Edits of one text.
// The protocol's type has addresses as keys.
#[allow(clippy::mutable_key_type)]
pub(crate) fn of_one(uri: &Uri, edits: Vec<TextEdit>) -> WorkspaceEdit {
    WorkspaceEdit { changes: Some(HashMap::from([(uri.clone(), edits)])), ..WorkspaceEdit::default() }
}
