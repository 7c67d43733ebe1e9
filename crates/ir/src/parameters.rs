//! The one table of a model's weights: for checkpoint, first values, optimizer and gradients.
//!
//! In goes a specialized module; out comes each weight once, in the order of use in `main`:
//! names, shapes, roles, laws and random streams. No weight's value is here.

use std::collections::BTreeMap;

use genesys_axis::{Constant, SizeError};
use genesys_scalar::{Law, Role};

use crate::module::{Function, Module, Op, Region, Weight};

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
    let mut table = Table { module, rows: BTreeMap::new(), order: Vec::new() };
    let main = module.main();
    let mut calls = 0;
    table.region(main, &main.body, &mut calls)?;
    for weight in &main.weights {
        table.add("", weight, 0, 0)?;
    }
    let Table { mut rows, order, .. } = table;
    Ok(order.iter().filter_map(|name| rows.remove(name)).collect())
}

/// The name of a weight in the model: the path of its call, a dot, its own path.
pub(crate) fn full_name(path: &str, weight: &str) -> String {
    if path.is_empty() { weight.to_string() } else { format!("{path}.{weight}") }
}

struct Table<'a> {
    module: &'a Module,
    rows: BTreeMap<String, ParameterInfo>,
    order: Vec<String>,
}

impl Table<'_> {
    fn region(&mut self, main: &Function, region: &Region, calls: &mut u32) -> Result<(), SizeError> {
        for instruction in &region.instructions {
            match &instruction.op {
                Op::Weight(id) => self.add("", &main.weights[id.0 as usize], 0, 0)?,
                Op::Call { function, layer, path } => {
                    *calls += 1;
                    for weight in &self.module.function(*function).weights {
                        self.add(path, weight, *calls, *layer)?;
                    }
                }
                Op::Past { body, .. } | Op::Scan { body, .. } => self.region(main, body, calls)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, weight: &Weight, call: u32, layer: u32) -> Result<(), SizeError> {
        let name = full_name(path, &weight.path);
        if self.rows.contains_key(&name) {
            return Ok(());
        }
        let none = |_: &str| None;
        let mut shape = Vec::new();
        for axis in &weight.axes {
            let axis = self.module.axis(*axis);
            let size = axis.domain.size().ok_or_else(|| SizeError::Unbound(axis.name.clone()))?;
            shape.push(usize::try_from(size.eval(&none)?).map_err(|_| SizeError::Overflow)?);
        }
        let law = weight.law.try_map(&mut |constant: &Constant| constant.eval(&none))?;
        let stream = (call, weight.stream);
        self.order.push(name.clone());
        self.rows.insert(name.clone(), ParameterInfo { name, shape, role: weight.role, law, stream, layer });
        Ok(())
    }
}
