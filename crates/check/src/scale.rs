//! A design at a scale: do its requirements hold there, and which layers does it have.

use genesys_axis::{Requirement, Unmet};
use genesys_diag::{Code, Diagnostic};
use genesys_ladder::Scale;

use crate::design::{CheckedDesign, Entry, Layer, Required, Times};
use crate::error;

/// Most layers of a stack.
const MAX_LAYERS: usize = 4096;
/// Most weights of a model.
const MAX_PARAMETERS: u64 = 1 << 36;

/// The layers of the stack at a scale, or what does not hold there.
pub(crate) fn layers(design: &CheckedDesign, scale: &Scale) -> Result<Vec<Layer>, Vec<Diagnostic>> {
    let width = i64::try_from(scale.width).unwrap_or(i64::MAX);
    let unmet: Vec<Diagnostic> =
        design.requirements.iter().filter_map(|required| unmet(required, width, &scale.name)).collect();
    if !unmet.is_empty() {
        return Err(unmet);
    }
    let layers = expand(design, usize::try_from(scale.blocks).unwrap_or(usize::MAX));
    let too_large = |what: String| vec![error::too_large(design.stack_span(), &what)];
    if layers.len() > MAX_LAYERS {
        return Err(too_large(format!("{} layers at {}, more than {MAX_LAYERS}", layers.len(), scale.name)));
    }
    match parameters(design, &layers, scale) {
        Some(count) if count <= MAX_PARAMETERS => Ok(layers),
        _ => Err(too_large(format!("more than {MAX_PARAMETERS} weights at {}", scale.name))),
    }
}

/// The starred part stands as often as it fits into the depth, at least once.
fn expand(design: &CheckedDesign, depth: usize) -> Vec<Layer> {
    let mut layers = Vec::new();
    for part in &design.stack {
        let times = match part.times {
            Times::Fixed(times) => times,
            Times::ToDepth => (depth / part.body.len().max(1)).max(1),
        };
        let first = layers.len();
        for _ in 0..times {
            let owner = if part.shared { first } else { layers.len() };
            let layer = |entry: &Entry| Layer { function: entry.function, weights_of: owner + entry.weights_of };
            layers.extend(part.body.iter().map(layer));
            if layers.len() > MAX_LAYERS {
                return layers;
            }
        }
    }
    layers
}

fn unmet(required: &Required, width: i64, scale: &str) -> Option<Diagnostic> {
    let at = |value: i64| move |name: &str| (name == "D").then_some(value);
    let unmet = required.requirement.check(&at(width)).err()?;
    let found = match unmet {
        Unmet::False(sides) => sides,
        Unmet::Size(error) => error.to_string(),
    };
    let message = format!("the design does not run at {scale} (D = {width}): {}, found {found}", required.requirement);
    let diagnostic = Diagnostic::error(Code::REQUIREMENT, required.span, message).at(required.reason.clone());
    Some(match nearest_width(&required.requirement, width) {
        Some(near) => diagnostic.help(format!("it holds at D = {near}, for example")),
        None => diagnostic,
    })
}

/// The width nearest to `width` at which a requirement holds.
fn nearest_width(requirement: &Requirement, width: i64) -> Option<i64> {
    const REACH: i64 = 4096;
    (1..REACH)
        .flat_map(|by| [width + by, width - by])
        .find(|&near| near > 0 && requirement.check(&|name| (name == "D").then_some(near)).is_ok())
}

/// The number of weights in the layers and behind them; `None` where it does not fit in 64 bits.
fn parameters(design: &CheckedDesign, layers: &[Layer], scale: &Scale) -> Option<u64> {
    let width = i64::try_from(scale.width).ok()?;
    let counts: Option<Vec<u64>> = design.functions.iter().map(|function| function.graph.parameters(width)).collect();
    let counts = counts?;
    let embedding = scale.vocabulary.checked_mul(scale.width)?;
    let owners = layers.iter().enumerate().filter(|(n, layer)| layer.weights_of == *n);
    let mut called = owners.map(|(_, layer)| layer.function).chain(design.last);
    called.try_fold(embedding, |sum, id| sum.checked_add(counts[id.0]))
}
