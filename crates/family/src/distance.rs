//! How far one design is from another: 0 for equal ones, 1 for such that share nothing.
//!
//! Each function of a stack is read in its normal form, so that names, comments, layout and the order of commuting operands do not
//! count. A node is known by its operation, by that and its operands' operations, and so on for [`ROUNDS`] rounds (the subtree
//! kernel of Weisfeiler and Lehman: Shervashidze et al., 2011); a design is the bag of all of these, each as often as its function
//! stands in a period of the stack. Two bags `a` and `b` are
//!
//! ```text
//! d(a, b) = 1 - sum_i min(a_i, b_i) / sum_i max(a_i, b_i)      Ruzicka's distance, that of Jaccard with counts
//! ```
//!
//! apart, which is a metric: symmetric, and no way round is shorter. Advice, as all of this crate: designs that compute different
//! functions may be at distance 0, if they differ in sizes or in what lies further apart than the rounds reach.

use std::collections::BTreeMap;

use genesys_check::core::{Graph, Node, Op};
use genesys_check::design::Times;
use genesys_check::{CheckedDesign, normal_form};

/// How far a node looks down.
const ROUNDS: usize = 3;

/// A design as the bag of its parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<u64, u64>);

impl Fingerprint {
    /// The parts of a design.
    #[must_use]
    pub fn of(design: &CheckedDesign) -> Self {
        let mut bag = BTreeMap::new();
        let parts: Vec<Vec<u64>> =
            design.functions().iter().map(|function| labels(&normal_form(&function.graph))).collect();
        let mut add = |function: usize, times: u64| {
            for label in &parts[function] {
                *bag.entry(*label).or_default() += times;
            }
        };
        for part in design.stack() {
            let times = match part.times {
                Times::Fixed(times) => times as u64,
                Times::ToDepth => 1,
            };
            part.body.iter().for_each(|entry| add(entry.function.0, times));
        }
        design.last().iter().for_each(|id| add(id.0, 1));
        Self(bag)
    }

    /// How far the other is, from 0 to 1.
    #[must_use]
    pub fn distance(&self, other: &Self) -> f64 {
        let labels = self.0.keys().chain(other.0.keys().filter(|label| !self.0.contains_key(label)));
        let (mut least, mut most) = (0, 0);
        for label in labels {
            let count = |bag: &Self| bag.0.get(label).copied().unwrap_or(0);
            least += count(self).min(count(other));
            most += count(self).max(count(other));
        }
        if most == 0 { 0.0 } else { 1.0 - least as f64 / most as f64 }
    }
}

/// The label of each node, for each round.
fn labels(graph: &Graph) -> Vec<u64> {
    let mut all = Vec::new();
    let mut round: Vec<u64> = graph.nodes.iter().map(|node| hash(&word(graph, node), &[])).collect();
    all.extend(&round);
    for _ in 1..ROUNDS {
        let next = |node: &Node| {
            let args: Vec<u64> = node.args.iter().map(|arg| round[arg.0 as usize]).collect();
            hash(&word(graph, node), &args)
        };
        round = graph.nodes.iter().map(next).collect();
        all.extend(&round);
    }
    all
}

fn hash(word: &str, args: &[u64]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(word.as_bytes());
    args.iter().for_each(|arg| _ = hasher.update(&arg.to_le_bytes()));
    u64::from_le_bytes(hasher.finalize().as_bytes()[..8].try_into().expect("a hash has eight bytes"))
}

/// What a node does, without the numbers of axes, weights and scans, which are names.
fn word(graph: &Graph, node: &Node) -> String {
    match &node.op {
        Op::Map(function) => function.name().to_owned(),
        Op::Weight(leaf) => format!("weight {:?} {}", graph.leaf(*leaf).role, graph.leaf(*leaf).axes.len()),
        Op::Constant(constant) => format!("{constant:?}"),
        Op::Reduce { reduction, axes, .. } => format!("{reduction:?} {}", axes.len()),
        Op::Dot { axes } => format!("dot {}", axes.len()),
        Op::Softmax { axes, .. } => format!("softmax {}", axes.len()),
        Op::Shift { by } => format!("shift {by:?}"),
        Op::Pool { size } => format!("pool {size}"),
        Op::Input(number) => format!("input {number}"),
        Op::State { .. } => "state".to_owned(),
        Op::Start { .. } => "start".to_owned(),
        Op::Scanned(_) => "scanned".to_owned(),
        Op::Index(_) => "index".to_owned(),
        Op::Age(_) => "age".to_owned(),
        Op::Position => "position".to_owned(),
        Op::Layer => "layer".to_owned(),
        Op::Grad => "grad".to_owned(),
        Op::MeanTokens => "mean tokens".to_owned(),
        Op::Regroup { .. } => "regroup".to_owned(),
        Op::Concat { .. } => "concat".to_owned(),
        Op::Cut { .. } => "cut".to_owned(),
        Op::Take { .. } => "take".to_owned(),
        Op::Stack { .. } => "stack".to_owned(),
        Op::Broadcast { .. } => "broadcast".to_owned(),
        Op::Window(_) => "window".to_owned(),
        Op::Past(_) => "past".to_owned(),
        Op::Blocks { .. } => "blocks".to_owned(),
        Op::Top { .. } => "top".to_owned(),
        Op::Picked { .. } => "picked".to_owned(),
        Op::Cumsum(_) => "cumsum".to_owned(),
        Op::After(_) => "after".to_owned(),
    }
}
