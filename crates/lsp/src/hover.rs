//! What stands under the cursor: declaration, documentation, type, reach, cost.

use genesys_check::vocabulary;
use genesys_names::{Kind, Mention};
use genesys_span::Span;
use genesys_syntax::{ast, walk_exprs};
use lsp_types::{Hover, HoverContents, HoverParams, MarkupContent, MarkupKind};

use crate::document::Document;
use crate::state::{Refusal, State, has_type};

/// What is to be said of a place.
pub(crate) fn hover(state: &State, params: &HoverParams) -> Result<Option<Hover>, Refusal> {
    let at = &params.text_document_position_params;
    let (document, offset) = state.place(&at.text_document.uri, at.position)?;
    let offset = u32::try_from(offset).unwrap_or(u32::MAX);
    let mention = document.names().at(offset);
    let named = mention.and_then(|mention| Some((mention.span, name(state, document, mention)?)));
    let expr = innermost(document, offset);
    let value = expr.and_then(|span| Some((span, value(document, span)?)));
    let said = match (named, value) {
        // What is called gives a value too.
        (Some((span, mut said)), Some((of, value))) if span.start == of.start && span != of => {
            said.lines.extend(value.lines);
            Some((span, said))
        }
        (Some(named), _) => Some(named),
        (None, value) => value,
    };
    Ok(said.map(|(span, said)| Hover {
        contents: HoverContents::Markup(MarkupContent { kind: MarkupKind::Markdown, value: said.markdown() }),
        range: Some(document.range(span)),
    }))
}

/// A piece of text in the language, and sentences about it.
struct Said {
    code: String,
    lines: Vec<String>,
}

impl Said {
    fn markdown(&self) -> String {
        let code = if self.code.is_empty() { String::new() } else { format!("```gau\n{}\n```\n", self.code) };
        format!("{code}{}", self.lines.join("\n\n"))
    }
}

fn name(state: &State, document: &Document, mention: &Mention) -> Option<Said> {
    if let Some((within, number)) = state.meaning(document, mention) {
        return Some(declaration(within, number));
    }
    word(document.words(mention.span))
}

/// A word of the language.
fn word(name: &str) -> Option<Said> {
    match name {
        "D" => Some(Said { code: "D".into(), lines: vec!["the width of the model, an axis".into()] }),
        "Past" => Some(Said { code: "Past".into(), lines: vec!["every position up to this one".into()] }),
        _ => vocabulary::word(name).map(|word| Said { code: word.form.into(), lines: vec![word.meaning.into()] }),
    }
}

/// What a text declares.
fn declaration(document: &Document, number: usize) -> Said {
    let known = document.names().declaration(number);
    let mut code = document.head(known);
    let mut lines = Vec::new();
    match known.kind {
        Kind::Unit => {
            let docs = document.docs(known.name);
            if !docs.is_empty() {
                lines.push(docs.join("\n"));
            }
            lines.extend(document.facts().unit(known.name));
        }
        _ if has_type(known) => {
            let ty = document.facts().named(known.name);
            match ty {
                Some(ty) if known.kind == Kind::Let => code = format!("let {}: {ty}", document.words(known.name)),
                Some(_) | None => {}
            }
        }
        _ => {}
    }
    Said { code, lines }
}

/// What is known of an expression.
fn value(document: &Document, span: Span) -> Option<Said> {
    let value = document.facts().value(span)?;
    let operations = value.operations.map(|operations| format!("{operations} operations"));
    let weights = value.weights.iter().map(|weight| format!("weight `{weight}`"));
    let ty = format!("value `{}`", value.ty);
    Some(Said { code: String::new(), lines: [ty].into_iter().chain(operations).chain(weights).collect() })
}

/// The smallest expression around a byte.
fn innermost(document: &Document, offset: u32) -> Option<Span> {
    let tree = document.tree();
    let mut found: Option<Span> = None;
    let mut look = |expr: &ast::Expr| {
        if expr.span.start <= offset && offset <= expr.span.end {
            found = Some(expr.span);
        }
    };
    walk_exprs(&tree, &mut look);
    found
}
