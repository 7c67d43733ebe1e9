//! The hostile world: full disks, folders that cannot be written, two processes on one run, damaged and newer files, texts
//! that vanish, workers that are killed. Each time: what is said, and that the way out that is said leads out.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use common::{Draws, Run, children, command, corpus, design, file, finished, signal};
use genesys_store::{Log, NewEvent, Reader};

/// A folder with a text, a cache and runs in it.
struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        corpus(folder.path());
        Self(folder)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn prepared(&self, mut command: Command) -> Command {
        command.env("GENESYS_CACHE", self.at("cache")).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// The command that begins a run of one offspring.
    fn discover(&self, run: &Path, steps: &str) -> Command {
        let mut command = command(["discover", "--generations", "1", "--population", "1", "--steps", steps]);
        command.arg("--run").arg(run).arg("--corpus").arg(self.at("corpus"));
        self.prepared(command)
    }

    fn resume(&self, run: &Path, more: &[&str]) -> Run {
        let mut command = command(["resume".as_ref(), run.as_os_str()]);
        command.args(more);
        finished(self.prepared(command).output().unwrap())
    }

    /// A run that was never disturbed, and what it says.
    fn whole(&self) -> (PathBuf, String) {
        let run = self.at("whole");
        let said = finished(self.discover(&run, "2").output().unwrap()).ok();
        (run, said)
    }

    /// A run that was killed as soon as it was there.
    fn killed(&self, name: &str) -> PathBuf {
        let run = self.at(name);
        let mut child = self.begun(&run);
        signal(child.id(), "KILL");
        child.wait().unwrap();
        run
    }

    /// A run that goes on, of many steps.
    fn begun(&self, run: &Path) -> Child {
        let mut child = self.discover(run, "100000").spawn().unwrap();
        while Reader::open(run).is_err() {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
            sleep(Duration::from_millis(10));
        }
        child
    }
}

/// The same command where no file may be longer than so many blocks of 512 bytes.
fn with_limit(command: &Command, blocks: u32) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -f {blocks} && exec \"$0\" \"$@\"")]).arg(command.get_program());
    limited.args(command.get_args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, value) in command.get_envs().filter_map(|(name, value)| Some((name, value?))) {
        limited.env(name, value);
    }
    limited
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// Both outputs of a run that the world stopped.
fn stopped_by_the_world(run: Run) -> String {
    assert_eq!(run.status, 2, "{run:?}");
    format!("{}{}", run.stdout, run.stderr)
}

#[test]
fn a_full_disk_stops_a_run_and_loses_nothing() {
    let world = World::new();
    let (_, expected) = world.whole();
    // Too little for the log, for what is appended to it, for a checkpoint.
    for blocks in [1, 60, 1000] {
        let run = world.at(&format!("limited-{blocks}"));
        let mut begin = world.discover(&run, "2");
        begin.args(["--checkpoint-every", "1"]);
        let said = stopped_by_the_world(finished(with_limit(&begin, blocks).output().unwrap()));
        assert!(said.contains(run.to_str().unwrap()), "{blocks}: {said}");
        let said = match Reader::open(&run) {
            Ok(_) => {
                assert!(said.contains("go on with `genesys resume "), "{blocks}: {said}");
                world.resume(&run, &[])
            }
            Err(_) => finished(world.discover(&run, "2").output().unwrap()),
        };
        assert_eq!(said.ok(), expected, "{blocks} blocks");
    }
    // A device that is full: what the system says of it is told.
    let run = world.at("device");
    fs::create_dir_all(run.join("results")).unwrap();
    symlink("/dev/full", run.join("results/.writing")).unwrap();
    let said = stopped_by_the_world(finished(world.discover(&run, "2").output().unwrap()));
    assert!(said.contains("No space left") && said.contains("go on with `genesys resume "), "{said}");
    fs::remove_file(run.join("results/.writing")).unwrap();
    assert_eq!(world.resume(&run, &[]).ok(), expected);
}

#[test]
fn a_checkpoint_that_finds_no_room_leaves_the_one_before() {
    let world = World::new();
    let out = world.at("gpt.ckpt");
    let train = |steps: &str| {
        let file = design("gpt.gau");
        let mut command = command(["train", file.to_str().unwrap(), "--scale", "nano", "--steps", steps, "--out"]);
        command.arg(&out).arg("--corpus").arg(world.at("corpus"));
        world.prepared(command)
    };
    finished(train("2").output().unwrap()).ok();
    let before = fs::read(out.join("config.json")).unwrap();
    let said = stopped_by_the_world(finished(with_limit(&train("3"), 100).output().unwrap()));
    assert!(said.contains("gpt.ckpt") && said.contains("too large"), "{said}");
    assert_eq!(fs::read(out.join("config.json")).unwrap(), before);
    assert_eq!(fs::read_dir(world.0.path()).unwrap().count(), 3, "text, cache and checkpoint: nothing is left aside");
}

#[test]
fn a_file_that_finds_no_room_is_named_and_no_part_of_it_stays() {
    let world = World::new();
    let (run, _) = world.whole();
    let report = fs::read(run.join("report.html")).unwrap();
    fs::write(run.join("report.html"), "an older one").unwrap();
    let (gpt, gla) = (design("gpt.gau"), design("gla.gau"));
    let (gpt, gla) = (gpt.to_str().unwrap(), gla.to_str().unwrap());
    let out = world.at("offspring");
    let small = ["--seed", "1", "-n", "2", "--out", out.to_str().unwrap()];
    let cases = [
        (vec!["report", run.to_str().unwrap()], "report.html"),
        ([&["mutate", gpt][..], &small].concat(), "gpt-001.gau"),
        ([&["crossover", gpt, gla][..], &small].concat(), "gpt-gla-001.gau"),
    ];
    for (arguments, name) in cases {
        let said = stopped_by_the_world(finished(with_limit(&command(&arguments), 1).output().unwrap()));
        assert!(said.contains(name) && said.contains("too large"), "{arguments:?}: {said}");
    }
    assert_eq!(fs::read(run.join("report.html")).unwrap(), b"an older one");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "nothing is left aside");
    finished(command(["report", run.to_str().unwrap()]).output().unwrap()).ok();
    assert_eq!(fs::read(run.join("report.html")).unwrap(), report);
}

#[test]
fn a_signal_that_the_starter_ignores_is_ignored() {
    let world = World::new();
    let (_, expected) = world.whole();
    let run = world.at("deaf");
    let begin = world.discover(&run, "2");
    // As `nohup` starts a command.
    let mut deaf = Command::new("sh");
    deaf.args(["-c", "trap '' HUP && exec \"$0\" \"$@\""]).arg(begin.get_program()).args(begin.get_args());
    let mut child = world.prepared(deaf).spawn().unwrap();
    while Reader::open(&run).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it began");
        sleep(Duration::from_millis(2));
    }
    signal(child.id(), "HUP");
    assert_eq!(finished(child.wait_with_output().unwrap()).ok(), expected);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let world = World::new();
    // Where not even root can make a folder.
    let cases = [world.discover(Path::new("/proc/genesys/run"), "2"), {
        let file = design("gpt.gau");
        let arguments = ["train", file.to_str().unwrap(), "--scale", "nano", "--steps", "1", "--out", "/proc/genesys"];
        let mut command = command(arguments);
        command.arg("--corpus").arg(world.at("corpus"));
        world.prepared(command)
    }];
    for mut case in cases {
        let run = finished(case.output().unwrap());
        assert!(run.status == 2 || run.status == 1, "{run:?}");
        assert!(run.stderr.contains("/proc/genesys"), "{run:?}");
    }
    assert!(world.resume(&world.at("nowhere"), &[]).refused().contains("expected a run in"));
}

#[test]
fn two_processes_on_one_run_are_one_too_many() {
    let world = World::new();
    let run = world.at("run");
    let mut first = world.begun(&run);
    let said = stopped_by_the_world(world.resume(&run, &[]));
    assert!(said.contains(&format!("(pid {})", first.id())), "{said}");
    let said = finished(world.discover(&run, "2").output().unwrap()).refused();
    assert!(said.contains("holds a run already"), "{said}");
    signal(first.id(), "TERM");
    assert_eq!(first.wait().unwrap().code(), Some(143));
}

#[test]
fn a_log_with_any_byte_changed_is_sound_or_repaired_or_begun_again_to_the_same_end() {
    let world = World::new();
    let (whole, expected) = world.whole();
    let length = fs::metadata(whole.join("events.db")).unwrap().len();
    let mut draws = Draws(5);
    let (mut said_so, mut repaired, mut anew) = (0, 0, 0);
    for case in 0..24 {
        let run = world.at("damaged");
        let _ = fs::remove_dir_all(&run);
        copy(&whole, &run);
        let log = run.join("events.db");
        let mut bytes = fs::read(&log).unwrap();
        let at = draws.below(length) as usize;
        match case % 4 {
            0 => bytes.truncate(at.max(100)),
            1 => bytes[at..].iter_mut().take(4096).for_each(|byte| *byte = 0),
            2 => bytes[at] ^= 0x41,
            _ => bytes[at % 4096] ^= 0x41,
        }
        fs::write(&log, bytes).unwrap();
        let first = world.resume(&run, &[]);
        if first.status == 0 {
            assert_eq!(first.stdout, expected, "case {case}: a byte that means nothing");
            continue;
        }
        said_so += 1;
        assert!(!first.stderr.trim().is_empty(), "case {case}: {first:?}");
        let mut end = world.resume(&run, &["--repair"]);
        match end.status {
            0 => repaired += 1,
            _ => {
                // No event can be trusted, or the file is not even known for a log: what it says is what we do.
                anew += 1;
                for name in ["events.db", "events.db-wal", "events.db-shm"] {
                    let _ = fs::remove_file(run.join(name));
                }
                end = finished(world.discover(&run, "2").output().unwrap());
                assert!(!end.stderr.contains("step "), "{end:?}");
            }
        }
        assert_eq!(end.ok(), expected, "case {case}");
    }
    assert!(said_so > 5 && repaired > 2 && anew > 0, "{said_so} {repaired} {anew}");
}

#[test]
fn damage_is_told_with_what_is_sound_and_the_way_out() {
    let world = World::new();
    let (run, expected) = world.whole();
    let log = run.join("events.db");
    let mut bytes = fs::read(&log).unwrap();
    // A letter of a payload: the kind of change that no disk notices.
    let text = b"generation-closed";
    let at = bytes.windows(text.len()).position(|window| window == text).unwrap();
    bytes[at] = b'G';
    fs::write(&log, bytes).unwrap();
    let said = stopped_by_the_world(world.resume(&run, &[]));
    let repair = format!("`genesys resume {} --repair`", run.display());
    for part in ["is damaged: event ", " was altered", "are sound, what follows is lost", &repair] {
        assert!(said.contains(part), "`{part}` is missing in {said}");
    }
    // All of them, for only those of events that stay are looked at.
    for curve in fs::read_dir(run.join("artifacts")).unwrap() {
        fs::write(curve.unwrap().path(), "cut").unwrap();
    }
    let mended = world.resume(&run, &["--repair"]);
    assert!(mended.stderr.contains("cut back to event ") && mended.stderr.contains("written anew: "), "{mended:?}");
    assert_eq!(mended.ok(), expected);
}

#[test]
fn a_journal_that_was_cut_or_changed_costs_time_and_nothing_else() {
    let world = World::new();
    let (_, expected) = world.whole();
    let run = world.at("run");
    let mut child = world.discover(&run, "2").spawn().unwrap();
    let results = run.join("results");
    while fs::read_dir(&results).map_or(0, Iterator::count) < 2 && child.try_wait().unwrap().is_none() {
        sleep(Duration::from_millis(5));
    }
    signal(child.id(), "KILL");
    child.wait().unwrap();
    let mut draws = Draws(9);
    for case in 0..6 {
        let damaged = world.at(&format!("journal-{case}"));
        copy(&run, &damaged);
        let journal = damaged.join("events.db-wal");
        if let Ok(mut bytes) = fs::read(&journal)
            && !bytes.is_empty()
        {
            let at = draws.below(bytes.len() as u64) as usize;
            if case % 2 == 0 {
                bytes.truncate(at)
            } else {
                bytes[at] ^= 0x10
            }
            fs::write(&journal, bytes).unwrap();
        }
        let end = match Reader::open(&damaged) {
            Ok(_) => world.resume(&damaged, &["--repair"]),
            Err(_) => finished(world.discover(&damaged, "2").output().unwrap()),
        };
        assert_eq!(end.ok(), expected, "case {case}");
    }
}

#[test]
fn what_a_newer_program_wrote_is_refused_with_both_versions() {
    let world = World::new();
    let (run, _) = world.whole();
    let newer = world.at("newer");
    copy(&run, &newer);
    let mut bytes = fs::read(newer.join("events.db")).unwrap();
    // Where SQLite keeps the user's version.
    bytes[60..64].copy_from_slice(&9_u32.to_be_bytes());
    fs::write(newer.join("events.db"), bytes).unwrap();
    let said = stopped_by_the_world(world.resume(&newer, &[]));
    assert!(said.contains("version 9") && said.contains("newer genesys"), "{said}");

    let mut log = Log::open(&run).unwrap();
    let seq = log.append(NewEvent::new("design-dreamt", 1, &1).unwrap(), None).unwrap().seq;
    drop(log);
    let said = stopped_by_the_world(world.resume(&run, &[]));
    assert!(said.contains(&format!("event {seq} (`design-dreamt`)")) && said.contains("newer genesys"), "{said}");

    let checkpoint = world.at("gpt.ckpt");
    let file = design("gpt.gau");
    let arguments = ["init", file.to_str().unwrap(), "--scale", "nano", "--out", checkpoint.to_str().unwrap()];
    common::genesys(arguments).ok();
    let config = checkpoint.join("config.json");
    let json = fs::read_to_string(&config).unwrap().replace("\"format\": 1", "\"format\": 5");
    fs::write(&config, json).unwrap();
    let said = common::genesys(["train", "--resume", checkpoint.to_str().unwrap()]).refused();
    assert!(said.contains("version 5") && said.contains("up to 1"), "{said}");
}

#[test]
fn a_text_that_is_gone_changed_or_no_text_is_told_with_a_way_out() {
    let world = World::new();
    let run = world.killed("run");
    // The tokens are in the cache, so the text is not needed.
    let (text, moved) = (world.at("corpus"), world.at("elsewhere"));
    fs::rename(&text, &moved).unwrap();
    let mut child = {
        let mut command = command(["resume".as_ref(), run.as_os_str()]);
        command.args(["--workers", "1"]);
        world.prepared(command).spawn().unwrap()
    };
    while children(child.id()).is_empty() {
        assert!(child.try_wait().unwrap().is_none(), "it does not need its text");
        sleep(Duration::from_millis(10));
    }
    signal(child.id(), "TERM");
    assert_eq!(child.wait().unwrap().code(), Some(143));

    let clear = || fs::remove_dir_all(world.at("cache")).unwrap();
    clear();
    let said = world.resume(&run, &[]).refused();
    assert!(said.contains(text.to_str().unwrap()) && said.contains("--corpus PATH"), "{said}");
    copy(&moved, &text);
    fs::write(text.join("00.txt"), "another text").unwrap();
    let said = world.resume(&run, &[]).refused();
    assert!(said.contains("is not the text that the run began with") && said.contains("--corpus PATH"), "{said}");
    let said = world.resume(&run, &["--corpus", text.to_str().unwrap()]).refused();
    assert!(said.contains("is not the text"), "{said}");
    fs::remove_file(run.join("text.json")).unwrap();
    let said = world.resume(&run, &[]).refused();
    assert!(said.contains("does not say where its text is"), "{said}");

    // Listed, and not there when it is read; a file that cannot be read, whoever asks; what never ends.
    symlink(world.at("nowhere"), moved.join("zz.txt")).unwrap();
    let said = world.resume(&run, &["--corpus", moved.to_str().unwrap()]).refused();
    assert!(said.contains("zz.txt"), "{said}");
    fs::remove_file(moved.join("zz.txt")).unwrap();
    symlink("/proc/self/mem", moved.join("zz.txt")).unwrap();
    let said = stopped_by_the_world(world.resume(&run, &["--corpus", moved.to_str().unwrap()]));
    assert!(said.contains("zz.txt"), "{said}");
    let said = world.resume(&run, &["--corpus", "/dev/zero"]).refused();
    assert!(said.contains("/dev/zero") && said.contains("device"), "{said}");
}

#[test]
fn a_worker_that_is_killed_twice_is_given_up_and_the_run_goes_on() {
    let world = World::new();
    let run = world.at("run");
    let mut begin = world.discover(&run, "30");
    begin.args(["--workers", "1", "--checkpoint-every", "1"]);
    let child = begin.spawn().unwrap();
    let mut killed = Vec::new();
    while killed.len() < 2 {
        if let Some(worker) = children(child.id()).into_iter().find(|worker| !killed.contains(worker)) {
            signal(worker, "KILL");
            killed.push(worker);
        }
        sleep(Duration::from_millis(1));
    }
    let run = finished(child.wait_with_output().unwrap());
    assert!(
        run.stderr.contains("SIGKILL); it is trained again") || run.stderr.contains("it is trained again"),
        "{run:?}"
    );
    assert!(run.stderr.contains("it is given up"), "{run:?}");
    let said = run.ok();
    // Its other seeds were trained; the one that was given up is no part of its mean.
    assert!(said.contains("gpt: a training of it failed and is left out: its worker died twice: signal: 9"), "{said}");
    let row = said.lines().find(|line| line.contains(" gpt ")).unwrap();
    assert!(row.contains("baseline      2 "), "{row}");
    assert!(said.lines().any(|line| line.contains(" gla ") && !line.contains("failed")), "{said}");
}

#[test]
fn a_training_that_loses_its_numbers_says_where_and_keeps_what_was_sound() {
    let world = World::new();
    let text = "design Wild {\n    stack = [Wild*]\n}\n\nunit Wild(x: Seq[D]) -> Seq[D] {\n    \
                x + linear[D -> D](x) / (x - x)\n}\n";
    let path = file(world.0.path(), "wild.gau", text);
    let mut command = command(["train", &path, "--scale", "nano", "--steps", "3", "--out"]);
    command.arg(world.at("wild.ckpt")).arg("--corpus").arg(world.at("corpus"));
    let said = finished(world.prepared(command).output().unwrap()).refused();
    for part in ["the training failed", "at step 0", "`div` in the unit Wild of blocks.0", "no checkpoint was written"]
    {
        assert!(said.contains(part), "`{part}` is missing in {said}");
    }
    assert!(!world.at("wild.ckpt").exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_told_before_a_step_is_trained() {
    let world = World::new();
    let mut command = command(["train", design("gpt.gau").to_str().unwrap(), "--scale", "nano", "--steps", "2"]);
    // The system makes no folders there, whoever asks.
    command.args(["--out", "/proc/gpt.ckpt"]).arg("--corpus").arg(world.at("corpus"));
    let run = finished(world.prepared(command).output().unwrap());
    assert!(run.status == 1 && run.stderr.contains("/proc/gpt.ckpt"), "{run:?}");
    assert!(!run.stderr.contains("step "), "{run:?}");
}
