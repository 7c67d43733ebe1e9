//! Words, meaning, and the two together.
//!
//! In: a question, and a model of meaning where there is one. Out: hits, best first. By words: BM25 over name, title, tags,
//! summary, people and text, each with its weight. By meaning: the cosine of vectors. Together: a document's score is
//!
//! ```text
//! score = sum over the ways that found it of 1 / (60 + rank)      reciprocal rank fusion (Cormack et al., 2009)
//! ```
//!
//! which needs no scale common to both. Equal scores are told apart by key, so that one index gives one order. No word of a
//! question is an operator, and no text that is found is obeyed.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use serde::Serialize;

use super::vectors::Vectors;
use super::{DOCUMENT, Index, document};
use crate::document::{Document, Kind};
use crate::embed::{Embed, unit_vectors};
use crate::error::LiteratureError;
use crate::plain::{cut, one_line};
use crate::terms::{MOST_EXPANSIONS, expression, terms, words};

/// The constant of reciprocal rank fusion: how slowly a rank loses its worth.
const FUSION: f64 = 60.0;

/// How many documents each way of searching gives to the fusion, beyond those that are asked for.
const POOL: usize = 100;

/// Characters of an excerpt where no word was found.
const EXCERPT: usize = 200;

/// Around a word that was found; `clean` leaves neither in a text.
const MARKS: (&str, &str) = ("\u{2}", "\u{3}");

/// A question.
#[derive(Clone, Debug)]
pub struct Query<'a> {
    /// What is asked; [`mod@crate::terms`] says how it is read.
    pub text: &'a str,
    /// How many hits are wanted.
    pub limit: usize,
    /// The kinds of documents that are wanted; all where none is named.
    pub kinds: &'a [Kind],
}

/// By what was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ways {
    /// By words alone: there is no model of meaning.
    Words,
    /// By words and by meaning.
    WordsAndMeaning,
}

/// The answer to a question.
#[derive(Clone, Debug)]
pub struct Found {
    /// By what was searched.
    pub ways: Ways,
    /// What was found, best first.
    pub hits: Vec<Hit>,
}

/// A document that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// The document.
    pub document: Document,
    /// Its score; see the head of this file.
    pub score: f64,
    /// Its rank by words, from 1.
    pub by_words: Option<usize>,
    /// Its rank by meaning, from 1.
    pub by_meaning: Option<usize>,
    /// Which words were found where.
    pub matched: Vec<Matched>,
    /// Some of its text, around a word that was found.
    pub excerpt: String,
}

/// Words that were found in a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Matched {
    /// Where.
    pub field: Field,
    /// What, as it stands there, in lower case.
    pub words: Vec<String>,
}

/// A field of a document, in the order of the columns of `words`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// Its key.
    Name,
    /// Its title.
    Title,
    /// Its tags.
    Tags,
    /// Its summary.
    Summary,
    /// Its authors.
    Authors,
    /// Its text.
    Text,
}

impl Field {
    const ALL: [Self; 6] = [Self::Name, Self::Title, Self::Tags, Self::Summary, Self::Authors, Self::Text];
}

/// The ranks of a document, from 1.
#[derive(Clone, Copy, Debug, Default)]
struct Ranks {
    words: Option<usize>,
    meaning: Option<usize>,
}

impl Ranks {
    fn score(self) -> f64 {
        [self.words, self.meaning].into_iter().flatten().map(|rank| 1.0 / (FUSION + rank as f64)).sum()
    }
}

impl Index {
    /// Searches by words, and by meaning where there is a model.
    ///
    /// # Errors
    /// [`LiteratureError::EmptyQuery`] where no word is asked for, [`LiteratureError::Embedding`] of the model,
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn search(&self, query: &Query<'_>, model: Option<&dyn Embed>) -> Result<Found, LiteratureError> {
        let terms = terms(query.text);
        if terms.is_empty() {
            return Err(LiteratureError::EmptyQuery);
        }
        let pool = query.limit.saturating_add(POOL);
        let expression = expression(&terms, |start| self.expansions(start))?;
        let mut ranks: BTreeMap<i64, Ranks> = BTreeMap::new();
        if let Some(expression) = &expression {
            for (at, id) in (1..).zip(self.by_words(expression, query.kinds, pool)?) {
                ranks.entry(id).or_default().words = Some(at);
            }
        }
        if let Some(model) = model {
            for (at, id) in (1..).zip(self.by_meaning(query, model, pool)?) {
                ranks.entry(id).or_default().meaning = Some(at);
            }
        }
        let ways = if model.is_some() { Ways::WordsAndMeaning } else { Ways::Words };
        Ok(Found { ways, hits: self.hits(ranks, query.limit, expression.as_deref())? })
    }

    /// The shortest words of the index that begin with `start`.
    fn expansions(&self, start: &str) -> Result<Vec<String>, LiteratureError> {
        let sql = "SELECT word FROM word WHERE word >= ?1 AND word < ?2 ORDER BY length(word), word LIMIT ?3";
        let end = format!("{start}\u{10FFFF}");
        self.read("search", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            select.query_map(params![start, end, MOST_EXPANSIONS as i64], |row| row.get(0))?.collect()
        })
    }

    /// The ids of the documents that match, best first.
    fn by_words(&self, expression: &str, kinds: &[Kind], most: usize) -> Result<Vec<i64>, LiteratureError> {
        let sql = "SELECT d.id FROM
                       (SELECT rowid, rank AS score FROM words WHERE words MATCH ?1
                        AND (?2 = '[]' OR rowid IN
                            (SELECT id FROM document WHERE kind IN (SELECT value FROM json_each(?2))))
                        ORDER BY rank LIMIT ?3) found
                   JOIN document d ON d.id = found.rowid
                   ORDER BY found.score, d.key, d.source, d.id";
        let kinds = serde_json::to_string(kinds).expect("kinds are words");
        self.read("search", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            select.query_map(params![expression, kinds, most as i64], |row| row.get(0))?.collect()
        })
    }

    /// The ids of the documents that mean the like, nearest first.
    fn by_meaning(&self, query: &Query<'_>, model: &dyn Embed, most: usize) -> Result<Vec<i64>, LiteratureError> {
        let vector = unit_vectors(model, &[query.text])?.remove(0);
        let mut kept = self.vectors.borrow_mut();
        let vectors = match kept.take().filter(|vectors| vectors.model == model.model()) {
            Some(vectors) => vectors,
            None => self.read("read", |conn| Vectors::read(conn, model.model(), model.width()))?,
        };
        let is_asked = |kind: &str| query.kinds.is_empty() || query.kinds.iter().any(|asked| asked.word() == kind);
        let near = vectors.nearest(&vector, most, is_asked);
        *kept = Some(vectors);
        Ok(near)
    }

    /// The best of what was found, with their documents.
    fn hits(
        &self,
        ranks: BTreeMap<i64, Ranks>,
        limit: usize,
        expression: Option<&str>,
    ) -> Result<Vec<Hit>, LiteratureError> {
        let mut best: Vec<(Ranks, String, i64)> = Vec::new();
        for (id, ranks) in ranks {
            best.push((ranks, self.order(id)?, id));
        }
        best.sort_by(|a, b| b.0.score().total_cmp(&a.0.score()).then_with(|| (&a.1, a.2).cmp(&(&b.1, b.2))));
        best.truncate(limit);
        best.into_iter().map(|(ranks, _, id)| self.hit(id, ranks, expression)).collect()
    }

    /// What equal scores are told apart by.
    fn order(&self, id: i64) -> Result<String, LiteratureError> {
        let sql = "SELECT key || char(0) || source FROM document WHERE id = ?1";
        self.read("read", |conn| conn.prepare_cached(sql)?.query_row([id], |row| row.get(0)))
    }

    /// The document of that number.
    pub(super) fn by_id(&self, id: i64) -> Result<Document, LiteratureError> {
        let sql = format!("SELECT {DOCUMENT} FROM document d WHERE d.id = ?1");
        self.read("read", |conn| conn.prepare_cached(&sql)?.query_row([id], document))
    }

    fn hit(&self, id: i64, ranks: Ranks, expression: Option<&str>) -> Result<Hit, LiteratureError> {
        let document = self.by_id(id)?;
        let marked = match expression.filter(|_| ranks.words.is_some()) {
            Some(expression) => self.marked(id, expression)?,
            None => Vec::new(),
        };
        let matched = Field::ALL.iter().zip(&marked).filter_map(|(field, text)| matched(*field, text));
        let excerpt = match marked.last().filter(|text| text.contains(MARKS.0)) {
            Some(text) => one_line(&text.replace(MARKS.0, "").replace(MARKS.1, "")),
            None => {
                cut(&one_line(if document.summary.is_empty() { &document.text } else { &document.summary }), EXCERPT)
            }
        };
        Ok(Hit {
            matched: matched.collect(),
            excerpt,
            score: ranks.score(),
            by_words: ranks.words,
            by_meaning: ranks.meaning,
            document,
        })
    }

    /// The fields of a document with marks around the words that were found; of its text, the passage that has most.
    fn marked(&self, id: i64, expression: &str) -> Result<Vec<String>, LiteratureError> {
        let sql = "SELECT highlight(words, 0, ?3, ?4), highlight(words, 1, ?3, ?4), highlight(words, 2, ?3, ?4),
                          highlight(words, 3, ?3, ?4), highlight(words, 4, ?3, ?4), snippet(words, 5, ?3, ?4, ' ... ', 32)
                   FROM words WHERE words MATCH ?1 AND rowid = ?2";
        let marked = self.read("search", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            let row = select.query_row(params![expression, id, MARKS.0, MARKS.1], |row| {
                (0..Field::ALL.len()).map(|at| row.get(at)).collect::<Result<Vec<String>, _>>()
            });
            row.optional()
        })?;
        Ok(marked.unwrap_or_default())
    }
}

/// The words between the marks of a field, each once, if there are any.
fn matched(field: Field, marked: &str) -> Option<Matched> {
    let mut found: Vec<String> = Vec::new();
    for part in marked.split(MARKS.0).skip(1) {
        for word in words(part.split(MARKS.1).next().unwrap_or_default()) {
            if !found.contains(&word) {
                found.push(word);
            }
        }
    }
    (!found.is_empty()).then_some(Matched { field, words: found })
}
