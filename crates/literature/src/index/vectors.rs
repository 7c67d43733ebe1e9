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
    /// In the order of `numbers`.
    documents: Vec<Owner>,
    /// `[document, width]`.
    numbers: Vec<f32>,
}

/// Whose a vector is.
#[derive(Debug)]
struct Owner {
    id: i64,
    kind: String,
    key: String,
}

impl Vectors {
    /// All vectors of `model` that have `width` numbers.
    pub(super) fn read(conn: &Connection, model: &str, width: usize) -> rusqlite::Result<Self> {
        let mut vectors = Self { model: model.to_owned(), width, documents: Vec::new(), numbers: Vec::new() };
        let mut select = conn.prepare(
            "SELECT v.numbers, d.id, d.kind, d.key FROM vector v JOIN document d ON d.id = v.document
             WHERE v.model = ?1 AND length(v.numbers) = 4 * ?2",
        )?;
        let mut rows = select.query(rusqlite::params![model, width as i64])?;
        while let Some(row) = rows.next()? {
            vectors.documents.push(Owner { id: row.get(1)?, kind: row.get(2)?, key: row.get(3)? });
            let (bytes, _) = row.get_ref(0)?.as_blob()?.as_chunks::<4>();
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
