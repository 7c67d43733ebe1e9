//! Semantic Scholar's Graph API.
//!
//! In: a question, or a work. Out: works that are about it, that it builds on, or that build on it. Pages follow as `next`
//! says. A key is optional, and goes into a header only. Entries without a number are left out: nothing leads back to them.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::caller::{Caller, Rules};
use super::day::Day;
use super::error::LiveError;
use super::fetch::escaped;
use crate::document::{Document, Kind, Standing};
use crate::plain::one_line;

/// Where Semantic Scholar answers.
pub const BASE: &str = "https://api.semanticscholar.org/graph/v1";

/// The header that a key goes into.
pub const KEY_HEADER: &str = "x-api-key";

/// Semantic Scholar's rules: one request a second with a key; without one all who have none share a quota, and it is often
/// busy.
pub const RULES: Rules = Rules {
    server: "Semantic Scholar",
    between: Duration::from_secs(1),
    tries: 5,
    back_off: Duration::from_secs(2),
    patience: Duration::from_secs(60),
    fresh_days: 7,
};

/// How many works are asked for at once.
const PAGE: usize = 100;

/// How far a search reaches: what lies behind is refused.
const REACH: usize = 1_000;

/// What is asked for of a work.
const FIELDS: [&str; 7] = ["title", "abstract", "year", "venue", "authors", "externalIds", "url"];

/// At most `limit` works about `question`, as Semantic Scholar ranks them; `base` is [`BASE`], or another server that
/// speaks so.
///
/// # Errors
/// [`LiveError`], where there is no answer.
pub fn search(caller: &mut Caller<'_>, base: &str, question: &str, limit: usize) -> Result<Vec<Document>, LiveError> {
    let start = format!("{base}/paper/search?query={}&fields={}", escaped(question), FIELDS.join(","));
    pages(caller, &start, limit.min(REACH), |paper: Paper| Some(paper))
}

/// At most `limit` works that the work `id` builds on; `id` as the server has it, such as `arXiv:2105.14103`.
///
/// # Errors
/// [`LiveError`], where there is no answer.
pub fn references(caller: &mut Caller<'_>, base: &str, id: &str, limit: usize) -> Result<Vec<Document>, LiveError> {
    let start = format!("{base}/paper/{}/references?fields={}", escaped(id), FIELDS.join(","));
    pages(caller, &start, limit, |reference: Reference| reference.cited)
}

/// At most `limit` works that build on the work `id`.
///
/// # Errors
/// [`LiveError`], where there is no answer.
pub fn citations(caller: &mut Caller<'_>, base: &str, id: &str, limit: usize) -> Result<Vec<Document>, LiveError> {
    let start = format!("{base}/paper/{}/citations?fields={}", escaped(id), FIELDS.join(","));
    pages(caller, &start, limit, |citation: Citation| citation.citing)
}

/// A page of entries.
#[derive(Deserialize)]
struct Page<T> {
    next: Option<usize>,
    #[serde(default = "Vec::new")]
    data: Vec<T>,
}

#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "citedPaper")]
    cited: Option<Paper>,
}

#[derive(Deserialize)]
struct Citation {
    #[serde(rename = "citingPaper")]
    citing: Option<Paper>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Paper {
    paper_id: Option<String>,
    title: Option<String>,
    #[serde(rename = "abstract")]
    summary: Option<String>,
    year: Option<u16>,
    venue: Option<String>,
    authors: Option<Vec<Author>>,
    external_ids: Option<ExternalIds>,
    url: Option<String>,
}

#[derive(Deserialize)]
struct Author {
    name: Option<String>,
}

#[derive(Deserialize)]
struct ExternalIds {
    #[serde(rename = "ArXiv")]
    arxiv: Option<String>,
    #[serde(rename = "DOI")]
    doi: Option<String>,
}

/// The works of the pages that begin at `start`, until there are enough or no more.
fn pages<T: DeserializeOwned>(
    caller: &mut Caller<'_>,
    start: &str,
    limit: usize,
    paper: impl Fn(T) -> Option<Paper>,
) -> Result<Vec<Document>, LiveError> {
    let (mut found, mut offset) = (Vec::new(), 0);
    while found.len() < limit {
        let url = format!("{start}&offset={offset}&limit={}", PAGE.min(limit - found.len()));
        let (page, day) = caller.get(&url, read::<T>)?;
        let papers = page.data.into_iter().filter_map(&paper);
        found.extend(papers.filter_map(|paper| paper.document(day)));
        match page.next {
            Some(next) if next > offset => offset = next,
            _ => break,
        }
    }
    found.truncate(limit);
    Ok(found)
}

fn read<T: DeserializeOwned>(body: &str) -> Result<Page<T>, String> {
    serde_json::from_str(body).map_err(|error| format!("expected a page of works as JSON: {error}"))
}

impl Paper {
    fn document(self, day: Day) -> Option<Document> {
        let id = self.paper_id.filter(|id| !id.is_empty())?;
        let title = one_line(&self.title.unwrap_or_default());
        let source = self.url.unwrap_or_else(|| format!("https://www.semanticscholar.org/paper/{id}"));
        let (arxiv, doi) = self.external_ids.map_or((None, None), |ids| (ids.arxiv, ids.doi));
        let numbers = [arxiv.map(|number| format!("arXiv:{number}")), doi.map(|doi| format!("doi:{doi}"))];
        let text = self.summary.into_iter().chain(numbers.into_iter().flatten());
        let people = self.authors.unwrap_or_default();
        Some(Document {
            year: self.year,
            authors: people.into_iter().filter_map(|author| author.name).map(|name| one_line(&name)).collect(),
            venue: one_line(&self.venue.unwrap_or_default()),
            text: text.map(|part| one_line(&part)).collect::<Vec<_>>().join("\n"),
            standing: Standing::Retrieved(day.to_string()),
            ..Document::new(Kind::SemanticScholar, &format!("s2:{id}"), &title, &source)
        })
    }
}
