//! Which slots a module has, in the order in which a step comes to them.
//!
//! - a scan keeps its states;
//! - `shift` by `n` keeps the last `n` values of its operand, a `window` of `n` the last `n - 1`;
//! - a `pool` of blocks of `n` keeps the last `2 n - 2`: the block under way, and the last one that is complete;
//! - `blocks` keep all values of their operand;
//! - a `pool` keeps the mean that it holds, and the sum over the block that has begun;
//! - a past keeps what its views see again at later positions: the last `window + skip - 1` values of their operand, or
//!   all of them.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Domain, Size, SizeError};
use genesys_ir::module::{AxisId, Function, Module, Op, Region, Stage, ValueId};

use crate::names::Names;
use crate::slot::{Kind, Slot};

/// A call, by its number in the order of execution. A call path owns state: two calls that share their weights do not
/// share what they remember.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u32);

impl CallId {
    /// The main function.
    pub const MAIN: CallId = CallId(0);
}

/// The state of a module's step form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    slots: Vec<Slot>,
    sites: BTreeMap<(CallId, ValueId), usize>,
    pools: BTreeMap<(CallId, ValueId), usize>,
    calls: BTreeMap<(CallId, ValueId), CallId>,
}

/// What has to be kept between two steps of a module.
///
/// # Errors
/// A size does not fit in 64 bits, or a value with a past would have to be kept: the module is not valid.
pub fn layout(module: &Module) -> Result<Layout, SizeError> {
    let mut walk = Walk { module, layout: Layout::default(), calls: 1, scopes: BTreeSet::new() };
    walk.function(module.main(), CallId::MAIN, String::new())?;
    Ok(walk.layout)
}

impl Layout {
    /// All slots, in the order in which a step comes to them.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The number of the slot in which a call keeps a value: a scan's state, by the value that reads it when a step
    /// begins, or an operand of a view.
    pub fn slot(&self, call: CallId, value: ValueId) -> Option<usize> {
        self.sites.get(&(call, value)).copied()
    }

    /// The number of the slot in which a call keeps what a `pool` needs that gives a value there.
    pub fn pool(&self, call: CallId, result: ValueId) -> Option<usize> {
        self.pools.get(&(call, result)).copied()
    }

    /// The call that `caller` makes where it defines a value.
    pub fn callee(&self, caller: CallId, result: ValueId) -> Option<CallId> {
        self.calls.get(&(caller, result)).copied()
    }

    /// The number of the slot of that name.
    pub fn find(&self, name: &str) -> Option<usize> {
        self.slots.iter().position(|slot| slot.name == name)
    }

    /// Bytes of all slots after `tokens` tokens of one row, at `bytes` a number: see [`Slot::bytes`].
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn bytes(&self, tokens: &Size, bytes: i64) -> Result<Size, SizeError> {
        self.slots.iter().try_fold(Size::int(0), |sum, slot| sum.add(&slot.bytes(tokens, bytes)?))
    }

    /// Bytes that stay the same however long a row gets.
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn fixed(&self, bytes: i64) -> Result<Size, SizeError> {
        self.slots.iter().try_fold(Size::int(0), |sum, slot| sum.add(&slot.fixed(bytes)?))
    }

    /// Bytes that each further token adds, without end.
    ///
    /// # Errors
    /// The size does not fit in 64 bits.
    pub fn per_token(&self, bytes: i64) -> Result<Size, SizeError> {
        self.slots.iter().try_fold(Size::int(0), |sum, slot| sum.add(&slot.per_token(bytes)?))
    }
}

struct Walk<'m> {
    module: &'m Module,
    layout: Layout,
    /// Calls so far.
    calls: u32,
    /// The prefixes of names that are taken.
    scopes: BTreeSet<String>,
}

impl<'m> Walk<'m> {
    fn function(&mut self, function: &'m Function, call: CallId, path: String) -> Result<(), SizeError> {
        let mut names = Names::new(function, path);
        self.region(function, &function.body, call, &mut names)
    }

    /// The path of a call: that of its weights, or, where an earlier call has the same ones, with the number of the block.
    fn path(&mut self, weights: &str, layer: u32) -> String {
        let (stem, _) = weights.rsplit_once('.').unwrap_or((weights, ""));
        let numbered = (2..).map(|n| format!("{weights}_{n}"));
        let mut paths = [weights.to_owned(), format!("{stem}.{layer}")].into_iter().chain(numbered);
        paths.find(|path| self.scopes.insert(path.clone())).expect("numbers do not end")
    }

    fn region(
        &mut self,
        function: &'m Function,
        region: &'m Region,
        call: CallId,
        names: &mut Names<'m>,
    ) -> Result<(), SizeError> {
        for instruction in &region.instructions {
            match &instruction.op {
                Op::Scan { states, body, .. } => {
                    for state in states {
                        let name = names.state(state);
                        let start = state.start.map(|id| (id, format!("{name}.start")));
                        self.add(function, call, state.current, name, Kind::State)?;
                        if let Some((id, name)) = start {
                            self.add(function, call, id, name, Kind::State)?;
                        }
                    }
                    self.region(function, body, call, names)?;
                }
                Op::Past { body, .. } | Op::Grad { body, .. } => self.region(function, body, call, names)?,
                Op::Shift { by, .. } => {
                    self.keep(function, call, names, instruction.args[0], Kind::Recent(by.clone()))?;
                }
                Op::Window { axis, .. } => {
                    let most = self.size(*axis)?.sub(&Size::int(1))?;
                    self.keep(function, call, names, instruction.args[0], Kind::Recent(most))?;
                }
                Op::Pool { .. } if function.ty(instruction.args[0]).stage == Stage::Const => {}
                Op::Pool { .. } => {
                    self.layout.pools.insert((call, instruction.results[0]), self.layout.slots.len());
                    let slot =
                        self.slot(function, instruction.args[0], names.value(instruction.args[0]), Kind::Pooled)?;
                    self.layout.slots.push(slot);
                }
                Op::Blocks { .. } => self.keep(function, call, names, instruction.args[0], Kind::Growing)?,
                Op::View(axis) => {
                    let kind = self.reach(*axis)?;
                    self.keep(function, call, names, instruction.args[0], kind)?;
                }
                Op::Call { function: callee, layer, path } => {
                    let inner = CallId(self.calls);
                    self.calls += 1;
                    self.layout.calls.extend(instruction.results.iter().map(|result| ((call, *result), inner)));
                    let path = self.path(path, *layer);
                    self.function(self.module.function(*callee), inner, path)?;
                }
                Op::Weight(_)
                | Op::Constant(_)
                | Op::Position
                | Op::Layer
                | Op::Index(_)
                | Op::Age(_)
                | Op::Cumsum(_)
                | Op::After(_)
                | Op::Top { .. }
                | Op::Picked { .. }
                | Op::Map(_)
                | Op::Reduce { .. }
                | Op::Softmax { .. }
                | Op::Contract { .. }
                | Op::Regroup { .. }
                | Op::Concat { .. }
                | Op::Slice { .. }
                | Op::Pad { .. }
                | Op::Adjoint(_)
                | Op::Select { .. }
                | Op::Stack { .. }
                | Op::Broadcast { .. }
                | Op::Gather { .. }
                | Op::CrossEntropy { .. }
                | Op::MeanTokens => {}
            }
        }
        Ok(())
    }

    /// Notes that the operand of a view is kept, if it varies with the position at all and anything of it is.
    fn keep(
        &mut self,
        function: &'m Function,
        call: CallId,
        names: &mut Names<'m>,
        value: ValueId,
        kind: Kind,
    ) -> Result<(), SizeError> {
        let nothing = matches!(&kind, Kind::Recent(most) | Kind::Bounded(most) if *most == Size::int(0));
        if function.ty(value).stage == Stage::Const || nothing {
            return Ok(());
        }
        match self.layout.slot(call, value) {
            Some(at) => {
                let slot = &mut self.layout.slots[at];
                slot.kind = farther(&slot.kind, kind)?;
                Ok(())
            }
            None => {
                let name = names.value(value);
                self.add(function, call, value, name, kind)
            }
        }
    }

    fn add(
        &mut self,
        function: &Function,
        call: CallId,
        value: ValueId,
        name: String,
        kind: Kind,
    ) -> Result<(), SizeError> {
        let slot = self.slot(function, value, name, kind)?;
        self.layout.sites.insert((call, value), self.layout.slots.len());
        self.layout.slots.push(slot);
        Ok(())
    }

    fn slot(&self, function: &Function, value: ValueId, name: String, kind: Kind) -> Result<Slot, SizeError> {
        let axes = function.ty(value).axes.clone();
        let numbers = axes.iter().try_fold(Size::int(1), |product, axis| product.mul(self.size(*axis)?))?;
        Ok(Slot { name, kind, axes, numbers })
    }

    /// What a view along a past asks to be kept behind a step.
    fn reach(&self, axis: AxisId) -> Result<Kind, SizeError> {
        match &self.module.axis(axis).domain {
            Domain::Past { window: Some(window), skip } => Ok(Kind::Bounded(window.add(skip)?.sub(&Size::int(1))?)),
            Domain::Past { window: None, .. } | Domain::Blocks { .. } | Domain::Static(_) => Ok(Kind::Growing),
        }
    }

    fn size(&self, axis: AxisId) -> Result<&'m Size, SizeError> {
        let axis = self.module.axis(axis);
        axis.domain.size().ok_or_else(|| SizeError::Unbound(axis.name.clone()))
    }
}

/// The kind that serves both.
fn farther(a: &Kind, b: Kind) -> Result<Kind, SizeError> {
    Ok(match (a, b) {
        (Kind::Growing, _) | (_, Kind::Growing) => Kind::Growing,
        (Kind::State, _) | (_, Kind::State) => Kind::State,
        (Kind::Pooled, _) | (_, Kind::Pooled) => Kind::Pooled,
        (Kind::Recent(a), Kind::Recent(b)) => Kind::Recent(a.larger(&b)?),
        (Kind::Recent(a) | Kind::Bounded(a), Kind::Recent(b) | Kind::Bounded(b)) => Kind::Bounded(a.larger(&b)?),
    })
}
