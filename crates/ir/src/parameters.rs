//! The one table of a model's weights: for checkpoint, first values, optimizer and gradients.
//!
//! In goes a specialized module; out comes each weight once, in the order of use in `main`:
//! names, shapes, roles, laws and random streams. No weight's value is here.

use std::collections::BTreeSet;

use genesys_axis::{Constant, SizeError};
use genesys_scalar::{Law, Role};

use crate::module::{AxisId, Function, Module, Op, Region, Weight};

/// A weight of the whole model.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterInfo {
    /// The path of the call, a dot, and the weight's path: `blocks.3.attention.q.weight`.
    pub name: String,
    /// Its sizes in storage order, row-major.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// How it is drawn before training.
    pub law: Law<f64>,
    /// The random stream: the number of the call in `main` from 1 (0 is `main` itself), and the
    /// weight's stream in the function.
    pub stream: (u32, u32),
    /// The number of the block that owns it: the value of [`Law::Layer`].
    pub layer: u32,
}

/// All weights in the order of use in `main`, each once: calls that share a path share weights.
///
/// # Errors
/// A size or a constant has no plain value: the module is not specialized.
pub fn parameters(module: &Module) -> Result<Vec<ParameterInfo>, SizeError> {
    let info = |(name, used): (String, Use<'_>)| used.info(module, name);
    uses(module).into_iter().map(info).collect()
}

/// The names of all weights, in the order of [`parameters`], with their axes. The module need not be specialized.
pub fn parameter_names(module: &Module) -> Vec<(String, Vec<AxisId>)> {
    uses(module).into_iter().map(|(name, used)| (name, used.weight.axes.clone())).collect()
}

/// The name of a weight in the model: the path of its call, a dot, its own path.
pub fn full_name(path: &str, weight: &str) -> String {
    if path.is_empty() { weight.to_string() } else { format!("{path}.{weight}") }
}

/// The first use of a weight.
struct Use<'a> {
    weight: &'a Weight,
    /// The number of the call, and of the block.
    at: (u32, u32),
}

/// Each weight once, in the order of use.
fn uses(module: &Module) -> Vec<(String, Use<'_>)> {
    let mut table = Table { module, known: BTreeSet::new(), order: Vec::new() };
    let main = module.main();
    let mut calls = 0;
    table.region(main, &main.body, &mut calls);
    for weight in &main.weights {
        table.add("", weight, (0, 0));
    }
    table.order
}

struct Table<'a> {
    module: &'a Module,
    known: BTreeSet<String>,
    order: Vec<(String, Use<'a>)>,
}

impl<'a> Table<'a> {
    fn region(&mut self, main: &'a Function, region: &'a Region, calls: &mut u32) {
        for instruction in &region.instructions {
            match &instruction.op {
                Op::Weight(id) => self.add("", &main.weights[id.0 as usize], (0, 0)),
                Op::Call { function, layer, path } => {
                    *calls += 1;
                    for weight in &self.module.function(*function).weights {
                        self.add(path, weight, (*calls, *layer));
                    }
                }
                Op::Past { body, .. } | Op::Scan { body, .. } => self.region(main, body, calls),
                _ => {}
            }
        }
    }

    fn add(&mut self, path: &str, weight: &'a Weight, at: (u32, u32)) {
        let name = full_name(path, &weight.path);
        if self.known.insert(name.clone()) {
            self.order.push((name, Use { weight, at }));
        }
    }
}

impl Use<'_> {
    fn info(&self, module: &Module, name: String) -> Result<ParameterInfo, SizeError> {
        let Use { weight, at: (call, layer) } = self;
        let none = |_: &str| None;
        let mut shape = Vec::new();
        for axis in &weight.axes {
            let axis = module.axis(*axis);
            let size = axis.domain.size().ok_or_else(|| SizeError::Unbound(axis.name.clone()))?;
            shape.push(usize::try_from(size.eval(&none)?).map_err(|_| SizeError::Overflow)?);
        }
        let law = weight.law.try_map(&mut |constant: &Constant| constant.eval(&none))?;
        Ok(ParameterInfo { name, shape, role: weight.role, law, stream: (*call, weight.stream), layer: *layer })
    }
}
