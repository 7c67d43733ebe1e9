//! Size expressions: from syntax to polynomials, and the requirements they bring.

use genesys_axis::{Compare, Requirement, Size, SizeError, Unmet};
use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{self, BinaryOp, CompareOp, Expr, ExprKind, Ident, SizeFn, SizeKind, SizeOp};

use super::{Binding, Elab, Elaborator};
use crate::core::AxisId;
use crate::design::Required;
use crate::error;

impl Elaborator<'_, '_> {
    /// The value of a size expression.
    pub(crate) fn size(&mut self, size: &ast::Size) -> Elab<Size> {
        match &size.kind {
            SizeKind::Int(n) => match i64::try_from(*n) {
                Ok(n) => Ok(Size::int(n)),
                Err(_) => Err(self.invalid_size(size.span, &SizeError::Overflow)),
            },
            SizeKind::Name(name) => self.named_size(name),
            SizeKind::Binary(op, a, b) => {
                let (a, b) = (self.size(a)?, self.size(b)?);
                let value = match op {
                    SizeOp::Add => a.add(&b),
                    SizeOp::Sub => a.sub(&b),
                    SizeOp::Mul => a.mul(&b),
                    SizeOp::Div => a.div(&b),
                    SizeOp::Rem => return Err(self.remainder(size.span)),
                };
                value.map_err(|e| self.invalid_size(size.span, &e))
            }
            SizeKind::Call(function, a, b) => {
                let (a, b) = (self.size(a)?, self.size(b)?);
                let value = match function {
                    SizeFn::CeilTo => a.ceil_to(&b),
                    SizeFn::Min => a.smaller(&b),
                    SizeFn::Max => a.larger(&b),
                };
                value.map_err(|e| self.invalid_size(size.span, &e))
            }
        }
    }

    /// The size that an expression among values stands for: `shift(x, 2 * K)`.
    pub(crate) fn size_of_expr(&mut self, expr: &Expr) -> Elab<Size> {
        match &expr.kind {
            ExprKind::Number { value, .. } if value.fract() == 0.0 && value.abs() < 9e15 => {
                Ok(Size::int(*value as i64))
            }
            ExprKind::Name(name) => self.named_size(name),
            ExprKind::Neg(e) => {
                let value = self.size_of_expr(e)?;
                Size::int(0).sub(&value).map_err(|e| self.invalid_size(expr.span, &e))
            }
            ExprKind::Binary(op, a, b) => {
                let (a, b) = (self.size_of_expr(a)?, self.size_of_expr(b)?);
                let value = match op {
                    BinaryOp::Add => a.add(&b),
                    BinaryOp::Sub => a.sub(&b),
                    BinaryOp::Mul => a.mul(&b),
                    BinaryOp::Div => a.div(&b),
                    BinaryOp::Rem => return Err(self.remainder(expr.span)),
                    BinaryOp::Pow => return Err(self.not_a_size(expr.span)),
                };
                value.map_err(|e| self.invalid_size(expr.span, &e))
            }
            _ => Err(self.not_a_size(expr.span)),
        }
    }

    /// The size that a name stands for: a number, or the size of an axis.
    pub(crate) fn named_size(&mut self, name: &Ident) -> Elab<Size> {
        match self.lookup(&name.text) {
            Some(Binding::Size(size)) => Ok((*size).clone()),
            Some(Binding::Axis(axis)) if !self.is_dependent(axis) => Ok(self.size_of(axis)),
            Some(Binding::Axis(_)) => {
                let message = format!("expected a size, found the past `{}`, whose size varies", name.text);
                Err(self.fail(Diagnostic::error(Code::DEPENDENT_AXIS, name.span, message)))
            }
            Some(Binding::Row(axes)) => {
                let mut product = Size::int(1);
                for axis in axes {
                    let size = self.size_of(axis);
                    product = product.mul(&size).map_err(|e| self.invalid_size(name.span, &e))?;
                }
                Ok(product)
            }
            Some(Binding::Value(_) | Binding::State { .. } | Binding::Shared | Binding::Unit(_)) => {
                Err(self.not_a_size(name.span))
            }
            Some(Binding::Poisoned) => Err(super::Reported),
            None => {
                let known: Vec<&str> = self.frame().names.keys().copied().collect();
                Err(self.fail(error::unknown("size", name, known.into_iter())))
            }
        }
    }

    fn remainder(&mut self, span: Span) -> super::Reported {
        let message = "expected a size, found a remainder, which only `require a % n == 0` may hold";
        self.fail(Diagnostic::error(Code::SIZE_INVALID, span, message))
    }

    fn not_a_size(&mut self, span: Span) -> super::Reported {
        let message = "expected a size (whole numbers, axes, static parameters and + - * /), found a value";
        self.fail(Diagnostic::error(Code::SIZE_INVALID, span, message))
    }

    fn invalid_size(&mut self, span: Span, error: &SizeError) -> super::Reported {
        self.fail(Diagnostic::error(Code::SIZE_INVALID, span, format!("this size has no value: {error}")))
    }

    /// An axis of that size, which must be whole and positive at every scale the design runs at.
    pub(crate) fn sized_axis(&mut self, name: &str, size: Size, span: Span) -> Elab<AxisId> {
        if size.as_int().is_some_and(|size| size >= 1) {
            return Ok(self.declare_axis(name, genesys_axis::Domain::Static(size)));
        }
        let reason = format!("the axis `{name}` has that size");
        self.require(
            Requirement::Holds { left: size.clone(), compare: Compare::AtLeast, right: Size::int(1) },
            span,
            &reason,
            Code::SIZE_INVALID,
        )?;
        Ok(self.declare_axis(name, genesys_axis::Domain::Static(size)))
    }

    /// Records a requirement, or decides it at once where it holds no symbol.
    pub(crate) fn require(&mut self, requirement: Requirement, span: Span, reason: &str, code: Code) -> Elab<()> {
        match self.unmet(requirement, span, reason, code) {
            None => Ok(()),
            Some(diagnostic) => Err(self.fail(diagnostic)),
        }
    }

    /// The error of a requirement that does not hold; one that holds a symbol is recorded.
    pub(super) fn unmet(
        &mut self,
        requirement: Requirement,
        span: Span,
        reason: &str,
        code: Code,
    ) -> Option<Diagnostic> {
        if !requirement.is_constant() {
            self.requirements.push(Required { requirement, span, reason: reason.into() });
            return None;
        }
        let unmet = requirement.check(&|_| None).err()?;
        Some(Diagnostic::error(code, span, format!("{}: {reason}", unmet_constant(&requirement, &unmet))))
    }

    /// `require a % n == 0`, `require a >= b`.
    pub(crate) fn require_stmt(&mut self, left: &ast::Size, op: CompareOp, right: &ast::Size, span: Span) -> Elab<()> {
        let requirement = match (&left.kind, op, &right.kind) {
            (SizeKind::Binary(SizeOp::Rem, value, divisor), CompareOp::Eq, SizeKind::Int(0)) => {
                Requirement::Divides { value: self.size(value)?, divisor: self.size(divisor)? }
            }
            _ => Requirement::Holds { left: self.size(left)?, compare: comparison(op), right: self.size(right)? },
        };
        self.require(requirement, span, "the unit requires it", Code::REQUIREMENT)
    }
}

/// What was expected of a number, and what was found.
fn unmet_constant(requirement: &Requirement, unmet: &Unmet) -> String {
    match (requirement, unmet) {
        (_, Unmet::Size(error)) => format!("expected a whole number, found none: {error}"),
        (Requirement::Divides { divisor, value }, Unmet::False(_)) => {
            format!("expected a multiple of {divisor}, found {value}")
        }
        (Requirement::Holds { left, compare, right }, Unmet::False(_)) => {
            format!("expected a number {} {right}, found {left}", compare.symbol())
        }
    }
}

fn comparison(op: CompareOp) -> Compare {
    match op {
        CompareOp::Lt => Compare::Less,
        CompareOp::Le => Compare::AtMost,
        CompareOp::Gt => Compare::Greater,
        CompareOp::Ge => Compare::AtLeast,
        CompareOp::Eq => Compare::Equal,
        CompareOp::Ne => Compare::NotEqual,
    }
}
