//! Equality saturation within limits, and the smallest term of what was found equal.

use core::time::Duration;

use egg::{CostFunction, Extractor, Id, Language, Runner, StopReason, SymbolLang};

use crate::digest::{digest, symbol_color};
use crate::rules::rules;
use crate::term::Read;

/// Most nodes of the e-graph. A key takes milliseconds, and the same ones everywhere.
const MAX_NODES: usize = 3_000;
/// Most rounds in which all laws are applied.
const MAX_ROUNDS: usize = 6;

/// The smallest member of a family.
pub(crate) struct Smallest {
    pub(crate) digest: [u8; 32],
    /// Whether a limit was met before all laws had been applied.
    pub(crate) partial: bool,
}

/// Applies the laws to a term, and hashes the smallest one that is equal to it.
pub(crate) fn saturate(read: &Read) -> Smallest {
    let runner = Runner::<SymbolLang, ()>::new(())
        .with_expr(&read.term)
        .with_node_limit(MAX_NODES)
        .with_iter_limit(MAX_ROUNDS)
        // A limit on time would make the key depend on the machine.
        .with_time_limit(Duration::MAX)
        .run(&rules(&read.axes));
    let partial = !matches!(runner.stop_reason, Some(StopReason::Saturated));
    let (_, term) = Extractor::new(&runner.egraph, Smaller).find_best(runner.roots[0]);
    Smallest { digest: digest(&term, &read.domains), partial }
}

/// Fewer nodes first; among as many, the smaller hash, in which the order of what commutes does not count.
struct Smaller;

impl CostFunction<SymbolLang> for Smaller {
    type Cost = (u64, u64);

    fn cost<C>(&mut self, node: &SymbolLang, mut costs: C) -> Self::Cost
    where
        C: FnMut(Id) -> Self::Cost,
    {
        let children: Vec<(u64, u64)> = node.children().iter().map(|&child| costs(child)).collect();
        let size = children.iter().fold(1, |sum: u64, (size, _)| sum.saturating_add(*size));
        let colors: Vec<u64> = children.iter().map(|(_, color)| *color).collect();
        (size, symbol_color(node.op.as_str(), &colors))
    }
}
