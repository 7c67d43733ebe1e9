//! Short convolutions: windows that only a sum of products with weights reads, one way and back.
//!
//! As operations of their own, a window holds each value as often as it is seen. Found as what they are, they read the values
//! where they lie: `sum [W] (window [W] x * kernel)`; its way back to `x`, `adjoint window [W] (g * kernel)`; and its way back to
//! the kernel, `adjoint contract [] g, window [W] x`.

use std::collections::{BTreeMap, BTreeSet};

use genesys_ir::module::{
    Adjoint, AxisId, Direction, Expr, Function, Instruction, Op as IrOp, Reduction, Stage, ValueId,
};
use genesys_scalar::Function as Scalar;

use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::op::{Convolution, Op, Taps};

/// A short convolution, by the instruction that gives its result.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Short {
    /// What is read at other positions, too.
    pub(crate) far: ValueId,
    /// The kernel; or where the kernel's gradient is the result, what is read at the position alone.
    pub(crate) near: ValueId,
    axis: AxisId,
    reverse: bool,
    taps: Taps,
}

/// The short convolutions of a function, and the instructions that need not run for them.
#[derive(Debug, Default)]
pub(crate) struct Shorts {
    pub(crate) by: BTreeMap<usize, Short>,
    pub(crate) gone: BTreeSet<usize>,
}

impl Shorts {
    /// Finds them.
    pub(crate) fn new(function: &Function, instructions: &[&Instruction]) -> Self {
        let mut found = Self::default();
        let mut readers: BTreeMap<ValueId, usize> = BTreeMap::new();
        for id in instructions.iter().flat_map(|i| genesys_ir::reads(i)).chain(function.body.results.iter().copied()) {
            *readers.entry(id).or_default() += 1;
        }
        let made: BTreeMap<ValueId, usize> =
            instructions.iter().enumerate().map(|(i, instruction)| (instruction.results[0], i)).collect();
        let alone = |id: ValueId| made.get(&id).copied().filter(|_| readers.get(&id) == Some(&1));
        let window = |id: ValueId| {
            let i = alone(id)?;
            match &instructions[i].op {
                IrOp::Window { axis, direction, reset: None } => {
                    Some((i, instructions[i].args[0], *axis, *direction == Direction::Reverse))
                }
                _ => None,
            }
        };
        let constant = |id: ValueId| function.ty(id).stage == Stage::Const;
        for (i, Instruction { op, args, results }) in instructions.iter().enumerate() {
            let short = match op {
                IrOp::Reduce { reduction: Reduction::Sum, axes, otherwise: None } if axes.len() == 1 => {
                    let Some((product, [a, b])) = alone(args[0]).and_then(|j| Some((j, product(instructions[j])?)))
                    else {
                        continue;
                    };
                    let found = [(a, b), (b, a)].into_iter().find_map(|(x, kernel)| {
                        let (w, far, axis, reverse) = window(x)?;
                        (axis == axes[0] && constant(kernel)).then_some((w, far, kernel, reverse))
                    });
                    let Some((window, far, near, reverse)) = found else { continue };
                    Some((vec![product, window], Short { far, near, axis: axes[0], reverse, taps: Taps::Forward }))
                }
                IrOp::Adjoint(Adjoint::Window { axis, direction, reset: None }) => {
                    let Some((product, [a, b])) = alone(args[0]).and_then(|j| Some((j, product(instructions[j])?)))
                    else {
                        continue;
                    };
                    let has = |id: ValueId| function.ty(id).axes.contains(axis);
                    let found = [(a, b), (b, a)].into_iter().find(|(g, kernel)| {
                        constant(*kernel) && has(*kernel) && !has(*g) && function.ty(*g).stage == Stage::Seq
                    });
                    let reverse = *direction == Direction::Reverse;
                    found
                        .map(|(far, near)| (vec![product], Short { far, near, axis: *axis, reverse, taps: Taps::Back }))
                }
                IrOp::Adjoint(Adjoint::Contract { axes }) if axes.is_empty() => {
                    let found = [(args[0], args[1]), (args[1], args[0])].into_iter().find_map(|(near, x)| {
                        let (w, far, axis, reverse) = window(x)?;
                        let (g, all) = (&function.ty(near).axes, &function.ty(x).axes);
                        let narrow = g.len() + 1 == all.len() && g.iter().all(|own| *own != axis && all.contains(own));
                        narrow.then_some((w, far, near, axis, reverse))
                    });
                    found.map(|(window, far, near, axis, reverse)| {
                        (vec![window], Short { far, near, axis, reverse, taps: Taps::Kernel })
                    })
                }
                _ => None,
            };
            // What comes out at a position has the axes of what went in: a kernel for several results has more.
            let wide = |short: &Short| {
                let width = |id: ValueId| function.ty(id).axes.len();
                short.taps != Taps::Kernel && width(results[0]) != width(short.far)
            };
            if let Some((gone, short)) = short.filter(|(_, short)| !wide(short)) {
                found.gone.extend(gone);
                found.by.insert(i, short);
            }
        }
        found
    }
}

/// The factors of a product of two.
fn product(instruction: &Instruction) -> Option<[ValueId; 2]> {
    let (IrOp::Map(Expr::Apply(Scalar::Mul, factors)), args) = (&instruction.op, &instruction.args) else {
        return None;
    };
    match factors.as_slice() {
        [Expr::Arg(i), Expr::Arg(j)] => Some([args[*i], args[*j]]),
        _ => None,
    }
}

impl Build {
    /// Appends a short convolution.
    pub(crate) fn convolution(&mut self, lowering: &mut Lowering<'_>, short: Short, result: ValueId) -> Result<()> {
        let Short { far, near, axis, reverse, taps } = short;
        // The axes of the values, without that of the window.
        let (x, order) = self.far(lowering, far, far)?;
        let axes = lowering.function.ty(far).axes.clone();
        let own = self.order(lowering, &axes);
        let near = self.view(lowering, near)?;
        let n = lowering.size(axis)?;
        let out = match taps {
            Taps::Forward | Taps::Back => self.out(lowering, result),
            Taps::Kernel => self.parts(lowering, result)?,
        };
        let kernel = if taps == Taps::Kernel { &out } else { &near };
        let stride = kernel.stride(axis);
        let (near, to) = (near.walk(&own), out.walk(&own));
        self.ops.push(Op::Convolve(Convolution { x, order, n, near, axis: stride, reverse, taps, out: to }));
        if taps != Taps::Kernel {
            self.define_as(lowering, result, out);
        }
        Ok(())
    }
}
