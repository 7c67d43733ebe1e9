//! Runs the real binary, and holds what is true of every run: no panic text, an exit status of the contract.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)] // each test file uses a part of it, as a module of its own

pub mod person;
pub mod scholar;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use genesys_store::{Log, NewEvent, Reader};

/// What a run gave.
#[derive(Debug)]
pub struct Run {
    /// The exit status.
    pub status: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Run {
    /// Standard output of a run that went well.
    pub fn ok(self) -> String {
        assert_eq!(self.status, 0, "{self:?}");
        self.stdout
    }

    /// Both outputs of a run that refused its input.
    pub fn refused(self) -> String {
        assert_eq!(self.status, 1, "{self:?}");
        let said = format!("{}{}", self.stdout, self.stderr);
        assert!(!said.trim().is_empty(), "it refused and said nothing");
        said
    }
}

/// The binary with `arguments`, not yet started.
pub fn command<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_genesys"));
    command.args(arguments).stdin(Stdio::null()).env_remove("RUST_BACKTRACE");
    command
}

/// Runs the binary with `arguments`.
pub fn genesys<I: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = I>) -> Run {
    finished(command(arguments).output().expect("the binary runs"))
}

/// What a finished process gave, held to what is true of all.
pub fn finished(output: Output) -> Run {
    let run = Run {
        status: output.status.code().unwrap_or_else(|| panic!("killed by a signal: {output:?}")),
        stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
    };
    for said in [&run.stdout, &run.stderr] {
        assert!(!said.contains("panicked") && !said.contains("bug in genesys"), "{run:?}");
    }
    assert!((0..=2).contains(&run.status), "{run:?}");
    run
}

/// Sends the signal of that name (`INT`, `KILL`) to a process, which may be gone already.
pub fn signal(process: u32, name: &str) {
    let status = Command::new("kill").args(["-s", name, &process.to_string()]).stderr(Stdio::null()).status();
    status.expect("the system has `kill`");
}

/// The processes that `parent` started and that are not gone.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").expect("the system tells of its processes");
    let id = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    processes.filter_map(id).filter(|process| parent_of(*process) == Some(parent)).collect()
}

/// Who started a process that is not gone; a process that ended and was not waited for is gone.
fn parent_of(process: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // pid (name) state parent: a name may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    if matches!(state, "Z" | "X") { None } else { fields.next()?.parse().ok() }
}

/// Whether the process is there and does something.
pub fn is_alive(process: u32) -> bool {
    parent_of(process).is_some()
}

/// Numbers that look random, the same ones in every run of a test.
pub struct Draws(pub u64);

impl Draws {
    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// The workspace's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the workspace is there")
}

/// A shipped design.
pub fn design(name: &str) -> PathBuf {
    root().join("designs").join(name)
}

/// Writes a file into `folder` and gives its path as text.
pub fn file(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).expect("the test's folder can be written");
    path.to_str().expect("the test's folder has a UTF-8 name").to_owned()
}

/// Text enough to train a tokenizer and a small model on: documents of sentences that a fixed rule makes.
pub fn corpus(folder: &Path) -> PathBuf {
    let words = ["the", "model", "reads", "a", "token", "and", "writes", "its", "state", "before", "every", "step"];
    let path = folder.join("corpus");
    std::fs::create_dir_all(&path).expect("the test's folder can be written");
    let mut draws = Draws(1);
    for document in 0..40 {
        let mut text = String::new();
        for _ in 0..400 {
            text.push_str(words[draws.below(words.len() as u64) as usize]);
            text.push(if draws.below(16) == 0 { '\n' } else { ' ' });
        }
        std::fs::write(path.join(format!("{document:02}.txt")), text).expect("the test's folder can be written");
    }
    path
}

/// The same run, as it was after `events` events; without curves.
pub fn cut(run: &Path, events: usize, dir: &Path) {
    let reader = Reader::open(run).expect("the run can be read");
    let mut log = Log::create(dir, reader.header()).expect("the test's folder can be written");
    for event in reader.events().take(events) {
        let event = event.expect("the run is sound");
        let event = NewEvent::new(event.kind, event.schema, &event.payload).expect("it was an event before");
        log.append(event, None).expect("the test's folder can be written");
    }
}
