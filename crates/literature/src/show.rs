//! What was found, to read and for programs.
//!
//! In: hits, or one document with what it is tied to. Out: lines of text, or JSON. Every entry names its source, and says
//! where a summary was compared with nothing. Nothing is ranked here, and nothing is colored.

use std::fmt::Write;

use serde::Serialize;

use crate::document::{Document, Kind, Link, Relation, Standing};
use crate::index::{Field, Found, Hit, Matched, Ways};
use crate::plain::cut;

/// Authors that are named; further ones are counted.
const MOST_AUTHORS: usize = 6;

/// Ties that are listed; further ones are counted.
const MOST_TIES: usize = 40;

/// The answer to a question for programs: `genesys literature search --json`.
#[derive(Debug, Serialize)]
pub struct Answer<'a> {
    /// The question.
    pub query: &'a str,
    /// By what was searched.
    pub ways: Ways,
    /// What a person is told besides, such as files that could not be read.
    pub notes: &'a [String],
    /// What was found, best first.
    pub hits: Vec<Entry<'a>>,
}

/// A document that was found, for programs.
#[derive(Debug, Serialize)]
pub struct Entry<'a> {
    /// Its place, from 1.
    pub rank: usize,
    /// Its score.
    pub score: f64,
    /// Which words were found where.
    pub matched: &'a [Matched],
    /// Some of its text.
    pub excerpt: &'a str,
    /// All else but its text.
    #[serde(flatten)]
    pub facts: Facts<'a>,
}

/// A document without its text, for programs.
#[derive(Debug, Serialize)]
pub struct Facts<'a> {
    /// Its key.
    pub key: &'a str,
    /// What it is.
    pub kind: Kind,
    /// Its title.
    pub title: &'a str,
    /// When it was published.
    pub year: Option<u16>,
    /// Who wrote it.
    pub authors: &'a [String],
    /// Where it was published.
    pub venue: &'a str,
    /// What it does.
    pub summary: &'a str,
    /// How far that can be trusted.
    pub standing: &'a Standing,
    /// Its mechanisms.
    pub tags: &'a [String],
    /// The designs that implement it.
    pub units: &'a [String],
    /// Where it comes from.
    pub source: &'a str,
    /// What it is tied to.
    pub links: &'a [Link],
}

impl<'a> Facts<'a> {
    /// The facts of a document.
    #[must_use]
    pub fn of(document: &'a Document) -> Self {
        Self {
            key: &document.key,
            kind: document.kind,
            title: &document.title,
            year: document.year,
            authors: &document.authors,
            venue: &document.venue,
            summary: &document.summary,
            standing: &document.standing,
            tags: &document.tags,
            units: &document.units,
            source: &document.source,
            links: &document.links,
        }
    }
}

/// The answer to a question for programs.
#[must_use]
pub fn answer<'a>(query: &'a str, found: &'a Found, notes: &'a [String]) -> Answer<'a> {
    let entry = |(rank, hit): (usize, &'a Hit)| Entry {
        rank,
        score: hit.score,
        matched: &hit.matched,
        excerpt: &hit.excerpt,
        facts: Facts::of(&hit.document),
    };
    Answer { query, ways: found.ways, notes, hits: (1..).zip(&found.hits).map(entry).collect() }
}

/// The hits to read, each of a few lines.
#[must_use]
pub fn hits(found: &Found) -> String {
    let mut out = String::new();
    for (rank, hit) in (1..).zip(&found.hits) {
        let one = &hit.document;
        let year = one.year.map(|year| format!(" ({year})")).unwrap_or_default();
        line(&mut out, format_args!("{rank:>3}  {}  [{}]", one.key, one.kind));
        line(&mut out, format_args!("     {}{year}", one.title));
        let says = if one.summary.is_empty() { &hit.excerpt } else { &one.summary };
        if !says.is_empty() {
            line(&mut out, format_args!("     {}", cut(says, 400)));
        }
        line(&mut out, format_args!("     why:    {}", why(hit)));
        if !one.units.is_empty() && one.kind == Kind::Work {
            line(&mut out, format_args!("     unit:   {}", one.units.join(", ")));
        }
        line(&mut out, format_args!("     source: {}{}", one.source, standing(&one.standing)));
    }
    out
}

/// Why a document was found, in words.
fn why(hit: &Hit) -> String {
    let field = |matched: &Matched| {
        let name = match matched.field {
            Field::Name => "name",
            Field::Title => "title",
            Field::Tags => "tags",
            Field::Summary => "summary",
            Field::Authors => "authors",
            Field::Text => "text",
        };
        format!("{name} ({})", matched.words.join(", "))
    };
    let words = hit.matched.iter().map(field);
    let meaning = hit.by_meaning.map(|rank| format!("meaning (place {rank})"));
    words.chain(meaning).collect::<Vec<_>>().join(", ")
}

fn standing(standing: &Standing) -> String {
    match standing {
        Standing::Checked(_) | Standing::Given => String::new(),
        Standing::Unchecked => " (the summary is unchecked)".to_owned(),
        Standing::Retrieved(day) => format!(" (retrieved {day})"),
    }
}

/// The page that the summary was compared with, where it is another than the source.
fn checked(one: &Document) -> String {
    match &one.standing {
        Standing::Checked(page) if *page != one.source => format!("the summary, against {page}"),
        Standing::Checked(_) | Standing::Unchecked | Standing::Given | Standing::Retrieved(_) => String::new(),
    }
}

/// A document to read, with the titles of what it is tied to: `ties` are the documents that it links to, `tied` those that
/// link to it.
#[must_use]
pub fn document(one: &Document, ties: &[Document], tied: &[Document]) -> String {
    let mut out = String::new();
    let year = one.year.map(|year| format!(" ({year})")).unwrap_or_default();
    line(&mut out, format_args!("{}  [{}]\n{}{year}", one.key, one.kind, one.title));
    for (name, value) in [
        ("authors", named(&one.authors)),
        ("venue", one.venue.clone()),
        ("tags", one.tags.join(", ")),
        ("unit", one.units.join(", ")),
        ("source", format!("{}{}", one.source, standing(&one.standing))),
        ("checked", checked(one)),
    ] {
        if !value.is_empty() {
            line(&mut out, format_args!("{:<8} {value}", format!("{name}:")));
        }
    }
    for says in [&one.summary, &one.text].into_iter().filter(|says| !says.trim().is_empty()) {
        line(&mut out, format_args!("\n{}", says.trim_end()));
    }
    let of = |relation| {
        move |document: &&Document| one.links.iter().any(|link| link.key == document.key && link.relation == relation)
    };
    let to = |relation| {
        move |document: &&Document| document.links.iter().any(|link| link.key == one.key && link.relation == relation)
    };
    for relation in Relation::ALL {
        let words = words(*relation);
        list(&mut out, words.0, ties.iter().filter(of(*relation)).collect());
        list(&mut out, words.1, tied.iter().filter(to(*relation)).collect());
    }
    out
}

/// What a relation is called from either side.
fn words(relation: Relation) -> (&'static str, &'static str) {
    match relation {
        Relation::BuildsOn => ("builds on", "is built on by"),
        Relation::Implements => ("implements", "is implemented by"),
        Relation::PartOf => ("is part of", "has the parts"),
        Relation::ChildOf => ("was made from", "was made into"),
        Relation::ResultOf => ("is the result of", "has the result"),
    }
}

fn list(out: &mut String, name: &str, documents: Vec<&Document>) {
    if documents.is_empty() {
        return;
    }
    line(out, format_args!("\n{name}:"));
    for one in documents.iter().take(MOST_TIES) {
        line(out, format_args!("  {}  {}", one.key, one.title));
    }
    if documents.len() > MOST_TIES {
        line(out, format_args!("  and {} more", documents.len() - MOST_TIES));
    }
}

fn named(authors: &[String]) -> String {
    let mut named = authors.iter().take(MOST_AUTHORS).cloned().collect::<Vec<_>>().join(", ");
    if authors.len() > MOST_AUTHORS {
        named += &format!(" and {} more", authors.len() - MOST_AUTHORS);
    }
    named
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes all that is written");
}
