//! What the server knows: the open texts, and what the client can do.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use genesys_names::{Declaration, Kind, Mention};
use lsp_types::{InitializeParams, Location, Position, Uri};
use serde_json::Value;

use crate::document::Document;
use crate::position::Encoding;

/// The address of the standard units: a text that the server has, and no disk.
pub const STD_URI: &str = "genesys-std:/std.gau";

/// Why a request has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It asks for what is not there.
    Invalid(String),
    /// It cannot be done to the text as it is.
    Failed(String),
}

/// The state of a session.
#[derive(Debug)]
pub(crate) struct State {
    documents: BTreeMap<String, Document>,
    std: Document,
    /// What columns count.
    pub(crate) encoding: Encoding,
    /// Whether the client can show the standard units.
    pub(crate) shows_std: bool,
    /// Texts whose diagnostics are not published yet.
    pub(crate) unpublished: BTreeSet<String>,
}

impl State {
    /// The state at the start; `params` are those of the client's first request as it sent them.
    pub(crate) fn new(params: &Value) -> Self {
        let known = serde_json::from_value::<InitializeParams>(params.clone()).ok();
        let general = known.and_then(|known| known.capabilities.general);
        let offered = general.and_then(|general| general.position_encodings);
        let encoding = Encoding::agreed(offered.as_deref());
        // Younger than the types of the protocol that are used here.
        let shows_std = params.pointer("/capabilities/workspace/textDocumentContent").is_some_and(Value::is_object);
        let std = Document::standard(STD_URI.to_owned(), encoding);
        Self { documents: BTreeMap::new(), std, encoding, shows_std, unpublished: BTreeSet::new() }
    }

    /// An open text, or the standard units.
    pub(crate) fn document(&self, uri: &Uri) -> Result<&Document, Refusal> {
        let found = self.documents.get(uri.as_str()).or((uri.as_str() == STD_URI).then_some(&self.std));
        found.ok_or_else(|| Refusal::Invalid(format!("expected a text that is open, found {}", uri.as_str())))
    }

    /// An open text, and the byte of a position in it.
    pub(crate) fn place(&self, uri: &Uri, position: Position) -> Result<(&Document, usize), Refusal> {
        let document = self.document(uri)?;
        Ok((document, document.lines.offset(&document.text, position)))
    }

    /// The standard units.
    pub(crate) fn std(&self) -> &Document {
        &self.std
    }

    /// Opens a text, or takes it over again. The standard units, which a client opens to show them, stay what they are: as
    /// a text of the user's they would be a file without a design.
    pub(crate) fn open(&mut self, uri: &Uri, version: i32, text: String) {
        if uri.as_str() == STD_URI {
            return;
        }
        let key = uri.as_str().to_owned();
        self.unpublished.insert(key.clone());
        self.documents.insert(key.clone(), Document::new(key, version, text, self.encoding));
    }

    /// An open text that is about to change.
    pub(crate) fn change(&mut self, uri: &Uri) -> Option<&mut Document> {
        let document = self.documents.get_mut(uri.as_str())?;
        self.unpublished.insert(uri.as_str().to_owned());
        Some(document)
    }

    /// Forgets a text; whether it was there.
    pub(crate) fn close(&mut self, uri: &Uri) -> bool {
        self.unpublished.remove(uri.as_str());
        self.documents.remove(uri.as_str()).is_some()
    }

    /// What a mention in a text stands for: the text that declares it, and the declaration.
    pub(crate) fn meaning<'s>(&'s self, document: &'s Document, mention: &Mention) -> Option<(&'s Document, usize)> {
        if let Some(number) = mention.declared {
            return Some((document, number));
        }
        let (std, name) = (&self.std, document.words(mention.span));
        let unit = |name: &str| std.names().unit(&std.text, name);
        match &mention.sort {
            genesys_names::Sort::Static { of } => {
                let mut statics = std.names().statics(unit(of)?);
                statics.find(|(_, known)| std.words(known.name) == name).map(|(number, _)| (std, number))
            }
            sort if sort.asks_for_unit() => unit(name).map(|number| (std, number)),
            _ => None,
        }
    }

    /// Where something stands, for the client; nothing where it cannot show the place.
    pub(crate) fn location(&self, document: &Document, span: genesys_span::Span) -> Option<Location> {
        let shown = document.uri != STD_URI || self.shows_std;
        let uri = Uri::from_str(&document.uri).ok()?;
        shown.then(|| Location { uri, range: document.range(span) })
    }
}

/// Whether a declaration names a value, whose type may be known.
pub(crate) fn has_type(declaration: &Declaration) -> bool {
    matches!(declaration.kind, Kind::Parameter | Kind::Let | Kind::Weight)
}
