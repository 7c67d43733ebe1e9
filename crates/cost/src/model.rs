//! The costs of a whole model at a scale.

use std::collections::BTreeMap;

use genesys_axis::{Size, SizeError};
use genesys_check::CheckedDesign;
use genesys_check::core::NodeId;
use genesys_check::design::{FunctionId, Layer};
use genesys_ladder::Scale;
use genesys_span::Span;

use crate::{Cost, Extent, UnitCost};

const BYTES_A_NUMBER: i128 = 4;

/// A part of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A unit of the stack, or the final one.
    Unit(FunctionId),
    /// The table of embeddings.
    Embedding,
    /// The product with it, or with a table of its own, that gives the logits.
    Head,
}

/// What a part costs at a scale: numbers of one row of the scale's context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartCost {
    /// Which.
    pub part: Part,
    /// How often it stands in the model.
    pub times: u64,
    /// Parameters of all of them, those that blocks share once.
    pub parameters: i128,
    /// Contractions and scans of one, forward: exact.
    pub forward: i128,
    /// The same, backward.
    pub backward: i128,
    /// Elementwise operations of one, forward.
    pub elementwise: i128,
    /// Elements of the values of one, each dependent axis with all positions of the row.
    pub values: i128,
}

/// Bytes of one training step, from above.
///
/// Kept are all values that the formal core names, in 32 bits, for all rows, pasts as squares; beside them the
/// parameters with gradients and two moments, and the gradients of the values of the largest part. What a back
/// end keeps beyond one buffer a value is its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Values of the forward pass.
    pub values: i128,
    /// Parameters, their gradients, and the optimizer's two moments.
    pub parameters: i128,
    /// Gradients of the values of the largest part.
    pub largest: i128,
}

impl Memory {
    /// All of them.
    pub fn total(&self) -> i128 {
        self.values + self.parameters + self.largest
    }
}

/// What a model costs at a scale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCost {
    /// Its parts, in the order in which they first stand in it.
    pub parts: Vec<PartCost>,
    /// Bytes of a training step.
    pub memory: Memory,
}

impl ModelCost {
    /// Counts a design whose blocks are `layers`; `units` has the cost of each of its functions.
    ///
    /// # Errors
    /// A size has no value at the scale, or a number does not fit.
    pub fn new(
        design: &CheckedDesign,
        layers: &[Layer],
        units: &[UnitCost],
        scale: &Scale,
    ) -> Result<ModelCost, SizeError> {
        let width = i64::try_from(scale.width).map_err(|_| SizeError::Overflow)?;
        let at = |part, times, owners: u64, unit: &UnitCost| {
            let eval = |cost: Cost| cost.eval(width, scale.context);
            Ok(PartCost {
                part,
                times,
                parameters: i128::from(unit.parameters.eval(&|name| (name == "D").then_some(width))?)
                    * i128::from(owners),
                forward: eval(unit.forward()?)?,
                backward: eval(unit.backward()?)?,
                elementwise: eval(unit.elementwise.clone())?,
                values: unit.values.eval_square(width, scale.context)?,
            })
        };
        let mut parts = vec![at(Part::Embedding, 1, 1, &embedding(scale)?)?];
        let mut counts: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        let mut order = Vec::new();
        let blocks = (0..).zip(layers).map(|(n, layer)| (layer.function, layer.weights_of == n));
        for (id, is_owner) in blocks.chain(design.last().map(|id| (id, true))) {
            let (times, owners) = counts.entry(id.0).or_default();
            if *times == 0 {
                order.push(id);
            }
            *times += 1;
            *owners += u64::from(is_owner);
        }
        for id in order {
            let (times, owners) = counts[&id.0];
            parts.push(at(Part::Unit(id), times, owners, &units[id.0])?);
        }
        parts.push(at(Part::Head, 1, 1, &head(scale, design.tie_embeddings())?)?);
        let memory = memory(&parts, scale)?;
        Ok(ModelCost { parts, memory })
    }

    /// Bytes of all values of one row, in 32 bits.
    pub fn row_bytes(&self) -> i128 {
        self.total(|part| part.values).saturating_mul(BYTES_A_NUMBER)
    }

    /// The parameters of all parts.
    pub fn parameters(&self) -> i128 {
        self.parts.iter().map(|part| part.parameters).sum()
    }

    /// The sum of one figure, other than the parameters, over all parts.
    pub fn total(&self, figure: impl Fn(&PartCost) -> i128) -> i128 {
        let figures = self.parts.iter().map(|part| figure(part).saturating_mul(i128::from(part.times)));
        figures.fold(0, i128::saturating_add)
    }
}

fn memory(parts: &[PartCost], scale: &Scale) -> Result<Memory, SizeError> {
    let sum = |figure: fn(&PartCost) -> i128| -> Result<i128, SizeError> {
        parts.iter().try_fold(0i128, |sum, part| {
            figure(part).checked_mul(i128::from(part.times)).and_then(|n| sum.checked_add(n)).ok_or(SizeError::Overflow)
        })
    };
    let bytes = |numbers: i128| numbers.checked_mul(BYTES_A_NUMBER).ok_or(SizeError::Overflow);
    let rows = i128::from(scale.rows);
    let of_rows = |numbers: i128| numbers.checked_mul(rows).ok_or(SizeError::Overflow).and_then(bytes);
    let largest = parts.iter().map(|part| part.values).max().unwrap_or(0);
    Ok(Memory {
        values: of_rows(sum(|part| part.values)?)?,
        parameters: 4 * bytes(parts.iter().map(|part| part.parameters).sum())?,
        largest: of_rows(largest)?,
    })
}

/// A row of the table a token.
fn embedding(scale: &Scale) -> Result<UnitCost, SizeError> {
    let d = Size::symbol("D");
    let values = Cost::of(Extent::positions(), d.clone());
    Ok(UnitCost { values, ..UnitCost::of_parameters(vocabulary(scale).mul(&d)?) })
}

/// A score a token and entry: contracted with a table, which needs a gradient as its operand does.
fn head(scale: &Scale, tied: bool) -> Result<UnitCost, SizeError> {
    let table = vocabulary(scale).mul(&Size::symbol("D"))?;
    let forward = Cost::of(Extent::positions(), table.mul(&Size::int(2))?);
    let scores = Cost::of(Extent::positions(), vocabulary(scale));
    let contraction = crate::Contraction {
        node: NodeId(0),
        span: Span::default(),
        weight: None,
        backward: forward.times(2)?,
        forward,
    };
    Ok(UnitCost {
        contractions: vec![contraction],
        // Cross-entropy is a softmax of each score.
        elementwise: scores.times(4)?,
        values: scores.times(2)?,
        ..UnitCost::of_parameters(if tied { Size::default() } else { table })
    })
}

fn vocabulary(scale: &Scale) -> Size {
    Size::int(i64::try_from(scale.vocabulary).unwrap_or(i64::MAX))
}
