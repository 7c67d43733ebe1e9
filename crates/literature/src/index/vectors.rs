//! The vectors of all documents in one slice, and the nearest of them.
//!
//! In: rows of the table `vector`. Out: ids, nearest first. Every vector is compared: at 10,000 documents that is a few
//! million products, a millisecond or two. Nothing is approximate, and nothing is trained.

use std::collections::HashMap;

use rusqlite::Connection;

use crate::embed::dot;

/// The vectors of one model.
#[derive(Debug)]
pub(super) struct Vectors {
    /// The model.
    pub(super) model: String,
    /// Numbers of a vector.
    width: usize,
    /// In the order of `numbers`.
    documents: Vec<Owner>,
    /// `[document, width]`.
    numbers: Vec<f32>,
}

/// What documents are, from indices that hold it: a document's own row has its text, too, which would be read with it.
const KINDS: &str = "SELECT id, kind FROM document INDEXED BY document_of_kind";
const KEYS: &str = "SELECT id, key FROM document INDEXED BY document_of_key";

/// Whose a vector is.
#[derive(Debug)]
struct Owner {
    id: i64,
    kind: String,
    key: String,
}

/// A text of each document.
fn by_id(conn: &Connection, sql: &str) -> rusqlite::Result<HashMap<i64, String>> {
    conn.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

impl Vectors {
    /// All vectors of `model` that have `width` numbers.
    pub(super) fn read(conn: &Connection, model: &str, width: usize) -> rusqlite::Result<Self> {
        let mut vectors = Self { model: model.to_owned(), width, documents: Vec::new(), numbers: Vec::new() };
        let (mut kinds, mut keys) = (by_id(conn, KINDS)?, by_id(conn, KEYS)?);
        let mut select =
            conn.prepare("SELECT document, numbers FROM vector WHERE model = ?1 AND length(numbers) = 4 * ?2")?;
        let mut rows = select.query(rusqlite::params![model, width as i64])?;
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let (Some(kind), Some(key)) = (kinds.remove(&id), keys.remove(&id)) else { continue };
            vectors.documents.push(Owner { id, kind, key });
            let (bytes, _) = row.get_ref(1)?.as_blob()?.as_chunks::<4>();
            vectors.numbers.extend(bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        Ok(vectors)
    }

    /// The ids of the `most` documents nearest to `query`, of kinds that `is_asked` takes. Of equally near ones the first by
    /// key.
    pub(super) fn nearest(&self, query: &[f32], most: usize, is_asked: impl Fn(&str) -> bool) -> Vec<i64> {
        let rows = self.documents.iter().zip(self.numbers.chunks_exact(self.width.max(1)));
        let asked = rows.filter(|(owner, _)| is_asked(&owner.kind));
        let mut near: Vec<(f32, &Owner)> = asked.map(|(owner, vector)| (dot(query, vector), owner)).collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| (&a.1.key, a.1.id).cmp(&(&b.1.key, b.1.id))));
        near.into_iter().take(most).map(|(_, owner)| owner.id).collect()
    }
}
