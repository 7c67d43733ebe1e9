//! Requests as files, and those who answer them well, badly, late or not at all.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{ask, request};
use genesys_llm::folder::Folder;
use genesys_llm::throttle::{Clock, Wall};
use genesys_llm::{Form, LlmError, Request, Transport};
use serde_json::json;

fn folder(dir: &Path) -> Arc<Folder> {
    Arc::new(Folder::new(dir, Some(Duration::from_secs(60)), Box::new(Wall::default())).unwrap())
}

/// Asks, and does what is to be done once the request is there.
fn answered(dir: &Path, request: &Request, act: impl FnOnce(&str)) -> Result<genesys_llm::Reply, LlmError> {
    let asking = folder(dir);
    let own = request.clone();
    let waiting = std::thread::spawn(move || ask(&asking, &own));
    act(&stem(dir));
    waiting.join().unwrap()
}

/// The stem of the last request, once there is one that is not done.
fn stem(dir: &Path) -> String {
    loop {
        let names = names(dir);
        let open = names.iter().filter_map(|name| name.strip_suffix(".request.json"));
        if let Some(stem) = open.rev().find(|stem| !names.contains(&format!("{stem}.done"))) {
            return stem.to_owned();
        }
        std::thread::yield_now();
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Waits until a file is there.
fn appears(path: &Path) -> String {
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(_) => std::thread::yield_now(),
        }
    }
}

#[test]
fn a_person_reads_and_answers() {
    let dir = tempfile::tempdir().unwrap();
    let reply = answered(dir.path(), &request("What comes next?"), |stem| {
        let text = fs::read_to_string(dir.path().join(format!("{stem}.request.md"))).unwrap();
        assert!(text.contains("What comes next?") && text.contains(&format!("`{stem}.answer.md`")), "{text}");
        fs::write(dir.path().join(format!("{stem}.answer.md")), "Attention.").unwrap();
    });
    let reply = reply.unwrap();
    assert_eq!((reply.text.as_str(), reply.model.as_str()), ("Attention.", "file"));
    assert!(names(dir.path()).contains(&"0001-proposer.done".to_owned()));
}

/// A clock at each look of which somebody writes on.
struct Writing(std::path::PathBuf, Mutex<usize>);

impl Clock for Writing {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) {
        let mut looks = self.1.lock().unwrap();
        *looks += 1;
        let text = ["", "At", "Attention", "Attention."][(*looks).min(3)];
        fs::write(&self.0, text).unwrap();
    }
}

#[test]
fn what_is_still_written_is_not_taken() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Writing(dir.path().join("0001-proposer.answer.md"), Mutex::default());
    let folder = Folder::new(dir.path(), None, Box::new(clock)).unwrap();
    assert_eq!(ask(&folder, &request("a")).unwrap().text, "Attention.");
}

#[test]
fn who_answers_is_named_as_given() {
    let dir = tempfile::tempdir().unwrap();
    let folder = || Folder::new(dir.path(), None, Box::new(Wall::default())).unwrap();
    for (number, given, named) in [(1, "Ada", "Ada"), (2, "", "file")] {
        fs::write(dir.path().join(format!("000{number}-proposer.answer.md")), "Said.").unwrap();
        let folder = folder().answered_by(given);
        assert_eq!((folder.model(), ask(&folder, &request(given)).unwrap().model.as_str()), (named, named));
    }
}

#[test]
fn an_answer_that_is_wrong_is_told_and_may_be_mended() {
    let dir = tempfile::tempdir().unwrap();
    let rating = json!({ "type": "integer", "maximum": 5 });
    let schema = json!({ "type": "object", "properties": { "rating": rating }, "required": ["rating"] });
    let form = Form::Schema { name: "review".into(), schema };
    let reply = answered(dir.path(), &Request { form, ..request("Rate it.") }, |stem| {
        let path = |ending: &str| dir.path().join(format!("{stem}.{ending}"));
        fs::write(path("answer.json"), "").unwrap();
        fs::write(path("answer.json"), "{\"rating\": ").unwrap();
        let problem = appears(&path("problem.md"));
        assert!(problem.contains("expected JSON"), "{problem}");
        fs::write(path("answer.json"), b"\xff").unwrap();
        while !appears(&path("problem.md")).contains("not UTF-8") {}
        fs::write(path("answer.json"), "{\"rating\": 9}").unwrap();
        while !appears(&path("problem.md")).contains("at `rating`: expected an integer of 5 or less, found `9`") {}
        fs::write(path("answer.json"), "{\"rating\": 4}").unwrap();
    });
    assert_eq!(reply.unwrap().text, "{\"rating\": 4}");
    assert!(!names(dir.path()).iter().any(|name| name.ends_with("problem.md")));
    let reply = answered(dir.path(), &request("Say it."), |stem| {
        fs::write(dir.path().join(format!("{stem}.answer.json")), "{\"text\": \"said\"}").unwrap();
    });
    assert_eq!(reply.unwrap().text, "said");
}

#[test]
fn who_comes_back_waits_for_what_was_asked_before() {
    let dir = tempfile::tempdir().unwrap();
    let stopped = Folder::new(dir.path(), Some(Duration::ZERO), Box::new(Wall::default())).unwrap();
    let error = ask(&stopped, &request("a")).unwrap_err();
    assert!(matches!(error, LlmError::Silent { .. }), "{error:?}");
    assert!(ask(&stopped, &request("b")).is_err());
    fs::write(dir.path().join("0001-proposer.answer.txt"), "late").unwrap();
    assert_eq!(ask(&folder(dir.path()), &request("a")).unwrap().text, "late");
    let asked = names(dir.path()).into_iter().filter(|name| name.ends_with("request.json")).count();
    assert_eq!(asked, 2, "nothing is asked twice");
    // The same once more is another question.
    let asking = folder(dir.path());
    let waiting = std::thread::spawn(move || ask(&asking, &request("a")));
    appears(&dir.path().join("0003-proposer.request.json"));
    fs::write(dir.path().join("0003-proposer.answer.txt"), "again").unwrap();
    assert_eq!(waiting.join().unwrap().unwrap().text, "again");
}

#[test]
fn equal_requests_at_once_are_two_questions() {
    let dir = tempfile::tempdir().unwrap();
    let folder = folder(dir.path());
    let texts: Vec<String> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..2).map(|_| scope.spawn(|| ask(&folder, &request("a")).unwrap().text)).collect();
        for number in 1..3 {
            appears(&dir.path().join(format!("000{number}-proposer.request.json")));
            fs::write(dir.path().join(format!("000{number}-proposer.answer.txt")), format!("{number}")).unwrap();
        }
        asking.into_iter().map(|asking| asking.join().unwrap()).collect()
    });
    assert_eq!(texts.iter().map(String::as_str).collect::<std::collections::BTreeSet<_>>(), ["1", "2"].into());
}

/// A clock at the first look of which all who ask have their places, and whose every look counts against a limit.
struct Looking(std::sync::Barrier, Mutex<Duration>);

impl Clock for &'static Looking {
    fn now(&self) -> Duration {
        *self.1.lock().unwrap()
    }

    fn sleep(&self, _: Duration) {
        self.0.wait();
        *self.1.lock().unwrap() += Duration::from_secs(1);
    }
}

#[test]
fn many_who_share_a_folder_ask_each_by_a_number_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let asking = 24;
    let clock: &Looking = Box::leak(Box::new(Looking(std::sync::Barrier::new(asking), Mutex::default())));
    std::thread::scope(|scope| {
        for n in 0..asking {
            // As another process has it: nothing is shared but the folder.
            let folder = Folder::new(dir.path(), Some(Duration::from_secs(1)), Box::new(clock)).unwrap();
            let asked = Request { role: ["proposer", "reviewer"][n % 2].into(), ..request(["a", "b"][n / 2 % 2]) };
            scope.spawn(move || assert!(matches!(ask(&folder, &asked), Err(LlmError::Silent { .. }))));
        }
    });
    let names = names(dir.path());
    let numbers: std::collections::BTreeSet<&str> =
        names.iter().filter_map(|name| name.strip_suffix(".request.json")?.split('-').next()).collect();
    assert_eq!(numbers.len(), asking, "{names:?}");
    assert_eq!(numbers.last(), Some(&"0024"));
    assert!(names.iter().all(|name| !name.ends_with(".part")), "{names:?}");
}

#[test]
fn a_folder_that_goes_away_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("asked");
    let error = answered(&inner, &request("a"), |_| fs::remove_dir_all(&inner).unwrap()).unwrap_err();
    assert!(matches!(&error, LlmError::File { why, .. } if why.contains("is gone")), "{error:?}");
    fs::write(&inner, "a file").unwrap();
    assert!(Folder::new(&inner, None, Box::new(Wall::default())).is_err());
    let tools = vec![genesys_llm::Tool { name: "t".into(), about: String::new(), schema: json!({}) }];
    let error = folder(dir.path()).ask(&Request { tools, ..request("a") }, &mut |_| {}).unwrap_err();
    assert!(matches!(error, LlmError::Unsupported(_)));
}
