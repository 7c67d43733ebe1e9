//! A profile of a tiny training: its parts add up, its forms hold what they should.

#![allow(clippy::unwrap_used)]

use genesys_data::{Corpus, Dataset, Document, tokenizer_for};
use genesys_ladder::Scale;
use genesys_profile::{Figures, Measured, Plan, Profile, Subject, measure, profile, to_flame, to_folded, to_text};
use genesys_train::{Job, Machine};
use serde_json::Value;

fn dataset(cache: &std::path::Path) -> Dataset {
    let text = |i: usize| (1..30).map(|j| format!("The house number {} follows {}.\n", i * 7 + j, j)).collect();
    let documents = (1..40).map(|i| Document { name: i.to_string(), text: text(i) }).collect();
    let corpus = Corpus::from_documents("test", documents, Vec::new()).unwrap();
    let tokenizer = tokenizer_for(&corpus, 300, cache).unwrap();
    Dataset::prepare(&corpus, &tokenizer, cache).unwrap()
}

fn subject() -> Subject {
    Subject { design: "Gpt".into(), scale: "tiny".into(), rows: 3, context: 16 }
}

fn job(text: &str) -> Job {
    let scale = Scale { blocks: 2, context: 16, rows: 3, vocabulary: 300, ..Scale::named("nano").unwrap() };
    Job::at_scale(text, &scale, 1)
}

fn of(job: &Job) -> Measured {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path());
    let machine = Machine { threads: 2, ..Machine::default() };
    let plan = Plan { job, data: &data, machine: &machine, steps: 2 };
    measure(&plan, &mut || true).unwrap().unwrap()
}

fn measured(text: &str) -> Measured {
    of(&job(text))
}

fn gpt() -> Measured {
    measured(include_str!("../../../designs/gpt.gau"))
}

/// Whether two sums of the same numbers are the same but for rounding.
fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-12)
}

fn sums(parts: impl Iterator<Item = Figures>) -> [f64; 5] {
    parts.fold([0.0; 5], |sum, part| {
        let own = [part.seconds, part.products, part.elementwise, part.read, part.written];
        std::array::from_fn(|i| sum[i] + own[i])
    })
}

#[test]
fn units_kinds_and_kernels_add_up_to_the_step() {
    for text in [include_str!("../../../designs/gpt.gau"), include_str!("../../../designs/mamba2.gau")] {
        let told = profile(&measured(text), subject());
        let Profile { units, kinds, kernels, kernels_alone, .. } = &told;
        let whole = sums([*kernels_alone].into_iter());
        for parts in [
            sums(units.iter().map(|unit| unit.figures)),
            sums(kinds.iter().map(|kind| kind.figures)),
            sums(kernels.iter().map(|kernel| kernel.figures)),
        ] {
            assert!(parts.iter().zip(whole).all(|(part, whole)| same(*part, whole)), "{parts:?} {whole:?}");
        }
        let step = told.kernels_alone.seconds + told.optimizer.seconds + told.batch_seconds;
        assert!(same(step, told.step.seconds));
        assert!(told.kernels_alone.products > 0.0 && told.kernels_alone.read > 0.0);
    }
}

#[test]
fn a_step_in_parts_does_what_it_does_at_once() {
    let whole = profile(&gpt(), subject());
    let mut job = job(include_str!("../../../designs/gpt.gau"));
    job.rows_at_a_time = Some(1);
    let parts = profile(&of(&job), subject());
    assert_eq!((whole.parts, parts.parts), (1, 3));
    assert!(same(whole.kernels_alone.products, parts.kernels_alone.products));
    assert!(parts.kernels.iter().all(|kernel| kernel.runs % 3 == 0));
    assert!(to_text(&parts).contains(" in 3 parts, "));
}

#[test]
fn a_kernel_of_one_unit_is_its_alone() {
    let measured = gpt();
    let told = profile(&measured, subject());
    assert!(told.shared_seconds < told.kernels_alone.seconds);
    for kernel in &measured.kernels {
        let whole: f64 = kernel.shares.iter().sum();
        assert!(same(whole, 1.0), "{whole}: {:?}", kernel.work);
    }
}

#[test]
fn nothing_is_told_of_what_was_stopped() {
    let cache = tempfile::tempdir().unwrap();
    let data = dataset(cache.path());
    let scale = Scale { blocks: 1, context: 8, rows: 1, vocabulary: 300, ..Scale::named("nano").unwrap() };
    let job = Job::at_scale(include_str!("../../../designs/gpt.gau"), &scale, 1);
    let plan = Plan { job: &job, data: &data, machine: &Machine::default(), steps: 2 };
    for last in 0..5 {
        let mut left = last;
        let mut go_on = || {
            left -= 1;
            left >= 0
        };
        assert_eq!(measure(&plan, &mut go_on).unwrap(), None, "{last}");
    }
}

/// The paths of all fields with the kinds of their values; of a list those of its first element.
fn fields(path: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields_of) => {
            fields_of.iter().for_each(|(name, value)| fields(&format!("{path}.{name}"), value, found));
        }
        Value::Array(all) => match all.first() {
            Some(first) => fields(&format!("{path}[]"), first, found),
            None => found.push(format!("{path}[]")),
        },
        Value::Null => found.push(format!("{path}: null")),
        Value::Bool(_) => found.push(format!("{path}: bool")),
        Value::Number(_) => found.push(format!("{path}: number")),
        Value::String(_) => found.push(format!("{path}: string")),
    }
}

#[test]
fn json_has_the_fields_that_are_promised() {
    let json = serde_json::to_value(profile(&gpt(), subject())).unwrap();
    let mut found = Vec::new();
    fields("", &json, &mut found);
    let told = found.join("\n") + "\n";
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/fields.txt");
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        std::fs::write(&path, &told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&path).unwrap());
    assert_eq!(json["format"], 1);
    assert_eq!(json["design"], "Gpt");
}

#[test]
fn the_picture_is_well_formed_and_names_units() {
    let measured = gpt();
    let folded = to_folded(&measured, &subject());
    let lines: Vec<&str> = folded.lines().collect();
    assert!(lines.is_sorted(), "{folded}");
    assert!(lines.iter().any(|line| line.starts_with("Gpt;backward;Block;Attention;Rope;")), "{folded}");
    let svg = to_flame(&measured, &subject()).unwrap();
    let mut reader = quick_xml::Reader::from_str(&svg);
    let mut elements = 0;
    loop {
        match reader.read_event().unwrap() {
            quick_xml::events::Event::Eof => break,
            quick_xml::events::Event::Start(_) => elements += 1,
            _ => {}
        }
    }
    assert!(elements > 20, "{elements} elements");
    for name in ["Attention", "attention_norm: RmsNorm", "SwiGlu", "optimizer", "backward"] {
        assert!(svg.contains(&format!("<title>{name} (")), "{name} is missing");
    }
}

#[test]
fn text_has_a_line_for_each_unit_and_says_what_is_shared_out() {
    let told = profile(&gpt(), subject());
    let text = to_text(&told);
    let units = text.lines().skip_while(|line| !line.starts_with("unit ")).skip(1).take_while(|line| !line.is_empty());
    let names: Vec<&str> = units.map(|line| line.split("  ").next().unwrap()).collect();
    let expected: Vec<String> = told.units.iter().map(|unit| unit.unit.join(" > ")).collect();
    assert_eq!(&names[..expected.len()], expected);
    assert_eq!(&names[expected.len()..], ["optimizer", "batch", "step"]);
    assert!(text.contains("this machine: ") && text.contains("share out"), "{text}");
    assert!(text.lines().all(|line| line.trim_end() == line), "{text}");
}
