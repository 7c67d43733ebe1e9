//! A module at a width: every size and constant becomes a plain number.
//!
//! Afterwards no symbol is left: sizes of axes and windows are at least 1, skips and shifts at
//! least 0, constants are [`Constant::Real`]. Structure and numbering stay as they are.

use std::fmt;

use genesys_axis::{Constant, Domain, Size, SizeError};
use genesys_scalar::Law;

use crate::module::{Adjoint, Expr, Module, Op, Region};

/// Why a module does not exist at a width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecializeError {
    /// A size has no value.
    Size {
        /// What is measured: `the axis H`.
        place: String,
        /// Why.
        error: SizeError,
    },
    /// A size is below what it must at least be.
    TooSmall {
        /// What is measured.
        place: String,
        /// Its value.
        value: i64,
        /// The least allowed.
        least: i64,
    },
}

impl fmt::Display for SpecializeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SpecializeError::Size { place, error } => write!(f, "{place}: {error}"),
            SpecializeError::TooSmall { place, value, least } => write!(f, "{place} is {value}, less than {least}"),
        }
    }
}

impl std::error::Error for SpecializeError {}

type Result<T> = std::result::Result<T, SpecializeError>;

/// The module where the symbol `D` is `width`.
pub fn specialize(module: &Module, width: i64) -> Result<Module> {
    let mut module = module.clone();
    let at = At { width };
    for axis in &mut module.axes {
        let place = format!("the axis {}", axis.name);
        match &mut axis.domain {
            Domain::Static(size) => at.size(size, 1, &place)?,
            Domain::Past { window, skip } => {
                window.iter_mut().try_for_each(|window| at.size(window, 1, &format!("the window of {}", axis.name)))?;
                at.size(skip, 0, &format!("the skip of {}", axis.name))?;
            }
            Domain::Blocks { size } => at.size(size, 1, &format!("the blocks of {}", axis.name))?,
        }
    }
    for function in &mut module.functions {
        for weight in &mut function.weights {
            weight.law = at.law(&weight.law, &format!("the law of {}", weight.path))?;
        }
        at.region(&mut function.body)?;
    }
    Ok(module)
}

struct At {
    width: i64,
}

impl At {
    fn lookup(&self, name: &str) -> Option<i64> {
        (name == "D").then_some(self.width)
    }

    fn size(&self, size: &mut Size, least: i64, place: &str) -> Result<()> {
        let value = size.eval(&|name| self.lookup(name));
        let value = value.map_err(|error| SpecializeError::Size { place: place.into(), error })?;
        if value < least {
            return Err(SpecializeError::TooSmall { place: place.into(), value, least });
        }
        *size = Size::int(value);
        Ok(())
    }

    fn constant(&self, constant: &mut Constant, place: &str) -> Result<()> {
        let value = constant.eval(&|name| self.lookup(name));
        *constant = Constant::Real(value.map_err(|error| SpecializeError::Size { place: place.into(), error })?);
        Ok(())
    }

    fn law(&self, law: &Law<Constant>, place: &str) -> Result<Law<Constant>> {
        law.try_map(&mut |constant| {
            let mut constant = constant.clone();
            self.constant(&mut constant, place).map(|()| constant)
        })
    }

    fn region(&self, region: &mut Region) -> Result<()> {
        region.instructions.iter_mut().try_for_each(|instruction| self.op(&mut instruction.op))
    }

    fn op(&self, op: &mut Op) -> Result<()> {
        match op {
            Op::Constant(constant) => self.constant(constant, "a constant"),
            Op::Map(expr) => self.expr(expr),
            Op::Slice { offset, .. } => self.size(offset, 0, "the offset of a slice"),
            Op::Pad { offset, .. } => self.size(offset, 0, "the offset of a pad"),
            Op::Select { index, .. } => self.size(index, 0, "the index of a selection"),
            Op::Shift { by, .. } => self.size(by, 0, "a shift"),
            Op::Pool { size, .. } | Op::Adjoint(Adjoint::Pool { size, .. }) => self.size(size, 1, "a block"),
            Op::Past { body, .. } | Op::Grad { body, .. } => self.region(body),
            Op::Scan { chunk, body, .. } => {
                chunk.iter_mut().try_for_each(|chunk| self.size(chunk, 1, "a chunk"))?;
                self.region(body)
            }
            Op::Weight(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) | Op::View(_) => Ok(()),
            Op::Window { .. } | Op::Blocks { .. } | Op::Cumsum(_) | Op::After(_) => Ok(()),
            Op::Top { .. } | Op::Picked { .. } => Ok(()),
            Op::Reduce { .. } | Op::Softmax { .. } | Op::Contract { .. } | Op::Regroup { .. } => Ok(()),
            Op::Concat { .. } | Op::Stack { .. } | Op::Broadcast { .. } => Ok(()),
            Op::Gather { .. } | Op::CrossEntropy { .. } | Op::MeanTokens | Op::Call { .. } => Ok(()),
            Op::Adjoint(_) => Ok(()),
        }
    }

    fn expr(&self, expr: &mut Expr) -> Result<()> {
        match expr {
            Expr::Arg(_) => Ok(()),
            Expr::Const(constant) => self.constant(constant, "a constant"),
            Expr::Apply(_, args) => args.iter_mut().try_for_each(|arg| self.expr(arg)),
        }
    }
}
