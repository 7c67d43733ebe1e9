//! Where numbers stop being finite.
//!
//! In: every value of one forward pass, with what it was made from. Out: the [`Origin`] of a value that is not finite: the
//! first operation on its way whose operands were all finite. What is not finite elsewhere, and reaches nothing, is not
//! told: an infinity that an activation divides by, an element outside of a past. It costs a pass and is asked for when
//! a training has failed; the passes of a training do not look.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;

use candle_core::{DType, Result, TensorId};
use genesys_ir::module::{Function, Op, Region, ValueId};

use crate::frame::Frame;
use crate::mask::Window;
use crate::named::{Named, Value};

/// The operation that made the first number that is not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// What it does: `exp`, `contract`.
    pub operation: String,
    /// The function it stands in, which is named as the design's unit.
    pub unit: String,
    /// The call path of that function: `blocks.1`; empty in the main function.
    pub path: String,
    /// The last weight that the function reads before it: `blocks.1.h.decay.bias`.
    pub weight: Option<String>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, unit, path, weight } = self;
        write!(f, "`{operation}` in the unit {unit}")?;
        if !path.is_empty() {
            write!(f, " of {path}")?;
        }
        match weight {
            Some(weight) => write!(f, ", behind the weight {weight}"),
            None => Ok(()),
        }
    }
}

/// What one pass has seen of values that are not finite.
#[derive(Debug, Default)]
pub(crate) struct Probe {
    /// In the order they were met.
    origins: RefCell<Vec<Origin>>,
    /// The origin of each value that is not finite, by the identity of its tensor. Only looked up.
    spoiled: RefCell<HashMap<TensorId, usize>>,
}

/// The place of a value in a pass.
#[derive(Clone, Copy)]
pub(crate) struct At<'a, 'm> {
    pub(crate) frame: &'a Frame<'m>,
    pub(crate) window: Window<'a>,
    pub(crate) id: ValueId,
}

impl Probe {
    /// How many origins there are so far.
    pub(crate) fn met(&self) -> usize {
        self.origins.borrow().len()
    }

    /// The origin of a value, where it is not finite.
    pub(crate) fn origin(&self, value: &Named) -> Option<Origin> {
        let found = self.spoiled.borrow().get(&value.tensor().id()).copied()?;
        self.origins.borrow().get(found).cloned()
    }

    /// Takes note of a value that `operation` made of `operands`; `before` is [`Probe::met`] before it began.
    pub(crate) fn note(
        &self,
        at: At<'_, '_>,
        operation: &str,
        operands: &[Value],
        value: &Value,
        before: usize,
    ) -> Result<()> {
        let Value::Tensor(value) = value else { return Ok(()) };
        let id = value.tensor().id();
        if self.spoiled.borrow().contains_key(&id) || is_finite(at.window, value)? {
            return Ok(());
        }
        let origin = match self.inherited(at.window, operands, before)? {
            Some(origin) => origin,
            None => {
                self.origins.borrow_mut().push(origin_of(at, operation));
                self.met() - 1
            }
        };
        self.spoiled.borrow_mut().insert(id, origin);
        Ok(())
    }

    /// The first origin that came in with an operand, or that was met while the operation ran.
    fn inherited(&self, window: Window<'_>, operands: &[Value], before: usize) -> Result<Option<usize>> {
        let met = self.met();
        let mut first = (met > before).then_some(before);
        for operand in operands {
            let Value::Tensor(operand) = operand else { continue };
            let known = self.spoiled.borrow().get(&operand.tensor().id()).copied();
            let origin = match known {
                // What is not finite and was not noted comes from something that was.
                None if met > 0 && !is_finite(window, operand)? => Some(met - 1),
                known => known,
            };
            first = first.into_iter().chain(origin).min();
        }
        Ok(first)
    }
}

fn origin_of(at: At<'_, '_>, operation: &str) -> Origin {
    let Frame { function, path, .. } = at.frame;
    let weight = last_weight(function, &function.body, at.id);
    let within = |weight: String| if path.is_empty() { weight } else { format!("{path}.{weight}") };
    Origin {
        operation: operation.to_owned(),
        unit: function.name.clone(),
        path: path.clone(),
        weight: weight.map(within),
    }
}

/// The path of the last weight that is read before the value `id`.
fn last_weight(function: &Function, region: &Region, id: ValueId) -> Option<String> {
    let mut last = None;
    for instruction in &region.instructions {
        match &instruction.op {
            Op::Weight(weight) if instruction.results[0] < id => {
                last = Some(function.weights[weight.0 as usize].path.clone());
            }
            Op::Past { body, .. } | Op::Scan { body, .. } => last = last_weight(function, body, id).or(last),
            _ => {}
        }
    }
    last
}

/// Whether all elements that count are finite: those outside of a past do not.
fn is_finite(window: Window<'_>, value: &Named) -> Result<bool> {
    if !value.tensor().dtype().is_float() {
        return Ok(true);
    }
    let pasts = window.dependent(value.labels());
    let kept = window.keep(&value.detach(), &pasts, 0.0)?;
    let elements = kept.tensor().flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?;
    Ok(elements.iter().all(|element| element.is_finite()))
}
