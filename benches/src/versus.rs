//! Our side of `cargo xtask versus torch`: lines of JSON in, a line for each out.
//!
//! In: `{"load": WORK}` makes a training or an expression ready and runs it once, `{"step": N}` runs it N times,
//! `{"draw": SEED}` gives the table of a random expression, `{"compile": WORK}` goes from the text of a training's design to what can run, without weights. Out: `{"library",
//! "threads"}` at the start, `{"ready": seconds, "value", "plain"}`, `{"milliseconds", "value"}`, the mean of N; or
//! `{"refused": why}`. The same lines as `benches/peers/torch/run.py`, which is the other side. Processor time and memory are
//! asked of the system by who compares.

mod cpu;
mod expression;
mod runtime;
mod work;

use std::io::{self, BufRead, Write};
use std::time::Instant;

use serde::Deserialize;
use serde_json::{Value, json};

pub use expression::{Expression, Node};
pub use work::{Extent, Task, Training, Weights, Work};

/// The sides there are.
pub const SIDES: [&str; 2] = ["cpu", "runtime"];

/// What can be measured.
pub trait Side {
    /// What it is, and of which version.
    fn library(&self) -> String;

    /// Makes the task ready, in place of what was.
    ///
    /// # Errors
    /// Why this side cannot do it, in one line.
    fn load(&mut self, task: Task) -> Result<Box<dyn Loaded>, String>;

    /// Goes from a module to what can run, and drops it.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn compile(&self, task: &Task) -> Result<(), String>;
}

/// Work that is ready.
pub trait Loaded {
    /// Does it once; the loss before the update.
    ///
    /// # Errors
    /// What failed, in one line.
    fn step(&mut self) -> Result<f32, String>;

    /// The weights that do not decay, by name.
    fn plain(&self) -> &[String];
}

/// The side of that name.
#[must_use]
pub fn side(name: &str) -> Option<Box<dyn Side>> {
    match name {
        "cpu" => Some(Box::new(cpu::Cpu)),
        "runtime" => Some(Box::new(runtime::Runtime)),
        _ => None,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Request {
    Load(Work),
    Step(u32),
    Draw(u64),
    Compile(Training),
}

/// Answers every line of `input`, until it ends.
///
/// # Errors
/// A stream fails, or a line is none of the protocol.
pub fn serve(side: &mut dyn Side, input: impl BufRead, mut output: impl Write) -> io::Result<()> {
    say(&mut output, &json!({ "library": side.library(), "threads": threads() }))?;
    let mut loaded = None;
    for line in input.lines() {
        let answer = match serde_json::from_str(&line?)? {
            Request::Load(work) => load(side, &work, &mut loaded),
            Request::Step(times) => step(loaded.as_deref_mut(), times),
            Request::Draw(seed) => Ok(json!(Expression::draw(seed))),
            Request::Compile(training) => compile(side, &training),
        };
        say(&mut output, &answer.unwrap_or_else(|why| json!({ "refused": why })))?;
    }
    Ok(())
}

/// The threads that a side may use: what the environment says, one without.
fn threads() -> usize {
    std::env::var("THREADS").ok().and_then(|threads| threads.parse().ok()).unwrap_or(1)
}

fn load(side: &mut dyn Side, work: &Work, loaded: &mut Option<Box<dyn Loaded>>) -> Result<Value, String> {
    // What was is dropped first, so that it takes no memory.
    *loaded = None;
    let start = Instant::now();
    let work = loaded.insert(side.load(work.task()?)?);
    let value = work.step()?;
    Ok(json!({ "ready": start.elapsed().as_secs_f64(), "value": value, "plain": work.plain() }))
}

fn step(loaded: Option<&mut (dyn Loaded + 'static)>, times: u32) -> Result<Value, String> {
    let work = loaded.ok_or("nothing is loaded")?;
    let start = Instant::now();
    let mut value = f32::NAN;
    for _ in 0..times {
        value = work.step()?;
    }
    Ok(json!({ "milliseconds": start.elapsed().as_secs_f64() * 1e3 / f64::from(times), "value": value }))
}

fn compile(side: &dyn Side, training: &Training) -> Result<Value, String> {
    let start = Instant::now();
    side.compile(&training.task()?)?;
    Ok(json!({ "milliseconds": start.elapsed().as_secs_f64() * 1e3 }))
}

fn say(output: &mut impl Write, line: &Value) -> io::Result<()> {
    writeln!(output, "{line}")?;
    output.flush()
}
