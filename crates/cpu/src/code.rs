//! Scalar expressions as straight code over blocks of elements.
//!
//! In goes an expression tree, out comes a list of steps over operands, numbers and registers; equal parts are computed
//! once, and what depends on numbers only is a number. Two functions of which only the second reads the first are one step. A block
//! of elements stays in the nearest cache while the code runs.

use genesys_ir::module::Expr;
use genesys_kernels::{Act, Arithmetic, Block, STEPS, Step, Term, run_code};

use crate::error::{CpuError, Result};

/// An expression, ready to run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Code {
    pub(crate) steps: Vec<Step>,
    pub(crate) result: Term,
    /// How many functions the expression has, whatever they became.
    pub(crate) functions: usize,
}

impl Code {
    /// The code of an expression; `known` says which operands are numbers.
    pub(crate) fn new(expr: &Expr, known: &dyn Fn(usize) -> Option<f64>) -> Result<Self> {
        let mut steps = Vec::new();
        let result = append(&mut steps, expr, known)?;
        let functions = steps.len();
        let code = Self { steps, result, functions }.paired();
        if code.steps.len() > STEPS {
            let what = format!("an expression of {functions} functions");
            return Err(CpuError::Unsupported { function: String::new(), what });
        }
        Ok(code)
    }

    /// The operand as it is.
    pub(crate) fn copy() -> Self {
        Self { steps: Vec::new(), result: Term::Arg(0), functions: 0 }
    }

    /// Computes a block. `registers` has room for a block a step.
    pub(crate) fn run(&self, args: &[Block<'_>], registers: &mut [f32], out: &mut [f32]) {
        run_code(&self.steps, self.result, args, registers, out);
    }

    /// A sum, difference, product or quotient that one other alone reads, on its left or where the sides are alike, is computed with it.
    fn paired(mut self) -> Self {
        for i in 0..self.steps.len() {
            let Some(second) = arithmetic(&self.steps[i]) else { continue };
            let [a, b, _] = self.steps[i].terms;
            self.steps[i].act = Act::Arithmetic(second);
            let either = matches!(second, Arithmetic::Add | Arithmetic::Mul);
            let sides = [Some((a, b)), either.then_some((b, a))];
            let inner = sides.into_iter().flatten().find_map(|(inner, other)| {
                let Term::Step(k) = inner else { return None };
                let first = arithmetic(&self.steps[k])?;
                (self.readers(k) == 1).then_some((first, self.steps[k].terms, other))
            });
            if let Some((first, [x, y, _], other)) = inner {
                self.steps[i] = step(Act::Pair(first, second), &[x, y, other]);
            }
        }
        self.without_unread()
    }

    /// How often a step is read.
    fn readers(&self, step: usize) -> usize {
        let terms = self.steps.iter().flat_map(|step| &step.terms[..step.act.arity()]).chain([&self.result]);
        terms.filter(|term| **term == Term::Step(step)).count()
    }

    /// Without the steps that nothing reads.
    fn without_unread(mut self) -> Self {
        for i in (0..self.steps.len()).rev() {
            if self.readers(i) > 0 {
                continue;
            }
            self.steps.remove(i);
            let terms = self.steps.iter_mut().flat_map(|step| &mut step.terms).chain([&mut self.result]);
            for term in terms {
                if let Term::Step(k) = term {
                    *k -= usize::from(*k > i);
                }
            }
        }
        self
    }
}

fn step(act: Act, terms: &[Term]) -> Step {
    Step { act, terms: std::array::from_fn(|i| terms.get(i).copied().unwrap_or(Term::Number(0.0))) }
}

/// The function of a step, if it is one that is computed with another.
fn arithmetic(step: &Step) -> Option<Arithmetic> {
    match step.act {
        Act::Function(function) => Arithmetic::of(function),
        Act::Arithmetic(arithmetic) => Some(arithmetic),
        Act::Pair(..) => None,
    }
}

fn number(term: &Term) -> Option<f64> {
    match term {
        Term::Number(value) => Some(*value),
        Term::Arg(_) | Term::Step(_) => None,
    }
}

fn append(steps: &mut Vec<Step>, expr: &Expr, known: &dyn Fn(usize) -> Option<f64>) -> Result<Term> {
    match expr {
        Expr::Arg(i) => Ok(known(*i).map_or(Term::Arg(*i), Term::Number)),
        Expr::Const(constant) => {
            let value = constant.eval(&|_| None).map_err(|error| CpuError::Size(error.to_string()))?;
            Ok(Term::Number(value))
        }
        Expr::Apply(function, operands) => {
            let sources: Vec<Term> =
                operands.iter().map(|operand| append(steps, operand, known)).collect::<Result<_>>()?;
            if let Some(values) = sources.iter().map(number).collect::<Option<Vec<f64>>>() {
                return Ok(Term::Number(function.eval(&values)));
            }
            let step = step(Act::Function(*function), &sources);
            let i = steps.iter().position(|known| *known == step).unwrap_or_else(|| {
                steps.push(step);
                steps.len() - 1
            });
            Ok(Term::Step(i))
        }
    }
}
