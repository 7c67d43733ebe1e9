//! What a step of a recurrence costs.
//!
//! An update `decay * state + write` is two operations for each element of the state, one where the decay is 1
//! or the write 0, however it is written; decay and write are free of the state, and are elementwise work like
//! any other. Another update costs what its operations do, each where it depends on the state.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::core::{NodeId, Op, ScanId, Stage};
use genesys_scalar::Function;

use crate::program::Program;

/// Whether `next = decay * state + write` has a decay, and a write.
type Linear = (bool, bool);

/// How a state is updated.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// The node that reads the state.
    pub(crate) reader: NodeId,
    /// The operations for each of its elements, where the update is linear in it.
    pub(crate) linear: Option<u8>,
    /// The nodes that depend on the state and that its next value depends on.
    pub(crate) feeding: BTreeSet<NodeId>,
}

/// The updates of a program's states. A state whose next value reads no state is a shift, and has none.
pub(crate) fn updates(program: &Program) -> Vec<Update> {
    let mut updates = Vec::new();
    for (reader, scan, index) in program.states() {
        let (_, next) = program.state(scan, index);
        if program.graph.node(next).ty.stage < Stage::Moment {
            continue;
        }
        let feeding = feeding(program, scan, next);
        let linear = linear(program, reader, next, &feeding);
        updates.push(Update { reader, linear, feeding });
    }
    updates
}

/// The nodes of stage moment that a next value depends on, within its scan.
fn feeding(program: &Program, scan: ScanId, next: NodeId) -> BTreeSet<NodeId> {
    let mut found = BTreeSet::new();
    let mut open = vec![next];
    while let Some(id) = open.pop() {
        let foreign = matches!(program.graph.node(id).op, Op::State { scan: of, .. } if of != scan);
        if program.graph.node(id).ty.stage == Stage::Moment && !foreign && found.insert(id) {
            let written = program.graph.node(id).args.iter();
            let own = written.filter(|arg| !matches!(program.graph.node(**arg).op, Op::Scanned(_)));
            open.extend(own.map(|arg| program.resolve(*arg)));
        }
    }
    found
}

/// Operations an element of a linear update of one state; `None` for any other.
fn linear(program: &Program, reader: NodeId, next: NodeId, feeding: &BTreeSet<NodeId>) -> Option<u8> {
    let axes = &program.graph.node(next).ty.axes;
    let mut found: BTreeMap<NodeId, Linear> = BTreeMap::new();
    for &id in feeding {
        let node = program.graph.node(id);
        if node.ty.axes != *axes {
            return None;
        }
        let args: Vec<Option<Linear>> = program.args(id).map(|arg| found.get(&arg).copied()).collect();
        let form = match node.op {
            Op::State { .. } if id == reader => (false, false),
            Op::Map(function) => combine(function, &args)?,
            _ => return None,
        };
        found.insert(id, form);
    }
    let (decay, write) = *found.get(&next)?;
    Some(u8::from(decay) + u8::from(write))
}

/// The form of a map of linear operands (`Some`) and free ones (`None`).
fn combine(function: Function, args: &[Option<Linear>]) -> Option<Linear> {
    match (function, args) {
        (Function::Neg, [Some((_, write))]) => Some((true, *write)),
        (Function::Mul, [Some((_, write)), None] | [None, Some((_, write))]) => Some((true, *write)),
        (Function::Div, [Some((_, write)), None]) => Some((true, *write)),
        (Function::Add | Function::Sub, [Some((decay, _)), None]) => Some((*decay, true)),
        (Function::Add, [None, Some((decay, _))]) => Some((*decay, true)),
        (Function::Sub, [None, Some(_)]) => Some((true, true)),
        (Function::Add | Function::Sub, [Some((_, a)), Some((_, b))]) => Some((true, *a || *b)),
        (Function::Where, [None, a, b]) => {
            let writes = [a, b].into_iter().any(|side| side.is_none_or(|(_, write)| write));
            Some((true, writes))
        }
        _ => None,
    }
}
