//! The vectors of all documents in one slice, and the nearest of them.
//!
//! In: rows of the table `vector`. Out: ids, nearest first. Every vector is compared: at 10,000 documents that is a few
//! million products, a millisecond or two. Nothing is approximate, and nothing is trained.

use rusqlite::Connection;

use crate::embed::dot;

/// The vectors of one model.
#[derive(Debug)]
pub(super) struct Vectors {
    /// The model.
    pub(super) model: String,
    /// Numbers of a vector.
    width: usize,
    /// Documents and their kinds, in the order of `numbers`.
    documents: Vec<(i64, String)>,
    /// `[document, width]`.
    numbers: Vec<f32>,
}

impl Vectors {
    /// All vectors of `model` that have `width` numbers.
    pub(super) fn read(conn: &Connection, model: &str, width: usize) -> rusqlite::Result<Self> {
        let mut vectors = Self { model: model.to_owned(), width, documents: Vec::new(), numbers: Vec::new() };
        let mut select = conn.prepare(
            "SELECT v.document, d.kind, v.numbers FROM vector v JOIN document d ON d.id = v.document
             WHERE v.model = ?1 AND length(v.numbers) = 4 * ?2 ORDER BY d.key, d.source, d.id",
        )?;
        let mut rows = select.query(rusqlite::params![model, width as i64])?;
        while let Some(row) = rows.next()? {
            vectors.documents.push((row.get(0)?, row.get(1)?));
            let (bytes, _) = row.get_ref(2)?.as_blob()?.as_chunks::<4>();
            vectors.numbers.extend(bytes.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        Ok(vectors)
    }

    /// The ids of the `most` documents nearest to `query`, of kinds that `is_asked` takes. Of equally near ones the first by
    /// key.
    pub(super) fn nearest(&self, query: &[f32], most: usize, is_asked: impl Fn(&str) -> bool) -> Vec<i64> {
        let rows = self.documents.iter().zip(self.numbers.chunks_exact(self.width.max(1))).enumerate();
        let mut near: Vec<(f32, usize)> = rows
            .filter(|(_, ((_, kind), _))| is_asked(kind))
            .map(|(at, (_, vector))| (dot(query, vector), at))
            .collect();
        near.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        near.truncate(most);
        near.into_iter().map(|(_, at)| self.documents[at].0).collect()
    }
}
