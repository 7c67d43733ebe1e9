//! A value as a sum of terms in states: what stands before a contraction, the contraction, what lifts it.

use std::collections::BTreeMap;

use genesys_scalar::Function;

use crate::AxisSet;
use crate::core::{Graph, NodeId, Op, Reduction};

/// One term that a state enters.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Term {
    /// Free values that it is multiplied by, before a contraction.
    pub(super) factors: Vec<NodeId>,
    /// The axes contracted, and the free values that they are contracted with.
    pub(super) contracted: Option<(AxisSet, Vec<NodeId>)>,
    /// Free values that a contracted term is multiplied by.
    pub(super) lifts: Vec<NodeId>,
    /// Whether it passes through more than one contraction, or changes its axes.
    pub(super) dense: bool,
    /// The last operation that was more than a sum.
    pub(super) at: Option<NodeId>,
}

/// What a value is, seen from states.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Form {
    /// No state enters it.
    Free,
    /// A sum of terms, and of what is free.
    Linear(Vec<Term>),
    /// The largest of such sums whose coefficients are 1.
    MaxPlus(NodeId),
    /// A state enters it in another way, by this operation.
    Nonlinear(NodeId),
}

/// The forms of values, given those of the states.
pub(super) struct Forms<'g> {
    pub(super) graph: &'g Graph,
    pub(super) known: BTreeMap<NodeId, Form>,
}

impl Forms<'_> {
    pub(super) fn of(&self, id: NodeId) -> Form {
        self.known.get(&id).cloned().unwrap_or(Form::Free)
    }

    /// The form of a node whose operands' forms are known.
    pub(super) fn node(&self, id: NodeId) -> Form {
        let node = self.graph.node(id);
        let args: Vec<Form> = node.args.iter().map(|arg| self.of(*arg)).collect();
        if args.iter().all(|form| *form == Form::Free) {
            return Form::Free;
        }
        if let Some(cause) = args.iter().find_map(|form| match form {
            Form::Nonlinear(cause) => Some(*cause),
            _ => None,
        }) {
            return Form::Nonlinear(cause);
        }
        match &node.op {
            Op::Map(function) => self.map(id, *function, args),
            Op::Dot { axes } => match (&args[0], &args[1]) {
                (Form::Linear(terms), Form::Free) => self.contract(id, terms, axes, Some(node.args[1])),
                (Form::Free, Form::Linear(terms)) => self.contract(id, terms, axes, Some(node.args[0])),
                _ => Form::Nonlinear(id),
            },
            Op::Reduce { reduction: Reduction::Sum, axes, .. } => match &args[0] {
                Form::Linear(terms) => self.contract(id, terms, axes, None),
                _ => Form::Nonlinear(id),
            },
            Op::Broadcast { .. } => args.into_iter().next().unwrap_or(Form::Free),
            Op::Regroup { .. } | Op::Concat { .. } | Op::Cut { .. } | Op::Take { .. } | Op::Stack { .. } => {
                let terms = args.into_iter().map(|form| match form {
                    Form::Linear(terms) => Some(terms),
                    Form::Free => Some(Vec::new()),
                    Form::MaxPlus(_) | Form::Nonlinear(_) => None,
                });
                match terms.collect::<Option<Vec<_>>>() {
                    Some(terms) => {
                        let dense = |term| Term { dense: true, at: Some(id), ..term };
                        Form::Linear(terms.into_iter().flatten().map(dense).collect())
                    }
                    None => Form::Nonlinear(id),
                }
            }
            _ => Form::Nonlinear(id),
        }
    }

    fn map(&self, id: NodeId, function: Function, args: Vec<Form>) -> Form {
        let operands = &self.graph.node(id).args;
        match (function, args.as_slice()) {
            (Function::Add | Function::Sub, [Form::MaxPlus(at), Form::Free])
            | (Function::Add, [Form::Free, Form::MaxPlus(at)]) => Form::MaxPlus(*at),
            (Function::Max, forms) if forms.iter().all(is_plain) => Form::MaxPlus(id),
            (_, forms) if forms.iter().any(|form| matches!(form, Form::MaxPlus(_))) => Form::Nonlinear(id),
            (Function::Neg, [Form::Linear(terms)]) => self.scaled(id, terms, None),
            (Function::Add | Function::Sub, forms) => Form::Linear(forms.iter().flat_map(terms_of).collect()),
            (Function::Mul, [Form::Linear(terms), Form::Free]) => self.scaled(id, terms, Some(operands[1])),
            (Function::Mul, [Form::Free, Form::Linear(terms)]) => self.scaled(id, terms, Some(operands[0])),
            (Function::Div, [Form::Linear(terms), Form::Free]) => self.scaled(id, terms, Some(operands[1])),
            (Function::Where, [Form::Free, a, b]) => {
                let terms: Vec<Term> = [a, b].into_iter().flat_map(terms_of).collect();
                self.scaled(id, &terms, Some(operands[0]))
            }
            _ => Form::Nonlinear(id),
        }
    }

    fn scaled(&self, id: NodeId, terms: &[Term], by: Option<NodeId>) -> Form {
        let scaled = |term: &Term| {
            let mut term = Term { at: Some(id), ..term.clone() };
            // A sign is a factor as well, for a state that is not kept as it is.
            let side = if term.contracted.is_some() { &mut term.lifts } else { &mut term.factors };
            side.push(by.unwrap_or(id));
            term
        };
        Form::Linear(terms.iter().map(scaled).collect())
    }

    fn contract(&self, id: NodeId, terms: &[Term], axes: &AxisSet, with: Option<NodeId>) -> Form {
        let contracted = |term: &Term| {
            let mut term = Term { at: Some(id), ..term.clone() };
            let has = |node: &NodeId| self.graph.node(*node).ty.axes.iter().any(|axis| axes.contains(axis));
            let (mut weights, rest): (Vec<NodeId>, Vec<NodeId>) = term.factors.iter().copied().partition(has);
            weights.extend(with);
            term.dense |= term.contracted.is_some();
            term.factors = rest;
            term.contracted = Some((axes.clone(), weights));
            term
        };
        Form::Linear(terms.iter().map(contracted).collect())
    }
}

fn terms_of(form: &Form) -> Vec<Term> {
    match form {
        Form::Linear(terms) => terms.clone(),
        Form::Free | Form::MaxPlus(_) | Form::Nonlinear(_) => Vec::new(),
    }
}

/// Whether a value is a state plus what is free, or the largest of such.
fn is_plain(form: &Form) -> bool {
    match form {
        Form::Free | Form::MaxPlus(_) => true,
        Form::Linear(terms) => {
            terms.iter().all(|term| term.factors.is_empty() && term.contracted.is_none() && !term.dense)
        }
        Form::Nonlinear(_) => false,
    }
}
