//! The value that is printed: plain data, in the order in which it is read.

use serde::Serialize;

use crate::Probe;

/// The version of this form; it grows when a field changes its meaning or goes.
pub const FORMAT: u32 = 1;

/// All there is to say about a design.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The version of this form.
    pub format: u32,
    /// The design's name.
    pub name: String,
    /// Its identity.
    pub hash: String,
    /// What must hold of the width, each with its reason.
    pub requirements: Vec<String>,
    /// The units that the stack is made of, the final one last.
    pub units: Vec<Unit>,
    /// Units of the file that the design never reaches.
    pub unreached: Vec<String>,
    /// Weights and inputs that seem to move nothing.
    pub probe: Probe,
    /// Figures of the whole model, where a scale was asked for.
    pub model: Option<Model>,
}

/// A formula, and its value at the scale for one row of the scale's context.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// In `D` and `T`.
    pub formula: String,
    /// Its value, where a scale was asked for.
    pub value: Option<i128>,
}

/// A part of a unit's work.
#[derive(Clone, Debug, Serialize)]
pub struct Work {
    /// The path of the weight that is contracted with, else the text of the contraction.
    pub what: String,
    /// Its line in the file; none for a standard unit.
    pub line: Option<usize>,
    /// Forward.
    pub forward: Figure,
    /// Backward.
    pub backward: Figure,
}

/// A unit of the stack.
#[derive(Clone, Debug, Serialize)]
pub struct Unit {
    /// Its name.
    pub name: String,
    /// `pointwise`, `local`, `recurrent` or `global`.
    pub label: &'static str,
    /// How many positions back it looks: a formula, or `unbounded`.
    pub reach: String,
    /// The values that its text, and that of the units it calls, names by `let`.
    pub types: Vec<Typed>,
    /// Its weights.
    pub weights: Vec<UnitWeight>,
    /// How many numbers they hold.
    pub parameters: Figure,
    /// Contractions, in the order of the program.
    pub contractions: Vec<Work>,
    /// Updates of states.
    pub scans: Figure,
    /// Contractions and scans, forward: exact.
    pub forward: Figure,
    /// Contractions and scans, backward: exact by the rule stated.
    pub backward: Figure,
    /// Elementwise operations, forward.
    pub elementwise: Figure,
    /// The complexity class of a forward pass in `T`.
    pub class: String,
    /// Numbers in all values: what a backward pass may ask for.
    pub values: Figure,
    /// Bytes that decoding one row keeps of it, in `D` and the tokens read so far, `T`.
    pub decode: Figure,
    /// What it keeps.
    pub kept: Vec<Kept>,
    /// The states of its scans.
    pub states: Vec<StateOf>,
    /// What it adds to the training loss, and to no other.
    pub losses: Vec<Place>,
    /// Operations that jump: where rounding tips one, two forms of the unit may differ by more than rounding.
    pub jumps: Vec<Place>,
    /// Whether its numbers are proven to stay finite.
    pub finite: bool,
    /// What stands in the way.
    pub doubts: Vec<Doubtful>,
}

/// A named value.
#[derive(Clone, Debug, Serialize)]
pub struct Typed {
    /// Its name.
    pub name: String,
    /// Its line in the file; none in a standard unit.
    pub line: Option<usize>,
    /// Its type: `Seq[H, E]`.
    #[serde(rename = "type")]
    pub ty: String,
}

/// A weight of a unit.
#[derive(Clone, Debug, Serialize)]
pub struct UnitWeight {
    /// Its path in a block.
    pub path: String,
    /// Its axes with their sizes, in storage order: `H = 8`.
    pub axes: Vec<String>,
    /// What it is for; fixes whether it decays.
    pub role: &'static str,
    /// How many numbers.
    pub parameters: Figure,
    /// Whether it moves a loss of the unit alone, and no prediction.
    pub loss_only: bool,
}

/// What decoding keeps between two tokens.
#[derive(Clone, Debug, Serialize)]
pub struct Kept {
    /// The state's name, or that of the nearest weight that the value is made with.
    pub name: String,
    /// `state`, `recent` (a shift or window reaches back to it), `bounded` (a past with a window sees it again),
    /// `pooled` (the mean and the begun sum of a pool) or `growing` (a whole past does).
    pub kind: &'static str,
    /// How many values are kept after `T` tokens.
    pub values: String,
    /// Bytes after `T` tokens.
    pub bytes: Figure,
}

/// A state of a scan.
#[derive(Clone, Debug, Serialize)]
pub struct StateOf {
    /// Its name.
    pub name: String,
    /// Its axes.
    pub axes: Vec<String>,
    /// How it enters its update: the class of its recurrence.
    pub class: String,
    /// How many numbers.
    pub numbers: Figure,
    /// Whether it can grow of itself, in words.
    pub growth: String,
    /// The values it takes.
    pub interval: String,
}

/// A piece of text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Place {
    /// The text.
    pub what: String,
    /// Its line in the file; none for a standard unit.
    pub line: Option<usize>,
}

/// A function that may leave its domain.
#[derive(Clone, Debug, Serialize)]
pub struct Doubtful {
    /// The text.
    pub what: String,
    /// Its line in the file; none for a standard unit.
    pub line: Option<usize>,
    /// The function.
    pub function: &'static str,
    /// `value` or `derivative`.
    pub fails: &'static str,
    /// The interval of the operand that decides.
    pub operand: String,
    /// What it should be.
    pub needs: &'static str,
}

/// A model at a scale.
#[derive(Clone, Debug, Serialize)]
pub struct Model {
    /// The scale's name.
    pub scale: String,
    /// The size of `D`.
    pub width: u64,
    /// Blocks.
    pub blocks: usize,
    /// Positions a row: `T`.
    pub context: u64,
    /// Rows a step.
    pub rows: u64,
    /// Entries of the vocabulary.
    pub vocabulary: u64,
    /// Its parts.
    pub parts: Vec<ModelPart>,
    /// Their sum.
    pub total: ModelPart,
    /// Bytes that a training step keeps, from above: values of the forward pass.
    pub activation_bytes: i128,
    /// The same: parameters, gradients, moments.
    pub parameter_bytes: i128,
    /// The same: gradients of the values of the largest part.
    pub largest_bytes: i128,
    /// Bytes that decoding keeps after `T` tokens of one row.
    pub decode_bytes: Option<i64>,
}

/// Figures of a part of a model, all of its copies together.
#[derive(Clone, Debug, Serialize)]
pub struct ModelPart {
    /// A unit, `embedding`, `head` or `total`.
    pub name: String,
    /// How often it stands.
    pub times: u64,
    /// Parameters.
    pub parameters: i128,
    /// Operations of contractions and scans, forward, a row.
    pub forward: i128,
    /// The same, backward.
    pub backward: i128,
    /// Elementwise operations, forward, a row.
    pub elementwise: i128,
}

/// A name in a unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InUnit {
    /// The unit.
    pub unit: String,
    /// The weight's path, or the input's name.
    pub name: String,
}
