//! Runs and trainings that are killed at random moments and gone on with: they end as if nothing had happened.
//!
//! By default a small run is killed a few times. `GENESYS_KILLS=100 cargo test -p genesys-cli --test kill run` kills the
//! main job, with its default numbers, that many times. Moments are drawn from a fixed seed; where they fall in a run is
//! the machine's.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Draws, children, command, corpus, design, finished, is_alive, signal};
use genesys_store::Reader;

/// What ends a command, and its exit status where it has one to say so. A test that was started in the background, or by
/// `nohup`, ignores some signals, and so does all that it starts: these end nothing.
fn ends() -> Vec<(&'static str, i32)> {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    let ignored = u64::from_str_radix(mask.trim(), 16).unwrap();
    let all = [("INT", 2, 130), ("TERM", 15, 143), ("HUP", 1, 129), ("KILL", 9, 0)];
    let heeded = all.into_iter().filter(|(_, number, _)| ignored >> (number - 1) & 1 == 0);
    heeded.map(|(name, _, status)| (name, status)).collect()
}

/// The job that is killed.
struct Job {
    folder: PathBuf,
    /// Arguments of `discover`.
    arguments: Vec<String>,
    checkpoint_every: &'static str,
}

impl Job {
    /// One generation of two on a small text.
    fn small(folder: &Path) -> Self {
        let text = corpus(folder).to_str().unwrap().to_owned();
        let arguments = ["--generations", "1", "--population", "2", "--steps", "12", "--corpus", &text];
        Self { folder: folder.to_owned(), arguments: arguments.map(str::to_owned).into(), checkpoint_every: "4" }
    }

    /// The main job, with its default numbers and text.
    fn whole(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), arguments: Vec::new(), checkpoint_every: "25" }
    }

    /// The command to begin the run, or to go on with it where it has begun.
    fn next(&self, run: &Path) -> Command {
        let mut command = match Reader::open(run) {
            Ok(_) => command(["resume".as_ref(), run.as_os_str()]),
            Err(_) => {
                let mut begin = command(["discover"]);
                begin.args(&self.arguments).arg("--run").arg(run);
                begin
            }
        };
        command.args(["--checkpoint-every", self.checkpoint_every]).env("GENESYS_CACHE", self.folder.join("cache"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

/// Waits until the process is over or the moment has come; then says whether it goes on.
fn goes_on_after(child: &mut Child, moment: Duration) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < moment {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        sleep(Duration::from_millis(5).min(moment));
    }
    child.try_wait().unwrap().is_none()
}

/// What the run gives in the end; `kills` is counted down for each time that it, or a worker of it, was killed.
fn run_killed(job: &Job, run: &Path, draws: &mut Draws, longest: Duration, kills: &mut u64) -> String {
    let moment = |draws: &mut Draws| Duration::from_micros(draws.below(longest.as_micros() as u64 + 1));
    let ends = ends();
    loop {
        let mut child = job.next(run).spawn().unwrap();
        if *kills > 0 && goes_on_after(&mut child, moment(draws)) && draws.below(4) == 0 {
            // A worker: the run goes on by itself. A second one might be of the same training, which is then given up.
            if let Some(worker) = children(child.id()).first() {
                signal(*worker, "KILL");
                *kills -= 1;
            }
        }
        let mut end = None;
        let mut orphans = Vec::new();
        if *kills > 0 && goes_on_after(&mut child, moment(draws)) {
            end = Some(ends[draws.below(ends.len() as u64) as usize]);
            orphans = children(child.id());
            signal(child.id(), end.unwrap().0);
            *kills -= 1;
        }
        let output = child.wait_with_output().unwrap();
        wait_for_their_end(&orphans);
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap();
        }
        let (name, status) = end.unwrap_or_else(|| panic!("it ended by itself: {output:?}"));
        assert_how_it_ended(name, status, output);
    }
}

/// Nobody computes on for a run that is gone.
fn wait_for_their_end(orphans: &[u32]) {
    let begin = Instant::now();
    while orphans.iter().any(|worker| is_alive(*worker)) {
        assert!(begin.elapsed() < Duration::from_secs(60), "workers outlive their run: {orphans:?}");
        sleep(Duration::from_millis(5));
    }
}

/// A signal ends a command as shells say it, with the way on; before it listens, or without mercy, the system does it.
fn assert_how_it_ended(name: &str, status: i32, output: Output) {
    match output.status.code() {
        None => {}
        Some(code) => {
            assert_eq!(code, status, "{name}: {output:?}");
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains("go on with `genesys "), "{said}");
        }
    }
}

fn digest(run: &Path) -> String {
    Reader::open(run).unwrap().digest().unwrap()
}

#[test]
fn a_run_killed_at_random_moments_ends_as_one_that_was_not() {
    let folder = tempfile::tempdir().unwrap();
    let long: Option<u64> = std::env::var("GENESYS_KILLS").ok().map(|kills| kills.parse().unwrap());
    let job = if long.is_some() { Job::whole(folder.path()) } else { Job::small(folder.path()) };
    let begin = Instant::now();
    let whole = folder.path().join("whole");
    let expected = finished(job.next(&whole).output().unwrap()).ok();
    let expected_digest = digest(&whole);
    let mut kills = long.unwrap_or(6);
    // The kills fill the time that the run takes, which only decides where they fall.
    let longest = begin.elapsed() * 2 / u32::try_from(kills).unwrap();
    let (mut draws, mut runs) = (Draws(kills), 0);
    while kills > 0 || runs == 0 {
        runs += 1;
        let run = folder.path().join(format!("killed-{runs}"));
        assert_eq!(run_killed(&job, &run, &mut draws, longest, &mut kills), expected);
        assert_eq!(digest(&run), expected_digest);
        let again = finished(job.next(&run).output().unwrap()).ok();
        assert_eq!(again, expected, "a run that is over stays as it is, and is shown again");
        assert!(!run.join("trainings").exists(), "nothing of what was under way is left");
    }
}

#[test]
fn a_training_killed_at_random_moments_gives_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let text = corpus(folder.path());
    let train = |out: &Path| {
        let mut command = match out.exists() {
            true => command(["train", "--resume", out.to_str().unwrap()]),
            false => command(["train", design("gla.gau").to_str().unwrap(), "--scale", "nano", "--steps", "30"]),
        };
        if !out.exists() {
            command.arg("--out").arg(out);
        }
        command.arg("--corpus").arg(&text).args(["--checkpoint-every", "4"]);
        command.env("GENESYS_CACHE", folder.path().join("cache")).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let (whole, killed) = (folder.path().join("whole.ckpt"), folder.path().join("killed.ckpt"));
    let begin = Instant::now();
    let expected = finished(train(&whole).output().unwrap()).ok();
    let longest = begin.elapsed().as_micros() as u64;
    let (mut draws, mut kills, ends) = (Draws(3), 5, ends());
    let said = loop {
        let mut child = train(&killed).spawn().unwrap();
        let moment = Duration::from_micros(draws.below(longest));
        let end = ends[kills as usize % ends.len()];
        let is_killed = kills > 0 && goes_on_after(&mut child, moment);
        if is_killed {
            signal(child.id(), end.0);
            kills -= 1;
        }
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            break String::from_utf8(output.stdout).unwrap();
        }
        assert!(is_killed, "it ended by itself: {output:?}");
        assert_how_it_ended(end.0, end.1, output);
    };
    assert_eq!(said.replace("killed.ckpt", "whole.ckpt"), expected);
    for name in ["model.safetensors", "optimizer.safetensors", "history.json", "config.json"] {
        assert_eq!(fs::read(killed.join(name)).unwrap(), fs::read(whole.join(name)).unwrap(), "{name}");
    }
}
