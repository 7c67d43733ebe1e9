//! Takes a residual sublayer of the second parent: beside the first's own, or for one of them.
//!
//! A sublayer adds values of type `Seq[D]` to a stream of that type. It is taken where it names no
//! axis but the width and no value but the stream, so that it means the same in any block.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use genesys_syntax::ast::{ExprKind, Unit};

use super::Cross;
use crate::candidate::Candidate;
use crate::chain::{Chain, HOLE, Sublayer};
use crate::genome::{Genome, Source};
use crate::operator::sublayer::{MOST_TERMS, chains, terms, write};
use crate::prune::expr_names;
use crate::tree;

/// A sublayer of the second parent, put in or put for another.
pub(super) fn sublayer(cross: &Cross<'_>) -> Vec<Candidate> {
    let theirs = closed_sublayers(&cross.donor);
    let mut all = Vec::new();
    for (unit, chain) in chains(&cross.pool) {
        for new in theirs.iter().filter(|new| cross.fits(new, unit)) {
            let title = new.title();
            for at in 0..=chain.sublayers.len() {
                if terms(&chain) + new.terms.len() <= MOST_TERMS {
                    all.push(change(cross, unit, &chain, new, format!("{title} at {at}"), at, false));
                }
            }
            for (at, old) in chain.sublayers.iter().enumerate() {
                all.push(change(cross, unit, &chain, new, format!("{title} for {}", old.title()), at, true));
            }
        }
    }
    all
}

fn change(
    cross: &Cross<'_>,
    unit: &Unit,
    chain: &Chain,
    new: &Sublayer,
    detail: String,
    at: usize,
    replaces: bool,
) -> Candidate {
    let name = unit.name.text.clone();
    let (mut chain, new, donor) = (chain.clone(), new.clone(), Arc::clone(&cross.donor));
    Candidate::new("cross-sublayer", format!("{name}: {detail}"), move |genome| {
        let new = brought(genome, &donor, new);
        if replaces {
            chain.sublayers[at] = new;
        } else {
            chain.sublayers.insert(at, new);
        }
        write(genome, &name, &chain);
    })
}

/// The sublayers of a design's chains that are closed, each once.
fn closed_sublayers(source: &Source) -> Vec<Sublayer> {
    let genome = source.genome();
    let reachable = genome.reachable();
    let chains = genome.units().filter(|unit| reachable.contains(&unit.name.text)).filter_map(Chain::of);
    let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
    for sublayer in chains.flat_map(|chain| chain.sublayers) {
        let closed = sublayer.terms.iter().all(|term| {
            let mut names = BTreeSet::new();
            expr_names(term, &mut names);
            names.iter().all(|name| *name == "D" || *name == HOLE)
        });
        let texts: Vec<String> = sublayer.terms.iter().map(genesys_syntax::print_expr).collect();
        if closed && seen.insert(texts) {
            all.push(sublayer);
        }
    }
    all
}

impl Cross<'_> {
    /// Whether a sublayer of the second parent may stand in a unit of the first: nothing it brings
    /// calls that unit.
    fn fits(&self, new: &Sublayer, unit: &Unit) -> bool {
        let theirs = self.donor.genome();
        let called = heads(new);
        let closure = theirs.closure(called.iter().map(String::as_str));
        !self.pool.shared(theirs, closure).contains(&unit.name.text)
    }
}

fn heads(sublayer: &Sublayer) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for term in &sublayer.terms {
        tree::visit_expr(term, &mut |e| {
            if let ExprKind::Call(call) = &e.kind {
                names.insert(call.head.text.clone());
            }
        });
    }
    names
}

/// A sublayer with the units it calls made part of a genome.
fn brought(genome: &mut Genome, donor: &Source, mut sublayer: Sublayer) -> Sublayer {
    let called = heads(&sublayer);
    let known = called.into_iter().filter(|name| donor.genome().gene(name).is_some());
    let names: BTreeMap<String, String> = known
        .map(|name| {
            let local = genome.graft(donor, &name);
            (name, local)
        })
        .collect();
    for term in &mut sublayer.terms {
        tree::visit_expr_mut(term, &mut |e| {
            if let ExprKind::Call(call) = &mut e.kind
                && let Some(local) = names.get(&call.head.text)
            {
                call.head.text.clone_from(local);
            }
        });
    }
    sublayer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{crossing, crossings, design};

    #[test]
    fn a_sublayer_is_put_in_or_for_another() {
        let first = design("x + SwiGlu(RmsNorm(x))", "");
        let second = design("x + F(RmsNorm(x))", "unit F(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 1)) }");
        let out = crossing(sublayer, &first, &second, "B: F at 0");
        assert!(out.contains("let h = x + F(RmsNorm(x))\n    h + SwiGlu(RmsNorm(h))"), "{out}");
        let out = crossing(sublayer, &first, &second, "B: F for SwiGlu");
        assert!(out.contains("{\n    x + F(RmsNorm(x))\n}") && !out.contains("SwiGlu"), "{out}");
    }

    #[test]
    fn a_sublayer_that_names_an_axis_of_its_block_stays() {
        let first = design("x + SwiGlu(x)", "");
        let second =
            first.replace("unit B(", "unit B<K = 8>(").replace("SwiGlu(x)", "linear[K -> D](linear[D -> K](x))");
        assert!(crossings(sublayer, &first, &second).is_empty());
    }

    #[test]
    fn nothing_is_made_to_call_itself() {
        // The second's G calls the F that both have; put into F, it would close a circle.
        let f = "unit F(x: Seq[D]) -> Seq[D] { x + SwiGlu(x) }";
        let first = design("x + F(x)", f);
        let second = design("x + G(x)", &format!("{f}\nunit G(x: Seq[D]) -> Seq[D] {{ tanh(F(x)) }}"));
        let details: Vec<String> = crossings(sublayer, &first, &second).into_iter().map(|(detail, _)| detail).collect();
        assert!(details.contains(&"B: G for F".to_string()), "{details:?}");
        assert!(!details.iter().any(|detail| detail.starts_with("F: G")), "{details:?}");
    }
}
