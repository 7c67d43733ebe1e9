//! Treats a residual block as a list of sublayers: deletes, duplicates, inserts and rearranges them.
//!
//! Every sublayer takes the stream, `Seq[D]`, and adds values of type `Seq[D]` to it, so that any
//! list of at least one is well typed in any order; two in parallel add to one value what they
//! would add one after the other.

use genesys_syntax::ast::Unit;

use super::normed;
use crate::candidate::Candidate;
use crate::chain::{Chain, Sublayer, title};
use crate::genome::Genome;
use crate::pool::Pool;
use crate::tree;

/// Most terms that operators grow a block to.
pub(crate) const MOST_TERMS: usize = 6;

/// Takes out one term of a block that has several.
pub(super) fn delete(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (unit, chain) in chains(pool).into_iter().filter(|(_, chain)| terms(chain) > 1) {
        for i in 0..chain.sublayers.len() {
            for j in 0..chain.sublayers[i].terms.len() {
                let mut new = chain.clone();
                new.sublayers[i].terms.remove(j);
                new.sublayers.retain(|sublayer| !sublayer.terms.is_empty());
                let detail = format!("{} deleted", title(&chain.sublayers[i].terms[j]));
                all.push(rewrite("delete-sublayer", &detail, unit, new));
            }
        }
    }
    all
}

/// Repeats a sublayer, with weights of its own.
pub(super) fn duplicate(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (unit, chain) in chains(pool) {
        for i in 0..chain.sublayers.len() {
            if terms(&chain) + chain.sublayers[i].terms.len() > MOST_TERMS {
                continue;
            }
            for to in i + 1..=chain.sublayers.len() {
                let mut new = chain.clone();
                new.sublayers.insert(to, chain.sublayers[i].clone());
                let detail = format!("{} again at {to}", titles(&chain, i));
                all.push(rewrite("duplicate-sublayer", &detail, unit, new));
            }
        }
    }
    all
}

/// Puts in a new sublayer `F(norm(h))`.
pub(super) fn insert(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    let Some(norm) = pool.usual_norm() else { return all };
    for (unit, chain) in chains(pool).into_iter().filter(|(_, chain)| terms(chain) < MOST_TERMS) {
        for new in pool.sublayers().filter(|new| new.fits_in(unit)) {
            for at in 0..=chain.sublayers.len() {
                let (name, norm, new, mut chain) = (unit.name.text.clone(), norm.clone(), new.clone(), chain.clone());
                let detail = format!("{name}: {} at {at}", new.name);
                all.push(Candidate::new("insert-sublayer", detail, move |genome| {
                    let (norm, new) = (norm.bring(genome), new.bring(genome));
                    let sublayer = Sublayer::new(|x| tree::call(&new, None, vec![normed(&norm, None, x)]));
                    chain.sublayers.insert(at, sublayer);
                    write(genome, &name, &chain);
                }));
            }
        }
    }
    all
}

/// Swaps two sublayers, puts neighbors in parallel, or parallel ones in a row.
pub(super) fn rearrange(pool: &Pool<'_>) -> Vec<Candidate> {
    let mut all = Vec::new();
    for (unit, chain) in chains(pool) {
        let count = chain.sublayers.len();
        for (i, j) in (0..count).flat_map(|i| (i + 1..count).map(move |j| (i, j))) {
            let mut new = chain.clone();
            new.sublayers.swap(i, j);
            let detail = format!("{} and {} swapped", titles(&chain, i), titles(&chain, j));
            all.push(rewrite("swap-sublayers", &detail, unit, new));
        }
        for i in 1..count {
            let mut new = chain.clone();
            let later = new.sublayers.remove(i);
            new.sublayers[i - 1].terms.extend(later.terms);
            let detail = format!("{} and {} in parallel", titles(&chain, i - 1), titles(&chain, i));
            all.push(rewrite("parallel-sublayers", &detail, unit, new));
        }
        for i in (0..count).filter(|&i| chain.sublayers[i].terms.len() > 1) {
            let mut new = chain.clone();
            let mut later = new.sublayers[i].clone();
            later.terms = new.sublayers[i].terms.split_off(1);
            new.sublayers.insert(i + 1, later);
            let detail = format!("{} in a row", titles(&chain, i));
            all.push(rewrite("serial-sublayers", &detail, unit, new));
        }
    }
    all
}

/// The units that are chains.
pub(crate) fn chains<'a>(pool: &Pool<'a>) -> Vec<(&'a Unit, Chain)> {
    pool.reached().filter_map(|unit| Chain::of(unit).map(|chain| (unit, chain))).collect()
}

/// How many terms a chain has.
pub(crate) fn terms(chain: &Chain) -> usize {
    chain.sublayers.iter().map(|sublayer| sublayer.terms.len()).sum()
}

fn titles(chain: &Chain, i: usize) -> String {
    chain.sublayers[i].title()
}

/// Rewrites a unit as another chain.
pub(super) fn rewrite(operator: &'static str, detail: &str, unit: &Unit, chain: Chain) -> Candidate {
    Candidate::in_unit(operator, unit, detail, move |unit| chain.write(&mut unit.body))
}

/// Makes a chain the body of a unit.
pub(crate) fn write(genome: &mut Genome, name: &str, chain: &Chain) {
    if let Some(unit) = genome.unit_mut(name) {
        chain.write(&mut unit.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{change, changes, design};

    const TWO: &str = "let h = x + F(RmsNorm(x))\nh + SwiGlu(RmsNorm(h))";
    const F: &str = "unit F(x: Seq[D]) -> Seq[D] { linear[D -> D](shift(x, 1)) }";

    fn body(operator: crate::operator::Operator, detail: &str) -> String {
        let out = change(operator, &design(TWO, F), detail);
        let start = out.find("unit B").expect("the block stays");
        let end = out[start..].find("\n}").expect("a unit ends") + start;
        out[start..end].split_once('\n').expect("a body has lines").1.trim().replace("\n    ", "; ")
    }

    #[test]
    fn sublayers_are_elements_of_a_list() {
        assert_eq!(body(delete, "B: SwiGlu deleted"), "x + F(RmsNorm(x))");
        let twice = "let h = x + F(RmsNorm(x)); let h2 = h + F(RmsNorm(h)); h2 + SwiGlu(RmsNorm(h2))";
        assert_eq!(body(duplicate, "B: F again at 1"), twice);
        let swapped = "let h = x + SwiGlu(RmsNorm(x)); h + F(RmsNorm(h))";
        assert_eq!(body(rearrange, "B: F and SwiGlu swapped"), swapped);
        assert_eq!(body(rearrange, "B: F and SwiGlu in parallel"), "x + F(RmsNorm(x)) + SwiGlu(RmsNorm(x))");
        let first = "let h = x + Mlp(RmsNorm(x)); let h2 = h + F(RmsNorm(h)); h2 + SwiGlu(RmsNorm(h2))";
        assert_eq!(body(insert, "B: Mlp at 0"), first);
    }

    #[test]
    fn parallel_sublayers_can_be_put_in_a_row() {
        let text = design("x + F(x) + SwiGlu(x)", F);
        let out = change(rearrange, &text, "B: F + SwiGlu in a row");
        assert!(out.contains("let h = x + F(x)\n    h + SwiGlu(h)"), "{out}");
    }

    #[test]
    fn a_block_stays_within_its_limit() {
        let text = design("x + F(x) + F(x) + F(x) + F(x) + F(x) + F(x)", F);
        assert!(changes(insert, &text).is_empty() && changes(duplicate, &text).is_empty());
        assert!(changes(delete, &design("x + F(x)", F)).is_empty());
    }
}
