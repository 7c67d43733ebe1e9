//! The module's axes: unique names, shared by functions where name and domain agree.
//!
//! Two axes of one graph are never merged, however equal they look: identity is the declaration.

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Domain;
use genesys_check::core;
use genesys_ir::module::{Axis, AxisId};

/// All axes of the module so far.
#[derive(Debug, Default)]
pub(crate) struct Axes {
    axes: Vec<Axis>,
    /// The name each was declared with.
    declared: Vec<String>,
    names: BTreeSet<String>,
}

impl Axes {
    /// The axes, for the module.
    pub(crate) fn all(&self) -> &[Axis] {
        &self.axes
    }

    /// A new axis, named after `declared`.
    pub(crate) fn add(&mut self, declared: &str, domain: Domain) -> AxisId {
        let mut name = declared.to_string();
        let mut number = 2;
        while !self.names.insert(name.clone()) {
            name = format!("{declared}_{number}");
            number += 1;
        }
        self.axes.push(Axis { name, domain });
        self.declared.push(declared.to_string());
        AxisId((self.axes.len() - 1) as u32)
    }

    pub(crate) fn into_inner(self) -> Vec<Axis> {
        self.axes
    }
}

/// What the axes of one graph are in the module.
#[derive(Debug, Default)]
pub(crate) struct Binding {
    /// Several for a past that is open within itself.
    bound: BTreeMap<core::AxisId, Vec<AxisId>>,
    taken: BTreeSet<AxisId>,
}

impl Binding {
    /// The module's axis for an axis of the graph, other than those in `open`.
    pub(crate) fn axis(&mut self, axes: &mut Axes, graph: &core::Graph, id: core::AxisId, open: &[AxisId]) -> AxisId {
        let bound = self.bound.get(&id).into_iter().flatten();
        if let Some(found) = bound.into_iter().find(|axis| !open.contains(axis)) {
            return *found;
        }
        let core::Axis { name, domain } = graph.axis(id);
        let same = |i: &usize| axes.declared[*i] == *name && axes.axes[*i].domain == *domain;
        let reusable = (0..axes.axes.len()).filter(same).map(|i| AxisId(i as u32)).find(|id| !self.taken.contains(id));
        let axis = reusable.unwrap_or_else(|| axes.add(name, domain.clone()));
        self.taken.insert(axis);
        self.bound.entry(id).or_default().push(axis);
        axis
    }
}
