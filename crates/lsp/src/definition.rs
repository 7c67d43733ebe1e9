//! Where something is declared, and where it is mentioned.

use lsp_types::{GotoDefinitionParams, GotoDefinitionResponse, Location, ReferenceParams, TextDocumentPositionParams};

use crate::document::Document;
use crate::state::{Refusal, State};

/// Where what stands under the cursor is declared.
pub(crate) fn definition(
    state: &State,
    params: &GotoDefinitionParams,
) -> Result<Option<GotoDefinitionResponse>, Refusal> {
    let Some((_, within, number)) = meant(state, &params.text_document_position_params)? else { return Ok(None) };
    let name = within.names().declaration(number).name;
    Ok(state.location(within, name).map(GotoDefinitionResponse::Scalar))
}

/// Every mention in the text of what stands under the cursor.
pub(crate) fn references(state: &State, params: &ReferenceParams) -> Result<Option<Vec<Location>>, Refusal> {
    let Some((document, within, number)) = meant(state, &params.text_document_position)? else { return Ok(None) };
    let declared = within.names().declaration(number).name;
    let own = document.names().mentions.iter().filter(|mention| {
        let same = state.meaning(document, mention);
        same.is_some_and(|(other, other_number)| std::ptr::eq(other, within) && other_number == number)
    });
    let own = own.map(|mention| mention.span).filter(|span| *span != declared);
    let mut found: Vec<Location> = own.filter_map(|span| state.location(document, span)).collect();
    if params.context.include_declaration {
        found.extend(state.location(within, declared));
    }
    Ok(Some(found))
}

/// The text that was asked about, the one that declares what is meant, and which of its declarations it is.
pub(crate) fn meant<'s>(
    state: &'s State,
    at: &TextDocumentPositionParams,
) -> Result<Option<(&'s Document, &'s Document, usize)>, Refusal> {
    let (document, offset) = state.place(&at.text_document.uri, at.position)?;
    let mention = document.names().at(u32::try_from(offset).unwrap_or(u32::MAX));
    let meaning = mention.and_then(|mention| state.meaning(document, mention));
    Ok(meaning.map(|(within, number)| (document, within, number)))
}
