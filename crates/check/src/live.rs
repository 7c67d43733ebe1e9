//! Dead weights: weights that no value of the result depends on.

use genesys_diag::{Code, Diagnostic};

use crate::core::{Graph, NodeId, Op};

/// The nodes that the outputs and losses depend on, in ascending order.
pub(crate) fn live_nodes(graph: &Graph) -> Vec<NodeId> {
    let mut live = vec![false; graph.nodes.len()];
    let mut scans = vec![false; graph.scans.len()];
    graph.roots().for_each(|root| live[root.0 as usize] = true);
    // Operands stand before their uses, so that one way back finds them all; what a scan reads may stand further on.
    let mut again = true;
    while std::mem::take(&mut again) {
        for at in (0..live.len()).rev() {
            if !live[at] {
                continue;
            }
            let node = &graph.nodes[at];
            node.args.iter().for_each(|arg| live[arg.0 as usize] = true);
            let (Op::Scanned(id) | Op::State { scan: id, .. } | Op::Start { scan: id, .. }) = node.op else { continue };
            if std::mem::replace(&mut scans[id.0 as usize], true) {
                continue;
            }
            for end in graph.scan(id).states.iter().flat_map(|state| [state.init, state.next]) {
                live[end.0 as usize] = true;
                again |= end.0 as usize > at;
            }
        }
    }
    (0..).map(NodeId).zip(live).filter_map(|(id, live)| live.then_some(id)).collect()
}

/// One error for each weight that nothing of the result depends on.
pub(crate) fn dead_weights(graph: &Graph) -> Vec<Diagnostic> {
    let mut used = vec![false; graph.leaves.len()];
    for id in live_nodes(graph) {
        if let Op::Weight(leaf) = graph.node(id).op {
            used[leaf.0 as usize] = true;
        }
    }
    let unused = graph.leaves.iter().zip(used).filter(|(_, used)| !used);
    unused
        .map(|(leaf, _)| {
            let message = format!("the weight `{}` has no effect: nothing in the result depends on it", leaf.path);
            Diagnostic::error(Code::DEAD_CODE, leaf.span, message).help("use its value, or take it out")
        })
        .collect()
}
