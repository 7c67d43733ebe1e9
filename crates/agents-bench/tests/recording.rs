//! A whole bench from a recording: twenty proposals by all variants. Its answers are those of `common::script`, so its rates are rates of a
//! script; the test holds what is made of them.
//!
//! `UPDATE_GOLDENS=1 cargo nextest run -p genesys-agents-bench --test recording` makes the recording and the tables anew.
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use common::script::Script;
use common::{Answer, Bench, Recording, proposals, recording_path};
use genesys_agents_bench::{Row, Variant, report, run, table};
use genesys_llm::{LlmError, Reply, Request, Transport};

/// The script, and what it answered.
struct Written(Script, Mutex<BTreeMap<String, Answer>>);

impl Transport for Written {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let reply = self.0.ask(request, hear)?;
        let (hash, read) = (request.hash(), reply.usage.input);
        self.1.lock().unwrap().insert(hash.clone(), Answer { hash, read, text: reply.text.clone() });
        Ok(reply)
    }
}

fn measured(transport: &dyn Transport) -> Vec<Row> {
    let bench = Bench::default();
    let proposals: Vec<_> = proposals().into_iter().map(|(proposal, _)| proposal).collect();
    run::<LlmError>(&bench.setting(transport), (&proposals, &Variant::ALL), Vec::new(), &mut |_| Ok(())).unwrap()
}

fn updates() -> bool {
    std::env::var_os("UPDATE_GOLDENS").is_some()
}

/// Compares a text with `tests/golden/NAME`; `UPDATE_GOLDENS=1` writes it.
fn golden(name: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if updates() {
        fs::write(&path, found).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{} differs: UPDATE_GOLDENS=1 writes it\n{found}", path.display());
}

#[test]
fn a_bench_from_its_recording_gives_the_table_that_it_gave() {
    if updates() {
        let written = Written(Script::new(&proposals()), Mutex::default());
        measured(&written);
        let answers = written.1.into_inner().unwrap();
        let lines = answers.values().map(|answer| serde_json::to_string(answer).unwrap() + "\n");
        fs::create_dir_all(recording_path().parent().unwrap()).unwrap();
        fs::write(recording_path(), lines.collect::<String>()).unwrap();
    }
    let rows = measured(&Recording::open());
    assert_eq!(rows.len(), 80);
    assert!(rows.iter().all(|row| row.calls == row.answers && row.money.is_none() && row.usage.estimated));
    golden("script.txt", &table::table(&report(&rows, 0)));
}

#[test]
fn the_script_is_taken_where_it_plants_no_mistake() {
    let references = proposals();
    let rows = measured(&Recording::open());
    for row in rows.iter().filter(|row| row.is_valid()) {
        let (proposal, text) = references.iter().find(|(proposal, _)| proposal.name == row.proposal).unwrap();
        let design = genesys_compiler::check_text(&proposal.name, text).design.unwrap();
        assert_eq!(
            row.design.as_deref(),
            Some(design.hash().to_string().as_str()),
            "{} {}",
            row.proposal,
            row.variant.name()
        );
    }
    let first = |variant| rows.iter().filter(|row| row.variant == variant && row.is_valid_within(0)).count();
    assert_eq!(first(Variant::Whole), first(Variant::Direct), "the first answers are the same");
    assert_eq!(first(Variant::ByUnits), first(Variant::NoFeedback), "and so are these");
}
