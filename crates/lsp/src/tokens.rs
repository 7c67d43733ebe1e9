//! What each name is, for coloring: what a grammar of tokens alone cannot tell.

use genesys_names::{Kind, Mention, Sort};
use lsp_types::{
    SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokens, SemanticTokensLegend,
    SemanticTokensParams, SemanticTokensResult,
};

use crate::document::Document;
use crate::state::{Refusal, State};

/// The kinds of tokens, by number.
const TYPES: [SemanticTokenType; 7] = [
    SemanticTokenType::CLASS,
    SemanticTokenType::TYPE_PARAMETER,
    SemanticTokenType::VARIABLE,
    SemanticTokenType::PARAMETER,
    SemanticTokenType::PROPERTY,
    SemanticTokenType::FUNCTION,
    SemanticTokenType::DECORATOR,
];

/// What the numbers of tokens stand for: what is declared, and what the language or the standard units have.
pub(crate) fn legend() -> SemanticTokensLegend {
    let modifiers = vec![SemanticTokenModifier::DECLARATION, SemanticTokenModifier::DEFAULT_LIBRARY];
    SemanticTokensLegend { token_types: TYPES.to_vec(), token_modifiers: modifiers }
}

/// The names of a text.
pub(crate) fn tokens(state: &State, params: &SemanticTokensParams) -> Result<Option<SemanticTokensResult>, Refusal> {
    let document = state.document(&params.text_document.uri)?;
    let mut before = lsp_types::Position::default();
    let mut data = Vec::new();
    for mention in &document.names().mentions {
        let start = document.range(mention.span).start;
        let delta_line = start.line - before.line;
        let delta_start = if delta_line == 0 { start.character - before.character } else { start.character };
        let is_declared = mention.sort == Sort::Declared;
        let is_language = mention.declared.is_none() && mention.sort.asks_for_unit();
        data.push(SemanticToken {
            delta_line,
            delta_start,
            // Words are ASCII: as long in every encoding.
            length: mention.span.end - mention.span.start,
            token_type: type_of(document, mention),
            token_modifiers_bitset: u32::from(is_declared) | u32::from(is_language) << 1,
        });
        before = start;
    }
    Ok(Some(SemanticTokensResult::Tokens(SemanticTokens { result_id: None, data })))
}

/// The number of a mention's kind.
fn type_of(document: &Document, mention: &Mention) -> u32 {
    if let Some(number) = mention.declared {
        return match document.names().declaration(number).kind {
            Kind::Unit | Kind::Design | Kind::UnitParameter => 0,
            Kind::Axis | Kind::Row | Kind::Size | Kind::Counter | Kind::Past => 1,
            Kind::Let | Kind::State => 2,
            Kind::Parameter => 3,
            Kind::Weight | Kind::Result => 4,
            Kind::Shared => 5,
        };
    }
    let is_capital = document.words(mention.span).starts_with(|c: char| c.is_ascii_uppercase());
    match mention.sort {
        Sort::Unit => 0,
        Sort::Head | Sort::Value if is_capital => 0,
        Sort::Axis | Sort::Static { .. } => 1,
        Sort::Head => 5,
        Sort::Value | Sort::State | Sort::Declared => 2,
        Sort::Option { .. } | Sort::Label => 3,
        Sort::Field => 4,
        Sort::Role | Sort::Class => 6,
    }
}
