//! Changes the stack: the order of its entries, how often they stand there, and which blocks they
//! are, from the parent's and the donors' blocks.
//!
//! Every unit of a stack is `Seq[D] -> Seq[D]`, so that any sequence of them chains. Exactly one
//! entry is repeated to the depth of the scale, before and after; and there are at most as many
//! entries as the shallowest scale has blocks.

use std::sync::Arc;

use genesys_span::Span;
use genesys_syntax::ast::{FieldValue, Repeat, StackItem, StackKind, UnitRef};

use crate::candidate::Candidate;
use crate::genome::{unit_refs, unit_refs_mut};
use crate::pool::{Pool, Pooled};
use crate::tree;

pub(crate) fn change_stack(pool: &Pool<'_>) -> Vec<Candidate> {
    if pool.genome.has_side_values() {
        return Vec::new();
    }
    let mut all = rearranged(pool);
    for block in pool.units.iter().filter(|unit| unit.interface.is_sequence() && unit.is_block) {
        all.extend(with_block("change-stack", pool, block));
    }
    all
}

/// Stacks of the same entries: without one, or in another order.
fn rearranged(pool: &Pool<'_>) -> Vec<Candidate> {
    let Some(Plain { units, pattern }) = Plain::of(pool.genome.stack()) else { return Vec::new() };
    let [first, second] = units.as_slice() else { return Vec::new() };
    let mut all = vec![
        stacked(format!("{} alone", first.name.text), vec![starred(first.clone())]),
        stacked(format!("{} alone", second.name.text), vec![starred(second.clone())]),
    ];
    for other in Pattern::ALL {
        for (a, b) in [(first, second), (second, first)] {
            if other != pattern || a.name.text == second.name.text {
                let detail = format!("{}: {}, {}", other.title(), a.name.text, b.name.text);
                all.push(stacked(detail, other.write(a.clone(), b.clone())));
            }
        }
    }
    all
}

/// Stacks that hold a given block beside one of the stack's, or in place of it.
pub(crate) fn with_block(operator: &'static str, pool: &Pool<'_>, block: &Arc<Pooled>) -> Vec<Candidate> {
    let mut all = Vec::new();
    let own = pool.genome.stack_units();
    if own.iter().any(|name| block.is_own(name)) {
        return all;
    }
    let mut old = Vec::new();
    unit_refs(pool.genome.stack(), &mut |unit| old.push(unit.clone()));
    for name in old.iter().map(|unit| unit.name.text.clone()) {
        let detail = format!("{name} -> {}", block.name);
        let (mut items, block) = (pool.genome.stack().to_vec(), Arc::clone(block));
        all.push(Candidate::new(operator, detail, move |genome| {
            let local = block.bring(genome);
            unit_refs_mut(&mut items, &mut |unit| {
                if unit.name.text == name {
                    *unit = plain(&local);
                }
            });
            genome.set_field("stack", FieldValue::Stack(items));
        }));
    }
    if let [only] = old.as_slice()
        && pool.room.depth >= 2
    {
        for pattern in Pattern::ALL {
            for new_first in [false, true] {
                let detail = format!("{}: {} beside {}", pattern.title(), block.name, only.name.text);
                let (only, block) = (only.clone(), Arc::clone(block));
                all.push(Candidate::new(operator, detail, move |genome| {
                    let new = plain(&block.bring(genome));
                    let (a, b) = if new_first { (new, only) } else { (only, new) };
                    genome.set_field("stack", FieldValue::Stack(pattern.write(a, b)));
                }));
            }
        }
    }
    all
}

fn stacked(detail: String, items: Vec<StackItem>) -> Candidate {
    Candidate::new("change-stack", detail, move |genome| genome.set_field("stack", FieldValue::Stack(items)))
}

/// A stack of one or two plain entries.
struct Plain {
    units: Vec<UnitRef>,
    pattern: Pattern,
}

impl Plain {
    fn of(items: &[StackItem]) -> Option<Plain> {
        let unit = |item: &StackItem| match &item.kind {
            StackKind::Unit(unit) => Some(unit.clone()),
            StackKind::Group(_) => None,
        };
        match items {
            [StackItem { kind: StackKind::Group(inner), repeat: Repeat::ToDepth, .. }] => {
                let units = inner.iter().map(unit).collect::<Option<Vec<_>>>()?;
                Some(Plain { units, pattern: Pattern::Alternate })
            }
            [a, b] => {
                let pattern = match (a.repeat, b.repeat) {
                    (Repeat::Once, Repeat::ToDepth) => Pattern::First,
                    (Repeat::ToDepth, Repeat::Once) => Pattern::Last,
                    _ => return None,
                };
                Some(Plain { units: vec![unit(a)?, unit(b)?], pattern })
            }
            _ => None,
        }
    }
}

/// How two blocks share a stack.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pattern {
    /// `[A, B*]`
    First,
    /// `[A*, B]`
    Last,
    /// `[[A, B]*]`
    Alternate,
}

impl Pattern {
    /// Every pattern.
    pub(crate) const ALL: [Pattern; 3] = [Pattern::First, Pattern::Last, Pattern::Alternate];

    /// In words.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Pattern::First => "one first",
            Pattern::Last => "one last",
            Pattern::Alternate => "in turn",
        }
    }

    /// The stack.
    pub(crate) fn write(self, a: UnitRef, b: UnitRef) -> Vec<StackItem> {
        match self {
            Pattern::First => vec![item(StackKind::Unit(a), Repeat::Once), starred(b)],
            Pattern::Last => vec![starred(a), item(StackKind::Unit(b), Repeat::Once)],
            Pattern::Alternate => {
                let group = [a, b].map(|unit| item(StackKind::Unit(unit), Repeat::Once));
                vec![item(StackKind::Group(group.to_vec()), Repeat::ToDepth)]
            }
        }
    }
}

/// A unit without static arguments.
pub(crate) fn plain(name: &str) -> UnitRef {
    UnitRef { name: tree::ident(name), statics: Vec::new() }
}

fn starred(unit: UnitRef) -> StackItem {
    item(StackKind::Unit(unit), Repeat::ToDepth)
}

fn item(kind: StackKind, repeat: Repeat) -> StackItem {
    StackItem { kind, repeat, share: false, span: Span::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes};

    #[test]
    fn two_blocks_share_a_stack_in_every_pattern() {
        let text = "design A { stack = [B, C*] }\nunit B(x: Seq[D]) -> Seq[D] { shift(x, 1) }\n\
                    unit C(x: Seq[D]) -> Seq[D] { tanh(x) }";
        let stacks: Vec<String> = changes(change_stack, text)
            .into_iter()
            .map(|(_, text)| text.lines().find(|line| line.contains("stack")).expect("a stack").trim().to_string())
            .collect();
        let patterns = ["[B*]", "[C*]", "[C, B*]", "[B*, C]", "[C*, B]", "[[B, C]*]", "[[C, B]*]"];
        assert_eq!(stacks, patterns.map(|pattern| format!("stack = {pattern}")));
        assert!(
            change(change_stack, text, "B alone").contains("unit B")
                && !change(change_stack, text, "B alone").contains("unit C")
        );
    }
}
