//! How many bytes decoding token by token has to keep.
//!
//! In: a module at a scale, and how many tokens one row has read. Out: bytes, at four a number, over all blocks:
//!
//! - a scan keeps its states;
//! - `shift` by n keeps the last n values of its operand, a `window` of n the last n - 1;
//! - a view of the past keeps its operand at the positions it can still see: `min(window + skip, context)` of them.
//!
//! A value that is seen in several ways is kept once, as far back as the farthest one asks. Values are kept as the
//! design names them: what could be computed again from less, as rotated keys from keys, is not looked for.

use std::collections::BTreeMap;

use genesys_axis::{Domain, Size};
use genesys_ir::module::{AxisId, Function, FunctionId, Module, Op, Region, Stage, ValueId};

const BYTES_A_NUMBER: u64 = 4;

/// Bytes of state after `context` tokens of one row.
///
/// # Errors
/// A size that is not a plain number: the module is not at a scale.
pub fn state_bytes(module: &Module, context: u64) -> Result<u64, String> {
    let mut functions: BTreeMap<FunctionId, u64> = BTreeMap::new();
    let mut total = 0;
    for instruction in &module.main().body.instructions {
        if let Op::Call { function: id, .. } = &instruction.op {
            if !functions.contains_key(id) {
                functions.insert(*id, of_function(module, module.function(*id), context)?);
            }
            total += functions[id];
        }
    }
    Ok(total * BYTES_A_NUMBER)
}

/// What one function keeps, in numbers.
fn of_function(module: &Module, function: &Function, context: u64) -> Result<u64, String> {
    let mut kept = Kept { module, function, context, positions: BTreeMap::new(), states: 0 };
    kept.region(&function.body)?;
    let mut numbers = kept.states;
    for (value, positions) in &kept.positions {
        numbers += positions * kept.elements(&function.ty(*value).axes)?;
    }
    Ok(numbers)
}

struct Kept<'a> {
    module: &'a Module,
    function: &'a Function,
    context: u64,
    /// How many positions of a value are kept.
    positions: BTreeMap<ValueId, u64>,
    /// Numbers in the states of scans.
    states: u64,
}

impl Kept<'_> {
    fn region(&mut self, region: &Region) -> Result<(), String> {
        for instruction in &region.instructions {
            match &instruction.op {
                Op::Scan { states, body, .. } => {
                    for state in states {
                        self.states += self.elements(&self.function.ty(state.current).axes)?;
                    }
                    self.region(body)?;
                }
                Op::Past { body, .. } => self.region(body)?,
                Op::Shift { by, .. } => self.keep(&instruction.args, number(by)?),
                Op::Window { axis, .. } => {
                    let elements = self.elements(&[*axis])?;
                    self.keep(&instruction.args, elements - 1);
                }
                Op::View(axis) => {
                    let reach = self.reach(*axis)?;
                    self.keep(&instruction.args, reach);
                }
                Op::Weight(_)
                | Op::Constant(_)
                | Op::Position
                | Op::Layer
                | Op::Index(_)
                | Op::Age(_)
                | Op::Cumsum(_)
                | Op::After(_)
                | Op::Map(_)
                | Op::Reduce { .. }
                | Op::Softmax { .. }
                | Op::Contract { .. }
                | Op::Regroup { .. }
                | Op::Concat { .. }
                | Op::Slice { .. }
                | Op::Select { .. }
                | Op::Stack { .. }
                | Op::Broadcast { .. }
                | Op::Gather { .. }
                | Op::CrossEntropy { .. }
                | Op::Call { .. } => {}
            }
        }
        Ok(())
    }

    /// Notes that the first operand is kept for so many positions, if it varies with the position at all.
    fn keep(&mut self, args: &[ValueId], positions: u64) {
        let Some(value) = args.first().filter(|value| self.function.ty(**value).stage != Stage::Const) else {
            return;
        };
        let kept = self.positions.entry(*value).or_default();
        *kept = (*kept).max(positions.min(self.context));
    }

    /// How many positions back a view of this axis sees, the present one included.
    fn reach(&self, axis: AxisId) -> Result<u64, String> {
        match &self.module.axis(axis).domain {
            Domain::Past { window: None, .. } => Ok(self.context),
            Domain::Past { window: Some(window), skip } => Ok(number(window)? + number(skip)?),
            Domain::Static(size) => Err(format!("a view of an axis of {size} elements, which is no past")),
        }
    }

    fn elements(&self, axes: &[AxisId]) -> Result<u64, String> {
        axes.iter().try_fold(1, |product, axis| match &self.module.axis(*axis).domain {
            Domain::Static(size) => Ok(product * number(size)?),
            Domain::Past { .. } => Err("a value that is kept varies with the past".to_owned()),
        })
    }
}

fn number(size: &Size) -> Result<u64, String> {
    let value = size.eval(&|_| None).map_err(|error| error.to_string())?;
    u64::try_from(value).map_err(|_| format!("a size of {value}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use genesys_compiler::{check_text, compile};
    use genesys_ladder::Scale;

    use super::*;

    fn bytes(text: &str, context: u64) -> u64 {
        let checked = check_text("test", text);
        let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        state_bytes(&compile(&design, &Scale::named("nano").unwrap(), 257).unwrap(), context).unwrap()
    }

    #[test]
    fn attention_keeps_keys_and_values_of_the_context() {
        let gpt = include_str!("../../../designs/gpt.gau");
        // Two blocks, keys and values of width 64, four bytes each.
        assert_eq!(bytes(gpt, 64), 2 * 2 * 64 * 64 * 4);
        assert_eq!(bytes(gpt, 1024), 2 * 2 * 64 * 1024 * 4);
    }

    #[test]
    fn a_scan_keeps_its_state_whatever_the_context() {
        let gla = include_str!("../../../designs/gla.gau");
        assert_eq!(bytes(gla, 64), bytes(gla, 1024));
        assert!(bytes(gla, 64) > 0);
    }

    #[test]
    fn shifts_and_windows_keep_what_they_reach() {
        let design = |body: &str| {
            format!("design X {{\n    stack = [B*]\n}}\n\nunit B(x: Seq[D]) -> Seq[D] {{\n    {body}\n}}\n")
        };
        assert_eq!(bytes(&design("x + shift(x, 3)"), 64), 2 * 3 * 64 * 4);
        assert_eq!(bytes(&design("x + shift(x, 3) + shift(x, 1)"), 64), 2 * 3 * 64 * 4);
        assert_eq!(bytes(&design("x + shift(x, 3)"), 2), 2 * 2 * 64 * 4);
        assert_eq!(bytes(&design("axis W = 4\n    x + sum[W](window[W](x))"), 64), 2 * 3 * 64 * 4);
        assert_eq!(bytes(&design("x * 2"), 64), 0);
    }
}
