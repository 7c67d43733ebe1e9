//! Dead weights: weights that no value of the result depends on.

use genesys_diag::{Code, Diagnostic};

use crate::core::{Graph, NodeId, Op};

/// The nodes that the outputs and losses depend on, in ascending order.
pub(crate) fn live_nodes(graph: &Graph) -> Vec<NodeId> {
    let mut live = vec![false; graph.nodes.len()];
    let mut open: Vec<NodeId> = graph.roots().collect();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut live[id.0 as usize], true) {
            continue;
        }
        let node = graph.node(id);
        open.extend(&node.args);
        match node.op {
            Op::Scanned(scan) | Op::State { scan, .. } | Op::Start { scan, .. } => {
                let scan = graph.scan(scan);
                open.push(scan.result);
                open.extend(scan.states.iter().flat_map(|state| [state.init, state.next]));
            }
            _ => {}
        }
    }
    (0..).map(NodeId).zip(live).filter_map(|(id, live)| live.then_some(id)).collect()
}

/// One error for each weight that has no effect, given the nodes that are live.
pub(crate) fn dead_weights(graph: &Graph, live: &[NodeId]) -> Vec<Diagnostic> {
    let mut used = vec![false; graph.leaves.len()];
    for id in live {
        if let Op::Weight(leaf) = graph.node(*id).op {
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
