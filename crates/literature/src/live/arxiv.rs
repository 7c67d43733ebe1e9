//! arXiv's Atom.
//!
//! In: a question. Out: documents, as arXiv ranks them. A page is asked for after the other, three seconds apart, as arXiv
//! wishes. All words must occur; where that finds nothing, any of them. arXiv sometimes gives a page without entries though
//! there are some: that is an answer that cannot be read, and is asked for again.

use std::time::Duration;

use serde::Deserialize;

use super::caller::{Caller, Rules};
use super::day::Day;
use super::error::LiveError;
use super::fetch::escaped;
use crate::document::{Document, Kind, Standing};
use crate::plain::one_line;
use crate::terms::{Term, terms};

/// Where arXiv answers.
pub const BASE: &str = "https://export.arxiv.org/api";

/// arXiv's rules: one request in three seconds, and no question twice a day.
pub const RULES: Rules = Rules {
    server: "arXiv",
    between: Duration::from_secs(3),
    tries: 4,
    back_off: Duration::from_secs(3),
    patience: Duration::from_secs(60),
    fresh_days: 1,
};

/// How many entries are asked for at once.
const PAGE: usize = 50;

/// At most `limit` works about `question`; `base` is [`BASE`], or another server that speaks so.
///
/// # Errors
/// [`LiveError`], where there is no answer. No words find nothing.
pub fn search(caller: &mut Caller<'_>, base: &str, question: &str, limit: usize) -> Result<Vec<Document>, LiveError> {
    let terms = terms(question);
    let found = pages(caller, base, &joined(&terms, " AND "), limit)?;
    if found.is_empty() && terms.len() > 1 {
        return pages(caller, base, &joined(&terms, " OR "), limit);
    }
    Ok(found)
}

/// The terms in arXiv's language.
fn joined(terms: &[Term], between: &str) -> String {
    let one = |term: &Term| match term {
        Term::Word(words) | Term::Phrase(words) if words.contains(' ') => format!("all:\"{words}\""),
        Term::Word(word) | Term::Phrase(word) => format!("all:{word}"),
        Term::Beginning(start) => format!("all:{start}*"),
    };
    terms.iter().map(one).collect::<Vec<_>>().join(between)
}

fn pages(caller: &mut Caller<'_>, base: &str, query: &str, limit: usize) -> Result<Vec<Document>, LiveError> {
    let mut found = Vec::new();
    if query.is_empty() {
        return Ok(found);
    }
    while found.len() < limit {
        let (start, most) = (found.len(), PAGE.min(limit - found.len()));
        let query = escaped(query);
        let url = format!("{base}/query?search_query={query}&start={start}&max_results={most}&sortBy=relevance");
        let (page, day) = caller.get(&url, |body| read(body, start))?;
        found.extend(page.entries.iter().map(|entry| entry.document(day)));
        if page.entries.is_empty() || found.len() >= page.total {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// A page of entries.
struct Page {
    total: usize,
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Feed {
    #[serde(rename = "totalResults")]
    total: usize,
    #[serde(rename = "entry", default)]
    entries: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    id: String,
    title: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    published: String,
    #[serde(rename = "author", default)]
    authors: Vec<Author>,
    #[serde(rename = "category", default)]
    categories: Vec<Category>,
    #[serde(default)]
    journal_ref: String,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Category {
    #[serde(rename = "@term", default)]
    term: String,
}

/// The page in an answer that begins with entry `start`.
fn read(body: &str, start: usize) -> Result<Page, String> {
    let feed: Feed = quick_xml::de::from_str(body).map_err(|error| format!("expected a feed of Atom: {error}"))?;
    if let Some(error) = feed.entries.iter().find(|entry| entry.id.contains("/api/errors")) {
        return Err(format!("it reports an error: {}", one_line(&error.summary)));
    }
    if feed.entries.is_empty() && start < feed.total {
        return Err(format!("expected entries from {start} on, of {}, found none", feed.total));
    }
    Ok(Page { total: feed.total, entries: feed.entries })
}

impl Entry {
    fn document(&self, day: Day) -> Document {
        let number = self.id.rsplit_once("/abs/").map_or(self.id.as_str(), |(_, number)| number);
        let number = match number.rsplit_once('v') {
            Some((number, version)) if version.bytes().all(|byte| byte.is_ascii_digit()) => number,
            _ => number,
        };
        let source = format!("https://arxiv.org/abs/{number}");
        let venue = if self.journal_ref.is_empty() { "arXiv" } else { &self.journal_ref };
        Document {
            year: self.published.get(..4).and_then(|year| year.parse().ok()),
            authors: self.authors.iter().map(|author| one_line(&author.name)).collect(),
            venue: one_line(venue),
            tags: self.categories.iter().map(|category| category.term.clone()).collect(),
            text: one_line(&self.summary),
            standing: Standing::Retrieved(day.to_string()),
            ..Document::new(Kind::Arxiv, &format!("arxiv:{number}"), &one_line(&self.title), &source)
        }
    }
}
