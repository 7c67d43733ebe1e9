//! Trainings of a tiny GPT on a tiny text: the same bits again, from a checkpoint, and after a stop.

#![allow(clippy::unwrap_used)]

use std::ops::ControlFlow;
use std::process::Command;

use genesys_data::{Corpus, Dataset, Document, tokenizer_for};
use genesys_ladder::Scale;
use genesys_tokenize::Tokenizer;
use genesys_train::tensors::Table;
use genesys_train::{
    Checkpoint, CheckpointError, Job, Limit, Machine, Observer, Outcome, Path, Precision, Recompute, Start, Step,
    TrainError, Trained, build, evaluate, fit, resume, train, untrained,
};

const GPT: &str = include_str!("../../../designs/gpt.gau");
const GLA: &str = include_str!("../../../designs/gla.gau");
const COMPOSED: Machine = Machine { threads: 1, memory: None, path: Path::Composed };

fn tiny() -> Scale {
    let nano = Scale::named("nano").unwrap();
    Scale { blocks: 1, context: 16, rows: 4, steps: 12, vocabulary: 300, ..nano }
}

fn dataset(cache: &std::path::Path, flavor: &str) -> Dataset {
    let text = |i: usize| {
        let line = |j: usize| format!("The {flavor} number {} follows {}.\n", i * 7 + j, i * 7 + j - 1);
        (1..30).map(line).collect::<String>()
    };
    let documents = (1..40).map(|i| Document { name: i.to_string(), text: text(i) }).collect();
    let corpus = Corpus::from_documents("test", documents, Vec::new()).unwrap();
    let tokenizer = tokenizer_for(&corpus, 300, cache).unwrap();
    Dataset::prepare(&corpus, &tokenizer, cache).unwrap()
}

fn job(scale: Scale, seed: u64) -> Job {
    Job { validation_tokens: 640, ..Job::at_scale(GPT, &scale, seed) }
}

fn finished(outcome: Outcome) -> Trained {
    match outcome {
        Outcome::Finished(trained) => *trained,
        other => panic!("{other:?}"),
    }
}

fn bits(table: &Table) -> Vec<u32> {
    table.values().flat_map(|tensor| tensor.values.iter().map(|value| value.to_bits())).collect()
}

/// One line that stands for every bit of a training.
fn fingerprint(trained: &Trained) -> String {
    let weights: Vec<u8> = bits(&trained.checkpoint.weights).iter().flat_map(|bits| bits.to_le_bytes()).collect();
    let curve: Vec<u32> = trained.curve.iter().map(|loss| loss.to_bits()).collect();
    let bpb = trained.trained.bits_per_byte.to_bits();
    format!("{} {bpb:x} {curve:x?}", blake3::hash(&weights).to_hex())
}

#[test]
fn the_same_job_gives_the_same_bits_whatever_the_threads() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let run = |seed, threads| {
        let machine = Machine { threads, ..Machine::default() };
        fingerprint(&finished(train(&job(tiny(), seed), &data, &machine, &mut ()).unwrap()))
    };
    let print = run(7, 1);
    assert_ne!(print, run(8, 1));
    for threads in [1, 2, 3] {
        assert_eq!(print, run(7, threads), "{threads} threads");
    }
}

#[test]
fn composed_operations_give_the_same_bits_whatever_the_threads() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let print = fingerprint(&finished(train(&job(tiny(), 7), &data, &COMPOSED, &mut ()).unwrap()));
    // A parent that runs this test with other threads reads it here.
    #[allow(clippy::print_stdout)]
    {
        println!("fingerprint {print}");
    }
    // A child of this very test: only the line above is wanted.
    if std::env::var_os("GENESYS_TEST_CHILD").is_some() {
        return;
    }
    for threads in ["1", "3"] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "composed_operations_give_the_same_bits_whatever_the_threads", "--nocapture"])
            .env("GENESYS_TEST_CHILD", "1")
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap();
        let output = String::from_utf8(child.stdout).unwrap();
        assert!(output.contains(&format!("fingerprint {print}")), "{threads} threads: {output}");
    }
}

/// What is told at the start, and the norm and loss of each step.
#[derive(Default)]
struct Course {
    composed: Option<String>,
    steps: Vec<[f64; 2]>,
}

impl Observer for Course {
    fn started(&mut self, start: &Start) {
        self.composed.clone_from(&start.composed);
    }

    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        self.steps.push([f64::from(step.loss), step.norm]);
        ControlFlow::Continue(())
    }
}

#[test]
fn one_program_trains_as_composed_operations_do_and_says_which() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    // A pass may use the weights of a head of its own before those of the blocks.
    let untied = GPT.replacen("tie_embeddings = true", "tie_embeddings = false", 1);
    assert_ne!(untied, GPT);
    for text in [GPT, GLA, untied.as_str()] {
        let job = Job { validation_tokens: 640, ..Job::at_scale(text, &Scale { steps: 6, ..tiny() }, 4) };
        let run = |machine| {
            let mut course = Course::default();
            (finished(train(&job, &data, &machine, &mut course).unwrap()), course)
        };
        let (one, fast) = run(Machine { threads: 2, ..Machine::default() });
        let (other, plain) = run(COMPOSED);
        assert_eq!((fast.composed, plain.composed.as_deref()), (None, Some("it was asked for")));
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-4 * b.abs();
        for (step, (a, b)) in fast.steps.iter().zip(&plain.steps).enumerate() {
            assert!(close(a[0], b[0]) && close(a[1], b[1]), "step {step}: {a:?}, composed {b:?}");
        }
        assert_eq!((fast.steps.len(), plain.steps.len()), (6, 6));
        assert!(close(one.start.nats, other.start.nats) && close(one.trained.nats, other.trained.nats));
        assert_eq!((one.trained.tokens, one.trained.bytes), (other.trained.tokens, other.trained.bytes));
    }
}

#[test]
fn what_does_not_fit_memory_is_refused_with_both_numbers() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let within = |bytes| Machine { memory: Some(Limit::Given(bytes)), ..Machine::default() };
    let needed = match train(&job(tiny(), 1), &data, &within(1 << 20), &mut ()).unwrap_err() {
        error @ TrainError::Memory(_) => {
            assert!(error.is_input() && error.to_string().contains("1.0 MiB are allowed"), "{error}");
            let TrainError::Memory(shortage) = error else { panic!("{error}") };
            shortage.needed
        }
        other => panic!("{other}"),
    };
    let parameters = finished(train(&job(tiny(), 1), &data, &within(needed), &mut ()).unwrap()).parameters;
    assert!(needed > 16 * parameters && needed < 1 << 28, "{needed}");
    // More than any machine has is refused before it is asked for.
    let vast = Scale { rows: 1 << 30, ..tiny() };
    let error = train(&job(vast, 1), &data, &Machine::within(None), &mut ()).unwrap_err();
    assert!(matches!(error, TrainError::Memory(_)) && !error.is_input(), "{error}");
}

/// The bytes that training a job needs.
fn needed(job: &Job, data: &Dataset) -> u64 {
    let machine = Machine { memory: Some(Limit::Given(1)), ..Machine::default() };
    match train(job, data, &machine, &mut ()).unwrap_err() {
        TrainError::Memory(shortage) => shortage.needed,
        other => panic!("{other}"),
    }
}

#[test]
fn as_many_rows_are_in_memory_as_fit_and_the_job_says_how_many() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let vocabulary = data.tokenizer().vocab_size() as u64;
    let whole = Job { scale: Scale { rows: 6, context: 64, blocks: 6, ..tiny() }, ..job(tiny(), 1) };
    let cut = |rows| Job { rows_at_a_time: Some(rows), ..whole.clone() };
    let within = |bytes| Machine { memory: Some(Limit::Given(bytes)), ..Machine::default() };
    let all = needed(&whole, &data);
    assert_eq!(fit(&whole, vocabulary, &within(all)).unwrap(), whole);
    assert_eq!(fit(&whole, vocabulary, &Machine::default()).unwrap(), whole);
    // Of four parts the largest has two rows, as of three.
    for (rows, chosen) in [(4, 3), (3, 3), (2, 2), (1, 1)] {
        let bytes = needed(&cut(rows), &data);
        assert!(bytes < all, "{bytes} of {all}");
        assert_eq!(fit(&whole, vocabulary, &within(bytes)).unwrap(), cut(chosen), "{rows} rows fit");
    }
    // Less is kept only where one row does not fit otherwise, and the least that does is taken.
    let again = |rows, recompute| Job { recompute, ..cut(rows) };
    let lean = needed(&again(1, Recompute::Products), &data);
    assert!(lean < needed(&cut(1), &data), "{lean}");
    let fitted = fit(&whole, vocabulary, &within(needed(&cut(1), &data) - 1)).unwrap();
    assert!(fitted.rows_at_a_time.is_some() && fitted.recompute > Recompute::Little, "{fitted:?}");
    assert!(needed(&fitted, &data) < needed(&cut(1), &data));
    assert_eq!(fit(&whole, vocabulary, &within(lean)).unwrap(), again(1, Recompute::Products));
    let least = Recompute::ALL.map(|how| needed(&again(1, how), &data)).into_iter().min().unwrap();
    match fit(&whole, vocabulary, &within(least - 1)).unwrap_err() {
        TrainError::Memory(shortage) => assert_eq!((shortage.needed, shortage.rows), (least, 1)),
        other => panic!("{other}"),
    }
    // What was asked for stays.
    let asked = again(5, Recompute::Elements);
    assert_eq!(fit(&asked, vocabulary, &within(needed(&asked, &data))).unwrap(), asked);
    match fit(&asked, vocabulary, &within(needed(&asked, &data) - 1)).unwrap_err() {
        TrainError::Memory(shortage) => assert_eq!((shortage.needed, shortage.rows), (needed(&asked, &data), 5)),
        other => panic!("{other}"),
    }
}

#[test]
fn parts_of_a_batch_train_as_the_batch_and_go_on_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), "house");
    let whole = finished(train(&job(tiny(), 5), &data, &Machine::default(), &mut ()).unwrap());
    let cut = |rows| Job { rows_at_a_time: Some(rows), recompute: Recompute::Products, ..job(tiny(), 5) };
    let machine = Machine { threads: 2, ..Machine::default() };
    for rows in [1, 3] {
        let parts = finished(train(&cut(rows), &data, &machine, &mut ()).unwrap());
        let far = |(a, b): (&f32, &f32)| (a - b).abs() > 2e-4 * a;
        assert!(!whole.curve.iter().zip(&parts.curve).any(far), "{:?}, {:?}", whole.curve, parts.curve);
        assert_ne!(
            bits(&whole.checkpoint.weights),
            bits(&parts.checkpoint.weights),
            "it rounds alike: a cut of nothing"
        );
        let Outcome::Stopped(stopped) = train(&cut(rows), &data, &machine, &mut StopAfter(7, Vec::new())).unwrap()
        else {
            panic!("it did not stop");
        };
        stopped.save(&dir.path().join("ckpt")).unwrap();
        let loaded = Checkpoint::load(&dir.path().join("ckpt")).unwrap();
        // More memory than then changes nothing: the cut is the job's.
        let rest = finished(resume(&loaded, &data, &Machine::default(), &mut ()).unwrap());
        assert_eq!(fingerprint(&rest), fingerprint(&parts), "{rows} rows");
    }
    // As many rows as there are, or more, are the whole batch.
    for rows in [4, 9] {
        let all = Job { recompute: Recompute::Little, ..cut(rows) };
        let all = finished(train(&all, &data, &machine, &mut ()).unwrap());
        assert_eq!(fingerprint(&all), fingerprint(&whole));
    }
}

#[test]
fn a_loss_that_is_no_sum_over_rows_is_never_cut() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let vocabulary = data.tokenizer().vocab_size() as u64;
    let loss = "let m = mean_tokens(h)\n    loss 0.1 * mean[D](m * m)\n    h + SwiGlu";
    let text = GPT.replacen("h + SwiGlu", loss, 1);
    let scale = Scale { blocks: 6, context: 64, steps: 2, ..tiny() };
    let whole = Job { validation_tokens: 640, ..Job::at_scale(text, &scale, 1) };
    let error =
        train(&Job { rows_at_a_time: Some(2), ..whole.clone() }, &data, &Machine::default(), &mut ()).unwrap_err();
    let told = "the design cannot be trained: a loss of `Block` is no sum over rows: it is not linear in means over the \
                tokens of a batch, so that parts of 2 rows do not add up to a batch of 4; take all at a time";
    assert_eq!(error.to_string(), told);
    let bytes = needed(&whole, &data);
    let within = |bytes| Machine { memory: Some(Limit::Given(bytes)), ..Machine::default() };
    let lean = fit(&whole, vocabulary, &within(bytes - 1)).unwrap();
    assert!(lean.rows_at_a_time.is_none() && lean.recompute > Recompute::Little, "{lean:?}");
    let error = fit(&whole, vocabulary, &within(bytes / 3)).unwrap_err();
    assert!(error.to_string().contains("it cannot do with fewer rows at a time: a loss of `Block`"), "{error}");
    finished(train(&whole, &data, &within(bytes), &mut ()).unwrap());
}

#[test]
fn a_trained_model_is_better_and_an_untrained_one_knows_nothing() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let trained = finished(train(&job(Scale { steps: 60, ..tiny() }, 1), &data, &Machine::default(), &mut ()).unwrap());
    let nothing = (data.tokenizer().vocab_size() as f64).ln();
    assert!((trained.start.nats - nothing).abs() < 0.3, "{} nats, expected about {nothing}", trained.start.nats);
    assert!(trained.trained.nats < nothing - 1.5, "{:?} after {:?}", trained.trained, trained.start);
    assert_eq!(trained.curve.len(), 60);
    // Both measures are of the same sum.
    let v = trained.trained;
    let bits = v.nats * v.tokens as f64 / std::f64::consts::LN_2;
    assert!((v.bits_per_byte - bits / v.bytes as f64).abs() < 1e-12);
    assert!(v.tokens <= 640 && v.tokens > 600 && v.bytes > v.tokens, "{v:?}");
}

#[test]
fn a_constant_model_scores_the_logarithm_of_the_vocabulary() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let mut checkpoint = untrained(GPT, &tiny(), 1, data.tokenizer()).unwrap();
    // The logits are products with the embedding, so they are all 0.
    checkpoint.weights.get_mut("embedding.weight").unwrap().values.fill(0.0);
    let validation = evaluate(&checkpoint, &data, &Machine::default()).unwrap();
    assert!((validation.nats - (data.tokenizer().vocab_size() as f64).ln()).abs() < 1e-5, "{validation:?}");
}

#[test]
fn the_model_that_is_loaded_is_the_one_that_was_trained() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), "house");
    let trained = finished(train(&job(tiny(), 3), &data, &Machine::default(), &mut ()).unwrap());
    trained.checkpoint.save(&dir.path().join("ckpt")).unwrap();
    let loaded = Checkpoint::load(&dir.path().join("ckpt")).unwrap();
    assert_eq!(bits(&loaded.weights), bits(&trained.checkpoint.weights));
    let again = evaluate(&loaded, &data, &Machine { threads: 2, ..Machine::default() }).unwrap();
    assert_eq!(again.nats.to_bits(), trained.trained.nats.to_bits());
    assert_eq!(again, trained.trained);
    assert_eq!((loaded.config.step, loaded.config.job.steps), (12, 12));
    assert_eq!(loaded.config.corpus_hash.as_ref(), Some(&data.info().corpus_hash));
}

/// Stops after a number of steps, and notes what it is told.
struct StopAfter(u64, Vec<u64>);

impl Observer for StopAfter {
    fn started(&mut self, start: &Start) {
        assert!(start.parameters > 10_000 && start.tokens_per_step == 64, "{start:?}");
    }

    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        assert!(step.tokens > 0 && step.norm > 0.0 && step.rate > 0.0, "{step:?}");
        self.1.push(step.done);
        if step.done == self.0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

#[test]
fn a_training_that_was_stopped_goes_on_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), "house");
    let whole = finished(train(&job(tiny(), 5), &data, &Machine::default(), &mut ()).unwrap());
    let mut observer = StopAfter(5, Vec::new());
    let Outcome::Stopped(checkpoint) = train(&job(tiny(), 5), &data, &Machine::default(), &mut observer).unwrap()
    else {
        panic!("it did not stop");
    };
    assert_eq!(observer.1, [1, 2, 3, 4, 5]);
    checkpoint.save(&dir.path().join("ckpt")).unwrap();
    let loaded = Checkpoint::load(&dir.path().join("ckpt")).unwrap();
    let rest = finished(resume(&loaded, &data, &Machine::default(), &mut ()).unwrap());
    assert_eq!(bits(&rest.checkpoint.weights), bits(&whole.checkpoint.weights));
    assert_eq!(rest.checkpoint.optimizer, whole.checkpoint.optimizer);
    assert_eq!(rest.trained, whole.trained);
    assert_eq!(rest.checkpoint.history, whole.checkpoint.history);
    assert_eq!((rest.start, rest.curve), (whole.start, whole.curve));
}

/// Keeps the training after every third step, and what it was told in between.
struct Keeper(std::path::PathBuf, Vec<u64>);

impl Observer for Keeper {
    fn keep(&mut self, step: &Step) -> Option<std::path::PathBuf> {
        step.done.is_multiple_of(3).then(|| {
            self.1.push(step.done);
            self.0.join(step.done.to_string())
        })
    }
}

#[test]
fn every_checkpoint_that_is_kept_leads_to_the_same_bits() {
    let dir = tempfile::tempdir().unwrap();
    let data = dataset(dir.path(), "house");
    let mut keeper = Keeper(dir.path().join("kept"), Vec::new());
    let whole = fingerprint(&finished(train(&job(tiny(), 5), &data, &Machine::default(), &mut keeper).unwrap()));
    assert_eq!(keeper.1, [3, 6, 9], "the end is not kept: it is the outcome");
    for step in keeper.1 {
        let kept = Checkpoint::load(&keeper.0.join(step.to_string())).unwrap();
        assert_eq!(kept.config.step, step);
        assert_eq!(
            fingerprint(&finished(resume(&kept, &data, &Machine::default(), &mut ()).unwrap())),
            whole,
            "from step {step}"
        );
    }
    // A folder that cannot be written ends the training: it was asked to be kept.
    let mut nowhere = Keeper("/proc/none".into(), Vec::new());
    let error = train(&job(tiny(), 5), &data, &Machine::default(), &mut nowhere).unwrap_err();
    assert!(matches!(error, TrainError::Checkpoint(CheckpointError::Io { .. })), "{error}");
}

#[test]
fn training_goes_on_only_on_its_own_text_and_with_its_moments() {
    let dir = tempfile::tempdir().unwrap();
    let (data, other) = (dataset(dir.path(), "house"), dataset(dir.path(), "mouse"));
    let Outcome::Stopped(checkpoint) =
        train(&job(tiny(), 5), &data, &Machine::default(), &mut StopAfter(1, Vec::new())).unwrap()
    else {
        panic!("it did not stop");
    };
    let error = resume(&checkpoint, &other, &Machine::default(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("another text"), "{error}");
    let bare = Checkpoint { optimizer: None, ..*checkpoint };
    let error = resume(&bare, &data, &Machine::default(), &mut ()).unwrap_err();
    assert!(error.is_input() && error.to_string().contains("no optimizer state"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_a_failed_result() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let wild = Scale { learning_rate: 1e38, ..tiny() };
    let Outcome::Diverged(divergence) = train(&job(wild, 1), &data, &Machine::default(), &mut ()).unwrap() else {
        panic!("a rate of 1e38 gave a score");
    };
    assert!(divergence.step >= 1 && divergence.step <= 12, "{divergence}");
    assert!(divergence.to_string().contains("is not a finite number at step"), "{divergence}");
    let value: f32 = divergence.value.as_ref().unwrap().parse().unwrap();
    assert!(!value.is_finite() && divergence.to_string().contains(&format!(", but {value}")), "{divergence}");
}

#[test]
fn a_failed_training_names_the_operation_and_the_unit_where_it_began() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let fails = |body: &str, rate: f64| {
        let text = format!(
            "design Two {{\n    stack = [[Calm, Wild]*]\n}}\n\nunit Calm(x: Seq[D]) -> Seq[D] {{\n    x + 1 / exp(stop(x) * 0 + 200)\n}}\n\n\
             unit Wild(x: Seq[D]) -> Seq[D] {{\n    let h = linear[D -> D](x)\n    {body}\n}}\n"
        );
        let scale = Scale { learning_rate: rate, blocks: 4, ..tiny() };
        let job = Job { validation_tokens: 640, ..Job::at_scale(text, &scale, 1) };
        let told = |job: &Job| match train(job, &data, &Machine::default(), &mut ()).unwrap() {
            Outcome::Diverged(divergence) => divergence,
            other => panic!("{other:?}"),
        };
        let whole = told(&job);
        let cut = told(&Job { rows_at_a_time: Some(3), ..job });
        assert_eq!((cut.step, &cut.place), (whole.step, &whole.place));
        whole
    };
    // `exp(200)` is infinite in f32 and harmless: what it divides is 0.
    let early = fails("x + h / (x - x)", 1e-3);
    assert_eq!(early.step, 0);
    let place = early.place.unwrap();
    assert!(place.starts_with("`div` in the unit Wild of blocks.1, behind the weight blocks.1.h.weight"), "{place}");
    // A scan that grows too fast, and an exponential that training drives up.
    let scan = fails("scan S: [D] = 1 {\n        S <- S * 1e12 + h\n        yield S\n    }", 1e-3);
    let place = scan.place.unwrap();
    assert!(place.contains("in the unit Wild of blocks.1"), "{place}");
    let late = fails("x + exp(h * h)", 3.0);
    assert!(late.step > 0, "{late}");
    let place = late.place.unwrap();
    assert!(place.starts_with("`exp` in the unit Wild of blocks."), "{place}");
}

#[test]
fn a_checkpoint_whose_parts_do_not_belong_together_is_refused() {
    let fresh = || untrained(GPT, &tiny(), 1, &Tokenizer::bytes()).unwrap();
    let message = |checkpoint: &Checkpoint| match build(checkpoint).unwrap_err() {
        TrainError::Checkpoint(error @ CheckpointError::OtherDesign { .. }) => error.to_string(),
        other => panic!("{other}"),
    };
    build(&fresh()).unwrap();

    let mut other = fresh();
    other.config.design_hash = "g1-00".to_owned();
    assert!(message(&other).contains("expected the hash g1-00, but its text has g2-"), "{}", message(&other));

    let mut wide = fresh();
    wide.config.job.scale.width = 128;
    assert!(message(&wide).contains("the weights are not the model's"), "{}", message(&wide));

    let mut short = fresh();
    short.weights.remove("embedding.weight").unwrap();
    assert!(message(&short).contains("embedding.weight"), "{}", message(&short));
}

#[test]
fn a_design_or_a_text_that_cannot_be_trained_is_one_message() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let error = train(&Job::at_scale("design {", &tiny(), 1), &data, &Machine::default(), &mut ()).unwrap_err();
    assert!(matches!(error, TrainError::Design(_)) && error.is_input(), "{error}");
    let error = train(&job(Scale { width: 65, ..tiny() }, 1), &data, &Machine::default(), &mut ()).unwrap_err();
    assert!(matches!(error, TrainError::Design(_)) && error.is_input(), "{error}");
    let error = train(&job(Scale { context: 1 << 20, ..tiny() }, 1), &data, &Machine::default(), &mut ()).unwrap_err();
    assert!(error.to_string().contains("too short") && error.is_input(), "{error}");
}

/// What every step told.
#[derive(Default)]
struct Told(Vec<(f32, Option<f32>)>);

impl Observer for Told {
    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        self.0.push((step.loss, step.auxiliary));
        ControlFlow::Continue(())
    }
}

#[test]
fn the_losses_of_units_are_trained_on_told_apart_and_never_reported() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    // A code that moves to the mean of what it is given, by a loss alone, which is far larger than the one of the tokens.
    let loss = "param code: [D] = uniform(2, 3)\n    loss 30 * mean[D]((stop(h) - code) ^ 2)\n    h + SwiGlu";
    let text = GPT.replacen("h + SwiGlu", loss, 1);
    let job = Job { validation_tokens: 640, ..Job::at_scale(text, &Scale { steps: 60, ..tiny() }, 1) };
    let mut told = Told::default();
    let trained = finished(train(&job, &data, &Machine::default(), &mut told).unwrap());
    let auxiliary: Vec<f32> = told.0.iter().map(|(_, auxiliary)| auxiliary.unwrap()).collect();
    assert!(auxiliary[0] > 100.0 && auxiliary[59] < 0.98 * auxiliary[0], "{auxiliary:?}");
    let losses: Vec<f32> = told.0.iter().map(|(loss, _)| *loss).collect();
    assert_eq!(losses, trained.curve);
    let nothing = (data.tokenizer().vocab_size() as f64).ln();
    assert!((f64::from(losses[0]) - nothing).abs() < 0.3, "{losses:?}");
    assert!((trained.start.nats - nothing).abs() < 0.3, "{:?}", trained.start);
    assert!(trained.trained.nats < nothing, "{:?}", trained.trained);
    let mut plain = Told::default();
    finished(train(&self::job(tiny(), 1), &data, &Machine::default(), &mut plain).unwrap());
    assert!(plain.0.iter().all(|(_, auxiliary)| auxiliary.is_none()));
}

/// Nano's width and blocks, on the short text of these tests.
fn narrow_job(steps: u64, precision: Precision) -> Job {
    let scale = Scale { context: 64, rows: 1, steps, vocabulary: 300, ..Scale::named("nano").unwrap() };
    Job { validation_tokens: 1280, precision, ..Job::at_scale(GPT, &scale, 3) }
}

#[test]
fn a_training_in_bf16_ends_near_the_loss_of_one_in_f32() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let run = |precision| finished(train(&narrow_job(40, precision), &data, &Machine::default(), &mut ()).unwrap());
    let (wide, narrow) = (run(Precision::F32), run(Precision::Bf16));
    let (nats, other) = (wide.trained.nats, narrow.trained.nats);
    assert!(nats < 0.8 * wide.start.nats, "it learns: {} to {nats}", wide.start.nats);
    assert!((nats - other).abs() < 0.02 * nats, "{nats} in f32, {other} in bf16");
    // It is another result where the processor has the instructions, and the very same where it has not.
    let here = Precision::Bf16.here();
    assert_eq!(fingerprint(&wide) == fingerprint(&narrow), here == Precision::F32);
    assert_eq!(narrow.checkpoint.config.job.precision, here, "what is written is what it was computed in");
}

#[test]
fn a_training_in_bf16_goes_on_in_it_to_the_same_bits_whatever_the_threads() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let job = narrow_job(6, Precision::Bf16);
    let whole = fingerprint(&finished(train(&job, &data, &Machine::default(), &mut ()).unwrap()));
    let two = Machine { threads: 2, ..Machine::default() };
    assert_eq!(whole, fingerprint(&finished(train(&job, &data, &two, &mut ()).unwrap())));
    let Outcome::Stopped(checkpoint) = train(&job, &data, &two, &mut StopAfter(3, Vec::new())).unwrap() else {
        panic!("it is stopped");
    };
    let dir = cache.path().join("stopped");
    checkpoint.save(&dir).unwrap();
    let kept = Checkpoint::load(&dir).unwrap();
    assert_eq!(kept.config.job.precision, Precision::Bf16.here());
    assert_eq!(whole, fingerprint(&finished(resume(&kept, &data, &Machine::default(), &mut ()).unwrap())));
}

#[test]
fn numbers_that_are_not_finite_are_found_in_bf16() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path(), "house");
    let job = narrow_job(12, Precision::Bf16);
    let wild = Job { scale: Scale { learning_rate: 1e18, ..job.scale.clone() }, ..job };
    let Outcome::Diverged(divergence) = train(&wild, &data, &Machine::default(), &mut ()).unwrap() else {
        panic!("a rate as high leads nowhere");
    };
    let value: f32 = divergence.value.unwrap().parse().unwrap();
    assert!(!value.is_finite(), "{value}");
}

#[test]
fn a_job_in_f32_is_written_as_before_there_was_another_precision() {
    let job = narrow_job(6, Precision::F32);
    let text = serde_json::to_string(&job).unwrap();
    assert!(!text.contains("precision"), "{text}");
    assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job);
    let narrow = Job { precision: Precision::Bf16, ..job };
    let text = serde_json::to_string(&narrow).unwrap();
    assert!(text.ends_with(r#""precision":"bf16"}"#), "{text}");
    assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), narrow);
    let error = serde_json::from_str::<Job>(&text.replace("bf16", "f16")).unwrap_err().to_string();
    assert!(error.contains("expected f32 or bf16, found `f16`"), "{error}");
}

#[test]
fn what_a_training_computes_in_is_told_where_it_was_not_asked_for() {
    let validation = genesys_train::Validation { nats: 1.0, bits_per_byte: 1.0, tokens: 1, bytes: 1 };
    let (asked, precision) = (Precision::Bf16, Precision::Bf16);
    let start = Start {
        composed: None,
        asked,
        precision,
        rows_at_a_time: None,
        recompute: Recompute::Little,
        parameters: 1,
        step: 0,
        steps: 1,
        tokens_per_step: 1,
        validation,
    };
    assert!(start.notes().is_empty());
    let notes = Start { precision: Precision::F32, ..start.clone() }.notes();
    assert_eq!(
        notes,
        ["this processor does not multiply numbers in bf16, so it trains in f32, to the result of a training in that"]
    );
    let composed = Some("it was asked for".into());
    let notes = Start { precision: Precision::F32, composed, ..start }.notes();
    assert_eq!(notes[1], "those operations are in f32, not in bf16");
}
