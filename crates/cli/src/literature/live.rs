//! arXiv and Semantic Scholar, where they are asked for.
//!
//! In: a question and the sources. Out: what they answer, as documents, and a note for each that does not answer: a search
//! goes on without it. Answers are kept by address, and what was answered lately is not asked again. All who ask in one process keep
//! one pace, and leave a source alone for a while that is in trouble: its old answers are taken then, and it is told once.

use std::env;
use std::mem::{Discriminant, discriminant};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use genesys_literature::live::{Cache, Caller, Clock, LiveError, Mode, Pace, Rules, arxiv, scholar};
use genesys_literature::{Document, Kind};
use serde::{Deserialize, Serialize};

use super::http::{Http, SystemClock};

/// The environment's variable for a key of Semantic Scholar.
const KEY: &str = "SEMANTIC_SCHOLAR_API_KEY";

/// How long a source is left alone that is in trouble: each failed question takes half a minute of tries.
const REST: Duration = Duration::from_mins(5);

/// Which live sources are asked, and how.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args, Serialize, Deserialize)]
pub(crate) struct Live {
    /// Also ask these live sources, for as many works each as are wanted; several with commas.
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    live: Vec<Source>,
    /// Take the answers of live sources from the cache alone, however old.
    #[arg(long, requires = "live")]
    offline: bool,
    /// Another server that speaks as arXiv does.
    #[arg(long, value_name = "URL", default_value = arxiv::BASE, hide = true)]
    arxiv_url: String,
    /// Another server that speaks as Semantic Scholar does.
    #[arg(long, value_name = "URL", default_value = scholar::BASE, hide = true)]
    semantic_scholar_url: String,
}

/// A live source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// arXiv: three seconds between requests.
    Arxiv,
    /// Semantic Scholar: one second between requests; SEMANTIC_SCHOLAR_API_KEY may hold a key.
    SemanticScholar,
}

impl Source {
    fn kind(self) -> Kind {
        match self {
            Self::Arxiv => Kind::Arxiv,
            Self::SemanticScholar => Kind::SemanticScholar,
        }
    }

    fn rules(self) -> Rules {
        match self {
            Self::Arxiv => arxiv::RULES,
            Self::SemanticScholar => scholar::RULES,
        }
    }
}

/// What live sources said.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// Their works, as each ranks them.
    pub(crate) found: Vec<(Source, Vec<Document>)>,
    /// What a person should know.
    pub(crate) notes: Vec<Note>,
}

/// What a person should know of a source.
#[derive(Debug)]
pub(crate) struct Note {
    /// Whose it is, and which kind of trouble; none where an old answer was taken.
    pub(crate) of: (Source, Option<Discriminant<LiveError>>),
    /// What it says.
    pub(crate) text: String,
}

/// Live sources that can be asked, by several threads at once.
pub(crate) struct LiveSources {
    http: Http,
    mode: Mode,
    cache: Option<Cache>,
    doors: Vec<Door>,
}

/// A source, before which those who ask wait for each other.
struct Door {
    source: Source,
    url: String,
    state: Mutex<State>,
}

/// What is known of a source by those who asked.
#[derive(Clone, Copy, Default)]
struct State {
    pace: Pace,
    /// Until when it is left alone, since 1970.
    rest: Option<Duration>,
}

impl Live {
    /// Whether any is named.
    pub(crate) fn is_given(&self) -> bool {
        !self.live.is_empty()
    }

    /// The sources that are named, if any; answers are kept in `place`.
    ///
    /// # Errors
    /// Why this machine makes no connections.
    pub(crate) fn open(&self, place: Option<PathBuf>) -> Result<Option<LiveSources>, String> {
        if self.live.is_empty() {
            return Ok(None);
        }
        let url = |source| match source {
            Source::Arxiv => self.arxiv_url.clone(),
            Source::SemanticScholar => self.semantic_scholar_url.clone(),
        };
        let named = [Source::Arxiv, Source::SemanticScholar].into_iter().filter(|one| self.live.contains(one));
        Ok(Some(LiveSources {
            http: Http::new().map_err(|why| format!("live sources cannot be asked: {why}"))?,
            mode: if self.offline { Mode::Offline } else { Mode::Online },
            cache: place.map(|place| Cache::new(place.join("answers"))),
            doors: named.map(|source| Door { source, url: url(source), state: Mutex::default() }).collect(),
        }))
    }
}

impl LiveSources {
    /// What the sources say to a question, those of these kinds alone; all where none is named.
    pub(crate) fn ask(&self, question: &str, kinds: &[Kind], limit: usize) -> Said {
        let mut said = Said::default();
        let is_wanted = |door: &&Door| kinds.is_empty() || kinds.contains(&door.source.kind());
        for door in self.doors.iter().filter(is_wanted) {
            let source = door.source;
            let (found, told) = self.at(door, question, limit);
            said.notes.extend(told.into_iter().map(|text| Note { of: (source, None), text }));
            match found {
                Some(Ok(documents)) => said.found.push((source, documents.into_iter().map(Document::plain).collect())),
                Some(Err(error)) => {
                    said.notes.push(Note { of: (source, Some(discriminant(&error))), text: with_cause(&error) });
                }
                None => {}
            }
        }
        said
    }

    /// What a source says, and what is to be told of it; nothing where it is left alone and has said nothing to this before.
    fn at(&self, door: &Door, question: &str, limit: usize) -> (Option<Result<Vec<Document>, LiveError>>, Vec<String>) {
        let mut state = door.state.lock().unwrap_or_else(PoisonError::into_inner);
        let rests = state.rest.is_some_and(|until| SystemClock.now() < until);
        let mode = if rests { Mode::Offline } else { self.mode };
        let caller = Caller::new(door.source.rules(), &self.http, &SystemClock, self.cache.clone(), mode);
        let mut caller = caller.with_pace(state.pace);
        let found = match door.source {
            Source::Arxiv => arxiv::search(&mut caller, &door.url, question, limit),
            Source::SemanticScholar => {
                if let Some(key) = env::var(KEY).ok().filter(|key| !key.is_empty()) {
                    caller = caller.with_header(scholar::KEY_HEADER, &key);
                }
                scholar::search(&mut caller, &door.url, question, limit)
            }
        };
        if rests {
            return (found.ok().map(Ok), Vec::new());
        }
        *state = State { pace: caller.pace(), rest: caller.is_in_trouble().then(|| SystemClock.now() + REST) };
        (Some(found), caller.told().to_vec())
    }
}

fn with_cause(error: &LiveError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
