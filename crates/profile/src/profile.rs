//! The value that is printed: plain data, in the order in which it is read.
//!
//! In: what was measured, and of what. Out: a [`Profile`]. Units add up to kernels, and these with batch and optimizer to the step,
//! for all are sums of the same pieces.

use std::collections::BTreeMap;

use genesys_cpu::{Held, Roofline};
use serde::Serialize;

use crate::measure::Measured;
use crate::piece::{Amount, Piece, optimizer, pieces};

/// The version of this form; it grows when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// The design's name.
    pub design: String,
    /// The scale's.
    pub scale: String,
    /// Rows of a step.
    pub rows: u64,
    /// Positions of a row.
    pub context: u64,
}

/// Where time and bytes of a step go. Times are in seconds; of a step, unless it is said otherwise.
#[derive(Clone, Debug, Serialize)]
pub struct Profile {
    /// The version of this form.
    pub format: u32,
    /// What was measured.
    #[serde(flatten)]
    pub subject: Subject,
    /// The design's identity.
    pub hash: String,
    /// The numbers of its weights.
    pub parameters: usize,
    /// The threads of a step.
    pub threads: usize,
    /// In how many parts of its rows a step runs, one after the other.
    pub parts: usize,
    /// How many steps were timed; times are medians of these.
    pub steps: u64,
    /// What the machine can do.
    pub machine: Limits,
    /// The whole step: all kernels, the batch, the optimizer.
    pub step: Figures,
    /// The kernels alone.
    pub kernels_alone: Figures,
    /// Making the batch, in seconds.
    pub batch_seconds: f64,
    /// Updating the weights.
    pub optimizer: Figures,
    /// The seconds in kernels of several units, or of both passes: shared out by timers around their operations.
    pub shared_seconds: f64,
    /// By unit of the design, in the order of the program, forward before backward.
    pub units: Vec<UnitFigures>,
    /// By kind of kernel, the slowest first.
    pub kinds: Vec<KindFigures>,
    /// By kernel, the slowest first.
    pub kernels: Vec<KernelFigures>,
    /// What is taken of memory.
    pub memory: Memory,
}

/// What the machine can do at best, as measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Limits {
    /// Operations a second, of products of matrices in a cache.
    pub operations_per_second: f64,
    /// Bytes a second from memory.
    pub bytes_per_second: f64,
}

/// Figures of a part of a step.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Figures {
    /// How long it takes.
    pub seconds: f64,
    /// As a part of the step.
    pub share: f64,
    /// Operations of sums of products and updates of states: a multiplication and an addition are two.
    pub products: f64,
    /// Operations on single elements.
    pub elementwise: f64,
    /// Bytes read from memory, at least.
    pub read: f64,
    /// Bytes written to memory, at least.
    pub written: f64,
    /// All operations, by the time.
    pub operations_per_second: f64,
    /// All bytes, by the time.
    pub bytes_per_second: f64,
    /// The time that operations and bytes take at least, by the time.
    pub roofline: f64,
}

/// A unit in one of the passes.
#[derive(Clone, Debug, Serialize)]
pub struct UnitFigures {
    /// The function of the stack, and the calls that lead to the unit from it.
    pub unit: Vec<String>,
    /// `forward` or `backward`.
    pub pass: &'static str,
    /// What it takes.
    #[serde(flatten)]
    pub figures: Figures,
}

/// All kernels of a kind.
#[derive(Clone, Debug, Serialize)]
pub struct KindFigures {
    /// The kind, in a word: `docs/compiler.md` says what each does.
    pub kind: &'static str,
    /// How many of them a step runs.
    pub runs: usize,
    /// What they take.
    #[serde(flatten)]
    pub figures: Figures,
}

/// A kernel of a function, in all its calls.
#[derive(Clone, Debug, Serialize)]
pub struct KernelFigures {
    /// The function.
    pub function: String,
    /// Which of its kernels.
    pub kernel: usize,
    /// Its kind.
    pub kind: &'static str,
    /// How often a step runs it.
    pub runs: usize,
    /// The unit that takes most of its time.
    pub unit: Vec<String>,
    /// How many units it works for.
    pub units: usize,
    /// What it takes.
    #[serde(flatten)]
    pub figures: Figures,
}

/// What training takes of memory, in bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Memory {
    /// The weights.
    pub weights: usize,
    /// Their gradients.
    pub gradients: usize,
    /// The optimizer's moments.
    pub moments: usize,
    /// What a step keeps between its kernels.
    pub arena: usize,
    /// Of the arena what the backward pass reads of the forward pass.
    pub tape: usize,
    /// What the workers have to themselves, all together.
    pub workers: usize,
    /// The buffers of the arena, the largest first. They share memory where they do not live together.
    pub buffers: Vec<Large>,
}

/// A buffer.
#[derive(Clone, Debug, Serialize)]
pub struct Large {
    /// Its size.
    pub bytes: usize,
    /// The function that writes it.
    pub function: String,
    /// The unit whose value it holds, or that it is made for.
    pub unit: Vec<String>,
    /// Whether it is of the tape.
    pub tape: bool,
}

/// Where the time and the bytes go that were measured.
pub fn profile(measured: &Measured, subject: Subject) -> Profile {
    let pieces = pieces(measured);
    let (kernels, updates) = (sum(&pieces), optimizer(measured));
    let mut step = kernels;
    step.add(updates);
    step.seconds += measured.batch;
    let scale = Scale { step: step.seconds, roofline: measured.roofline };
    let shared = pieces.iter().filter(|piece| !piece.alone).map(|piece| piece.amount.seconds).sum();
    Profile {
        format: FORMAT,
        subject,
        hash: measured.hash.clone(),
        parameters: measured.parameters,
        threads: measured.threads,
        parts: measured.runs,
        steps: measured.steps,
        machine: Limits {
            operations_per_second: measured.roofline.operations,
            bytes_per_second: measured.roofline.bytes,
        },
        step: scale.figures(step),
        kernels_alone: scale.figures(kernels),
        batch_seconds: measured.batch,
        optimizer: scale.figures(updates),
        shared_seconds: shared,
        units: units(&pieces, &scale),
        kinds: kinds(measured, &pieces, &scale),
        kernels: by_kernel(measured, &pieces, &scale),
        memory: memory(measured),
    }
}

/// What figures are told beside.
struct Scale {
    step: f64,
    roofline: Roofline,
}

impl Scale {
    fn figures(&self, amount: Amount) -> Figures {
        let over = |x: f64| if amount.seconds > 0.0 { x / amount.seconds } else { 0.0 };
        Figures {
            seconds: amount.seconds,
            share: if self.step > 0.0 { amount.seconds / self.step } else { 0.0 },
            products: amount.products,
            elementwise: amount.elementwise,
            read: amount.read,
            written: amount.written,
            operations_per_second: over(amount.operations()),
            bytes_per_second: over(amount.bytes()),
            roofline: over(self.roofline.seconds(amount.operations(), amount.bytes())),
        }
    }
}

fn sum<'a>(pieces: impl IntoIterator<Item = &'a Piece<'a>>) -> Amount {
    let mut all = Amount::default();
    pieces.into_iter().for_each(|piece| all.add(piece.amount));
    all
}

/// Units in the order in which the program first comes to them, what a unit calls behind it.
fn units(pieces: &[Piece<'_>], scale: &Scale) -> Vec<UnitFigures> {
    let mut first: BTreeMap<&[&str], usize> = BTreeMap::new();
    let mut all: BTreeMap<(&[&str], bool), Amount> = BTreeMap::new();
    for (i, piece) in pieces.iter().enumerate() {
        for depth in 1..=piece.unit.len() {
            first.entry(&piece.unit[..depth]).or_insert(i);
        }
        all.entry((&piece.unit, piece.backward)).or_default().add(piece.amount);
    }
    let place = |unit: &[&str]| -> Vec<usize> { (1..=unit.len()).map(|depth| first[&unit[..depth]]).collect() };
    let mut rows: Vec<_> = all.into_iter().collect();
    rows.sort_by_cached_key(|((unit, backward), _)| (place(unit), unit.to_vec(), *backward));
    let row = |((unit, backward), amount): ((&[&str], bool), Amount)| UnitFigures {
        unit: unit.iter().map(|&name| name.to_owned()).collect(),
        pass: if backward { "backward" } else { "forward" },
        figures: scale.figures(amount),
    };
    rows.into_iter().map(row).collect()
}

fn kinds(measured: &Measured, pieces: &[Piece<'_>], scale: &Scale) -> Vec<KindFigures> {
    let mut all: BTreeMap<&'static str, Amount> = BTreeMap::new();
    for piece in pieces {
        all.entry(piece.kernel.kind).or_default().add(piece.amount);
    }
    let runs = |kind: &str| measured.runs * measured.kernels.iter().filter(|time| time.work.kind == kind).count();
    let kind = |(kind, amount)| KindFigures { kind, runs: runs(kind), figures: scale.figures(amount) };
    let mut kinds: Vec<KindFigures> = all.into_iter().map(kind).collect();
    kinds.sort_by(|a, b| b.figures.seconds.total_cmp(&a.figures.seconds));
    kinds
}

fn by_kernel(measured: &Measured, pieces: &[Piece<'_>], scale: &Scale) -> Vec<KernelFigures> {
    let mut all: BTreeMap<(&str, usize), Vec<&Piece<'_>>> = BTreeMap::new();
    for piece in pieces {
        all.entry((&piece.kernel.function, piece.kernel.kernel)).or_default().push(piece);
    }
    let runs = |function: &str, kernel: usize| {
        let own = measured.kernels.iter().filter(|time| time.work.function == function && time.work.kernel == kernel);
        measured.runs * own.count()
    };
    let figures = |((function, kernel), pieces): ((&str, usize), Vec<&Piece<'_>>)| {
        let mut units: BTreeMap<&[&str], f64> = BTreeMap::new();
        for piece in &pieces {
            *units.entry(&piece.unit).or_default() += piece.amount.seconds;
        }
        let most = units.iter().max_by(|a, b| a.1.total_cmp(b.1)).map_or(&[][..], |(unit, _)| unit);
        KernelFigures {
            function: function.to_owned(),
            kernel,
            kind: pieces.first().map_or("", |piece| piece.kernel.kind),
            runs: runs(function, kernel),
            unit: most.iter().map(|&name| name.to_owned()).collect(),
            units: units.len(),
            figures: scale.figures(sum(pieces.iter().copied())),
        }
    };
    let mut kernels: Vec<KernelFigures> = all.into_iter().map(figures).collect();
    kernels.sort_by(|a, b| b.figures.seconds.total_cmp(&a.figures.seconds));
    kernels
}

fn memory(measured: &Measured) -> Memory {
    let footprint = &measured.footprint;
    let large = |held: &Held| {
        let own = held.function.strip_suffix(".adjoint").unwrap_or(&held.function);
        let most = held.portions.iter().max_by(|a, b| a.part.total_cmp(&b.part));
        let calls = most.map_or(&[][..], |portion| &portion.unit);
        let function = if own == "main" && !calls.is_empty() { None } else { Some(own) };
        let unit = function.into_iter().chain(calls.iter().map(String::as_str)).map(str::to_owned).collect();
        Large { bytes: held.bytes, function: held.function.clone(), unit, tape: held.tape }
    };
    Memory {
        weights: footprint.weights,
        gradients: footprint.weights,
        moments: 2 * footprint.weights,
        arena: footprint.arena,
        tape: footprint.tape,
        workers: footprint.worker * measured.threads,
        buffers: footprint.buffers.iter().map(large).collect(),
    }
}
