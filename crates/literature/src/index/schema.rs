//! The tables of an index, and how SQLite is opened on them.
//!
//! In: a path, or none. Out: a connection to tables of this version. An index can be made again from its sources, so one of
//! another version is emptied, and what a power cut takes is only time. A file of somebody else is refused, not touched.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};

use crate::error::LiteratureError;

/// The version of the tables, and of what documents are made of.
const VERSION: i32 = 1;

/// Marks the file as ours in SQLite's header: "genl".
const APPLICATION: i32 = 0x6765_6e6c;

/// How long one waits for another process that writes.
const PATIENCE: Duration = Duration::from_secs(10);

/// `words` indexes what `document` holds, by its triggers. `word` has every word that was ever put in as it was written:
/// `words` keeps stems, of which a beginning such as `activat*` of `activ` is none. Its rank is BM25, with the weights of
/// its columns.
const TABLES: &str = "
    CREATE TABLE origin (
        id INTEGER PRIMARY KEY,
        collection TEXT NOT NULL,
        name TEXT NOT NULL,
        hash BLOB NOT NULL,
        trouble TEXT,
        UNIQUE (collection, name)
    ) STRICT;
    CREATE TABLE document (
        id INTEGER PRIMARY KEY,
        origin INTEGER NOT NULL REFERENCES origin (id) ON DELETE CASCADE,
        key TEXT NOT NULL,
        kind TEXT NOT NULL,
        year INTEGER,
        venue TEXT NOT NULL,
        source TEXT NOT NULL,
        standing TEXT NOT NULL,
        units TEXT NOT NULL,
        links TEXT NOT NULL,
        name TEXT NOT NULL,
        title TEXT NOT NULL,
        tags TEXT NOT NULL,
        summary TEXT NOT NULL,
        people TEXT NOT NULL,
        text TEXT NOT NULL
    ) STRICT;
    CREATE INDEX document_of_origin ON document (origin);
    CREATE INDEX document_of_kind ON document (kind);
    CREATE INDEX document_of_key ON document (key);
    CREATE TABLE word (word TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
    CREATE TABLE vector (
        document INTEGER PRIMARY KEY REFERENCES document (id) ON DELETE CASCADE,
        model TEXT NOT NULL,
        numbers BLOB NOT NULL
    ) STRICT;
    CREATE VIRTUAL TABLE words USING fts5 (
        name, title, tags, summary, people, text,
        content = 'document', content_rowid = 'id', prefix = '2 3 4', tokenize = 'porter unicode61 remove_diacritics 2'
    );
    INSERT INTO words (words, rank) VALUES ('rank', 'bm25(8.0, 8.0, 4.0, 4.0, 2.0, 1.0)');
    CREATE TRIGGER document_in AFTER INSERT ON document BEGIN
        INSERT INTO words (rowid, name, title, tags, summary, people, text)
        VALUES (new.id, new.name, new.title, new.tags, new.summary, new.people, new.text);
    END;
    CREATE TRIGGER document_out AFTER DELETE ON document BEGIN
        INSERT INTO words (words, rowid, name, title, tags, summary, people, text)
        VALUES ('delete', old.id, old.name, old.title, old.tags, old.summary, old.people, old.text);
    END;
";

const DROPS: &str = "
    DROP TABLE IF EXISTS vector;
    DROP TABLE IF EXISTS words;
    DROP TABLE IF EXISTS word;
    DROP TABLE IF EXISTS document;
    DROP TABLE IF EXISTS origin;
";

/// A connection to the index at `path`, or to a new one in memory.
///
/// # Errors
/// [`LiteratureError::NotAnIndex`] where the file is another one, [`LiteratureError::Index`] where SQLite cannot.
pub(crate) fn open(path: Option<&Path>) -> Result<Connection, LiteratureError> {
    let failed = |error: rusqlite::Error| match (path, error.sqlite_error_code()) {
        (Some(path), Some(ErrorCode::NotADatabase)) => LiteratureError::NotAnIndex { path: path.to_owned() },
        _ => LiteratureError::index("open", path)(error),
    };
    let mut conn = match path {
        Some(path) => Connection::open(path),
        None => Connection::open_in_memory(),
    }
    .map_err(failed)?;
    if !prepare(&mut conn).map_err(failed)? {
        return Err(LiteratureError::NotAnIndex { path: path.unwrap_or(Path::new("")).to_owned() });
    }
    Ok(conn)
}

/// Makes the tables where they are not; says whether the file is ours.
fn prepare(conn: &mut Connection) -> rusqlite::Result<bool> {
    conn.busy_timeout(PATIENCE)?;
    let tx = conn.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let pragma = |name: &str| tx.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    if application != APPLICATION && (application != 0 || tables != 0) {
        return Ok(false);
    }
    if version != VERSION || tables == 0 {
        tx.execute_batch(DROPS)?;
        tx.execute_batch(TABLES)?;
        tx.pragma_update(None, "application_id", APPLICATION)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    tx.commit()?;
    conn.execute_batch("PRAGMA foreign_keys = ON; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")?;
    Ok(true)
}
