//! Searches that are kept: what a dialogue finds is recorded as what its model answers.
//!
//! A dialogue is a function of what is answered and of what is found. In: a library, whose documents change with the run, with the
//! user's folders, and with what other servers say today. Out: the same library, each of whose answers stands in a file of lines of JSON
//! before it is handed on, and is given again where the same is asked in the same generation: by a dialogue that goes on, by another one
//! of that generation, or in a replay, which needs no library at all. Failures are kept, too.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use genesys_literature::{Document, Kind};
use genesys_llm::LlmError;
use genesys_llm::lines::{LineFile, read};
use serde::{Deserialize, Serialize};

use crate::library::{Found, Library, shown};

/// A search, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The generation whose dialogue asked; 0 where there is no run.
    pub generation: u64,
    /// What was asked.
    pub question: String,
    /// The kinds of documents that were wanted.
    pub kinds: Vec<Kind>,
    /// How many documents were wanted at most.
    pub limit: usize,
    /// What came of it.
    pub found: Kept,
}

/// What came of a search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Kept {
    /// Documents, best first.
    Documents(Vec<Entry>),
    /// None, and why.
    Nothing(String),
}

/// What is shown of a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// What it is.
    pub kind: Kind,
    /// Its title.
    pub title: String,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub year: Option<u16>,
    /// What it does.
    pub summary: String,
    /// The beginning of its text.
    pub text: String,
    /// Where it comes from.
    pub source: String,
}

/// How lines begin.
const BEGINNING: &str = "{\"generation\":";

/// What tells searches apart.
type Key = (u64, String, Vec<Kind>, usize);

/// A library whose answers are kept.
pub struct Searches<L> {
    /// Where what was never asked is looked for.
    library: Option<L>,
    /// What a recording has.
    recorded: BTreeMap<Key, Kept>,
    /// What was found so far.
    found: Mutex<BTreeMap<Key, Kept>>,
    file: Option<LineFile>,
    generation: AtomicU64,
}

impl<L> Searches<L> {
    /// The searches of a library.
    pub fn of(library: L) -> Self {
        Self { library: Some(library), ..Self::without() }
    }

    /// The searches that a file has, and no others.
    ///
    /// # Errors
    /// [`LlmError::File`], with the line that is no search where one is.
    pub fn recorded(path: &Path) -> Result<Self, LlmError> {
        Ok(Self { recorded: searches(path)?, ..Self::without() })
    }

    /// The same with a file, in which each is from now on; those that are there already are not made again.
    ///
    /// # Errors
    /// [`LlmError::File`]
    pub fn kept(self, path: &Path) -> Result<Self, LlmError> {
        let file = LineFile::open(path, &[BEGINNING])?;
        Ok(Self { found: Mutex::new(searches(path)?), file: Some(file), ..self })
    }

    /// From now on dialogues of that generation ask.
    pub fn begin(&self, generation: u64) {
        self.generation.store(generation, Ordering::SeqCst);
    }

    /// Where what was never asked is looked for; nothing where a recording alone answers.
    pub fn library(&self) -> Option<&L> {
        self.library.as_ref()
    }

    fn without() -> Self {
        let (found, generation) = (Mutex::default(), AtomicU64::new(0));
        Self { library: None, recorded: BTreeMap::new(), found, file: None, generation }
    }

    fn known(&self, key: &Key) -> Option<Kept> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// Keeps what was found. Where two dialogues asked the same at once, both get what came first.
    fn keep(&self, key: Key, kept: Kept) -> Result<Kept, LlmError> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = found.get(&key) {
            return Ok(first.clone());
        }
        if let Some(file) = &self.file {
            let (generation, question, kinds, limit) = key.clone();
            file.add(&Search { generation, question, kinds, limit, found: kept.clone() })?;
        }
        found.insert(key, kept.clone());
        Ok(kept)
    }
}

impl<L: Library> Searches<L> {
    /// What the recording has, or else the library.
    fn first(&self, key: &Key) -> Result<Kept, LlmError> {
        let (generation, question, kinds, limit) = key;
        match (self.recorded.get(key), &self.library) {
            (Some(kept), _) => Ok(kept.clone()),
            (None, Some(library)) => Ok(Kept::of(library.search(question, kinds, *limit)?)),
            (None, None) => Err(LlmError::Unrecorded(format!(
                "the recording has no search for \"{question}\" in generation {generation}"
            ))),
        }
    }
}

impl<L: Library + Send> Library for Searches<L> {
    fn search(&self, question: &str, kinds: &[Kind], limit: usize) -> Result<Found, LlmError> {
        let key = (self.generation.load(Ordering::SeqCst), question.to_owned(), kinds.to_vec(), limit);
        let kept = match self.known(&key) {
            Some(kept) => kept,
            None => {
                let kept = self.first(&key)?;
                self.keep(key, kept)?
            }
        };
        Ok(kept.handed_on())
    }
}

impl Kept {
    fn of(found: Found) -> Self {
        match found {
            Found::Documents(documents) => Self::Documents(documents.into_iter().map(Entry::of).collect()),
            Found::Nothing(why) => Self::Nothing(why),
        }
    }

    fn handed_on(self) -> Found {
        match self {
            Self::Documents(entries) => Found::Documents(entries.into_iter().map(Entry::document).collect()),
            Self::Nothing(why) => Found::Nothing(why),
        }
    }
}

impl Entry {
    fn of(document: Document) -> Self {
        let text = shown(&document).to_owned();
        let Document { key, kind, title, year, summary, source, .. } = document;
        Self { key, kind, title, year, summary, text, source }
    }

    fn document(self) -> Document {
        let Self { key, kind, title, year, summary, text, source } = self;
        Document { year, summary, text, ..Document::new(kind, &key, &title, &source) }
    }
}

/// The searches of a file; of one that stands there twice, the first.
fn searches(path: &Path) -> Result<BTreeMap<Key, Kept>, LlmError> {
    let mut known = BTreeMap::new();
    for search in read::<Search>(path, "search", |_| None)? {
        let Search { generation, question, kinds, limit, found } = search;
        known.entry((generation, question, kinds, limit)).or_insert(found);
    }
    Ok(known)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::library::Seen;

    /// Finds another document each time that it is asked, and nothing for "?".
    #[derive(Default)]
    struct Changing(AtomicU64);

    impl Library for Changing {
        fn search(&self, question: &str, _: &[Kind], _: usize) -> Result<Found, LlmError> {
            let asked = self.0.fetch_add(1, Ordering::SeqCst);
            // Long enough that others ask meanwhile.
            std::thread::sleep(std::time::Duration::from_millis(20));
            Ok(match question {
                "?" => Found::Nothing(format!("no word, {asked}")),
                _ => Found::Documents(vec![Document::new(Kind::File, &format!("{question}{asked}"), "T", "x")]),
            })
        }
    }

    fn keys<L: Library + Send>(searches: &Searches<L>, question: &str) -> String {
        match searches.search(question, &[Kind::File], 4).unwrap() {
            Found::Documents(found) => found.into_iter().map(|one| one.key).collect(),
            Found::Nothing(why) => why,
        }
    }

    #[test]
    fn what_was_found_is_found_again_in_its_generation_and_by_a_recording_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("searches.jsonl");
        let live = Searches::of(Changing::default()).kept(&path).unwrap();
        assert_eq!([keys(&live, "a"), keys(&live, "?"), keys(&live, "a")], ["a0", "no word, 1", "a0"]);
        live.begin(1);
        assert_eq!([keys(&live, "a"), keys(&live, "?")], ["a2", "no word, 3"], "a generation on it is another search");

        let again = Searches::of(Changing::default()).kept(&path).unwrap();
        assert_eq!([keys(&again, "a"), keys(&again, "b")], ["a0", "b0"], "one that goes on");

        let replayed = Searches::<Changing>::recorded(&path).unwrap();
        assert_eq!([keys(&replayed, "a"), keys(&replayed, "?"), keys(&replayed, "b")], ["a0", "no word, 1", "b0"]);
        replayed.begin(1);
        assert_eq!(keys(&replayed, "a"), "a2");
        let told = replayed.search("b", &[Kind::File], 4).unwrap_err().to_string();
        assert!(told.contains("no search for \"b\" in generation 1"), "{told}");
        replayed.begin(0);
        for (kinds, limit) in [(&[Kind::Unit][..], 4), (&[Kind::File], 5)] {
            assert!(matches!(replayed.search("a", kinds, limit), Err(LlmError::Unrecorded(_))));
        }

        // What is replayed into another recording is there, too.
        let other = folder.path().join("other.jsonl");
        let kept = Searches::<Changing>::recorded(&path).unwrap().kept(&other).unwrap();
        keys(&kept, "b");
        assert_eq!(keys(&Searches::<Changing>::recorded(&other).unwrap(), "b"), "b0");
    }

    #[test]
    fn dialogues_that_ask_the_same_at_once_find_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("searches.jsonl");
        let searches = Arc::new(Searches::of(Changing::default()).kept(&path).unwrap());
        let ask = |_| {
            let searches = Arc::clone(&searches);
            std::thread::spawn(move || keys(&searches, "a"))
        };
        let asked: Vec<_> = (0..16).map(ask).collect();
        let found: Vec<String> = asked.into_iter().map(|one| one.join().unwrap()).collect();
        assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_search_that_was_cut_off_is_made_again_and_rubbish_is_told_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("searches.jsonl");
        keys(&Searches::of(Changing::default()).kept(&path).unwrap(), "a");
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{}", &whole[..whole.len() / 2])).unwrap();
        let again = Searches::of(Changing::default()).kept(&path).unwrap();
        assert_eq!([keys(&again, "a"), keys(&again, "b")], ["a0", "b0"]);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
        fs::write(&path, format!("{whole}{{\"generation\":0}}\n")).unwrap();
        let told = Searches::<Changing>::recorded(&path).err().unwrap().to_string();
        assert!(told.contains("line 2 is no search: missing field `question`"), "{told}");
    }

    proptest! {
        #[test]
        fn what_is_kept_of_a_document_is_shown_as_all_of_it(
            text in "(<b>|é| |\n|[a-z]{1,9}){0,400}",
            around in 890_usize..910,
            summary in "[a-z<> ]{0,40}",
            year in proptest::option::of(1900_u16..2100),
            kind in proptest::sample::select(Kind::ALL),
        ) {
            for text in [text.clone(), text.chars().cycle().take(if text.is_empty() { 0 } else { around }).collect()] {
                let whole = Document { text, summary: summary.clone(), year, ..Document::new(kind, "k\"<", "T <x>", "s") };
                let kept = Entry::of(whole.clone());
                let read: Entry = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
                let (is_cut, shown) = (whole.text.chars().count() > 900, Seen::default().show(&[whole]));
                prop_assert_eq!(shown.contains("..."), is_cut && kind != Kind::Work);
                prop_assert_eq!(Seen::default().show(&[read.document()]), shown);
            }
        }
    }
}
