//! Units that were expanded before, at the arguments at hand: their graphs are copied in.
//!
//! Where a call binds nothing and gives each parameter a value of the very type that the unit was checked with, axes of the
//! width alone, an expansion would make the graph that the check made, node by node. So it is that graph that is
//! copied, with its axes, weights and scans numbered behind those that are there. It holds no error, or there
//! would be none to copy.

use std::sync::Arc;

use super::frame::roomy_path;
use super::{Elaborated, Elaborator, MAX_DEPTH, MAX_NODES};
use crate::core::{AxisId, Expansion, ExpansionId, Leaf, LeafId, Named, Node, NodeId, Scan, ScanId, State, WIDTH};
use crate::renumber::Renumber;

/// Where the copy of a graph begins in another.
struct Place<'g> {
    axes: u32,
    leaves: u32,
    scans: u32,
    nodes: u32,
    /// The expansion that the copy is.
    own: ExpansionId,
    /// The values of the parameters, which stand first in the graph.
    args: &'g [NodeId],
}

impl Renumber for Place<'_> {
    fn axis(&self, axis: AxisId) -> AxisId {
        if axis == WIDTH { WIDTH } else { AxisId(axis.0 - 1 + self.axes) }
    }

    fn leaf(&self, leaf: LeafId) -> LeafId {
        LeafId(leaf.0 + self.leaves)
    }

    fn scan(&self, scan: ScanId) -> ScanId {
        ScanId(scan.0 + self.scans)
    }

    fn state(&self, scan: ScanId, index: u32) -> (ScanId, u32) {
        (self.scan(scan), index)
    }
}

impl Place<'_> {
    fn node(&self, node: NodeId) -> NodeId {
        let behind = |inputs| NodeId(node.0 - inputs + self.nodes);
        self.args.get(node.0 as usize).copied().unwrap_or_else(|| behind(self.args.len() as u32))
    }

    fn copy(&self, node: &Node) -> Node {
        let args = node.args.iter().map(|&arg| self.node(arg)).collect();
        Node { op: self.op(&node.op), args, ty: self.ty(&node.ty), span: node.span, within: self.within(node.within) }
    }

    fn within(&self, expansion: ExpansionId) -> ExpansionId {
        ExpansionId(self.own.0 + expansion.0)
    }

    fn copy_expansion(&self, expansion: &Expansion) -> Expansion {
        Expansion { within: self.within(expansion.within), ..expansion.clone() }
    }

    fn copy_leaf(&self, leaf: &Leaf, canonical: u32) -> Leaf {
        let (path, axes, law) = (roomy_path(&leaf.path), self.list(&leaf.axes), Arc::clone(&leaf.law));
        Leaf { path, axes, law, role: leaf.role, canonical, span: leaf.span }
    }

    fn copy_scan(&self, scan: &Scan) -> Scan {
        let states = scan.states.iter().map(|state| State {
            axes: self.list(&state.axes),
            init: self.node(state.init),
            next: self.node(state.next),
            ..state.clone()
        });
        Scan { states: states.collect(), ..scan.clone() }
    }
}

impl<'u> Elaborator<'_, 'u> {
    /// The values of a unit whose call binds nothing, where it was expanded at such arguments before.
    pub(super) fn copied(&mut self, index: usize, args: &[NodeId]) -> Option<Vec<NodeId>> {
        let closed: &'u Elaborated = self.closed.get(&index).or_else(|| self.units.library.closed(index))?;
        let graph = &closed.graph;
        let fits = |(arg, node): (&NodeId, &Node)| {
            let ty = self.ty(*arg);
            *ty == node.ty && ty.axes.iter().all(|axis| *axis == WIDTH)
        };
        // Those of an `each`, a loop or what is shared are not as in the unit's own check; what would be too much is
        // expanded, to be refused where it is; so are derivatives, to tell how much they become.
        let plain = self.lifted.is_empty() && self.instances.is_empty();
        let small = self.graph.nodes.len() + self.derived + graph.nodes.len() <= MAX_NODES
            && !closed.derives
            && self.depth + 1 + closed.depth <= MAX_DEPTH
            && graph.inputs.len() == args.len();
        let returns = graph.outputs.iter().all(|output| {
            let node = graph.node(output.node);
            node.ty.axes.iter().all(|axis| *axis == WIDTH)
        });
        if !(plain && small && returns && args.iter().zip(&graph.nodes).all(fits)) {
            return None;
        }
        self.deepest = self.deepest.max(self.depth + 1 + closed.depth);
        Some(self.copy(closed, args))
    }

    fn copy(&mut self, closed: &Elaborated, args: &[NodeId]) -> Vec<NodeId> {
        let place = Place {
            axes: self.graph.axes.len() as u32,
            leaves: self.graph.leaves.len() as u32,
            scans: self.graph.scans.len() as u32,
            nodes: self.graph.nodes.len() as u32,
            own: self.within,
            args,
        };
        let from = &closed.graph;
        let leaves = (place.leaves..).zip(&from.leaves);
        let leaves = leaves.map(|(n, leaf)| place.copy_leaf(leaf, n));
        self.graph.axes.extend_from_slice(&from.axes[1..]);
        self.graph.nodes.extend(from.nodes[args.len()..].iter().map(|node| place.copy(node)));
        self.graph.leaves.extend(leaves);
        self.graph.scans.extend(from.scans.iter().map(|scan| place.copy_scan(scan)));
        let named = from.named.iter().map(|named| Named { value: place.node(named.value), ..*named });
        self.graph.named.extend(named);
        let expansions = from.expansions.iter().map(|expansion| place.copy_expansion(expansion));
        self.graph.expansions.extend(expansions);
        self.graph.losses.extend(from.losses.iter().map(|loss| place.node(*loss)));
        self.requirements.extend_from_slice(&closed.requirements);
        from.outputs.iter().map(|output| place.node(output.node)).collect()
    }
}

#[cfg(test)]
mod tests {
    use genesys_span::Sources;
    use genesys_syntax::ast::File;

    use crate::elaborate::UnitChecks;
    use crate::elaborate::unit::check_unit;
    use crate::{Library, elaborate, resolve};

    fn read(text: &str) -> File {
        let mut sources = Sources::default();
        let id = sources.add("text.gau", text);
        genesys_syntax::parse(&sources, id).file
    }

    /// Every unit of some designs, copied into and expanded.
    #[test]
    fn a_copy_is_what_an_expansion_makes() {
        let library = Library::new(read(genesys_stdlib::TEXT));
        let expanding = library.clone().expanding();
        let mut copied = 0;
        for text in [
            include_str!("../../../../benches/designs/hybrid.gau"),
            include_str!("../../../../designs/gpt.gau"),
            include_str!("../../../../designs/octave.gau"),
            include_str!("../../../../designs/mechanisms/rwkv7.gau"),
            include_str!("../../../../designs/mechanisms/moe.gau"),
            include_str!("../../../../designs/mechanisms/moe_balance.gau"),
        ] {
            let file = read(text);
            let units = resolve::resolve(&file, &library, &mut Vec::new());
            let bare = resolve::resolve(&file, &expanding, &mut Vec::new());
            let checks = elaborate::check_units(&units, &mut Vec::new());
            let nothing = UnitChecks { broken: checks.broken.clone(), ..UnitChecks::default() };
            for index in 0..units.all.len() {
                let (copy, expansion) = (check_unit(&units, &checks, index), check_unit(&bare, &nothing, index));
                assert_eq!(copy.elaborated, expansion.elaborated, "{}", units.all[index].unit.name.text);
                assert_eq!(copy.diagnostics, expansion.diagnostics);
            }
            copied += checks.closed.len();
        }
        assert!(copied > 20, "only {copied} units could be copied");
    }
}
