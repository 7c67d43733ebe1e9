//! Where the searches of dialogues are kept: in a file beside the recording of their answers.
//!
//! In: a recording that is replayed, one that is added to, what can be searched. Out: a library that finds again what the recordings
//! have. A recording without such a file is of a time when only what is shipped was searched, or of no dialogue: it is searched again.

use std::path::{Path, PathBuf};

use genesys_agents::Searches;

use crate::failure::Failure;
use crate::literature::Reading;

/// The searches of dialogues: those of the recording that is `replayed`, if it has any, else what `open` finds; from now on those of
/// the one that is `recorded`.
pub(crate) fn of(
    replayed: Option<&Path>,
    recorded: Option<&Path>,
    open: impl FnOnce() -> Result<Reading, Failure>,
) -> Result<Searches<Reading>, Failure> {
    let searches = match replayed.map(there).transpose()?.flatten() {
        Some(path) => Searches::recorded(&path)?,
        None => Searches::of(open()?),
    };
    match recorded {
        Some(path) => Ok(searches.kept(&beside(path))?),
        None => Ok(searches),
    }
}

/// The file of the searches of a recording: `a.searches.jsonl` of `a.jsonl`.
fn beside(recording: &Path) -> PathBuf {
    recording.with_extension("searches.jsonl")
}

/// The same where it is there.
fn there(recording: &Path) -> Result<Option<PathBuf>, Failure> {
    let path = beside(recording);
    let is_there = path.try_exists().map_err(Failure::reading(&path))?;
    Ok(is_there.then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn searches_lie_beside_their_recording() {
        let beside = |name: &str| beside(Path::new(name)).display().to_string();
        assert_eq!(beside("runs/1/exchanges.jsonl"), "runs/1/exchanges.searches.jsonl");
        assert_eq!([beside("a.b.jsonl"), beside("a")], ["a.b.searches.jsonl", "a.searches.jsonl"]);
    }
}
