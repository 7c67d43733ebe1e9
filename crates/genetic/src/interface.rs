//! What a unit looks like from outside, and what it does inside: the facts by which operators tell
//! which unit may stand in for which.

use std::collections::{BTreeMap, BTreeSet};

use genesys_syntax::ast::{AxisRef, ExprKind, GenericKind, Stmt, StmtKind, Type, Unit};

use crate::genome::Genome;
use crate::tree;

/// Primitives that read other positions.
const VIEWS: [&str; 7] = ["shift", "window", "past", "pool", "blocks", "cumsum", "after"];

/// The shape of a signature: two units of one shape take the same calls, up to static arguments.
///
/// Generic axes are numbered in the order in which the signature names them, so that their own
/// names do not count; the order in which a type lists its axes does, although it has no meaning:
/// some pairs that would fit are not seen to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Interface(String);

impl std::fmt::Display for Interface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// `Seq[D] -> Seq[D]`
pub(crate) const SEQUENCE: &str = "Seq[D] -> Seq[D]";
/// A unit over a row of axes, such as a norm.
pub(crate) const ROW: &str = "Seq[0.., ..] -> Seq[0.., ..]";

impl Interface {
    /// The shape of a unit's signature.
    pub(crate) fn of(unit: &Unit) -> Interface {
        read(unit).0
    }

    /// The generic axes that a unit's signature names, in its order: where two interfaces are
    /// equal, these answer to each other.
    pub(crate) fn axes(unit: &Unit) -> Vec<String> {
        let mut axes: Vec<(usize, &str)> = read(unit).1.into_iter().map(|(name, number)| (number, name)).collect();
        axes.sort_unstable();
        axes.into_iter().map(|(_, name)| name.into()).collect()
    }
    /// Whether it is `Seq[D] -> Seq[D]`.
    pub(crate) fn is_sequence(&self) -> bool {
        self.0 == SEQUENCE
    }

    /// Whether it is the shape of a norm: over a row, giving what it takes.
    pub(crate) fn is_row(&self) -> bool {
        self.0 == ROW
    }
}

/// The shape, and the number of each generic axis in it.
fn read(unit: &Unit) -> (Interface, BTreeMap<&str, usize>) {
    let mut numbers = BTreeMap::new();
    let generics: BTreeSet<&str> = unit.generics.iter().map(|generic| generic.name.text.as_str()).collect();
    let params: Vec<String> = unit.params.iter().map(|param| show(&param.ty, &generics, &mut numbers)).collect();
    let mut results = show(&unit.result, &generics, &mut numbers);
    for result in &unit.further {
        let name = result.name.as_ref().map_or("", |name| &name.text);
        results.push_str(&format!(", {name}: {}", show(&result.ty, &generics, &mut numbers)));
    }
    (Interface(format!("{} -> {results}", params.join(" "))), numbers)
}

fn show<'a>(ty: &'a Type, generics: &BTreeSet<&str>, numbers: &mut BTreeMap<&'a str, usize>) -> String {
    let axes: Vec<String> = ty.axes.iter().map(|axis| show_axis(axis, generics, numbers)).collect();
    format!("{}[{}]", if ty.seq { "Seq" } else { "" }, axes.join(", "))
}

fn show_axis<'a>(axis: &'a AxisRef, generics: &BTreeSet<&str>, numbers: &mut BTreeMap<&'a str, usize>) -> String {
    let mut number = |name: &'a str| {
        let next = numbers.len();
        *numbers.entry(name).or_insert(next)
    };
    match axis {
        AxisRef::Named(name) if generics.contains(name.text.as_str()) => number(&name.text).to_string(),
        AxisRef::Named(name) => name.text.clone(),
        AxisRef::Row(name) => format!("{}..", number(&name.text)),
        AxisRef::Rest(_) => "..".into(),
    }
}

/// What a unit does, with the units it calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// It looks at other positions, or adds a loss, which does: it takes nothing that depends on a state.
    pub(crate) mixes: bool,
    /// It holds weights.
    pub(crate) owns: bool,
    /// It projects with `linear`.
    pub(crate) projects: bool,
}

impl Facts {
    /// What a unit does by itself, of which `heads` are called.
    pub(crate) fn own(unit: &Unit, heads: &BTreeSet<String>) -> Facts {
        let projects = heads.contains("linear");
        let holds = |stmt: &Stmt| matches!(stmt.kind, StmtKind::Param { .. });
        let owns = projects || unit.body.stmts.iter().any(holds);
        let mut mixes = VIEWS.iter().any(|view| heads.contains(*view));
        mixes |= unit.body.stmts.iter().any(|stmt| matches!(stmt.kind, StmtKind::Loss(_)));
        tree::visit(&unit.body, &mut |e| mixes |= matches!(e.kind, ExprKind::Scan(_)));
        Facts { mixes, owns, projects }
    }

    fn join(self, other: Facts) -> Facts {
        Facts {
            mixes: self.mixes || other.mixes,
            owns: self.owns || other.owns,
            projects: self.projects || other.projects,
        }
    }
}

/// The facts of every unit of a genome, with what it calls.
pub(crate) fn facts(genome: &Genome) -> BTreeMap<String, Facts> {
    let mut known = BTreeMap::new();
    for unit in genome.units() {
        facts_of(genome, &unit.name.text, &mut known);
    }
    known
}

/// No unit calls itself, so that the walk ends.
fn facts_of(genome: &Genome, name: &str, known: &mut BTreeMap<String, Facts>) -> Facts {
    if let Some(facts) = known.get(name) {
        return *facts;
    }
    let Some(gene) = genome.gene(name) else { return Facts::default() };
    let facts = gene.heads().iter().fold(gene.facts(), |sum, head| sum.join(facts_of(genome, head, known)));
    known.insert(name.into(), facts);
    facts
}

/// Whether a unit can be called with no static argument but those its signature lets a call bind.
pub(crate) fn has_defaults(unit: &Unit) -> bool {
    let mut bound = BTreeSet::new();
    unit.params.iter().for_each(|param| tree::axis_names(&param.ty.axes, &mut bound));
    unit.generics.iter().all(|generic| match &generic.kind {
        GenericKind::Axis(default) | GenericKind::Size(default) => {
            default.is_some() || bound.contains(generic.name.text.as_str())
        }
        GenericKind::Row => bound.contains(generic.name.text.as_str()),
        GenericKind::Unit { default, .. } => default.is_some(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing;

    fn shape(signature: &str) -> Interface {
        let file = testing::parse(&format!("unit F{signature} {{ x }}"));
        Interface::of(Genome::expand(&file, testing::std()).unit("F").unwrap())
    }

    #[test]
    fn names_of_generic_axes_do_not_count() {
        assert_eq!(shape("<E>(x: Seq[D, E]) -> Seq[E]"), shape("<K>(y: Seq[D, K]) -> Seq[K]"));
        assert_ne!(shape("<E>(x: Seq[D, E]) -> Seq[E]"), shape("<E>(x: Seq[D, E]) -> Seq[D]"));
        assert_ne!(shape("(x: Seq[D]) -> Seq[D]"), shape("(x: [D]) -> Seq[D]"));
        assert!(shape("<A..>(x: Seq[A.., ..]) -> Seq[A.., ..]").is_row());
        assert!(shape("<H = 8>(x: Seq[D]) -> Seq[D]").is_sequence());
    }

    #[test]
    fn axes_come_in_the_order_of_the_signature() {
        let file = testing::parse("unit F<Z = 3, K, A, B = 2>(x: Seq[D, B]) -> Seq[K, A] { x }");
        let genome = Genome::expand(&file, testing::std());
        assert_eq!(Interface::axes(genome.unit("F").unwrap()), ["B", "K", "A"]);
    }

    #[test]
    fn facts_follow_calls() {
        let text = "unit A(x: Seq[D]) -> Seq[D] { B(x) }\nunit B(x: Seq[D]) -> Seq[D] { x + shift(x, 1) }";
        let facts = facts(&Genome::expand(&testing::parse(text), testing::std()));
        assert_eq!(facts["A"], Facts { mixes: true, owns: false, projects: false });
    }
}
