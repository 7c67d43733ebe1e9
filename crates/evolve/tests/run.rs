//! Whole runs of a tiny scale, in this process: equal runs, stopped runs, runs that cannot be.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use genesys_data::{Corpus, Dataset, Document, tokenizer_for};
use genesys_evolve::{
    Assignment, EvolveError, Fact, Failure, InProcess, Keep, News, Observer, Progress, Repair, Runner, Settings,
    Shipped, State, Submitted, Told, Verdict, discover, repair, resume, runner, serve,
};
use genesys_ladder::Scale;
use genesys_store::{Artifacts, Reader};
use genesys_train::{Job, Machine, Precision};

const GPT: &str = include_str!("../../../designs/gpt.gau");
const GLA: &str = include_str!("../../../designs/gla.gau");

fn settings(seed: u64) -> Settings {
    let nano = Scale::named("nano").unwrap();
    let scale = Scale { blocks: 1, context: 16, rows: 2, steps: 3, vocabulary: 300, ..nano };
    Settings { generations: 2, population: 2, finalists: 1, seeds: 2, scale, ..Settings::new(seed) }
}

fn shipped() -> Vec<Shipped> {
    [("gpt", GPT, true), ("gla", GLA, false)]
        .map(|(name, text, baseline)| Shipped { name: name.into(), text: text.into(), baseline })
        .into()
}

fn dataset(cache: &Path, flavor: &str) -> Dataset {
    let text = |i: usize| (1..20).map(|j| format!("The {flavor} number {} stands.\n", i * 7 + j)).collect::<String>();
    let documents = (1..30).map(|i| Document { name: i.to_string(), text: text(i) }).collect();
    let corpus = Corpus::from_documents("test", documents, Vec::new()).unwrap();
    let tokenizer = tokenizer_for(&corpus, 300, cache).unwrap();
    Dataset::prepare(&corpus, &tokenizer, cache).unwrap()
}

fn run(dir: &Path, seed: u64, data: &Dataset) -> State {
    discover(dir, &settings(seed), &shipped(), data, &mut InProcess::default(), &mut ()).unwrap()
}

fn digest(dir: &Path) -> String {
    Reader::open(dir).unwrap().digest().unwrap()
}

#[test]
fn a_run_ends_with_a_leaderboard_that_its_events_tell() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let dir = root.path().join("run");
    let state = run(&dir, 1, &data);
    let reader = Reader::open(&dir).unwrap();
    let events: Vec<_> = reader.events().map(Result::unwrap).collect();
    assert_eq!(State::fold(&events).unwrap().as_ref(), Some(&state), "the state is a function of the events");

    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for event in &events {
        *kinds.entry(event.kind.as_str()).or_default() += 1;
        assert_eq!(event.cause.is_none(), event.kind == "run-started", "{} has no cause", event.kind);
    }
    assert_eq!((kinds["design-proposed"], kinds["generation-closed"], kinds["finalists-chosen"]), (6, 3, 1));
    let more = state.finalists.as_ref().unwrap().len();
    assert_eq!(kinds["training-submitted"], 6 + more);
    assert_eq!(kinds["training-finished"] + kinds.get("training-failed").unwrap_or(&0), 6 + more);

    let board = state.board.as_ref().unwrap();
    assert_eq!(board.iter().map(|row| row.rank).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    let baseline = board.iter().find(|row| row.baseline).unwrap();
    assert!(baseline.name == "gpt" && baseline.seeds == 2 && baseline.deviation.is_some(), "{baseline:?}");
    assert_eq!(baseline.tokens, 3 * 2 * 16);
    // Confirmed designs come first, each group best first.
    let confirmed = board.iter().take_while(|row| row.deviation.is_some()).count();
    assert!(confirmed == more && board[confirmed..].iter().all(|row| row.deviation.is_none()), "{board:?}");
    for group in [&board[..confirmed], &board[confirmed..]] {
        assert!(group.windows(2).all(|pair| pair[0].bits_per_byte <= pair[1].bits_per_byte), "{group:?}");
    }
    let child = board.iter().find(|row| row.generation == 2).unwrap();
    let line: Vec<_> = child.lineage.iter().map(|ancestor| ancestor.operator.is_some()).collect();
    assert!(line.len() >= 2 && !line[0] && line[1..].iter().all(|made| *made), "{:?}", child.lineage);

    let artifacts = Artifacts::open(dir.join("artifacts")).unwrap();
    for finished in state.trainings.iter().filter_map(|training| training.result.as_ref()?.as_ref().ok()) {
        let bytes = artifacts.get(&finished.curve.parse().unwrap()).unwrap();
        assert_eq!(serde_json::from_slice::<Vec<f32>>(&bytes).unwrap().len(), 3);
    }
}

#[test]
fn some_offspring_have_two_parents_and_the_log_says_which() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let crossed = (1..20).find_map(|seed| {
        let state = run(&root.path().join(seed.to_string()), seed, &data);
        let of_two = |design: &&genesys_evolve::Design| design.proposed.parents.len() == 2;
        state.designs.iter().find(of_two).map(|design| (state.clone(), design.proposed.clone()))
    });
    let (state, crossed) = crossed.expect("one of seven offspring is a crossing");
    let parents: Vec<&str> =
        crossed.parents.iter().map(|hash| state.design(hash).unwrap().proposed.hash.as_str()).collect();
    assert_ne!(parents[0], parents[1]);
    assert!(crossed.operator.unwrap().starts_with("cross-") && crossed.draw.unwrap().mate.is_some());
    let children = |hash: &str| state.design(hash).unwrap().children;
    assert!(children(parents[0]) >= 1 && children(parents[1]) >= 1, "it counts as a child of both");
    for design in state.designs.iter().filter(|design| design.proposed.parents.len() == 1) {
        assert_eq!(design.proposed.draw.unwrap().mate, None);
    }
}

#[test]
fn equal_seeds_give_equal_logs_and_other_seeds_do_not() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let dirs = ["a", "b", "c"].map(|name| root.path().join(name));
    let states = [run(&dirs[0], 1, &data), run(&dirs[1], 1, &data), run(&dirs[2], 2, &data)];
    assert_eq!(states[0], states[1]);
    assert_eq!(digest(&dirs[0]), digest(&dirs[1]));
    let scores = |state: &State| -> Vec<u64> {
        state.designs.iter().filter_map(|d| state.score(&d.proposed.hash)).map(f64::to_bits).collect()
    };
    assert_ne!(scores(&states[0]), scores(&states[2]));
}

/// Stops at whatever comes: an event, or a training that is done.
struct Impatient;

impl Observer for Impatient {
    fn wall(&mut self) -> Option<u64> {
        Some(1_700_000_000_000)
    }

    fn fact(&mut self, _: &Fact, _: &State) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn training(&mut self, _: &Submitted, news: News<'_>, _: &State) -> ControlFlow<()> {
        match news {
            News::Done(_) => ControlFlow::Break(()),
            News::Begun | News::Note(_) | News::Progress(_) | News::Lost { .. } => ControlFlow::Continue(()),
        }
    }
}

#[test]
fn a_run_that_is_stopped_at_every_moment_is_the_run_that_never_was() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let (whole, broken) = (root.path().join("whole"), root.path().join("broken"));
    let state = run(&whole, 3, &data);
    let (settings, shipped) = (settings(3), shipped());
    let first = discover(&broken, &settings, &shipped, &data, &mut InProcess::default(), &mut Impatient);
    assert!(matches!(first, Err(EvolveError::Stopped)));
    let mut stops = 1;
    let resumed = loop {
        match resume(&broken, &data, &mut InProcess::default(), &mut Impatient) {
            Ok(state) => break state,
            Err(EvolveError::Stopped) => stops += 1,
            Err(error) => panic!("{error}"),
        }
    };
    assert!(stops > 30, "only {stops} stops");
    assert_eq!(resumed, state);
    assert_eq!(digest(&broken), digest(&whole));
    // Over is over: nothing is added.
    resume(&whole, &data, &mut InProcess::default(), &mut ()).unwrap();
    assert_eq!(digest(&broken), digest(&whole));
}

#[test]
fn a_run_goes_on_only_with_its_own_text() {
    let root = tempfile::tempdir().unwrap();
    let (data, other) = (dataset(root.path(), "house"), dataset(root.path(), "mouse"));
    let dir = root.path().join("run");
    discover(&dir, &settings(1), &shipped(), &data, &mut InProcess::default(), &mut Impatient).unwrap_err();
    let error = resume(&dir, &other, &mut InProcess::default(), &mut ()).unwrap_err();
    assert!(matches!(error, EvolveError::OtherRun { .. }) && error.is_input(), "{error}");
    let error = discover(&dir, &settings(1), &shipped(), &data, &mut InProcess::default(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("holds a run already"), "{error}");
}

#[test]
fn settings_and_designs_that_make_no_run_say_why() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let message = |name: &str, settings: &Settings, shipped: &[Shipped]| {
        let dir = root.path().join(name);
        let error = discover(&dir, settings, shipped, &data, &mut InProcess::default(), &mut ()).unwrap_err();
        assert!(error.is_input(), "{error}");
        error.to_string()
    };
    let none = Settings { seeds: 0, ..settings(1) };
    assert_eq!(message("a", &none, &shipped()), "expected at least 1 seed, found 0");
    assert_eq!(message("b", &settings(1), &shipped()[1..]), "expected one baseline design, found 0");
    let twice: Vec<Shipped> = [shipped(), vec![Shipped { baseline: false, ..shipped()[0].clone() }]].concat();
    assert_eq!(message("c", &settings(1), &twice), "the design `gpt` cannot start a run: it is equal to `gpt`");
    let bad = [shipped(), vec![Shipped { name: "bad".into(), text: "design {".into(), baseline: false }]].concat();
    assert!(message("d", &settings(1), &bad).starts_with("the design `bad` cannot start a run: "));
}

#[test]
fn a_run_in_bf16_is_another_run_and_says_so_from_its_first_event() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let narrow = Settings { generations: 0, precision: Precision::Bf16, ..settings(1) };
    let go = |name: &str, settings: &Settings| {
        let dir = root.path().join(name);
        discover(&dir, settings, &shipped(), &data, &mut InProcess::default(), &mut ()).map(|state| (dir, state))
    };
    if Precision::Bf16.here() != Precision::Bf16 {
        let error = go("a", &narrow).unwrap_err();
        assert!(error.to_string().contains("expected a precision that this processor multiplies"), "{error}");
        return;
    }
    let (dir, state) = go("a", &narrow).unwrap();
    assert_eq!(state.started.settings.precision, Precision::Bf16);
    let wide = go("b", &Settings { precision: Precision::F32, ..narrow }).unwrap().1;
    let keys = |state: &State| -> Vec<String> {
        state.trainings.iter().map(|training| training.submitted.key.clone()).collect()
    };
    assert!(keys(&state).iter().all(|key| !keys(&wide).contains(key)));
    let again = resume(&dir, &data, &mut InProcess::default(), &mut ()).unwrap();
    assert_eq!(again, state, "a run that is over is the same wherever it is read");
}

/// Every training diverges.
struct Hopeless(Vec<usize>);

impl Runner for Hopeless {
    fn capacity(&self) -> usize {
        1
    }

    fn submit(&mut self, ticket: usize, _: &Assignment) -> Result<(), EvolveError> {
        self.0.push(ticket);
        Ok(())
    }

    fn next(&mut self) -> Result<runner::Report, EvolveError> {
        let divergence = genesys_train::Divergence { step: 2, quantity: "the loss".into(), value: None, place: None };
        let verdict: Verdict = Err(Failure::Diverged(divergence));
        Ok(runner::Report::Done(self.0.remove(0), Box::new(verdict)))
    }
}

#[test]
fn failed_trainings_are_told_and_never_scored() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let only = Settings { generations: 0, ..settings(1) };
    let dir = root.path().join("a");
    let state = discover(&dir, &only, &shipped(), &data, &mut Hopeless(Vec::new()), &mut ()).unwrap();
    let board = state.board.unwrap();
    assert!(board.iter().all(|row| row.bits_per_byte.is_none() && row.seeds == 0), "{board:?}");
    assert_eq!(board[0].failure.as_deref(), Some("the loss is not a finite number at step 2"));
    let dir = root.path().join("b");
    let error = discover(&dir, &settings(1), &shipped(), &data, &mut Hopeless(Vec::new()), &mut ()).unwrap_err();
    assert!(error.to_string().contains("no design could be trained"), "{error}");
    assert!(error.to_string().ends_with("the loss is not a finite number at step 2"), "{error}");
}

#[test]
fn a_design_that_loses_its_numbers_is_a_failed_result_with_step_and_unit() {
    const DIVIDES: &str = "design Divides {\n    stack = [Wild*]\n}\n\n\
        unit Wild(x: Seq[D]) -> Seq[D] {\n    x + linear[D -> D](x) / (x - x)\n}\n";
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let shipped = [shipped(), vec![Shipped { name: "wild".into(), text: DIVIDES.into(), baseline: false }]].concat();
    let dir = root.path().join("run");
    let state = discover(&dir, &settings(1), &shipped, &data, &mut InProcess::default(), &mut ()).unwrap();
    let board = state.board.unwrap();
    let row = board.iter().find(|row| row.name == "wild").unwrap();
    assert_eq!((row.bits_per_byte, row.seeds), (None, 0));
    let why = row.failure.as_deref().unwrap();
    assert!(why.contains("at step 0") && why.contains("`div` in the unit Wild of blocks.0"), "{why}");
    let ranked = board.iter().rposition(|row| row.bits_per_byte.is_some()).unwrap();
    assert!(row.rank as usize > ranked + 1, "it stands behind all that have a score: {board:?}");
    assert!(state.designs.iter().all(|d| d.proposed.parents != [row.hash.clone()]), "it breeds nothing");
}

/// What a worker writes about an assignment while its giver waits.
fn worker(assignment: &str, machine: &Machine) -> (Result<(), EvolveError>, Vec<serde_json::Value>) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    writeln!(writer, "{assignment}").unwrap();
    let mut output = Vec::new();
    let done = serve(BufReader::new(reader), &mut output, machine, || {});
    drop(writer);
    (done, String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn assignment(dataset: PathBuf, steps: u64) -> Assignment {
    Assignment { job: Job { steps, ..Job::at_scale(GPT, &settings(1).scale, 9) }, dataset, keep: None }
}

#[test]
fn a_worker_writes_progress_and_the_verdict_of_any_other_runner() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let assignment = assignment(data.dir().to_owned(), 3);
    let (done, lines) = worker(&serde_json::to_string(&assignment).unwrap(), &Machine::default());
    done.unwrap();
    let progress: Vec<u64> = lines[..3]
        .iter()
        .map(|line| serde_json::from_value::<Progress>(line["progress"].clone()).unwrap().done)
        .collect();
    assert_eq!((progress, lines.len()), (vec![1, 2, 3], 4));
    let verdict: Verdict = serde_json::from_value(lines[3]["verdict"].clone()).unwrap();
    let here = runner::execute(&assignment, &Machine::default(), &mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    assert_eq!(verdict, here);
}

/// Takes what a worker writes, and closes its input after the first line.
struct Deserter(Option<std::io::PipeWriter>);

impl Write for Deserter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 = None;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_worker_that_is_deserted_is_told_and_bad_input_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let (reader, mut writer) = std::io::pipe().unwrap();
    writeln!(writer, "{}", serde_json::to_string(&assignment(data.dir().to_owned(), 20)).unwrap()).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let deserted = move || tell.send(()).unwrap();
    serve(BufReader::new(reader), &mut Deserter(Some(writer)), &Machine::default(), deserted).unwrap();
    told.recv().unwrap();
    let (done, lines) = worker("{}", &Machine::default());
    assert!(done.unwrap_err().to_string().starts_with("expected an assignment"));
    assert!(lines[0]["error"].as_str().unwrap().starts_with("expected an assignment"));
    let none = serde_json::to_string(&assignment(root.path().join("none"), 3)).unwrap();
    let (done, lines) = worker(&none, &Machine::default());
    assert!(done.is_err() && lines[0]["world"].as_str().unwrap().contains("dataset.json"), "{lines:?}");
}

#[test]
fn an_assignment_goes_on_from_its_own_checkpoint_and_from_no_other() {
    let root = tempfile::tempdir().unwrap();
    let (data, other) = (dataset(root.path(), "house"), dataset(root.path(), "mouse"));
    let keep = Keep { dir: root.path().join("kept/checkpoint"), every: 3 };
    let kept = Assignment { keep: Some(keep), ..assignment(data.dir().to_owned(), 10) };
    // The steps that are done of an assignment until it is stopped after `last`, and its verdict if it is not.
    let run = |assignment: &Assignment, last: u64| {
        let mut steps = Vec::new();
        let verdict = runner::execute(assignment, &Machine::default(), &mut |told| {
            let Told::Progress(progress) = told else { panic!("a note: {told:?}") };
            steps.push(progress.done);
            if progress.done == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        (verdict.unwrap(), steps)
    };
    let (whole, _) = run(&assignment(data.dir().to_owned(), 10), 99);
    assert_eq!(run(&kept, 5), (None, vec![1, 2, 3, 4, 5]));
    let others = [
        Assignment { job: Job { seed: 8, ..kept.job.clone() }, ..kept.clone() },
        Assignment { dataset: other.dir().to_owned(), ..kept.clone() },
    ];
    for other in others {
        assert_eq!(run(&other, 1), (None, vec![1]), "it starts afresh");
    }
    assert_eq!(run(&kept, 99), (whole.clone(), (4..=10).collect()));
    // Damage costs time and nothing else.
    std::fs::write(root.path().join("kept/checkpoint/model.safetensors"), "no").unwrap();
    assert_eq!(run(&kept, 99), (whole, (1..=10).collect()));
}

#[test]
fn a_damaged_run_is_repaired_and_ends_as_it_would_have() {
    let root = tempfile::tempdir().unwrap();
    let data = dataset(root.path(), "house");
    let dir = root.path().join("run");
    let state = run(&dir, 1, &data);
    let whole = digest(&dir);
    let sound = Repair { cut: None, mended: 0, lost: Vec::new() };
    assert_eq!(repair(&dir).unwrap(), sound, "a sound run stays as it is");
    let finished = |state: &State| -> Vec<String> {
        state.trainings.iter().filter_map(|t| Some(t.result.as_ref()?.as_ref().ok()?.curve.clone())).collect()
    };
    let curves = finished(&state);
    let artifact = |curve: &str| dir.join("artifacts").join(curve);
    std::fs::write(artifact(&curves[0]), "cut").unwrap();
    std::fs::remove_file(artifact(&curves[1])).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(dir.join("events.db")).unwrap();
    let length = file.metadata().unwrap().len();
    // Its last page is gone.
    file.set_len(length / 4096 * 4096 - 4096).unwrap();
    let error = resume(&dir, &data, &mut InProcess::default(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("is damaged"), "{error}");
    let Repair { cut, mended, lost } = repair(&dir).unwrap();
    assert!(cut.is_some() && mended > 0 && lost.is_empty(), "{cut:?} {mended} {lost:?}");
    // No runner: every verdict is there.
    assert_eq!(resume(&dir, &data, &mut Hopeless(Vec::new()), &mut ()).unwrap(), state);
    assert_eq!(digest(&dir), whole);
    assert_eq!(repair(&dir).unwrap(), sound);
}
