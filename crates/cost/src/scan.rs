//! What a step of a recurrence costs.
//!
//! States that read one another run together; others run before or behind. An update `decay * state + write` of
//! one state is two operations for each of its elements, one where the decay is 1 or the write 0, however it is
//! written; decay and write are free of the state, and are elementwise work like any other. Another update costs
//! what its operations do, each where it depends on the states that run together.

use std::collections::{BTreeMap, BTreeSet};

use genesys_check::core::{NodeId, Op, ScanId, Stage};
use genesys_scalar::Function;

use crate::program::Program;

/// Whether `next = decay * state + write` has a decay, and a write.
type Linear = (bool, bool);

/// How states that read one another are updated.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    /// The node that reads the first of the states.
    pub(crate) reader: NodeId,
    /// The operations for each element, where there is one state and its update is linear in it.
    pub(crate) linear: Option<u8>,
    /// The nodes that depend on the states and that their next values depend on.
    pub(crate) feeding: BTreeSet<NodeId>,
}

/// The updates of a program's states. A state whose next value reads no state is a shift, and has none.
pub(crate) fn updates(program: &Program) -> Vec<Update> {
    let states: Vec<(NodeId, ScanId, u32)> = program.states().collect();
    let mut updates = Vec::new();
    let mut placed: BTreeSet<NodeId> = BTreeSet::new();
    for &(reader, scan, _) in &states {
        if placed.contains(&reader) {
            continue;
        }
        let joined: Vec<(NodeId, u32)> = states
            .iter()
            .filter(|(other, of, _)| *of == scan && (*other == reader || read_one_another(program, reader, *other)))
            .map(|(other, _, index)| (*other, *index))
            .collect();
        placed.extend(joined.iter().map(|(other, _)| *other));
        let nexts: Vec<NodeId> = joined.iter().map(|(_, index)| program.state(scan, *index).1).collect();
        if nexts.iter().all(|next| program.graph.node(*next).ty.stage < Stage::Moment) {
            continue;
        }
        let readers: BTreeSet<NodeId> = joined.iter().map(|(other, _)| *other).collect();
        let feeding = feeding(program, &readers, &nexts);
        let linear = match nexts.as_slice() {
            [next] => linear(program, reader, *next, &feeding),
            _ => None,
        };
        updates.push(Update { reader, linear, feeding });
    }
    updates
}

/// Whether two states of one scan need one another's value of the step before, over any number of steps.
fn read_one_another(program: &Program, a: NodeId, b: NodeId) -> bool {
    let reads = |from: NodeId, to: NodeId| {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(state) = open.pop() {
            let Op::State { scan, index } = program.graph.node(state).op else { continue };
            let behind = in_step(program, [program.state(scan, index).1]);
            let read = behind
                .into_iter()
                .filter(|id| matches!(program.graph.node(*id).op, Op::State { scan: of, .. } if of == scan));
            open.extend(read.filter(|id| seen.insert(*id)));
        }
        seen.contains(&to)
    };
    reads(a, b) && reads(b, a)
}

/// The nodes that values depend on within one step: not through the result of a scan, which is a sequence.
fn in_step(program: &Program, from: impl IntoIterator<Item = NodeId>) -> BTreeSet<NodeId> {
    let mut found = BTreeSet::new();
    let mut open: Vec<NodeId> = from.into_iter().collect();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            open.extend(args_in_step(program, id));
        }
    }
    found
}

fn args_in_step(program: &Program, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
    let written = program.graph.node(id).args.iter();
    written.filter(|arg| !matches!(program.graph.node(**arg).op, Op::Scanned(_))).map(|arg| program.resolve(*arg))
}

/// The nodes that depend on the states which `readers` read, and that `nexts` depend on.
fn feeding(program: &Program, readers: &BTreeSet<NodeId>, nexts: &[NodeId]) -> BTreeSet<NodeId> {
    let behind = in_step(program, nexts.iter().copied());
    let mut found = BTreeSet::new();
    for id in behind {
        if readers.contains(&id) || args_in_step(program, id).any(|arg| found.contains(&arg)) {
            found.insert(id);
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
