//! Verdicts by key, so that nothing is trained twice.
//!
//! A verdict that arrives before its turn is not in the log yet; kept here it survives a kill. The key is a hash of
//! everything that decides the numbers, so a kept verdict is the one that training again would give. Files are
//! written aside and renamed, and begin with the hash of what follows; one that is cut, altered or cannot be read is as
//! if it were not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use genesys_train::Job;

use crate::error::EvolveError;
use crate::runner::Verdict;
use crate::settings::TRAINER;

/// A folder of verdicts.
#[derive(Debug)]
pub(crate) struct Results {
    dir: PathBuf,
}

/// The key of a training's result: the program at its scale, steps, seed, data, trainer, back end.
pub(crate) fn key(job: &Job, run: &str, dataset: &str) -> String {
    // The text's layout and names do not decide the numbers; the run key stands for what does.
    let job = Job { design: run.to_owned(), ..job.clone() };
    let job = serde_json::to_string(&job).expect("a job has a JSON form");
    // A job in another precision says so; what stands here is what keys began with before there was one.
    let text = format!("genesys result, trainer {TRAINER}, one program on the processor in f32\n{dataset}\n{job}\n");
    blake3::hash(text.as_bytes()).to_hex()[..32].to_owned()
}

impl Results {
    /// The verdicts in `dir`, which is made if need be.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, EvolveError> {
        fs::create_dir_all(&dir).map_err(EvolveError::io("make the folder", &dir))?;
        Ok(Self { dir })
    }

    /// The verdict under `key`, if it is there.
    pub(crate) fn get(&self, key: &str) -> Option<Verdict> {
        let text = fs::read_to_string(self.path(key)).ok()?;
        let (hash, json) = text.split_once('\n')?;
        (blake3::hash(json.as_bytes()).to_hex().as_str() == hash).then(|| serde_json::from_str(json).ok())?
    }

    /// Keeps a verdict; once it returns, it survives a kill.
    pub(crate) fn put(&self, key: &str, verdict: &Verdict) -> Result<(), EvolveError> {
        let path = self.path(key);
        let json = serde_json::to_string(verdict).expect("a verdict has a JSON form");
        let text = format!("{}\n{json}", blake3::hash(json.as_bytes()).to_hex());
        write(&self.dir, &path, text.as_bytes()).map_err(EvolveError::io("write", &path))
    }

    fn path(&self, key: &str) -> PathBuf {
        self.dir.join(format!("{key}.verdict"))
    }
}

/// One run has one writer, so one name for the file aside is enough.
fn write(dir: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = dir.join(".writing");
    let mut file = File::create(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use genesys_ladder::Scale;
    use genesys_train::Validation;

    use super::*;
    use crate::fact::Failure;
    use crate::runner::Score;

    #[test]
    fn verdicts_keep_their_bits_and_one_that_was_cut_or_altered_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let results = Results::open(dir.path().join("results")).unwrap();
        let v = Validation { nats: 0.1 + 0.2, bits_per_byte: 1.0 / 3.0, tokens: u64::MAX, bytes: 7 };
        let score: Verdict = Ok(Score { start: v, trained: v, parameters: 1, curve: vec![0.1, f32::MIN_POSITIVE] });
        results.put("a", &score).unwrap();
        results.put("b", &Err(Failure::Refused("no".into()))).unwrap();
        assert_eq!(results.get("a"), Some(score));
        assert_eq!(results.get("b"), Some(Err(Failure::Refused("no".into()))));
        assert_eq!(results.get("c"), None);
        let bytes = fs::read(results.path("a")).unwrap();
        for at in 0..bytes.len() {
            fs::write(results.path("a"), &bytes[..at]).unwrap();
            assert_eq!(results.get("a"), None, "cut at {at}");
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            fs::write(results.path("a"), &altered).unwrap();
            assert_eq!(results.get("a"), None, "altered at {at}");
        }
    }

    #[test]
    fn a_key_stands_for_all_that_decides_and_for_no_text() {
        let job = Job::at_scale("design A {}", &Scale::named("nano").unwrap(), 1);
        let base = key(&job, "g1-0", "data");
        assert_eq!(base, key(&Job { design: "design B {}".into(), ..job.clone() }, "g1-0", "data"));
        let wide = Scale { width: 128, ..job.scale.clone() };
        let others = [
            key(&job, "g1-1", "data"),
            key(&job, "g1-0", "other"),
            key(&Job { seed: 2, ..job.clone() }, "g1-0", "data"),
            key(&Job { precision: genesys_train::Precision::Bf16, ..job.clone() }, "g1-0", "data"),
            key(&Job { steps: 2, ..job.clone() }, "g1-0", "data"),
            key(&Job { validation_tokens: 2, ..job.clone() }, "g1-0", "data"),
            key(&Job { scale: wide, ..job.clone() }, "g1-0", "data"),
        ];
        assert!(others.iter().all(|other| *other != base));
    }
}
