//! The figures of a model at a scale.

use genesys_axis::SizeError;
use genesys_check::CheckedDesign;
use genesys_cost::{ModelCost, Part, PartCost, UnitCost};
use genesys_ladder::Scale;

use crate::{Model, ModelPart, decode};

/// The figures; `None` where the design does not run at the scale.
pub(crate) fn model(design: &CheckedDesign, costs: &[UnitCost], scale: &Scale) -> Result<Option<Model>, SizeError> {
    let Ok(layers) = design.at_scale(scale) else { return Ok(None) };
    let cost = ModelCost::new(design, &layers, costs, scale)?;
    let total = |figure: fn(&PartCost) -> i128| cost.total(figure);
    Ok(Some(Model {
        scale: scale.name.clone(),
        width: scale.width,
        blocks: layers.len(),
        context: scale.context,
        rows: scale.rows,
        vocabulary: scale.vocabulary,
        parts: cost.parts.iter().map(|part| model_part(design, part)).collect(),
        total: ModelPart {
            name: "total".into(),
            times: 1,
            parameters: cost.parameters(),
            forward: total(|part| part.forward),
            backward: total(|part| part.backward),
            elementwise: total(|part| part.elementwise),
        },
        activation_bytes: cost.memory.values,
        parameter_bytes: cost.memory.parameters,
        largest_bytes: cost.memory.largest,
        decode_bytes: decode::of_model(design, scale)?,
    }))
}

fn model_part(design: &CheckedDesign, part: &PartCost) -> ModelPart {
    let times = i128::from(part.times);
    ModelPart {
        name: match part.part {
            Part::Unit(id) => design.function(id).name.clone(),
            Part::Embedding => "embedding".into(),
            Part::Head => "head".into(),
        },
        times: part.times,
        parameters: part.parameters,
        forward: part.forward * times,
        backward: part.backward * times,
        elementwise: part.elementwise * times,
    }
}
