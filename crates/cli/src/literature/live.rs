//! arXiv and Semantic Scholar, where they are asked for.
//!
//! In: a question and the sources. Out: what they answer, as documents, and a note for each that does not answer: a search
//! goes on without it. Answers are kept by address, and what was answered lately is not asked again.

use std::env;
use std::path::PathBuf;

use genesys_literature::live::{Cache, Caller, LiveError, Mode, arxiv, scholar};
use genesys_literature::{Batch, Document};

use super::http::{Http, SystemClock};

/// The environment's variable for a key of Semantic Scholar.
const KEY: &str = "SEMANTIC_SCHOLAR_API_KEY";

/// Which live sources are asked, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Live {
    /// Also ask these live sources, for as many works each as --limit says.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Source {
    /// arXiv: three seconds between requests.
    Arxiv,
    /// Semantic Scholar: one second between requests; SEMANTIC_SCHOLAR_API_KEY may hold a key.
    SemanticScholar,
}

/// What live sources said.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// Their works.
    pub(super) batches: Vec<Batch>,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

impl Live {
    /// What the sources say to a question; answers are kept in `place`.
    pub(super) fn documents(&self, question: &str, limit: usize, place: Option<PathBuf>) -> Said {
        let mut said = Said::default();
        if self.live.is_empty() {
            return said;
        }
        let http = match Http::new() {
            Ok(http) => http,
            Err(message) => {
                said.notes.push(format!("live sources cannot be asked: {message}"));
                return said;
            }
        };
        let cache = place.map(|place| Cache::new(place.join("answers")));
        for source in [Source::Arxiv, Source::SemanticScholar].into_iter().filter(|one| self.live.contains(one)) {
            let (found, told) = self.ask(source, &http, cache.clone(), question, limit);
            said.notes.extend(told);
            match found {
                Ok(documents) => said.batches.push(Batch::of(&format!("{source:?}"), documents)),
                Err(error) => said.notes.push(with_cause(&error)),
            }
        }
        said
    }

    /// What a source says, and what is to be told of it.
    fn ask(
        &self,
        source: Source,
        http: &Http,
        cache: Option<Cache>,
        question: &str,
        limit: usize,
    ) -> (Result<Vec<Document>, LiveError>, Vec<String>) {
        let mode = if self.offline { Mode::Offline } else { Mode::Online };
        let rules = match source {
            Source::Arxiv => arxiv::RULES,
            Source::SemanticScholar => scholar::RULES,
        };
        let mut caller = Caller::new(rules, http, &SystemClock, cache, mode);
        let found = match source {
            Source::Arxiv => arxiv::search(&mut caller, &self.arxiv_url, question, limit),
            Source::SemanticScholar => {
                if let Some(key) = env::var(KEY).ok().filter(|key| !key.is_empty()) {
                    caller = caller.with_header(scholar::KEY_HEADER, &key);
                }
                scholar::search(&mut caller, &self.semantic_scholar_url, question, limit)
            }
        };
        (found, caller.told().to_vec())
    }
}

fn with_cause(error: &LiveError) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}
