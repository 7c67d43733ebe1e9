//! Weights and inputs that move nothing, found by moving them.
//!
//! A unit is evaluated by the interpreter in f64 at a small width, at random weights that have nothing to do with
//! the initial laws, and once more with one weight drawn anew. Where no draw changes the output, the weight is
//! *suspected*: almost surely it has no effect on the pieces that were met. A change is a certificate of life.
//! This finds what no rule on texts finds: a query that cancels between a numerator and its normalizer.
//!
//! What is suspected is tried again at another, larger width, where no axis has one element by accident.

use std::collections::BTreeMap;

use genesys_axis::Domain;
use genesys_check::CheckedDesign;
use genesys_compiler::compile;
use genesys_interp::Interpreter;
use genesys_ir::module::{Dtype, Function, FunctionId, Module, Op};
use genesys_ladder::Scale;
use serde::Serialize;

use crate::InUnit;

/// Draws of all weights and inputs.
const DRAWS: u64 = 4;
/// Positions of a row, and the most of them where a block is to be complete.
const POSITIONS: usize = 4;
const MOST_POSITIONS: usize = 64;
/// Changes of the output below this part of it are rounding.
const NOISE: f64 = 1e-9;
/// Widths that are tried, smallest first.
const WIDTHS: [u64; 14] = [8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];
/// Most numbers in the weights of a unit that is probed: beyond it a draw takes too long.
const MOST_WEIGHTS: usize = 400_000;

/// What the probe found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// The widths at which it looked.
    pub widths: Vec<u64>,
    /// What moved nothing.
    pub suspects: Vec<Suspect>,
    /// Units that were not probed, with the reason.
    pub skipped: Vec<InUnit>,
}

/// Something that moves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    /// `weight` or `input`.
    pub kind: &'static str,
    /// Which.
    #[serde(flatten)]
    pub at: InUnit,
}

/// Probes each unit of a design.
pub(crate) fn probe(design: &CheckedDesign) -> Probe {
    let mut found = Probe::default();
    let Some((width, module)) = WIDTHS.iter().find_map(|&width| Some((width, at(design, width)?))) else {
        found.skipped.push(InUnit { unit: design.name().to_owned(), name: "no small width fits".into() });
        return found;
    };
    found.widths.push(width);
    let mut suspects = round(&module, &mut found.skipped);
    let larger = WIDTHS.iter().filter(|&&next| next >= 4 * width);
    if !suspects.is_empty()
        && let Some((width, module)) = larger.clone().find_map(|&next| Some((next, at(design, next)?)))
    {
        found.widths.push(width);
        let again = round(&module, &mut found.skipped);
        suspects.retain(|suspect| again.contains(suspect));
    }
    found.suspects = suspects;
    found
}

/// The module of one block each at a width.
fn at(design: &CheckedDesign, width: u64) -> Option<Module> {
    let mut scale = Scale::named("nano")?;
    (scale.width, scale.blocks, scale.context, scale.rows, scale.vocabulary) = (width, 1, POSITIONS as u64, 1, 2);
    compile(design, &scale, scale.vocabulary).ok()
}

/// The suspects of all functions but `main`.
fn round(module: &Module, skipped: &mut Vec<InUnit>) -> Vec<Suspect> {
    let units = &module.functions[..module.functions.len() - 1];
    let mut found = Vec::new();
    for (index, function) in units.iter().enumerate() {
        let subject = Subject { module, id: FunctionId(index as u32), function };
        let at = |name: &str| InUnit { unit: function.name.clone(), name: name.to_owned() };
        match subject.suspects() {
            Some(suspects) => {
                found.extend(suspects.into_iter().map(|(kind, name)| Suspect { kind, at: at(&name) }));
            }
            None => skipped.push(at("its values are not finite, or too many, at random weights")),
        }
    }
    found
}

type Weights = BTreeMap<String, Vec<f64>>;

struct Subject<'m> {
    module: &'m Module,
    id: FunctionId,
    function: &'m Function,
}

impl Subject<'_> {
    /// Weights and inputs that moved nothing in any draw; `None` where no draw could be evaluated.
    fn suspects(&self) -> Option<Vec<(&'static str, String)>> {
        let sizes: Vec<usize> = self.function.weights.iter().map(|weight| self.elements(&weight.axes)).collect();
        if sizes.iter().sum::<usize>() > MOST_WEIGHTS {
            return None;
        }
        let mut still: Vec<(&'static str, String)> =
            self.function.weights.iter().map(|weight| ("weight", weight.path.clone())).collect();
        // The targets, which a unit with a loss takes, tell the tokens that count.
        let values = (0..self.function.inputs.len()).filter(|i| !self.is_targets(*i));
        still.extend(values.map(|i| ("input", i.to_string())));
        let mut evaluated = false;
        for draw in 0..DRAWS {
            if still.is_empty() {
                break;
            }
            let (weights, inputs) = (self.weights(draw), self.inputs(draw));
            let Some(before) = self.evaluate(&weights, &inputs) else { continue };
            evaluated = true;
            still.retain(|(kind, name)| {
                let (mut weights, mut inputs) = (weights.clone(), inputs.clone());
                match *kind {
                    "weight" => {
                        let drawn = self.weights(draw + DRAWS).remove(name);
                        weights.extend(drawn.map(|values| (name.clone(), values)));
                    }
                    _ => {
                        let drawn = self.inputs(draw + DRAWS);
                        let which: usize = name.parse().unwrap_or(0);
                        inputs.iter_mut().zip(drawn).for_each(|(step, new)| step[which].clone_from(&new[which]));
                    }
                }
                self.evaluate(&weights, &inputs).is_none_or(|after| !moved(&before, &after))
            });
        }
        evaluated.then_some(still)
    }

    fn is_targets(&self, input: usize) -> bool {
        self.function.ty(self.function.inputs[input]).dtype == Dtype::Token
    }

    fn elements(&self, axes: &[genesys_ir::module::AxisId]) -> usize {
        let size = |axis: &genesys_ir::module::AxisId| self.module.axis(*axis).domain.size()?.as_int();
        axes.iter().map(|axis| size(axis).and_then(|n| usize::try_from(n).ok()).unwrap_or(1)).product()
    }

    /// Weights of a size that keeps sums over their last axis moderate.
    fn weights(&self, draw: u64) -> Weights {
        let drawn = |(index, weight): (usize, &genesys_ir::module::Weight)| {
            let n = self.elements(&weight.axes);
            let last = weight.axes.last().map_or(1, |axis| self.elements(&[*axis]));
            let scale = if weight.axes.len() > 1 { 2.0 / (last as f64).sqrt() } else { 1.0 };
            (weight.path.clone(), numbers(draw * 4096 + index as u64, n).map(|x| scale * x).collect())
        };
        self.function.weights.iter().enumerate().map(drawn).collect()
    }

    /// For each position the vectors of all inputs.
    fn inputs(&self, draw: u64) -> Vec<Vec<Vec<f64>>> {
        let vector = |t: usize, i: usize| {
            if self.is_targets(i) {
                return vec![0.0];
            }
            let n = self.elements(&self.function.ty(self.function.inputs[i]).axes);
            numbers((1 << 32) + draw * 4096 + (t * 64 + i) as u64, n).map(|x| 2.0 * x).collect()
        };
        (0..positions(self.module)).map(|t| (0..self.function.inputs.len()).map(|i| vector(t, i)).collect()).collect()
    }

    /// All outputs, and the losses, at all positions; `None` where one is not finite.
    fn evaluate(&self, weights: &Weights, inputs: &[Vec<Vec<f64>>]) -> Option<Vec<f64>> {
        let lookup = |name: &str| weights.get(name).cloned();
        let mut interpreter = Interpreter::function(self.module, self.id, 0, &lookup);
        let mut all = Vec::new();
        for step in inputs {
            all.extend(interpreter.step_vectors(step).ok()?.into_iter().flatten());
        }
        all.iter().all(|value| value.is_finite()).then_some(all)
    }
}

/// Positions of a row, so that two of the longest blocks are complete: among one there is nothing to choose.
fn positions(module: &Module) -> usize {
    let blocks = module.axes.iter().filter_map(|axis| match &axis.domain {
        Domain::Blocks { size } => size.as_int(),
        Domain::Static(_) | Domain::Past { .. } => None,
    });
    // Pools stand in no region.
    let instructions = module.functions.iter().flat_map(|function| &function.body.instructions);
    let pools = instructions.filter_map(|instruction| match &instruction.op {
        Op::Pool { size, .. } => size.as_int(),
        _ => None,
    });
    let longest = blocks.chain(pools).filter_map(|size| usize::try_from(size).ok()).max();
    longest.map_or(0, |size| size.saturating_mul(2)).clamp(POSITIONS, MOST_POSITIONS)
}

/// Numbers between -1 and 1.
fn numbers(stream: u64, n: usize) -> impl Iterator<Item = f64> {
    let state = genesys_random::mix(stream);
    (0..n as u64).map(move |i| 2.0 * genesys_random::unit(genesys_random::at(state, i)) - 1.0)
}

fn moved(before: &[f64], after: &[f64]) -> bool {
    let size = before.iter().fold(0.0f64, |size, value| size.max(value.abs()));
    before.iter().zip(after).any(|(a, b)| (a - b).abs() > NOISE * size)
}
