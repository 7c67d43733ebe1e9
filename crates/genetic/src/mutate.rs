//! Mutation: one change of one parent at a time.

use std::collections::BTreeSet;
use std::sync::Arc;

use genesys_check::core::Op;
use genesys_check::{CheckedDesign, DesignHash, Library, check};
use genesys_diag::Diagnostic;
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::{parse, print};

use crate::candidate::Candidate;
use crate::genome::{Genome, Source};
use crate::label::label;
use crate::operator::candidates;
use crate::pool::Pool;
use crate::prune::prune;
use crate::random::Random;
use crate::remark::remark;

/// What operators draw from beside the parent.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The standard units.
    pub std: &'a Library,
    /// Designs whose units may be taken over.
    pub donors: &'a [CheckedDesign],
    /// The scales that count: an offspring runs at each of them at which its parent runs.
    pub scales: &'a [Scale],
}

/// A new design.
#[derive(Clone, Debug)]
pub struct Offspring {
    /// Its canonical text.
    pub text: String,
    /// What checking the text gave.
    pub design: CheckedDesign,
    /// The operator that made it, in kebab case: `replace-unit`.
    pub operator: &'static str,
    /// What the operator changed, in words: `Block: SwiGlu -> GeGlu`.
    pub detail: String,
}

/// What became of the changes that were tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Changes that were made and checked.
    pub tried: usize,
    /// Those that gave an offspring.
    pub offspring: usize,
    /// Those whose design is equal to the parent or to an earlier offspring.
    pub equal: usize,
    /// Those that did not check.
    pub unchecked: usize,
    /// Those that do not run at a scale at which the parent runs.
    pub off_scale: usize,
    /// Those that look at no other position, and so cannot model a language.
    pub blind: usize,
}

impl Tally {
    /// The share of the changes tried that gave a valid design, equal to another or not.
    pub fn valid_share(&self) -> f64 {
        (self.offspring + self.equal) as f64 / self.tried.max(1) as f64
    }
}

/// A change whose text did not check: the operator promised too much.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The operator.
    pub operator: &'static str,
    /// What it changed, in words.
    pub detail: String,
    /// The text it gave.
    pub text: String,
    /// Why it does not check.
    pub diagnostics: Vec<Diagnostic>,
}

/// All offspring that one change of `parent` gives, in an order drawn from `seed`.
///
/// The iterator ends when every change was tried: its length is the number of distinct offspring
/// that exist, and is the same for every seed. An operator is drawn first, then one of its changes,
/// so that operators with many changes do not crowd out the others.
pub fn mutations<'a>(parent: &CheckedDesign, context: &Context<'a>, seed: u64) -> Mutations<'a> {
    let std = Arc::new(Source::standard(context.std.file()));
    let genome = Genome::expand(parent.file(), &std);
    let mut sources = vec![Arc::clone(&std)];
    sources.extend(context.donors.iter().map(|donor| Arc::new(Source::design(donor.file(), &std))));
    let scales: Vec<Scale> = context.scales.iter().filter(|scale| parent.at_scale(scale).is_ok()).cloned().collect();
    let depth = scales.iter().map(|scale| scale.blocks).min().unwrap_or(1);
    let divisor = scales.iter().map(|scale| scale.width).fold(0, gcd);
    let pending = candidates(&Pool::new(&genome, &sources, depth, divisor));
    Mutations {
        parent: format!("{} ({})", parent.name(), parent.hash()),
        std: context.std,
        genome,
        scales,
        seen: BTreeSet::from([parent.hash().clone()]),
        pending,
        random: Random::new(seed, &format!("mutations of {}", parent.hash())),
        tally: Tally::default(),
        refused: Vec::new(),
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The offspring of one parent; see [`mutations`].
pub struct Mutations<'a> {
    /// The parent's name and hash, for the offspring's first line.
    parent: String,
    std: &'a Library,
    genome: Genome,
    scales: Vec<Scale>,
    seen: BTreeSet<DesignHash>,
    /// Changes still to be tried, grouped by operator.
    pending: Vec<Vec<Candidate>>,
    random: Random,
    tally: Tally,
    refused: Vec<Refusal>,
}

impl Mutations<'_> {
    /// What became of the changes tried so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The changes that did not check, for whoever mends operators.
    pub fn refused(&self) -> &[Refusal] {
        &self.refused
    }

    /// Draws a change.
    fn draw(&mut self) -> Option<Candidate> {
        self.pending.retain(|group| !group.is_empty());
        if self.pending.is_empty() {
            return None;
        }
        let group = self.random.below(self.pending.len());
        let which = self.random.below(self.pending[group].len());
        Some(self.pending[group].swap_remove(which))
    }

    /// Makes a change and decides what came of it.
    fn attempt(&mut self, candidate: Candidate) -> Option<Offspring> {
        let Candidate { operator, detail, edit } = candidate;
        self.tally.tried += 1;
        let mut genome = self.genome.clone();
        edit(&mut genome);
        prune(&mut genome);
        label(&mut genome);
        remark(&mut genome, &self.genome, &format!("{operator} of {}: {detail}", self.parent), &detail);
        let text = print(&genome.collapse());
        let design = match recheck(&text, self.std) {
            Ok(design) => design,
            Err(diagnostics) => {
                self.tally.unchecked += 1;
                self.refused.push(Refusal { operator, detail, text, diagnostics });
                return None;
            }
        };
        if !self.scales.iter().all(|scale| design.at_scale(scale).is_ok()) {
            self.tally.off_scale += 1;
            return None;
        }
        if !looks_back(&design) {
            self.tally.blind += 1;
            return None;
        }
        if !self.seen.insert(design.hash().clone()) {
            self.tally.equal += 1;
            return None;
        }
        self.tally.offspring += 1;
        Some(Offspring { text, design, operator, detail })
    }
}

impl Iterator for Mutations<'_> {
    type Item = Offspring;

    fn next(&mut self) -> Option<Offspring> {
        loop {
            let candidate = self.draw()?;
            if let Some(offspring) = self.attempt(candidate) {
                return Some(offspring);
            }
        }
    }
}

/// Checks a text, as any other design's; or says why it does not check.
fn recheck(text: &str, std: &Library) -> Result<CheckedDesign, Vec<Diagnostic>> {
    let mut sources = Sources::default();
    let id = sources.add("offspring.gau", text);
    let parsed = parse(&sources, id);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return Err(parsed.diagnostics);
    }
    let checked = check(&Arc::new(parsed.file), std);
    checked.design.ok_or(checked.diagnostics)
}

/// Whether any unit of the stack looks at other positions.
fn looks_back(design: &CheckedDesign) -> bool {
    let graphs = design.functions().iter().map(|function| &function.graph);
    graphs.flat_map(|graph| &graph.nodes).any(|node| is_view(&node.op))
}

fn is_view(op: &Op) -> bool {
    match op {
        Op::Shift { .. } | Op::Past(_) | Op::State { .. } | Op::Scanned(_) => true,
        Op::Input
        | Op::Weight(_)
        | Op::Constant(_)
        | Op::Position
        | Op::Layer
        | Op::Index(_)
        | Op::Age(_)
        | Op::Map(_)
        | Op::Reduce { .. }
        | Op::Softmax { .. }
        | Op::Dot { .. }
        | Op::Regroup { .. }
        | Op::Concat { .. }
        | Op::Cut { .. }
        | Op::Take { .. }
        | Op::Stack { .. }
        | Op::Broadcast { .. } => false,
    }
}
