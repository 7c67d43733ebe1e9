//! `report`: a page and JSON of a run that is finished, unfinished, damaged or not there.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use common::{command, corpus, cut, finished, genesys};
use genesys_store::Reader;
use serde_json::Value;

/// A run of one generation of two, a few steps each, on a small text.
fn discover(folder: &Path, name: &str, workers: &str) -> PathBuf {
    let run = folder.join(name);
    let mut command =
        command(["discover", "--generations", "1", "--population", "2", "--steps", "3", "--workers", workers]);
    command.arg("--run").arg(&run).arg("--corpus").arg(corpus(folder)).env("GENESYS_CACHE", folder.join("cache"));
    finished(command.output().unwrap()).ok();
    run
}

fn report(run: &Path, more: &[&str]) -> common::Run {
    genesys(["report", run.to_str().unwrap()].iter().chain(more))
}

#[test]
fn a_run_has_one_page_and_one_json_wherever_it_lies() {
    let folder = tempfile::tempdir().unwrap();
    let (first, second) = (discover(folder.path(), "first", "1"), discover(folder.path(), "second", "2"));
    let page = |run: &Path| fs::read_to_string(run.join("report.html")).unwrap();
    let html = page(&first);
    assert_eq!(html, page(&second), "`discover` writes it, and nothing of the folder or the day is in it");
    assert!(html.starts_with("<!DOCTYPE html>") && !html.contains(folder.path().to_str().unwrap()));

    let inode = || fs::metadata(second.join("report.html")).unwrap().ino();
    let before = inode();
    let mut resume = command(["resume", second.to_str().unwrap()]);
    finished(resume.env("GENESYS_CACHE", folder.path().join("cache")).output().unwrap()).ok();
    assert_eq!(inode(), before, "a page that is right is not written again");

    fs::remove_file(first.join("report.html")).unwrap();
    assert_eq!(report(&first, &[]).ok().trim(), first.join("report.html").to_str().unwrap());
    assert_eq!(page(&first), html);
    let other = folder.path().join("other.html");
    report(&first, &["--out", other.to_str().unwrap()]).ok();
    assert_eq!(fs::read_to_string(other).unwrap(), html);

    let json = report(&first, &["--json"]).ok();
    assert_eq!(report(&second, &["--json"]).ok(), json);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["run"], Reader::open(&first).unwrap().digest().unwrap());
    let designs = value["designs"].as_array().unwrap();
    assert_eq!((designs.len(), &value["seed"]), (7, &Value::from(0)));
    for design in designs {
        let (name, hash) = (design["name"].as_str().unwrap(), design["design_hash"].as_str().unwrap());
        let file = first.join("designs").join(format!("{name}.gau"));
        assert!(genesys(["hash", file.to_str().unwrap()]).ok().starts_with(hash), "{name}");
        assert!(html.contains(hash) && html.contains(name));
        let is_baseline = value["baseline"] == design["design_hash"];
        assert_eq!(design["verdict"] == "baseline", is_baseline, "{design}");
    }
}

#[test]
fn what_is_wrong_with_a_run_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let run = discover(folder.path(), "run", "2");

    let unfinished = folder.path().join("unfinished");
    cut(&run, 5, &unfinished);
    let told = report(&unfinished, &[]);
    assert!(
        fs::read_to_string(unfinished.join("report.html")).unwrap().contains("This run is not finished"),
        "{told:?}"
    );
    let json: Value = serde_json::from_str(&report(&unfinished, &["--json"]).ok()).unwrap();
    assert!(
        json["designs"].as_array().unwrap().iter().all(|d| d["verdict"] == "untrained" && d["bpb"].is_null()),
        "{json}"
    );

    let empty = folder.path().join("empty");
    cut(&run, 0, &empty);
    assert!(report(&empty, &[]).refused().contains("stopped before it began"));
    let nowhere = folder.path().join("nowhere");
    let said = report(&nowhere, &[]).refused();
    assert!(said.contains("nowhere") && !nowhere.exists(), "{said}");

    let page = run.join("report.html");
    let whole = fs::read(&page).unwrap();
    let blocked = report(&run, &["--out", run.join("events.db/report.html").to_str().unwrap()]);
    assert_eq!(blocked.status, 2, "{blocked:?}");
    assert!(blocked.stderr.contains("cannot write"), "{blocked:?}");
    assert!(report(&run, &["--json", "--out", "x"]).refused().contains("--out"));

    fs::remove_dir_all(run.join("artifacts")).unwrap();
    let told = report(&run, &[]);
    assert!(told.status == 0 && told.stderr.contains("a loss curve is left out: no artifact"), "{told:?}");
    assert!(fs::read(&page).unwrap() != whole, "the rest is shown");

    let log = run.join("events.db");
    let bytes = fs::read(&log).unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("design-proposed"), "the events lie in the file");
    fs::write(&log, &bytes[..bytes.len() / 2]).unwrap();
    let told = report(&run, &[]);
    assert!(told.status == 2 && told.stderr.contains("damaged"), "{told:?}");
}
