//! What can be had back of a damaged run.
//!
//! In: a run's folder. Out: a log that is sound again, cut back to its sound start, and loss curves that are there again
//! where the verdicts still hold them. What was cut off is done again by [`resume`](crate::resume), from the verdicts that
//! `results` holds, without training. Scores stand in the log and are never mended.

use std::path::Path;

use genesys_store::{Artifacts, Damage, Log};

use crate::error::EvolveError;
use crate::fact::Finished;
use crate::results::Results;
use crate::run::read;

/// What was wrong with a run, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The first flaw of the log, from which on it was cut; none if it was sound.
    pub cut: Option<Damage>,
    /// How many loss curves were written anew.
    pub mended: u64,
    /// The artifacts of loss curves that are lost, by hash. No score depends on them.
    pub lost: Vec<String>,
}

/// Repairs the run in the folder `dir`; a sound one stays as it is.
///
/// # Errors
/// [`EvolveError::Store`] where no event can be trusted or another process has the run, [`EvolveError::Empty`] where no
/// event is left, or the system's.
pub fn repair(dir: &Path) -> Result<Repair, EvolveError> {
    let cut = Log::cut_back(dir)?;
    let state = read(dir)?;
    let artifacts = Artifacts::open(dir.join("artifacts"))?;
    let results = Results::open(dir.join("results"))?;
    let mut repair = Repair { cut, mended: 0, lost: Vec::new() };
    for finished in state.trainings.iter().filter_map(|training| training.result.as_ref()?.as_ref().ok()) {
        match mend(finished, &artifacts, &results)? {
            Curve::There => {}
            Curve::Mended => repair.mended += 1,
            Curve::Lost => repair.lost.push(finished.curve.clone()),
        }
    }
    Ok(repair)
}

enum Curve {
    There,
    Mended,
    Lost,
}

fn mend(finished: &Finished, artifacts: &Artifacts, results: &Results) -> Result<Curve, EvolveError> {
    let there = finished.curve.parse().is_ok_and(|hash| artifacts.get(&hash).is_ok());
    if there {
        return Ok(Curve::There);
    }
    match results.get(&finished.key) {
        Some(Ok(score)) => {
            let hash = artifacts.put(&score.curve_file())?;
            Ok(if hash.to_hex().as_str() == finished.curve { Curve::Mended } else { Curve::Lost })
        }
        Some(Err(_)) | None => Ok(Curve::Lost),
    }
}
