//! `share`: one instance of weights, used by every call of its name.
//!
//! The first call makes the weights; each further call expands what is shared anew, so that states
//! are its own, and is handed the weights of the first ([`Instance`]).

use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::{Arg, Call, Expr, ExprKind, Ident};

use super::instance::{Instance, Purpose};
use super::linear::LINEAR_OPTIONS;
use super::primitive::Options;
use super::{Binding, Elab, Elaborator, Given, Reported};
use crate::core::NodeId;
use crate::error;

/// What a `share` declares.
#[derive(Clone, Debug)]
pub(crate) struct Shared<'a> {
    /// What is shared, with its static arguments, axes and options.
    call: &'a Call,
    /// The name of its weights.
    path: String,
    /// How many loops and calls of what is shared were open where it was declared.
    depth: usize,
    /// What the first call made, once it is expanded.
    instance: Option<Elab<Instance>>,
}

impl<'a> Elaborator<'a, '_> {
    /// `share name = value`
    pub(crate) fn share_stmt(&mut self, name: &'a Ident, value: &'a Expr) -> Elab<()> {
        let is_std = self.frame().is_std;
        let ExprKind::Call(call) = &value.kind else {
            return Err(self.fail(error::arguments(value.span, "expected a unit or `linear` behind `share name =`")));
        };
        let head = call.head.text.as_str();
        let has_weights = head == "linear" || self.units.find(head, is_std).is_some();
        if !has_weights {
            let diagnostic = if super::PRIMITIVES.contains(&head) {
                let message = format!("expected a unit or `linear`, which may have weights, found `{head}`");
                error::arguments(call.head.span, message).help("what has no weights can simply be called")
            } else {
                crate::resolve::unit_hint(self.units, &call.head, is_std)
            };
            let reported = self.fail(diagnostic);
            self.declare(name, Binding::Poisoned)?;
            return Err(reported);
        }
        if self.units.find(&name.text, is_std).is_some() || super::PRIMITIVES.contains(&name.text.as_str()) {
            let message = format!("expected a name of its own for what is shared, found `{}`, which exists", name.text);
            return Err(self.fail(Diagnostic::error(Code::DUPLICATE_NAME, name.span, message)));
        }
        self.declare(name, Binding::Shared)?;
        let count = self.frame().taken.entry(name.text.as_str().into()).or_insert(0);
        *count += 1;
        let path = if *count == 1 { name.text.clone() } else { format!("{}_{count}", name.text) };
        let depth = self.instances.len();
        self.frame().shared.insert(&name.text, Shared { call, path, depth, instance: None });
        Ok(())
    }

    /// A name of what is shared where a value is asked for.
    pub(crate) fn not_called(&mut self, name: &Ident) -> Reported {
        let message = format!("expected a value, found `{}`, which is called", name.text);
        self.fail(error::arguments(name.span, message).help(format!("call it: `{}(..)`", name.text)))
    }

    /// `f(x)`, where `f` is shared.
    pub(crate) fn shared_call(&mut self, call: &'a Call, span: Span) -> Elab<Given> {
        self.frame().label = None;
        let name = call.head.text.as_str();
        if !call.statics.is_empty() || call.slot.is_some() {
            let message = format!("expected values alone in the call of `{name}`, which is shared");
            let help = "its static arguments and axes stand where it is shared, the same for all calls";
            return Err(self.fail(error::arguments(call.head.span, message).help(help)));
        }
        let head = &self.frame().shared[name].call.head.text;
        let is_std = self.frame().is_std;
        // Weights of the arguments are not weights of what is called.
        let args = match self.units.find(head, is_std) {
            Some(index) => self.arguments(self.units.all[index].unit, call, span)?,
            None => vec![self.one_value(call, &[], span)?.0],
        };
        let shared = self.frame().shared[name].clone();
        // Loops that were opened since hand out nothing of what is declared around them.
        let within = self.instances.split_off(shared.depth);
        let given = match shared.instance {
            Some(Err(reported)) => Err(reported),
            Some(Ok(instance)) => {
                self.instances.push(instance);
                self.again();
                let given = self.of_shared(shared.call, args, span);
                self.end_instance();
                given
            }
            None => self.first_call(name, &shared, args, span),
        };
        self.instances.extend(within);
        given
    }

    /// The call that makes the weights.
    fn first_call(&mut self, name: &'a str, shared: &Shared<'a>, args: Vec<NodeId>, span: Span) -> Elab<Given> {
        let first = self.graph.leaves.len();
        self.begin_instance(Purpose::Share);
        let given = self.of_shared(shared.call, args, span);
        let instance = self.end_instance();
        for leaf in &mut self.graph.leaves[first..] {
            leaf.path = format!("{}.{}", shared.path, leaf.path);
        }
        let made = given.as_ref().map(|_| instance).map_err(|reported| *reported);
        self.frame().shared.entry(name).and_modify(|shared| shared.instance = Some(made));
        given
    }

    fn of_shared(&mut self, shared: &'a Call, args: Vec<NodeId>, span: Span) -> Elab<Given> {
        let is_std = self.frame().is_std;
        if let Some(index) = self.units.find(&shared.head.text, is_std) {
            return self.unit_given(index, shared, args, span);
        }
        let mut options = Options::new();
        for arg in &shared.args {
            if let Arg::Named(name, expr) = arg {
                self.option(name, expr, LINEAR_OPTIONS, &mut options)?;
            }
        }
        self.linear_of(args[0], shared, &options, span).map(Given::One)
    }
}
