//! The past form of a linear recurrence that is only read by contraction.
//!
//! `S_t = a_t S_{t-1} + k_t v_t` from 0, read as `y_t = sum over K of q_t S_t`, is attention:
//! `y_t = sum over s <= t of (q_t . k_s) (product over s < i <= t of a_i) v_s`. Where the products of
//! query and key are fewer numbers than the states of all positions would be, this is the cheaper
//! form, and it takes a few operations on whole sequences instead of several for each position. The
//! decay is a product in order, never an exponential of differences.
//!
//! Anything else is left to the loop in `scan`.

use candle_core::Result as CandleResult;
use genesys_ir::module::{AxisId, Expr, Instruction, Op, State, StateClass, ValueId};
use genesys_scalar::Function as Scalar;

use crate::contract::product;
use crate::execute::{Executor, labels};
use crate::frame::{Frame, Slot};
use crate::memory::Seen;
use crate::named::{Label, Named, without, zip};
use crate::{RuntimeError, layout, ordered};

type Result<T> = std::result::Result<T, RuntimeError>;

/// A recurrence `next = decay * state + write` whose states are its only result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Linear<'m> {
    state: &'m State,
    decay: Option<ValueId>,
    write: ValueId,
}

impl<'m> Linear<'m> {
    /// The recurrence of an instruction, if it is one.
    pub(crate) fn of(instruction: &'m Instruction) -> Option<Linear<'m>> {
        let Op::Scan { states, class: StateClass::Diagonal, body, .. } = &instruction.op else { return None };
        let ([state], [Instruction { op: Op::Map(expr), args, .. }]) =
            (states.as_slice(), body.instructions.as_slice())
        else {
            return None;
        };
        let (decay, write) = decay_and_write(expr)?;
        let alone = body.results == [state.next] && args.first() == Some(&state.current);
        alone.then(|| Linear { state, decay: decay.map(|i| args[i]), write: args[write] })
    }
}

/// The operands of `decay * $0 + write`, where `$0` is the state.
fn decay_and_write(expr: &Expr) -> Option<(Option<usize>, usize)> {
    let Expr::Apply(Scalar::Add, sum) = expr else { return None };
    let [kept, Expr::Arg(write)] = sum.as_slice() else { return None };
    match kept {
        Expr::Arg(0) => Some((None, *write)),
        Expr::Apply(Scalar::Mul, factors) => match factors.as_slice() {
            [Expr::Arg(decay), Expr::Arg(0)] => Some((Some(*decay), *write)),
            _ => None,
        },
        _ => None,
    }
}

/// What reads a recurrence, and what it writes, apart by whether it has the axes that are contracted.
struct Read {
    query: Named,
    key: Named,
    value: Option<Named>,
    decay: Option<Named>,
}

impl<'m> Executor<'m> {
    /// The contraction over `axes` of a recurrence that nobody has read with another value, without
    /// the states: `None` where one operand is no such recurrence, or the states are cheaper.
    pub(crate) fn attend(&self, frame: &mut Frame<'m>, axes: &[AxisId], args: &[ValueId]) -> Result<Option<Named>> {
        for (states, query) in [(args[0], args[1]), (args[1], args[0])] {
            let Slot::Deferred(instruction) = *frame.slot(states) else { continue };
            let Some(linear) = Linear::of(instruction) else { continue };
            if self.get(frame, linear.state.init)?.number() != Some(0.0) {
                continue;
            }
            let over = labels(axes);
            if let Some(read) = self.read(frame, linear, query, &over)?
                && self.is_cheaper(frame, linear, &read, &over)?
            {
                return Ok(Some(self.attended(&read, &over)?));
            }
        }
        Ok(None)
    }

    fn read(&self, frame: &mut Frame<'m>, linear: Linear<'m>, query: ValueId, over: &[Label]) -> Result<Option<Read>> {
        let mut factors = Vec::new();
        self.factors(frame, linear.write, &mut factors)?;
        let (keys, values): (Vec<Named>, Vec<Named>) =
            factors.into_iter().partition(|factor| over.iter().any(|label| factor.has(*label)));
        let (Some(key), value) = (all(keys)?, all(values)?) else { return Ok(None) };
        let query = self.named(frame, query)?;
        let decay = linear.decay.map(|decay| self.named(frame, decay)).transpose()?;
        let whole = over.iter().all(|label| query.has(*label) && key.has(*label));
        Ok(whole.then_some(Read { query, key, value, decay }))
    }

    /// The factors of a product that nobody has read and that is larger than they are.
    fn factors(&self, frame: &mut Frame<'m>, id: ValueId, found: &mut Vec<Named>) -> Result<()> {
        if let Slot::Deferred(Instruction { op: Op::Map(Expr::Apply(Scalar::Mul, factors)), args, .. }) =
            *frame.slot(id)
            && self.expands(frame, id, args)?
        {
            for factor in factors {
                match factor {
                    Expr::Arg(i) => self.factors(frame, args[*i], found)?,
                    other => found.push(self.expression(frame, other, args, id)?.named(self.place)?),
                }
            }
            return Ok(());
        }
        found.push(self.named(frame, id)?);
        Ok(())
    }

    /// Whether products of query and key are fewer numbers than states.
    fn is_cheaper(&self, frame: &Frame<'m>, linear: Linear<'_>, read: &Read, over: &[Label]) -> Result<bool> {
        let states = &frame.function.ty(linear.state.current).axes;
        let states: usize = self.sized(states)?.iter().map(|(_, n)| n).product();
        let decay = read.decay.as_ref().map_or(&[][..], Named::labels);
        let mut scores = without(&[read.query.labels(), read.key.labels()].concat(), &without(over, decay));
        scores.extend(decay);
        scores.sort();
        scores.dedup();
        let sizes = without(&scores, &[Label::Batch, Label::Time]).into_iter().map(|label| {
            [&read.query, &read.key].into_iter().chain(&read.decay).find_map(|x| x.size(label)).unwrap_or(1)
        });
        Ok(self.masks.positions * sizes.product::<usize>() < states)
    }

    fn attended(&self, read: &Read, over: &[Label]) -> CandleResult<Named> {
        let (past, window) = (self.masks.whole, self.masks.everywhere());
        let seen = |x: &Named| {
            layout::view(&Seen { values: x.clone(), before: 0 }, past, self.masks.positions, self.masks.positions)
        };
        let fading = read.decay.as_ref().map_or(&[][..], Named::labels);
        let score = window.contract(&read.query, &seen(&read.key)?, &without(over, fading))?;
        let score = match &read.decay {
            Some(decay) => {
                zip(&score, &ordered::product_after(window, past, &seen(decay)?)?, candle_core::Tensor::mul)?
            }
            None => score,
        };
        let score = window.keep(&score, &[past], 0.0)?.sum(over)?.closed();
        match &read.value {
            Some(value) => window.contract(&score, &seen(value)?, &[Label::Axis(past)]),
            None => score.sum(&[Label::Axis(past)]),
        }
    }
}

/// The product of all, if there are any.
fn all(factors: Vec<Named>) -> CandleResult<Option<Named>> {
    let mut product_of: Option<Named> = None;
    for factor in factors {
        product_of = Some(match product_of {
            Some(before) => product(&before, &factor)?,
            None => factor,
        });
    }
    Ok(product_of)
}
