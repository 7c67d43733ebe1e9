//! Batches in, and what is gone out.
//!
//! In: what an origin holds now, with the hash of its content; and the origins that are still there. Out: tables that hold
//! just that, in one transaction. An origin whose hash is known is not given again: [`Index::known`] tells the caller.

use std::collections::{BTreeMap, BTreeSet};

use blake3::Hash;
use rusqlite::{Transaction, TransactionBehavior, params};

use super::{BETWEEN, Index};
use crate::document::Document;
use crate::embed::{Embed, unit_vectors};
use crate::error::LiteratureError;
use crate::plain::parts_of_name;
use crate::terms::words;

/// The longest word that is kept to be found by its beginning; what is longer is no word.
const LONGEST_WORD: usize = 40;

/// How many texts a model is given at once.
const TEXTS_AT_ONCE: usize = 32;

/// What an origin holds.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its name, such as a path.
    pub origin: String,
    /// The hash of its content.
    pub hash: Hash,
    /// Its documents.
    pub documents: Vec<Document>,
    /// What is wrong with it, kept so that it is said again without reading it again.
    pub trouble: Option<String>,
}

impl Batch {
    /// A batch of documents that are their own content.
    #[must_use]
    pub fn of(origin: &str, documents: Vec<Document>) -> Self {
        let mut hasher = blake3::Hasher::new();
        for document in &documents {
            // Debug text names every field: what is added to a document changes its hash, too.
            hasher.update(format!("{document:?}\n").as_bytes());
        }
        Self { origin: origin.to_owned(), hash: hasher.finalize(), documents, trouble: None }
    }
}

/// What the index knows of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The hash of its content when it was read.
    pub hash: Hash,
    /// What was wrong with it.
    pub trouble: Option<String>,
}

/// What an update did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// How many origins were new or had changed.
    pub put: usize,
    /// How many were gone.
    pub dropped: usize,
}

impl Index {
    /// The origins of a collection.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot.
    pub fn known(&self, collection: &str) -> Result<BTreeMap<String, Known>, LiteratureError> {
        self.read("read", |conn| {
            let mut select = conn.prepare("SELECT name, hash, trouble FROM origin WHERE collection = ?1")?;
            let rows = select.query_map([collection], |row| {
                let known = Known { hash: Hash::from_bytes(row.get(1)?), trouble: row.get(2)? };
                Ok((row.get(0)?, known))
            })?;
            rows.collect()
        })
    }

    /// Makes a collection hold `batches`, and of the rest only the origins in `kept`: all or nothing.
    ///
    /// # Errors
    /// [`LiteratureError::Index`] where SQLite cannot; nothing is changed then.
    pub fn update(
        &mut self,
        collection: &str,
        batches: &[Batch],
        kept: &BTreeSet<String>,
    ) -> Result<Change, LiteratureError> {
        let known = self.known(collection)?;
        let changed: Vec<&Batch> =
            batches.iter().filter(|batch| known.get(&batch.origin).is_none_or(|old| old.hash != batch.hash)).collect();
        let named: BTreeSet<&String> = batches.iter().map(|batch| &batch.origin).chain(kept).collect();
        let gone: Vec<&String> = known.keys().filter(|name| !named.contains(name)).collect();
        let change = Change { put: changed.len(), dropped: gone.len() };
        if change == Change::default() {
            return Ok(change);
        }
        let failed = LiteratureError::index("write", self.path.as_deref());
        let write = || -> rusqlite::Result<()> {
            let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            for name in gone {
                drop_origin(&tx, collection, name)?;
            }
            for batch in changed {
                drop_origin(&tx, collection, &batch.origin)?;
                put(&tx, collection, batch)?;
            }
            tx.commit()
        };
        write().map_err(failed)?;
        self.vectors.take();
        Ok(change)
    }

    /// As [`Index::update`], where `batches` are all that the collection holds.
    ///
    /// # Errors
    /// As [`Index::update`].
    pub fn replace(&mut self, collection: &str, batches: &[Batch]) -> Result<Change, LiteratureError> {
        self.update(collection, batches, &BTreeSet::new())
    }

    /// Gives every document a vector of that model that has none yet; `told` hears how many are done. Says how many there were. The
    /// vectors then lie in memory, so that the first question by meaning takes no longer than others.
    ///
    /// # Errors
    /// [`LiteratureError::Embedding`] of the model, [`LiteratureError::Index`] where SQLite cannot; what is done is kept.
    pub fn embed(&mut self, model: &dyn Embed, mut told: impl FnMut(usize)) -> Result<usize, LiteratureError> {
        let missing = self.without_vector(model.model())?;
        for (done, ids) in missing.chunks(TEXTS_AT_ONCE).enumerate() {
            let gists = self.gists(ids)?;
            let vectors = unit_vectors(model, &gists.iter().map(String::as_str).collect::<Vec<_>>())?;
            let failed = LiteratureError::index("write", self.path.as_deref());
            self.put_vectors(model.model(), ids, &vectors).map_err(failed)?;
            told(done * TEXTS_AT_ONCE + ids.len());
        }
        if !missing.is_empty() {
            self.vectors.take();
        }
        self.load(model)?;
        Ok(missing.len())
    }

    fn without_vector(&self, model: &str) -> Result<Vec<i64>, LiteratureError> {
        let sql = "SELECT id FROM document WHERE id NOT IN (SELECT document FROM vector WHERE model = ?1) ORDER BY id";
        self.read("read", |conn| conn.prepare(sql)?.query_map([model], |row| row.get(0))?.collect())
    }

    fn gists(&self, ids: &[i64]) -> Result<Vec<String>, LiteratureError> {
        ids.iter().map(|id| self.by_id(*id).map(|document| document.gist())).collect()
    }

    fn put_vectors(&mut self, model: &str, ids: &[i64], vectors: &[Vec<f32>]) -> rusqlite::Result<()> {
        let tx = self.conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (id, vector) in ids.iter().zip(vectors) {
            let numbers: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
            let sql = "INSERT OR REPLACE INTO vector (document, model, numbers) VALUES (?1, ?2, ?3)";
            tx.prepare_cached(sql)?.execute(params![id, model, numbers])?;
        }
        tx.commit()
    }
}

fn drop_origin(tx: &Transaction<'_>, collection: &str, name: &str) -> rusqlite::Result<()> {
    let sql = "DELETE FROM origin WHERE collection = ?1 AND name = ?2";
    tx.prepare_cached(sql)?.execute([collection, name]).map(|_| ())
}

fn put(tx: &Transaction<'_>, collection: &str, batch: &Batch) -> rusqlite::Result<()> {
    let sql = "INSERT INTO origin (collection, name, hash, trouble) VALUES (?1, ?2, ?3, ?4)";
    tx.prepare_cached(sql)?.execute(params![collection, batch.origin, batch.hash.as_bytes(), batch.trouble])?;
    let origin = tx.last_insert_rowid();
    let mut seen = BTreeSet::new();
    for document in &batch.documents {
        put_document(tx, origin, document)?;
        for text in [&document.key, &document.title, &document.tags.join(" "), &document.summary, &document.text] {
            seen.extend(words(text).filter(|word| word.len() <= LONGEST_WORD));
        }
    }
    let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO word (word) VALUES (?1)")?;
    seen.iter().try_for_each(|word| insert.execute([word]).map(|_| ()))
}

fn put_document(tx: &Transaction<'_>, origin: i64, document: &Document) -> rusqlite::Result<()> {
    let document = document.clone().plain();
    let json = |value: Result<String, serde_json::Error>| value.expect("words and links have a JSON form");
    let sql = "INSERT INTO document (origin, key, kind, year, venue, source, standing, units, links, name, title, tags, \
               summary, people, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    let values = params![
        origin,
        document.key,
        document.kind.word(),
        document.year,
        document.venue,
        document.source,
        json(serde_json::to_string(&document.standing)),
        document.units.join(BETWEEN),
        json(serde_json::to_string(&document.links)),
        format!("{} {}", document.key, parts_of_name(&document.key)),
        document.title,
        document.tags.join(BETWEEN),
        document.summary,
        document.authors.join(BETWEEN),
        document.text,
    ];
    tx.prepare_cached(sql)?.execute(values).map(|_| ())
}
