//! Which method goes to which feature, and what the client is told that there is.

use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification, PublishDiagnostics,
};
use lsp_types::request::{
    CodeActionRequest, Completion, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest, InlayHintRequest,
    PrepareRenameRequest, References, Rename, Request, SemanticTokensFullRequest,
};
use lsp_types::{
    CodeActionKind, CodeActionOptions, CodeActionProviderCapability, CompletionOptions, HoverProviderCapability, OneOf,
    PublishDiagnosticsParams, RenameOptions, SemanticTokensFullOptions, SemanticTokensOptions, ServerCapabilities,
    TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
};
use serde_json::{Value, json};

use crate::state::{Refusal, STD_URI, State};
use crate::{action, completion, definition, diagnostics, format, hints, hover, rename, symbols, tokens};

/// The answer to `initialize`.
pub(crate) fn capabilities(state: &State) -> Value {
    let capabilities = ServerCapabilities {
        position_encoding: Some(state.encoding.kind()),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            ..TextDocumentSyncOptions::default()
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(["[", "(", "<", "@", ":", "{"].map(str::to_owned).to_vec()),
            ..CompletionOptions::default()
        }),
        definition_provider: Some(OneOf::Left(true)),
        references_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX, action::FIX_ALL]),
            ..CodeActionOptions::default()
        })),
        document_formatting_provider: Some(OneOf::Left(true)),
        rename_provider: Some(OneOf::Right(RenameOptions {
            prepare_provider: Some(true),
            work_done_progress_options: Default::default(),
        })),
        inlay_hint_provider: Some(OneOf::Left(true)),
        semantic_tokens_provider: Some(
            SemanticTokensOptions {
                legend: tokens::legend(),
                full: Some(SemanticTokensFullOptions::Bool(true)),
                ..SemanticTokensOptions::default()
            }
            .into(),
        ),
        ..ServerCapabilities::default()
    };
    let mut capabilities = serde_json::to_value(capabilities).expect("the types of the protocol serialize");
    let scheme = STD_URI.split(':').next();
    capabilities["workspace"] = json!({ "textDocumentContent": { "schemes": [scheme] } });
    json!({
        "capabilities": capabilities,
        "serverInfo": { "name": "genesys", "version": env!("CARGO_PKG_VERSION") },
    })
}

/// The answer to a request; nothing where its method is not known.
pub(crate) fn request(state: &State, method: &str, params: Value) -> Option<Result<Value, Refusal>> {
    Some(match method {
        HoverRequest::METHOD => answer::<HoverRequest>(params, |params| hover::hover(state, &params)),
        Completion::METHOD => answer::<Completion>(params, |params| completion::completion(state, &params)),
        GotoDefinition::METHOD => answer::<GotoDefinition>(params, |params| definition::definition(state, &params)),
        References::METHOD => answer::<References>(params, |params| definition::references(state, &params)),
        DocumentSymbolRequest::METHOD => {
            answer::<DocumentSymbolRequest>(params, |params| symbols::symbols(state, &params))
        }
        CodeActionRequest::METHOD => answer::<CodeActionRequest>(params, |params| action::actions(state, &params)),
        Formatting::METHOD => answer::<Formatting>(params, |params| format::format(state, &params)),
        PrepareRenameRequest::METHOD => {
            answer::<PrepareRenameRequest>(params, |params| rename::prepare(state, &params))
        }
        Rename::METHOD => answer::<Rename>(params, |params| rename::rename(state, &params)),
        InlayHintRequest::METHOD => answer::<InlayHintRequest>(params, |params| hints::hints(state, &params)),
        SemanticTokensFullRequest::METHOD => {
            answer::<SemanticTokensFullRequest>(params, |params| tokens::tokens(state, &params))
        }
        "workspace/textDocumentContent" => content(state, &params),
        _ => return None,
    })
}

fn answer<R: Request>(
    params: Value,
    feature: impl FnOnce(R::Params) -> Result<R::Result, Refusal>,
) -> Result<Value, Refusal> {
    let params = serde_json::from_value::<R::Params>(params)
        .map_err(|error| Refusal::Invalid(format!("expected the parameters of `{}`: {error}", R::METHOD)))?;
    let result = feature(params)?;
    Ok(serde_json::to_value(result).expect("the types of the protocol serialize"))
}

/// The text behind an address that no disk has.
fn content(state: &State, params: &Value) -> Result<Value, Refusal> {
    match params.get("uri").and_then(Value::as_str) {
        Some(STD_URI) => Ok(json!({ "text": state.std().text })),
        found => Err(Refusal::Invalid(format!("expected `{STD_URI}`, found {found:?}"))),
    }
}

/// A message for the client: method and parameters.
type Note = (&'static str, Value);

/// Takes a notification over; gives one back where there is something to tell at once.
pub(crate) fn notification(state: &mut State, method: &str, params: Value) -> Result<Option<Note>, String> {
    match method {
        DidOpenTextDocument::METHOD => {
            let opened = parameters::<DidOpenTextDocument>(params)?.text_document;
            state.open(&opened.uri, opened.version, opened.text);
        }
        DidChangeTextDocument::METHOD => {
            let changed = parameters::<DidChangeTextDocument>(params)?;
            if let Some(document) = state.change(&changed.text_document.uri) {
                document.edit(changed.text_document.version, changed.content_changes);
            }
        }
        DidCloseTextDocument::METHOD => {
            let closed = parameters::<DidCloseTextDocument>(params)?.text_document;
            if state.close(&closed.uri) {
                let none = PublishDiagnosticsParams { uri: closed.uri, diagnostics: Vec::new(), version: None };
                let none = serde_json::to_value(none).expect("the types of the protocol serialize");
                return Ok(Some((PublishDiagnostics::METHOD, none)));
            }
        }
        _ => {}
    }
    Ok(None)
}

fn parameters<N: Notification>(params: Value) -> Result<N::Params, String> {
    serde_json::from_value(params).map_err(|error| format!("expected the parameters of `{}`: {error}", N::METHOD))
}

/// What is to be published of a text.
pub(crate) fn publish(state: &State, uri: &str) -> Option<Value> {
    let params = diagnostics::publish(state, uri)?;
    Some(serde_json::to_value(params).expect("the types of the protocol serialize"))
}
