//! Keeps offspring within what a text may hold, since a line of many mutations can grow without end.
//!
//! The limits lie well within those of the syntax, so that a text of an offspring parses.

use genesys_syntax::ast::Expr;

use crate::genome::Genome;
use crate::tree;

/// Deepest expression of a unit; the text of one admits 64 brackets.
const DEEPEST: usize = 40;
const _: () = assert!(DEEPEST < genesys_syntax::MAX_NESTING);
/// Most expressions of a unit.
const LARGEST: usize = 2000;
/// Most units of a design.
const MOST_UNITS: usize = 100;

/// Whether a genome is beyond the limits.
pub(crate) fn outgrown(genome: &Genome) -> bool {
    let changed = genome.genes.iter().filter(|gene| gene.is_touched()).filter_map(|gene| gene.unit());
    genome.genes.len() > MOST_UNITS
        || changed.into_iter().any(|unit| {
            let mut count = 0;
            tree::visit(&unit.body, &mut |_| count += 1);
            count > LARGEST || tree::block_exprs(&unit.body).any(|e| depth(e) > DEEPEST)
        })
}

fn depth(expr: &Expr) -> usize {
    let mut deepest = 0;
    tree::each_part(expr, &mut |e| deepest = deepest.max(depth(e)));
    1 + deepest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing;

    fn grown(depth: usize) -> bool {
        let value = (0..depth).fold("x".to_string(), |value, _| format!("tanh({value})"));
        let text = format!("design A {{ stack = [B*] }}\nunit B(x: Seq[D]) -> Seq[D] {{ {value} }}");
        let mut genome = Genome::expand(&testing::parse(&text), testing::std());
        genome.unit_mut("B").unwrap();
        outgrown(&genome)
    }

    #[test]
    fn an_expression_is_bounded_well_within_what_a_text_may_nest() {
        assert!(!grown(DEEPEST - 1) && grown(DEEPEST));
    }
}
