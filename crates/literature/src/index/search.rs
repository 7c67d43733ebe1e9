//! Words, meaning, and the two together.
//!
//! In: a question, and a model of meaning where there is one. Out: hits, best first. By words: BM25 over name, title, tags,
//! summary, people and text, each with its weight. By meaning: the cosine of vectors. Together: by reciprocal rank fusion
//! ([`mod@crate::fusion`]) of both ways. Equal scores are told apart by key, so that one index gives one order. No word of a
//! question is an operator, and no text that is found is obeyed.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use super::vectors::Vectors;
use super::{DOCUMENT, Index, document};
use crate::document::{Document, Kind};
use crate::embed::{Embed, unit_vectors};
use crate::error::LiteratureError;
use crate::fusion::worth;
use crate::plain::{cut, one_line};
use crate::terms::{MOST_EXPANSIONS, expression, terms, words};

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
    /// Its score, by [`worth`].
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
        [self.words, self.meaning].into_iter().flatten().map(worth).sum()
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
        // Not ordered there: FTS5 would carry the places of all words of all that matches through its sorter.
        let sql = "SELECT rowid, -rank FROM words WHERE words MATCH ?1 AND (?2 = '[]' OR rowid IN
                       (SELECT id FROM document WHERE kind IN (SELECT value FROM json_each(?2))))";
        let kinds = serde_json::to_string(kinds).expect("kinds are words");
        let found: Vec<(f64, i64)> = self.read("search", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            select.query_map(params![expression, kinds], |row| Ok((row.get(1)?, row.get(0)?)))?.collect()
        })?;
        Ok(self.best(found, most)?.into_iter().map(|(_, id)| id).collect())
    }

    /// The ids of the documents that mean the like, nearest first.
    fn by_meaning(&self, query: &Query<'_>, model: &dyn Embed, most: usize) -> Result<Vec<i64>, LiteratureError> {
        let vector = unit_vectors(model, &[query.text])?.remove(0);
        let is_asked = |kind: &str| query.kinds.is_empty() || query.kinds.iter().any(|asked| asked.word() == kind);
        self.load(model)?;
        Ok(self.vectors.borrow().as_ref().map_or_else(Vec::new, |vectors| vectors.nearest(&vector, most, is_asked)))
    }

    /// Has the vectors of a model in memory.
    pub(super) fn load(&self, model: &dyn Embed) -> Result<(), LiteratureError> {
        let mut kept = self.vectors.borrow_mut();
        if kept.as_ref().is_none_or(|vectors| vectors.model != model.model()) {
            *kept = Some(self.read("read", |conn| Vectors::read(conn, model.model(), model.width()))?);
        }
        Ok(())
    }

    /// The best of what was found, with their documents.
    fn hits(
        &self,
        ranks: BTreeMap<i64, Ranks>,
        limit: usize,
        expression: Option<&str>,
    ) -> Result<Vec<Hit>, LiteratureError> {
        let best = self.best(ranks.iter().map(|(id, ranks)| (ranks.score(), *id)).collect(), limit)?;
        let by_words: Vec<i64> = best.iter().map(|(_, id)| *id).filter(|id| ranks[id].words.is_some()).collect();
        let mut marked = match expression {
            Some(expression) => self.marked(&by_words, expression)?,
            None => BTreeMap::new(),
        };
        best.into_iter().map(|(_, id)| self.hit(id, ranks[&id], &marked.remove(&id).unwrap_or_default())).collect()
    }

    /// The ids of the `most` best scores, best first; of equal ones the first by key.
    fn best(&self, mut scored: Vec<(f64, i64)>, most: usize) -> Result<Vec<(f64, i64)>, LiteratureError> {
        if most == 0 {
            return Ok(Vec::new());
        }
        if scored.len() > most {
            let (_, last, _) = scored.select_nth_unstable_by(most - 1, |a, b| b.0.total_cmp(&a.0));
            let least = last.0;
            scored.retain(|(score, _)| *score >= least);
        }
        scored.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for equal in scored.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
            let keys = equal.iter().map(|(_, id)| Ok((*id, self.order(*id)?)));
            let keys = keys.collect::<Result<BTreeMap<i64, String>, LiteratureError>>()?;
            equal.sort_by(|a, b| (&keys[&a.1], a.1).cmp(&(&keys[&b.1], b.1)));
        }
        scored.truncate(most);
        Ok(scored)
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

    /// A hit, with the fields of its document as they are marked.
    fn hit(&self, id: i64, ranks: Ranks, marked: &[String]) -> Result<Hit, LiteratureError> {
        let document = self.by_id(id)?;
        let matched = Field::ALL.iter().zip(marked).filter_map(|(field, text)| matched(*field, text));
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

    /// The fields of documents with marks around the words that were found; of their texts, the passages that have most.
    fn marked(&self, ids: &[i64], expression: &str) -> Result<BTreeMap<i64, Vec<String>>, LiteratureError> {
        // The sign keeps the number from being looked up: FTS5 would begin the search anew for each.
        let sql = "SELECT highlight(words, 0, ?3, ?4), highlight(words, 1, ?3, ?4), highlight(words, 2, ?3, ?4),
                          highlight(words, 3, ?3, ?4), highlight(words, 4, ?3, ?4), snippet(words, 5, ?3, ?4, ' ... ', 32),
                          rowid
                   FROM words WHERE words MATCH ?1 AND +rowid IN (SELECT value FROM json_each(?2))";
        let ids = serde_json::to_string(ids).expect("numbers have a JSON form");
        self.read("search", |conn| {
            let mut select = conn.prepare_cached(sql)?;
            let rows = select.query_map(params![expression, ids, MARKS.0, MARKS.1], |row| {
                let fields = (0..Field::ALL.len()).map(|at| row.get(at)).collect::<Result<Vec<String>, _>>()?;
                Ok((row.get(Field::ALL.len())?, fields))
            })?;
            rows.collect()
        })
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
