//! The offspring of one or two parents: candidates in an order drawn from a seed, each made, checked
//! and told apart from the others.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_check::core::Op;
use genesys_check::{CheckedDesign, DesignHash, Library, check};
use genesys_diag::{Code, Diagnostic};
use genesys_ladder::Scale;
use genesys_span::Sources;
use genesys_syntax::{parse, print};

use crate::candidate::Candidate;
use crate::context::Context;
use crate::genome::Genome;
use crate::interface::{Facts, facts};
use crate::label::label;
use crate::offspring::{Offspring, Refusal, Tally};
use crate::prune::prune;
use crate::random::Random;
use crate::remark::remark;
use crate::size;

/// The offspring of some parents; see [`mutations`](crate::mutations) and
/// [`crossover`](crate::crossover).
pub struct Brood {
    /// What the offspring are made of.
    parents: Vec<DesignHash>,
    /// The same with names, for the offspring's first line.
    origin: String,
    library: Arc<Library>,
    /// The first parent, which is what changes.
    genome: Genome,
    facts: BTreeMap<String, Facts>,
    scales: Vec<Scale>,
    seen: BTreeSet<DesignHash>,
    /// Changes still to be tried, grouped by operator.
    pending: Vec<Vec<Candidate>>,
    random: Random,
    tally: Tally,
    by_operator: BTreeMap<&'static str, Tally>,
    refused: Vec<Refusal>,
}

impl Brood {
    /// The offspring that `pending` changes of the first parent's `genome` give.
    pub(crate) fn new(
        parents: &[&CheckedDesign],
        genome: Genome,
        scales: Vec<Scale>,
        pending: Vec<Vec<Candidate>>,
        context: &Context,
        seed: u64,
    ) -> Self {
        let hashes: Vec<DesignHash> = parents.iter().map(|parent| parent.hash().clone()).collect();
        let names: Vec<String> =
            parents.iter().map(|parent| format!("{} ({})", parent.name(), parent.hash())).collect();
        let kind = if parents.len() == 1 { "mutations" } else { "crossover" };
        Self {
            seen: hashes.iter().cloned().collect(),
            parents: hashes,
            origin: names.join(" and "),
            library: Arc::clone(&context.library),
            facts: facts(&genome),
            genome,
            scales,
            pending,
            // The parents do not enter: a seed draws a like change of a like design, so that the chains
            // of a failing test shrink.
            random: Random::new(seed, kind),
            tally: Tally::default(),
            by_operator: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// What became of the changes tried so far.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// The same for each operator.
    pub fn tally_by_operator(&self) -> &BTreeMap<&'static str, Tally> {
        &self.by_operator
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
        let mut genome = self.genome.clone();
        edit(&mut genome);
        prune(&mut genome);
        remark(&mut genome, &self.genome, &format!("{operator} of {}: {detail}", self.origin), &detail);
        genome.settle();
        label(&mut genome, &self.facts);
        let verdict = if size::outgrown(&genome) {
            Err(Tally { outgrown: 1, ..Tally::default() })
        } else {
            self.judge(genome, operator, &detail)
        };
        let counted = Tally { tried: 1, ..verdict.as_ref().err().copied().unwrap_or_default() };
        let counted = Tally { offspring: usize::from(verdict.is_ok()), ..counted };
        self.tally = self.tally.plus(counted);
        let of_operator = self.by_operator.entry(operator).or_default();
        *of_operator = of_operator.plus(counted);
        Some(Offspring { design: verdict.ok()?, parents: self.parents.clone(), operator, detail })
    }

    /// The design a changed genome is, or which tally it adds to.
    fn judge(&mut self, genome: Genome, operator: &'static str, detail: &str) -> Result<CheckedDesign, Tally> {
        let none = Tally::default();
        let file = Arc::new(genome.collapse());
        let checked = check(&file, &self.library);
        let Some(design) = checked.design else {
            // No operator promises that what it joins does not cancel: `f x + (1 - f) x` is well typed.
            let mut errors = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
            if errors.all(|error| [Code::INERT_WEIGHT, Code::UNTRAINABLE].contains(&error.code)) {
                return Err(Tally { idle: 1, ..none });
            }
            // A size of numbers alone is decided by the checker: what is not whole there is so at no scale.
            let mut errors = checked.diagnostics.iter().filter(|diagnostic| diagnostic.is_error());
            if errors.all(|error| [Code::SIZE_INVALID, Code::REQUIREMENT].contains(&error.code)) {
                return Err(Tally { off_scale: 1, ..none });
            }
            let text = print(&file);
            let diagnostics = complaints(&text, &self.library);
            self.refused.push(Refusal { operator, detail: detail.into(), text, diagnostics });
            return Err(Tally { unchecked: 1, ..none });
        };
        if !self.scales.iter().all(|scale| design.at_scale(scale).is_ok()) {
            return Err(Tally { off_scale: 1, ..none });
        }
        if !looks_back(&design) {
            return Err(Tally { blind: 1, ..none });
        }
        if !self.seen.insert(design.hash().clone()) {
            return Err(Tally { equal: 1, ..none });
        }
        Ok(design)
    }
}

impl Iterator for Brood {
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

/// What checking says of a text, with places in it.
fn complaints(text: &str, library: &Library) -> Vec<Diagnostic> {
    let mut sources = Sources::default();
    let id = sources.add("offspring.gau", text);
    let parsed = parse(&sources, id);
    if parsed.diagnostics.iter().any(Diagnostic::is_error) {
        return parsed.diagnostics;
    }
    check(&Arc::new(parsed.file), library).diagnostics
}

/// Whether any unit of the stack looks at other positions.
fn looks_back(design: &CheckedDesign) -> bool {
    let graphs = design.functions().iter().map(|function| &function.graph);
    graphs.flat_map(|graph| &graph.nodes).any(|node| is_view(&node.op))
}

fn is_view(op: &Op) -> bool {
    match op {
        Op::Shift { .. } | Op::Window(_) | Op::Pool { .. } | Op::Past(_) | Op::Blocks { .. } => true,
        Op::State { .. } | Op::Start { .. } | Op::Grad | Op::Scanned(_) => true,
        Op::Input(_)
        | Op::Weight(_)
        | Op::Constant(_)
        | Op::Position
        | Op::Layer
        | Op::Index(_)
        | Op::Age(_)
        | Op::Map(_)
        | Op::Reduce { .. }
        | Op::Softmax { .. }
        | Op::Cumsum(_)
        | Op::After(_)
        | Op::Top { .. }
        | Op::Picked { .. }
        | Op::MeanTokens
        | Op::Dot { .. }
        | Op::Regroup { .. }
        | Op::Concat { .. }
        | Op::Cut { .. }
        | Op::Take { .. }
        | Op::Stack { .. }
        | Op::Broadcast { .. } => false,
    }
}
