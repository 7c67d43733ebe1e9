//! What may stand where the cursor is; the text is nearly always broken there.

use genesys_check::vocabulary::{self, Use, WORDS, Word};
use genesys_names::{Cursor, Declaration, Kind, Names, Place, cursor};
use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionItemLabelDetails, CompletionParams, CompletionResponse,
    CompletionTextEdit, Documentation, Range, TextEdit,
};

use crate::document::Document;
use crate::state::{Refusal, State};

const ITEMS: [&str; 3] = ["unit", "design", "use"];
const STATEMENTS: [&str; 6] = ["let", "param", "axis", "require", "share", "loss"];
const IN_LOOPS: [&str; 2] = ["let", "yield"];
const FIELDS: [&str; 3] = ["stack", "final", "tie_embeddings"];
const ROLES: [&str; 5] = ["matrix", "embedding", "gain", "bias", "decay"];
const CLASSES: [&str; 10] = [
    "identity",
    "scalar",
    "diagonal",
    "householder",
    "low_rank",
    "product",
    "dense",
    "coupled",
    "max_plus",
    "nonlinear",
];

/// What may stand at a place.
pub(crate) fn completion(state: &State, params: &CompletionParams) -> Result<Option<CompletionResponse>, Refusal> {
    let at = &params.text_document_position;
    let (document, offset) = state.place(&at.text_document.uri, at.position)?;
    if document.text.len() > genesys_syntax::MAX_FILE_BYTES {
        return Ok(None);
    }
    let cursor = cursor(&document.text, offset);
    let positions = [cursor.word.start, cursor.word.end].map(|at| document.lines.position(&document.text, at));
    let range = Range { start: positions[0], end: positions[1] };
    let mut list = List { state, document, cursor: &cursor, range, items: Vec::new() };
    list.fill();
    Ok(Some(CompletionResponse::Array(list.items)))
}

struct List<'s> {
    state: &'s State,
    document: &'s Document,
    cursor: &'s Cursor<'s>,
    /// What an item replaces.
    range: Range,
    items: Vec<CompletionItem>,
}

impl List<'_> {
    fn fill(&mut self) {
        match self.cursor.place {
            Place::Nothing => {}
            Place::Item => self.words(&ITEMS),
            Place::Imports => self.standard_units(false),
            Place::Field => self.words(&FIELDS),
            Place::FieldValue("tie_embeddings") => self.words(&["true", "false"]),
            Place::FieldValue("stack") => self.words(&["["]),
            Place::FieldValue(_) | Place::Stack => self.units(),
            Place::Type => self.words(&["Seq"]),
            Place::GenericKind => self.words(&["unit", "pointwise", "size"]),
            Place::Axes(head) => self.axes(head),
            Place::Statics(head) => {
                self.statics(head);
                self.static_values();
            }
            Place::StaticValue => self.static_values(),
            Place::Size => self.sizes(),
            Place::Statement => {
                self.words(if self.cursor.in_loop { &IN_LOOPS } else { &STATEMENTS });
                self.values();
            }
            Place::Value => self.values(),
            Place::Argument(head) => {
                self.options(head);
                self.values();
            }
            Place::Law => {
                self.values();
                self.language(|word| word.used == Use::Law);
            }
            Place::Operator => self.words(&["as"]),
            Place::Role => self.words(&ROLES),
            Place::Class => self.words(&CLASSES),
        }
    }

    fn push(&mut self, label: &str, kind: CompletionItemKind, detail: Option<String>) -> &mut CompletionItem {
        self.items.push(CompletionItem {
            label: label.to_owned(),
            kind: Some(kind),
            detail,
            text_edit: Some(CompletionTextEdit::Edit(TextEdit { range: self.range, new_text: label.to_owned() })),
            ..CompletionItem::default()
        });
        self.items.last_mut().expect("an item was just put there")
    }

    fn words(&mut self, words: &[&str]) {
        for word in words {
            self.push(word, CompletionItemKind::KEYWORD, None);
        }
    }

    /// What the unit under way declares, of the kinds that are wanted.
    fn declared(&mut self, wanted: fn(Kind) -> bool, item: CompletionItemKind) {
        for &number in &self.cursor.visible {
            let known = self.cursor.names.declaration(number);
            if wanted(known.kind) {
                let name = self.document.text.get(known.name.range()).unwrap_or_default().to_owned();
                let detail = self.detail(known);
                self.push(&name, item, Some(detail));
            }
        }
    }

    /// The type of a declaration where it is known, else what declares it. The names before the cursor are those of the
    /// whole text up to there, so that their places are its places.
    fn detail(&self, known: &Declaration) -> String {
        let name = genesys_span::Span { file: self.document.file(), ..known.name };
        let head = self.document.text.get(known.head.range()).unwrap_or_default();
        let ty = if known.kind == Kind::Let { self.document.facts().named(name) } else { None };
        ty.unwrap_or_else(|| head.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn axes(&mut self, head: &str) {
        self.declared(Kind::is_axis, CompletionItemKind::TYPE_PARAMETER);
        self.push("D", CompletionItemKind::TYPE_PARAMETER, Some("the width".into()));
        match head {
            "linear" => self.words(&["per"]),
            "top" => self.words(&["of"]),
            "" => {}
            _ => _ = self.push("Past", CompletionItemKind::TYPE_PARAMETER, Some("the whole past".into())),
        }
    }

    fn sizes(&mut self) {
        self.declared(Kind::is_size, CompletionItemKind::TYPE_PARAMETER);
        self.push("D", CompletionItemKind::TYPE_PARAMETER, Some("the width".into()));
        self.language(|word| word.used == Use::Size || matches!(word.name, "min" | "max"));
    }

    fn static_values(&mut self) {
        self.sizes();
        self.units();
    }

    fn values(&mut self) {
        self.declared(Kind::is_value, CompletionItemKind::VARIABLE);
        self.declared(|kind| kind.is_called() && kind != Kind::Unit, CompletionItemKind::FUNCTION);
        self.declared(Kind::is_size, CompletionItemKind::TYPE_PARAMETER);
        self.units();
        self.language(|word| word.used == Use::Value);
    }

    /// Words of the language.
    fn language(&mut self, wanted: fn(&Word) -> bool) {
        for word in WORDS.iter().filter(|word| wanted(word)) {
            let meaning = Documentation::String(word.meaning.to_owned());
            self.push(word.name, CompletionItemKind::FUNCTION, Some(word.form.to_owned())).documentation =
                Some(meaning);
        }
    }

    /// Units of the text, and standard ones.
    fn units(&mut self) {
        let document = self.document;
        for (number, unit) in document.names().units() {
            self.unit(document, number, document.words(unit.name));
        }
        self.standard_units(true);
    }

    fn unit(&mut self, within: &Document, number: usize, name: &str) -> &mut CompletionItem {
        let docs = within.docs(within.names().declaration(number).name).join("\n");
        let head = within.head(within.names().declaration(number));
        let item = self.push(name, CompletionItemKind::CLASS, Some(head));
        item.documentation = (!docs.is_empty()).then_some(Documentation::String(docs));
        item
    }

    /// Standard units that the text does not hide; where they are to be called, what imports them comes along.
    fn standard_units(&mut self, import: bool) {
        let std = self.state.std();
        for (number, unit) in std.names().units() {
            let name = std.words(unit.name);
            let document = self.document;
            if document.names().unit(&document.text, name).is_some() {
                continue;
            }
            let edit = if import { self.import(name) } else { None };
            let item = self.unit(std, number, name);
            item.label_details = Some(CompletionItemLabelDetails { detail: None, description: Some("std".to_owned()) });
            item.additional_text_edits = edit.map(|edit| vec![edit]);
        }
    }

    /// The edit that imports a standard unit; nothing where the text does.
    fn import(&self, name: &str) -> Option<TextEdit> {
        let text = &self.document.text;
        let imported =
            |line: &str| line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').any(|word| word == name);
        let mut place = 0;
        for line in text.split_inclusive('\n') {
            if let Some(rest) = line.trim_start().strip_prefix("use std::{") {
                if imported(line) {
                    return None;
                }
                let Some(close) = rest.find('}') else { break };
                let at = place + line.len() - rest.len() + close;
                return Some(self.insert(at, format!(", {name}")));
            }
            place += line.len();
        }
        let header = text.split_inclusive('\n').take_while(|line| line.starts_with("//!"));
        let at = header.map(str::len).sum();
        let newline = if text[..at].ends_with('\n') || at == 0 { "" } else { "\n" };
        Some(self.insert(at, format!("{newline}use std::{{{name}}}\n")))
    }

    fn insert(&self, at: usize, new_text: String) -> TextEdit {
        let position = self.document.lines.position(&self.document.text, at);
        TextEdit { range: Range { start: position, end: position }, new_text }
    }

    /// The static parameters of a unit, of the text or the standard ones.
    fn statics(&mut self, head: &str) {
        for within in [self.document, self.state.std()] {
            let names: &Names = within.names();
            let Some(unit) = names.unit(&within.text, head) else { continue };
            for (_, known) in names.statics(unit) {
                self.push(within.words(known.name), CompletionItemKind::PROPERTY, Some(within.head(known)));
            }
            return;
        }
    }

    fn options(&mut self, head: &str) {
        for option in vocabulary::word(head).map(|word| word.options).unwrap_or_default() {
            self.push(option, CompletionItemKind::PROPERTY, Some(format!("{option} = ..")));
        }
    }
}
