//! The index: documents by their words and, where there is a model of meaning, by their vectors.
//!
//! In: batches of documents, each from one origin (a file, a table, an answer) with the hash of its content, so that what
//! did not change is not read again. Out: hits, best first, each with its document, its source and why it was found. It
//! lies in a file or in memory, and can always be made again from the sources.
//!
//! | file | holds |
//! | --- | --- |
//! | `schema` | the tables |
//! | `write` | batches in, and what is gone out |
//! | `search` | words, meaning, and the two together |
//! | `vectors` | the vectors of all documents, and the nearest of them |

mod schema;
mod search;
mod vectors;
mod write;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, Row};

pub use self::search::{Field, Found, Hit, Matched, Query, Ways};
pub use self::write::{Batch, Change, Known};

use self::vectors::Vectors;
use crate::document::Document;
use crate::error::LiteratureError;

/// The columns that make a document, in the order in which [`document`] reads them.
const DOCUMENT: &str = "d.key, d.kind, d.title, d.year, d.people, d.venue, d.tags, d.summary, d.text, d.source, d.standing, \
                        d.units, d.links";

/// What stands between authors, and between tags.
const BETWEEN: &str = "; ";

/// How many pages are copied at a time.
const PAGES: i32 = 1_000;

/// From which similarity on (Jaro and Winkler's, 1 for equal words) a key may be what was meant.
const LIKE: f64 = 0.85;

/// An index.
#[derive(Debug)]
pub struct Index {
    conn: Connection,
    path: Option<PathBuf>,
    /// Read from the tables when a model has given all their vectors, or at the first search by meaning, and again after a change.
    vectors: RefCell<Option<Vectors>>,
}

impl Index {
    /// A new index in memory.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn in_memory() -> Result<Self, LiteratureError> {
        Ok(Self { conn: schema::open(None)?, path: None, vectors: RefCell::default() })
    }

    /// The index in the file `path`, which is made if need be.
    ///
    /// # Errors
    /// [`LiteratureError::NotAnIndex`] where the file is another one, [`LiteratureError::Index`] where SQLite cannot.
    pub fn open(path: &Path) -> Result<Self, LiteratureError> {
        Ok(Self { conn: schema::open(Some(path))?, path: Some(path.to_owned()), vectors: RefCell::default() })
    }

    /// The same documents and vectors in memory: what is put in there stays there.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn copied(&self) -> Result<Self, LiteratureError> {
        let mut copy = Self::in_memory()?;
        let whole =
            |from: &Connection| Backup::new(from, &mut copy.conn)?.run_to_completion(PAGES, Duration::ZERO, None);
        self.read("copy", whole)?;
        Ok(copy)
    }

    /// How many documents there are.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn len(&self) -> Result<usize, LiteratureError> {
        let sql = "SELECT count(*) FROM document";
        self.read("count", |conn| conn.query_row(sql, [], |row| row.get::<_, i64>(0))).map(|count| count as usize)
    }

    /// Whether there is no document.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn is_empty(&self) -> Result<bool, LiteratureError> {
        Ok(self.len()? == 0)
    }

    /// The documents of that key: one of each origin that has it, in the order of their kinds.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn get(&self, key: &str) -> Result<Vec<Document>, LiteratureError> {
        let sql = format!("SELECT {DOCUMENT} FROM document d WHERE d.key = ?1 ORDER BY d.kind, d.source, d.id");
        self.documents(&sql, key)
    }

    /// The documents that are tied to that key, by any relation.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn tied_to(&self, key: &str) -> Result<Vec<Document>, LiteratureError> {
        let sql = format!(
            "SELECT {DOCUMENT} FROM document d WHERE EXISTS
                 (SELECT 1 FROM json_each(d.links) link WHERE json_extract(link.value, '$.key') = ?1)
             ORDER BY d.year, d.key, d.id"
        );
        self.documents(&sql, key)
    }

    /// At most `most` keys that are spelled like `key`, the likest first.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn like(&self, key: &str, most: usize) -> Result<Vec<String>, LiteratureError> {
        let sql = "SELECT DISTINCT key FROM document";
        let keys: Vec<String> =
            self.read("read", |conn| conn.prepare(sql)?.query_map([], |row| row.get(0))?.collect())?;
        let rated = keys.into_iter().map(|other| (strsim::jaro_winkler(key, &other), other));
        let mut like: Vec<(f64, String)> = rated.filter(|(rate, _)| *rate >= LIKE).collect();
        like.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        Ok(like.into_iter().take(most).map(|(_, key)| key).collect())
    }

    fn documents(&self, sql: &str, key: &str) -> Result<Vec<Document>, LiteratureError> {
        self.read("read", |conn| conn.prepare_cached(sql)?.query_map([key], document)?.collect())
    }

    /// What `reading` gives, or the error that says what was tried.
    fn read<T>(
        &self,
        doing: &'static str,
        reading: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LiteratureError> {
        reading(&self.conn).map_err(LiteratureError::index(doing, self.path.as_deref()))
    }
}

/// The document of a row that begins with the columns [`DOCUMENT`].
fn document(row: &Row<'_>) -> rusqlite::Result<Document> {
    Ok(Document {
        key: row.get(0)?,
        kind: row.get::<_, String>(1)?.parse().map_err(|error: String| unreadable(1, error))?,
        title: row.get(2)?,
        year: row.get(3)?,
        authors: list(&row.get::<_, String>(4)?),
        venue: row.get(5)?,
        tags: list(&row.get::<_, String>(6)?),
        summary: row.get(7)?,
        text: row.get(8)?,
        source: row.get(9)?,
        standing: serde_json::from_str(&row.get::<_, String>(10)?).map_err(|error| unreadable(10, error))?,
        units: list(&row.get::<_, String>(11)?),
        links: serde_json::from_str(&row.get::<_, String>(12)?).map_err(|error| unreadable(12, error))?,
    })
}

fn list(cell: &str) -> Vec<String> {
    cell.split(BETWEEN).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

fn unreadable(column: usize, error: impl Into<crate::error::Source>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}
