//! `cargo xtask dialogues`: what a run with many dialogues at once takes beside its models and its trainings.
//!
//! In: the workspace's folder, options. Out: a table. A server on this machine stands in for a model: it answers by a script, word by word,
//! as fast as a model may. What it hears says how long each dialogue was without its model: between an answer and the next question lie
//! our checker, our library, our files, and the wait for a core. The processor time of the program and of its workers is asked of `/proc`.
//!
//! | module | holds |
//! | --- | --- |
//! | `script` | what is answered |
//! | `server` | a server of chat completions that takes its time |
//! | `heard` | what a server heard, as figures |
#![allow(clippy::print_stdout, clippy::print_stderr)] // it reports to the terminal

mod heard;
mod script;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::python::finish;
use crate::tidy;
use heard::Figures;
use server::Server;

/// Clock ticks a second that `/proc` counts processor time in: fixed on Linux.
const TICKS: f64 = 100.0;

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Options {
    /// Dialogues at once.
    at_once: usize,
    /// Places of the generation, all for dialogues.
    places: usize,
    /// Tokens that the server writes a second, for each dialogue.
    rate: usize,
}

/// Makes a run, and prints what it took.
///
/// # Errors
/// Which step failed, or what of the script was not taken.
pub fn run(root: &Path, options: &[&str]) -> Result<(), String> {
    let options = Options::read(options)?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["build", "--quiet", "--workspace", "--bin", "genesys"];
    finish("dialogues", Command::new(cargo).current_dir(root).args(build), "build our side")?;
    let target = tidy::target_folder(root)?;
    let scratch = target.join("dialogues");
    fs::create_dir_all(&scratch).map_err(|error| format!("dialogues: {}: {error}", scratch.display()))?;
    let server = Server::start(options.rate).map_err(|error| format!("dialogues: the server: {error}"))?;
    let run = Run { program: target.join("debug/genesys"), root: root.to_owned(), scratch };
    // The text is read and cut into tokens once, whoever trains: that is not what is measured.
    run.prepare()?;
    let took = run.measured(&options, &server.address)?;
    let figures = Figures::of(&server.heard());
    if let Some(unknown) = server.unknown() {
        return Err(format!("dialogues: the script does not know what is asked: {unknown}"));
    }
    print!("{}", table(&options, &took, &figures));
    Ok(())
}

impl Options {
    fn read(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { at_once: 32, places: 32, rate: 50 };
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let mut number = || {
                let value = words.next().ok_or_else(|| format!("dialogues: expected a value behind {word}"))?;
                let parsed = value.parse().ok().filter(|number| *number > 0);
                parsed.ok_or_else(|| format!("dialogues: expected a number behind {word}, found `{value}`"))
            };
            match word {
                "--at-once" => options.at_once = number()?,
                "--places" => options.places = number()?,
                "--rate" => options.rate = number()?,
                other => {
                    return Err(format!("dialogues: expected --at-once, --places or --rate, found `{other}`"));
                }
            }
        }
        Ok(options)
    }
}

/// Where a run is made.
struct Run {
    root: PathBuf,
    program: PathBuf,
    scratch: PathBuf,
}

/// What a run took, in seconds.
struct Took {
    wall: f64,
    /// Processor time of the program.
    own: f64,
    /// Processor time of its workers, which train.
    training: f64,
    /// The time of all calls together, as the run's ledger has it, and their number.
    model: f64,
    calls: usize,
    /// Designs that dialogues made.
    made: usize,
}

impl Run {
    fn discover(&self, name: &str, more: &[&str]) -> Result<(Command, PathBuf), String> {
        let folder = self.scratch.join(name);
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(|error| format!("dialogues: {}: {error}", folder.display()))?;
        }
        let mut command = Command::new(&self.program);
        command.current_dir(&self.root).args(["discover", "--generations", "1", "--steps", "5"]).args(more);
        command.arg("--run").arg(&folder).env("GENESYS_CACHE", self.scratch.join("cache"));
        Ok((command, folder))
    }

    /// A run of operators alone, which leaves the tokens of the text behind.
    fn prepare(&self) -> Result<(), String> {
        eprintln!("dialogues: a run without models first, which reads the text");
        let (mut command, _) = self.discover("before", &["--population", "1"])?;
        let output = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        match output {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("dialogues: genesys discover ended with {other:?}")),
        }
    }

    fn measured(&self, options: &Options, address: &str) -> Result<Took, String> {
        let (at_once, places) = (options.at_once.to_string(), options.places.to_string());
        let llm = format!("{address}#script");
        let more = ["--population", &places, "--dialogues", &at_once, "--share", "100", "--llm", &llm];
        let (mut command, folder) = self.discover("run", &more)?;
        let log = self.scratch.join("run.log");
        let messages = fs::File::create(&log).map_err(|error| format!("dialogues: {}: {error}", log.display()))?;
        eprintln!("dialogues: {places} places, {at_once} dialogues at once, in {}", folder.display());
        let begin = Instant::now();
        let child = command.stdout(Stdio::null()).stderr(messages).spawn();
        let mut child = child.map_err(|error| format!("dialogues: genesys discover: {error}"))?;
        let (own, training) = processor(&mut child)?;
        let wall = begin.elapsed().as_secs_f64();
        let status = child.wait().map_err(|error| format!("dialogues: genesys discover: {error}"))?;
        if !status.success() {
            return Err(format!(
                "dialogues: genesys discover ended with {status}; its messages are in {}",
                log.display()
            ));
        }
        let (calls, model) = ledger(&folder)?;
        let said = fs::read_to_string(&log).unwrap_or_default();
        let made = said.lines().filter(|line| line.starts_with("proposed ") && line.contains("dialogue: ")).count();
        Ok(Took { wall, own, training, model, calls, made })
    }
}

/// Seconds of processor time of a process and of the children that it waited for, read when it has ended and nobody waited for it yet.
fn processor(child: &mut Child) -> Result<(f64, f64), String> {
    let path = format!("/proc/{}/stat", child.id());
    loop {
        let stat = fs::read_to_string(&path).map_err(|error| format!("dialogues: {path}: {error}"))?;
        // The name in parentheses may hold blanks; behind it the state, and as fields 14 to 17 the times.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let seconds =
            |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or(f64::NAN) / TICKS;
        if fields.first() == Some(&"Z") {
            return Ok((seconds(11) + seconds(12), seconds(13) + seconds(14)));
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The calls of a run's ledger, and the seconds that they took together.
fn ledger(folder: &Path) -> Result<(usize, f64), String> {
    let path = folder.join("ledger.jsonl");
    let text = fs::read_to_string(&path).map_err(|error| format!("dialogues: {}: {error}", path.display()))?;
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let millis: Vec<u64> = lines.filter_map(|line| line["settled"]["millis"].as_u64()).collect();
    Ok((millis.len(), millis.iter().sum::<u64>() as f64 / 1e3))
}

fn table(options: &Options, took: &Took, figures: &Figures) -> String {
    let Took { wall, own, training, model, calls, made } = took;
    let share = |part: f64, whole: f64| format!("{:.2} %", 100.0 * part / whole);
    let Figures { dialogues, most_at_once, lasted, apart, longest, median } = figures;
    let rows = [
        ("places, dialogues, designs that they made", format!("{}, {dialogues}, {made}", options.places)),
        ("most dialogues under way at once", most_at_once.to_string()),
        ("calls", calls.to_string()),
        ("wall time of the run", format!("{wall:.1} s")),
        ("model time, all calls together", format!("{model:.1} s")),
        ("training, processor time of the workers", format!("{training:.1} s")),
        ("all else, processor time of the program", format!("{own:.2} s")),
        ("**all else by model and training**", share(*own, model + training)),
        ("dialogues, first question to last answer, together", format!("{lasted:.1} s")),
        ("of it between an answer and the next question", format!("{apart:.2} s")),
        ("**the same as a share**", share(*apart, *lasted)),
        ("the median and the longest such wait", format!("{:.0} and {:.0} ms", median * 1e3, longest * 1e3)),
    ];
    let lines: String = rows.iter().map(|(what, value)| format!("| {what} | {value} |\n")).collect();
    format!("| | |\n| --- | --- |\n{lines}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_mistakes_named() {
        let read = Options::read(&["--rate", "20", "--at-once", "8", "--places", "16"]);
        assert_eq!(read, Ok(Options { at_once: 8, places: 16, rate: 20 }));
        assert_eq!(
            Options::read(&["--rate", "0"]),
            Err("dialogues: expected a number behind --rate, found `0`".into())
        );
        assert_eq!(Options::read(&["--rate"]), Err("dialogues: expected a value behind --rate".into()));
        assert!(Options::read(&["32"]).is_err_and(|why| why.ends_with("found `32`")));
    }

    #[test]
    fn a_ledger_is_added_up_and_what_is_open_is_not() {
        let folder = std::env::temp_dir().join(format!("genesys-xtask-ledger-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder is made");
        let lines = "{\"reserved\":{\"call\":0}}\n{\"settled\":{\"call\":0,\"millis\":1500}}\n{\"reserved\":{\"call\":1}}\n\
                     {\"settled\":{\"call\":2,\"millis\":500}}\n";
        fs::write(folder.join("ledger.jsonl"), lines).expect("a file is written");
        assert_eq!(ledger(&folder), Ok((2, 2.0)));
        fs::remove_dir_all(&folder).expect("it goes");
    }
}
