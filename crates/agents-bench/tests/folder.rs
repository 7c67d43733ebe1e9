//! A bench that is stopped anywhere, and goes on: it asks nothing twice, and ends with the rows of one that was not stopped.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use common::script::Script;
use common::{Bench, proposals, setup};
use genesys_agents_bench::folder::{Folder, Setup};
use genesys_agents_bench::{Proposal, Row, Variant, run};
use genesys_llm::record::Replay;
use genesys_llm::{LlmError, Reply, Request, Transport};

/// A script that breaks off behind so many answers.
struct Breaks(Script, AtomicU64);

impl Transport for Breaks {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let left = self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_err(|_| LlmError::CutOff("the line is dead".to_owned()))?;
        self.0.ask(request, hear)
    }
}

const VARIANTS: [Variant; 3] = [Variant::ByUnits, Variant::Direct, Variant::NoFeedback];

fn few() -> Vec<(Proposal, String)> {
    proposals().into_iter().take(3).collect()
}

/// Goes on in a folder with at most so many answers; none where it broke off.
fn go_on(dir: &Path, answers: u64) -> Option<Vec<Row>> {
    let proposals: Vec<Proposal> = few().into_iter().map(|(proposal, _)| proposal).collect();
    let mut folder = Folder::open(dir, &setup(&proposals, &VARIANTS)).unwrap();
    let transport = folder.answers(Breaks(Script::new(&few()), AtomicU64::new(answers))).unwrap();
    let (bench, done) = (Bench::default(), folder.rows.clone());
    let rows = run::<LlmError>(&bench.setting(&transport), (&proposals, &VARIANTS), done, &mut |measured| {
        folder.keep(measured.row.clone()).unwrap();
        Ok(())
    });
    rows.ok()
}

/// Rows without what a clock says.
fn timeless(rows: &[Row]) -> Vec<Row> {
    rows.iter().map(|row| Row { model_seconds: None, own_seconds: 0.0, ..row.clone() }).collect()
}

#[test]
fn a_bench_that_is_stopped_anywhere_ends_as_one_that_is_not() {
    let whole = tempfile::tempdir().unwrap();
    let expected = go_on(whole.path(), u64::MAX).unwrap();
    let recording = fs::read_to_string(whole.path().join("recording.jsonl")).unwrap();
    let calls = expected.iter().map(|row| row.calls).sum::<u64>();
    assert!(expected.len() == 9 && calls > 15 && recording.lines().count() as u64 == calls, "{calls}");
    for step in [1, 2, 5] {
        let folder = tempfile::tempdir().unwrap();
        let stops = (0..).take_while(|_| go_on(folder.path(), step).is_none()).count() as u64;
        assert_eq!(stops, calls.div_ceil(step) - 1, "nothing is asked twice");
        let rows = go_on(folder.path(), 0).unwrap();
        assert_eq!(timeless(&rows), timeless(&expected));
        assert!(
            fs::read_to_string(folder.path().join("recording.jsonl")).unwrap() == recording,
            "the recordings differ"
        );
    }
    // The recording is one like any other.
    let replay = Replay::open(&whole.path().join("recording.jsonl")).unwrap();
    let proposals: Vec<Proposal> = few().into_iter().map(|(proposal, _)| proposal).collect();
    let bench = Bench::default();
    let again = run::<LlmError>(&bench.setting(&replay), (&proposals, &VARIANTS), Vec::new(), &mut |_| Ok(())).unwrap();
    assert_eq!(timeless(&again), timeless(&expected));
}

#[test]
fn lines_that_were_cut_off_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let expected = go_on(folder.path(), u64::MAX).unwrap();
    for (name, keep) in [("rows.jsonl", 0.6), ("recording.jsonl", 0.8)] {
        let text = fs::read_to_string(at(name)).unwrap();
        fs::write(at(name), &text[..(text.len() as f64 * keep) as usize]).unwrap();
    }
    assert_eq!(timeless(&go_on(folder.path(), u64::MAX).unwrap()), timeless(&expected));
    assert_eq!(go_on(folder.path(), 0).unwrap().len(), expected.len());
}

#[test]
fn a_folder_holds_one_bench() {
    let folder = tempfile::tempdir().unwrap();
    let proposals: Vec<Proposal> = few().into_iter().map(|(proposal, _)| proposal).collect();
    let own = setup(&proposals, &VARIANTS);
    let told = |setup: &Setup| Folder::open(folder.path(), setup).err().map(|error| error.to_string());
    assert_eq!(told(&own), None);
    assert_eq!(told(&own), None);
    let other = told(&Setup { mends: 3, ..own.clone() }).unwrap();
    assert!(other.contains("its mends are 7, and here 3") && other.contains("choose another folder"), "{other}");
    let other = told(&Setup { variants: vec![Variant::Whole], ..own.clone() }).unwrap();
    assert!(other.contains("variants") && other.contains("no-feedback"), "{other}");
    let mut changed = proposals.clone();
    changed[1].text.push_str("More.\n");
    assert!(told(&setup(&changed, &VARIANTS)).unwrap().contains("proposals"));

    go_on(folder.path(), u64::MAX).unwrap();
    fs::remove_file(folder.path().join("recording.jsonl")).unwrap();
    assert!(told(&own).unwrap().contains("its recording holds 0: begin in another folder"));
    fs::write(folder.path().join("rows.jsonl"), "{}\n").unwrap();
    assert!(told(&own).unwrap().contains("line 1 cannot be read"));
}
