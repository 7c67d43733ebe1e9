//! One order of several: reciprocal rank fusion (Cormack et al., 2009).
//!
//! ```text
//! score = sum over the orders that have it of 1 / (60 + rank)      ranks from 1
//! ```
//!
//! which needs no scale common to the orders. In: ranks, or lists of documents, each best first. Out: a score, or one list.

use crate::document::{Document, Kind};

/// How slowly a rank loses its worth.
const CONSTANT: f64 = 60.0;

/// What standing at a rank, from 1, is worth.
#[must_use]
pub fn worth(rank: usize) -> f64 {
    1.0 / (CONSTANT + rank as f64)
}

/// The `most` best of several lists, of which an earlier one comes first where scores are equal. A published work that stands in
/// several of them is one, as the first list has it.
#[must_use]
pub fn fused(lists: Vec<Vec<Document>>, most: usize) -> Vec<Document> {
    let mut scored: Vec<(f64, String, Document)> = Vec::new();
    for list in lists {
        for (rank, document) in (1..).zip(list) {
            let (worth, name) = (worth(rank), name(&document));
            match scored.iter_mut().find(|(_, other, _)| *other == name) {
                Some((score, ..)) => *score += worth,
                None => scored.push((worth, name, document)),
            }
        }
    }
    // Stable: equal scores stay in the order of the lists.
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.into_iter().take(most).map(|(.., document)| document).collect()
}

/// What tells documents apart: works are known by their titles, for each source has keys of its own.
fn name(document: &Document) -> String {
    match document.kind {
        Kind::Work | Kind::Arxiv | Kind::SemanticScholar => {
            let title: String = document.title.chars().filter(|letter| letter.is_alphanumeric()).collect();
            format!("title {}", title.to_lowercase())
        }
        Kind::Design | Kind::Unit | Kind::Proposal | Kind::Result | Kind::File => {
            format!("{} {}", document.kind, document.key)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[(Kind, &str, &str)]) -> Vec<Document> {
        entries.iter().map(|(kind, key, title)| Document::new(*kind, key, title, "x")).collect()
    }

    fn keys(lists: Vec<Vec<Document>>, most: usize) -> Vec<String> {
        fused(lists, most).into_iter().map(|one| one.key).collect()
    }

    #[test]
    fn lists_take_turns_and_the_first_goes_first() {
        let own = list(&[(Kind::Unit, "a", "A"), (Kind::Unit, "b", "B")]);
        let live = list(&[(Kind::Arxiv, "c", "C"), (Kind::Arxiv, "d", "D")]);
        assert_eq!(keys(vec![own.clone(), live.clone()], 3), ["a", "c", "b"]);
        assert_eq!(keys(vec![live, own], 9), ["c", "a", "d", "b"]);
        assert_eq!(keys(vec![], 3), [""; 0]);
    }

    #[test]
    fn a_work_that_several_sources_have_is_one_and_counts_for_each() {
        let own = list(&[(Kind::Unit, "a", "A"), (Kind::Work, "mamba", "Mamba: Linear-Time")]);
        let arxiv = list(&[(Kind::Arxiv, "arxiv:1", "Other"), (Kind::Arxiv, "arxiv:2", "Mamba - linear time")]);
        assert_eq!(keys(vec![own, arxiv], 9), ["mamba", "a", "arxiv:1"]);
        let units = list(&[(Kind::Unit, "p#1", "Block"), (Kind::Unit, "p#2", "Block")]);
        assert_eq!(keys(vec![units], 9), ["p#1", "p#2"], "units of one title are several");
    }
}
