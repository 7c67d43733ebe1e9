//! The reader: goes over tokens once, and keeps what it meets.
//!
//! It is a descent along the grammar that asks for nothing: what does not fit is left to the caller, and a loop that
//! makes no progress skips a token. A word that begins a statement ends every expression that is open, and one that
//! begins an item every statement, so that a bracket that is not closed yet does no harm beyond its line.

use std::collections::BTreeMap;

use genesys_span::{FileId, Span};

use crate::cursor::Place;
use crate::lex::{Lexed, Token, lex};
use crate::names::{Declaration, Kind, Mention, Names, Sort};

/// How deep brackets are followed.
const MAX_DEPTH: usize = 64;

/// What reads a text.
pub(crate) struct Reader<'t> {
    text: &'t str,
    file: FileId,
    tokens: Vec<Token>,
    in_comment: bool,
    /// The next token.
    pub(crate) at: usize,
    /// One past the last token of the item.
    end: usize,
    names: Names,
    /// What was asked for last, and when the text was first found to have ended there.
    ended: Option<Place<'t>>,
    /// What each name stands for, the latest meaning last.
    sight: BTreeMap<&'t str, Vec<usize>>,
    /// Units by name, and static parameters by unit and name.
    units: BTreeMap<&'t str, usize>,
    statics: BTreeMap<(usize, &'t str), usize>,
    /// Mentions of the statement, and of the file, whose declaration was not met yet.
    open: Vec<usize>,
    late: Vec<usize>,
    pub(crate) unit: Option<usize>,
    depth: usize,
    /// Bodies that are open, and loops among them.
    pub(crate) bodies: usize,
    pub(crate) loops: usize,
}

impl<'t> Reader<'t> {
    pub(crate) fn new(text: &'t str, file: FileId) -> Self {
        let Lexed { tokens, in_comment } = lex(text);
        Self {
            text,
            file,
            in_comment,
            at: 0,
            end: tokens.len(),
            tokens,
            names: Names::default(),
            ended: None,
            sight: BTreeMap::new(),
            units: BTreeMap::new(),
            statics: BTreeMap::new(),
            open: Vec::new(),
            late: Vec::new(),
            unit: None,
            depth: 0,
            bodies: 0,
            loops: 0,
        }
    }

    /// Reads all items.
    pub(crate) fn items(&mut self) {
        while self.at < self.tokens.len() {
            self.end = self.item_end();
            self.sight.clear();
            (self.unit, self.ended, self.bodies, self.loops, self.depth) = (None, None, 0, 0, 0);
            self.item();
            self.settle();
        }
        self.ended.get_or_insert(Place::Item);
    }

    /// Where the item that begins here ends: before the next token that begins one.
    fn item_end(&self) -> usize {
        let mut depth = 0_usize;
        let mut at = self.at;
        while at < self.tokens.len() {
            let token = self.tokens[at];
            let word = self.word(at);
            let begins = token.leads && matches!(word, "unit" | "design" | "use");
            if at > self.at && begins && (token.flush || depth == 0) {
                return at;
            }
            match word {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            at += 1;
        }
        at
    }

    fn item(&mut self) {
        match self.word(self.at) {
            "use" => self.import(),
            "design" => self.design(),
            "unit" => self.unit(),
            _ => {}
        }
        // What stands behind an item belongs to nothing.
        if self.at < self.end {
            self.at = self.end;
            self.ended = None;
        }
    }

    // ---------- tokens ----------

    /// The text of a token; empty behind the last.
    pub(crate) fn word(&self, at: usize) -> &'t str {
        self.tokens.get(at).map_or("", |token| &self.text[token.start..token.end])
    }

    /// The next token of the item, where `place` is asked for.
    pub(crate) fn peek(&mut self, place: Place<'t>) -> Option<&'t str> {
        if self.at >= self.end {
            self.ended.get_or_insert(place);
            return None;
        }
        Some(self.word(self.at))
    }

    /// The token behind the next one; empty behind the item's last.
    pub(crate) fn second(&self) -> &'t str {
        if self.at + 1 < self.end { self.word(self.at + 1) } else { "" }
    }

    /// Whether the next token is that one, which is then read.
    pub(crate) fn take(&mut self, word: &str, place: Place<'t>) -> bool {
        let found = self.peek(place) == Some(word);
        self.at += usize::from(found);
        found
    }

    /// Whether the next token leads its line.
    pub(crate) fn leads(&self) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.leads)
    }

    /// Whether the token behind the next one touches it.
    pub(crate) fn touches(&self) -> bool {
        self.at + 1 < self.end && self.tokens[self.at].end == self.tokens[self.at + 1].start
    }

    pub(crate) fn span(&self, from: usize, to: usize) -> Span {
        let start = self.tokens.get(from).map_or(self.text.len(), |token| token.start);
        let end = self.tokens.get(to.saturating_sub(1)).map_or(self.text.len(), |token| token.end);
        Span::new(self.file, start, end.max(start))
    }

    /// Runs `read` one bracket deeper; too deep, only the bracket is read.
    pub(crate) fn deeper(&mut self, read: impl FnOnce(&mut Self)) {
        self.at += 1;
        if self.depth < MAX_DEPTH {
            self.depth += 1;
            read(self);
            self.depth -= 1;
        }
    }

    // ---------- names ----------

    /// Notes the next token as a mention, and reads it.
    pub(crate) fn mention(&mut self, sort: Sort) {
        let name = self.word(self.at);
        let declared = self.meaning(&sort, name);
        if declared.is_none() && sort != Sort::Declared {
            self.open.push(self.names.mentions.len());
        }
        self.names.mentions.push(Mention { span: self.span(self.at, self.at + 1), sort, declared });
        self.at += 1;
    }

    fn meaning(&self, sort: &Sort, name: &str) -> Option<usize> {
        let seen = || self.sight.get(name).and_then(|known| known.last()).copied();
        let unit = || self.units.get(name).copied();
        match sort {
            Sort::Head => seen().filter(|&known| self.names.declarations[known].kind.is_called()).or_else(unit),
            Sort::Value | Sort::Axis => seen().or_else(unit),
            Sort::State => seen(),
            Sort::Unit => unit(),
            Sort::Static { of } => {
                let unit = self.units.get(of.as_str())?;
                self.statics.get(&(*unit, name)).copied()
            }
            Sort::Declared | Sort::Option { .. } | Sort::Label | Sort::Field | Sort::Role | Sort::Class => None,
        }
    }

    /// Looks again at what the statement mentioned before it was declared; what is left may be declared by the file.
    pub(crate) fn settle(&mut self) {
        let open = std::mem::take(&mut self.open);
        let left = self.resolve(open);
        self.late.extend(left);
    }

    /// Gives mentions their declarations, and those back that have none.
    fn resolve(&mut self, open: Vec<usize>) -> Vec<usize> {
        let mut left = Vec::new();
        for number in open {
            let mention = &self.names.mentions[number];
            let declared = self.meaning(&mention.sort, &self.text[mention.span.range()]);
            if declared.is_none() {
                left.push(number);
            }
            self.names.mentions[number].declared = declared;
        }
        left
    }

    /// Declares what the token `at` names, which was mentioned, by the tokens `from..to`.
    pub(crate) fn declare(&mut self, kind: Kind, at: usize, (from, to): (usize, usize)) -> usize {
        let number = self.names.declarations.len();
        let (name, word) = (self.span(at, at + 1), self.word(at));
        self.names.declarations.push(Declaration { name, kind, head: self.span(from, to), unit: self.unit });
        match kind {
            Kind::Unit => _ = self.units.entry(word).or_insert(number),
            Kind::Design | Kind::Result => {}
            _ => self.sight.entry(word).or_default().push(number),
        }
        let place = self.names.mentions.partition_point(|mention| mention.span.start < name.start);
        if let Some(mention) = self.names.mentions.get_mut(place).filter(|mention| mention.span == name) {
            mention.declared = Some(number);
        }
        number
    }

    /// A static parameter of the unit.
    pub(crate) fn declare_static(&mut self, kind: Kind, at: usize, range: (usize, usize)) {
        let number = self.declare(kind, at, range);
        if let Some(unit) = self.unit {
            self.statics.entry((unit, self.word(at))).or_insert(number);
        }
    }

    /// Whether a name stands for something within the unit.
    pub(crate) fn is_known(&self, name: &str) -> bool {
        name == "D" || self.sight.get(name).is_some_and(|known| !known.is_empty())
    }

    /// Sets how far the text that declares something goes.
    pub(crate) fn set_head(&mut self, number: usize, from: usize, to: usize) {
        self.names.declarations[number].head = self.span(from, to);
    }

    /// How many declarations there are.
    pub(crate) fn count(&self) -> usize {
        self.names.declarations.len()
    }

    /// Takes the declarations from that number on out of sight.
    pub(crate) fn close(&mut self, from: usize) {
        self.settle();
        for declaration in &self.names.declarations[from..] {
            if let Some(known) = self.sight.get_mut(&self.text[declaration.name.range()]) {
                let kept = known.partition_point(|&number| number < from);
                known.truncate(kept);
            }
        }
    }

    // ---------- the end ----------

    /// All names; those of units may be mentioned before they are declared.
    pub(crate) fn names(mut self) -> Names {
        self.sight.clear();
        let late = std::mem::take(&mut self.late);
        self.resolve(late);
        self.names
    }

    /// What was asked for where the text ended.
    pub(crate) fn ended(&self) -> Place<'t> {
        self.ended.unwrap_or(Place::Item)
    }

    pub(crate) fn last_end(&self) -> usize {
        self.tokens.last().map_or(0, |token| token.end)
    }

    pub(crate) fn in_comment(&self) -> bool {
        self.in_comment
    }

    /// Whether a body is open in which nothing else is: an expression may end with its line.
    pub(crate) fn in_body(&self) -> bool {
        self.bodies > 0
    }

    pub(crate) fn in_loop(&self) -> bool {
        self.loops > 0
    }

    /// What can be seen where the text ended.
    pub(crate) fn visible(&self) -> Vec<usize> {
        self.sight.values().filter_map(|known| known.last().copied()).collect()
    }
}
