//! What is known within one unit while it is expanded: names, and how its weights are called.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use foldhash::fast::RandomState;
use genesys_axis::Size;
use genesys_diag::{Code, Diagnostic};
use genesys_span::Span;
use genesys_syntax::ast::Ident;

use super::share::Shared;
use super::unit_param::UnitValue;
use super::{Elab, Elaborator};
use crate::core::{AxisId, Named, NodeId, ScanId};
use crate::error;

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Binding {
    /// A value.
    Value(NodeId),
    /// A name whose declaration failed: uses of it give no further message.
    Poisoned,
    /// An axis.
    Axis(AxisId),
    /// A row of axes.
    Row(Vec<AxisId>),
    /// A number.
    Size(Arc<Size>),
    /// A unit.
    Unit(Arc<UnitValue>),
    /// One instance of weights, which is called: see [`Frame::shared`].
    Shared,
    /// A state of an enclosing scan or loop, and what it holds at this point of the step.
    State {
        /// Whose it is.
        owner: Owner,
        /// The latest value.
        value: NodeId,
    },
}

/// What has states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// A scan.
    Scan(ScanId),
    /// A loop, by a number of its own.
    Loop(u32),
}

/// Bindings by name, each with the place where it was declared; in no order.
pub(crate) type Names<'a> = HashMap<&'a str, (Binding, Span), RandomState>;

/// One unit being expanded.
pub(crate) struct Frame<'a> {
    pub(crate) is_std: bool,
    /// The call that is being expanded, in the caller's text.
    pub(crate) call: Option<Span>,
    /// What each name stands for, and where it was declared.
    pub(crate) names: Names<'a>,
    /// The innermost scan or loop, whose states may be updated.
    pub(crate) owner: Option<Owner>,
    /// What `share` declared, by name.
    pub(crate) shared: BTreeMap<&'a str, Shared<'a>>,
    /// The innermost scan.
    pub(crate) scan: Option<ScanId>,
    /// Calls of the current statement that own weights.
    pub(crate) sites: Vec<Site<'a>>,
    /// The label that the next call takes.
    pub(crate) label: Option<&'a Ident>,
    /// How often each name of weights was given.
    pub(crate) taken: BTreeMap<Cow<'a, str>, usize>,
}

/// A call that owns weights, whose name is settled when its statement is complete.
#[derive(Clone, Debug)]
pub(crate) struct Site<'a> {
    label: Option<&'a Ident>,
    /// What is called.
    head: &'a str,
    leaves: Range<usize>,
    span: Span,
}

impl Frame<'_> {
    pub(crate) fn new(is_std: bool, call: Option<Span>) -> Self {
        let (names, shared, taken) = (Names::default(), BTreeMap::new(), BTreeMap::new());
        Self { is_std, call, names, owner: None, shared, scan: None, sites: Vec::new(), label: None, taken }
    }
}

impl<'a> Elaborator<'a, '_> {
    /// Declares a name that must not exist yet.
    pub(crate) fn declare(&mut self, name: &'a Ident, binding: Binding) -> Elab<()> {
        if let Some((_, first)) = self.frame().names.get(name.text.as_str()) {
            let first = Ident { text: name.text.clone(), span: *first };
            return Err(self.fail(error::duplicate("name", name, &first)));
        }
        self.bind(name, binding);
        Ok(())
    }

    /// Gives a name a meaning, hiding an earlier one.
    pub(crate) fn bind(&mut self, name: &'a Ident, binding: Binding) {
        if let Binding::Value(value) = binding {
            self.graph.named.push(Named { span: name.span, value });
        }
        self.frame().names.insert(&name.text, (binding, name.span));
    }

    /// What a name stands for.
    pub(crate) fn lookup(&mut self, name: &str) -> Option<Binding> {
        self.frame().names.get(name).map(|(binding, _)| binding.clone())
    }

    /// Records that the weights made since `first` belong to one call.
    pub(crate) fn close_site(&mut self, label: Option<&'a Ident>, head: &'a str, first: usize, span: Span) {
        let leaves = first..self.graph.leaves.len();
        if !leaves.is_empty() {
            self.frame().sites.push(Site { label, head, leaves, span });
        }
    }

    /// Starts a statement; what it returns is handed to [`Self::end_statement`].
    pub(crate) fn begin_statement(&mut self) -> Vec<Site<'a>> {
        std::mem::take(&mut self.frame().sites)
    }

    /// Names the weights of a statement's calls: by label; by the name bound, where the statement
    /// has one call without a label, or where this call is its outermost; else by what is called.
    pub(crate) fn end_statement(&mut self, outer: Vec<Site<'a>>, bound: Option<&'a Ident>) {
        let sites = std::mem::replace(&mut self.frame().sites, outer);
        let unlabeled = sites.iter().filter(|site| site.label.is_none()).count();
        for (i, site) in sites.iter().enumerate() {
            // Arguments are elaborated before the call, so the outermost call stands last.
            let takes_name = unlabeled == 1 || i + 1 == sites.len();
            let (name, rebound) = match (&site.label, bound) {
                (Some(label), _) => (Cow::Borrowed(label.text.as_str()), false),
                (None, Some(bound)) if takes_name => (Cow::Borrowed(bound.text.as_str()), true),
                (None, _) => (Cow::Owned(weight_name(site.head)), false),
            };
            self.name_site(site, name, rebound);
        }
    }

    fn name_site(&mut self, site: &Site<'a>, name: Cow<'a, str>, rebound: bool) {
        let count = self.frame().taken.entry(name.clone()).or_insert(0);
        *count += 1;
        let unique = if *count == 1 { name.clone() } else { Cow::Owned(format!("{name}_{count}")) };
        if unique != name && !rebound {
            self.warn_unlabeled(site, &name, &unique);
        }
        let prefix = format!("{unique}.");
        for leaf in &mut self.graph.leaves[site.leaves.clone()] {
            leaf.path.insert_str(0, &prefix);
        }
    }

    fn warn_unlabeled(&mut self, site: &Site<'a>, name: &str, unique: &str) {
        // Only the unit that is checked on its own can be given labels by its author.
        if self.frames.len() == 1 {
            let message = format!("two calls would name their weights `{name}`: these are called `{unique}`");
            let diagnostic = Diagnostic::warning(Code::UNLABELED_WEIGHTS, site.span, message)
                .help("bind the call with `let`, or label it where it is an argument: `norm: RmsNorm(x)`");
            self.diagnostics.push(diagnostic);
        }
    }
}

/// A weight's path, with room for the names that are put before it.
pub(super) fn roomy_path(path: &str) -> String {
    let mut roomy = String::with_capacity(path.len() + 24);
    roomy.push_str(path);
    roomy
}

/// The name that the weights of a call take where neither a label nor a `let` gives them one: what is
/// called, in snake case. `RmsNorm` gives `rms_norm`.
pub fn weight_name(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}
