//! What slots are called.
//!
//! The IR names weights and states. A value that is kept is called after the nearest weight that it is made with, as the
//! weight's call is: the keys behind `blocks.3.attention.k.weight` are `blocks.3.attention.k`. A state stands in the unit
//! of the nearest weight, under its own name: `blocks.3.attention.S`. A name that would stand twice is numbered.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use genesys_ir::module::{Function, Instruction, Op, Region, State, ValueId, WeightId};

/// The name of a value that no weight enters.
const INPUT: &str = "input";

/// The names of one call's slots.
pub(crate) struct Names<'m> {
    function: &'m Function,
    /// The path of the call.
    scope: String,
    sources: BTreeMap<ValueId, Source<'m>>,
    taken: BTreeSet<String>,
}

/// What a value is made of.
enum Source<'m> {
    Weight(WeightId),
    Values(Vec<ValueId>),
    Operands(&'m [ValueId]),
}

impl<'m> Names<'m> {
    pub(crate) fn new(function: &'m Function, scope: String) -> Self {
        let mut sources = BTreeMap::new();
        collect(&function.body, &mut sources);
        Self { function, scope, sources, taken: BTreeSet::new() }
    }

    /// The name of a state.
    pub(crate) fn state(&mut self, state: &State) -> String {
        let unit = self.nearest(state.next).map(unit).unwrap_or_default();
        self.unique(join(unit, &state.name))
    }

    /// The name of a value.
    pub(crate) fn value(&mut self, value: ValueId) -> String {
        let name = self.nearest(value).map_or(INPUT, call).to_owned();
        self.unique(name)
    }

    fn unique(&mut self, name: String) -> String {
        let mut unique = name.clone();
        for n in 2.. {
            if self.taken.insert(unique.clone()) {
                break;
            }
            unique = format!("{name}_{n}");
        }
        join(&self.scope, &unique)
    }

    /// The path of the weight that the fewest operations stand before, and of those the first to be read.
    fn nearest(&self, value: ValueId) -> Option<&'m str> {
        let (mut open, mut seen) = (VecDeque::from([value]), BTreeSet::from([value]));
        while let Some(value) = open.pop_front() {
            let next: &[ValueId] = match self.sources.get(&value) {
                Some(Source::Weight(id)) => return Some(&self.function.weights[id.0 as usize].path),
                Some(Source::Values(values)) => values,
                Some(Source::Operands(values)) => values,
                None => &[],
            };
            open.extend(next.iter().filter(|value| seen.insert(**value)));
        }
        None
    }
}

fn collect<'m>(region: &'m Region, sources: &mut BTreeMap<ValueId, Source<'m>>) {
    for Instruction { op, args, results } in &region.instructions {
        match op {
            Op::Weight(id) => _ = sources.insert(results[0], Source::Weight(*id)),
            Op::Past { body, .. } | Op::Scan { body, .. } => {
                collect(body, sources);
                let inner = results.iter().zip(&body.results);
                sources.extend(inner.map(|(result, value)| (*result, Source::Values(vec![*value]))));
            }
            _ => sources.extend(results.iter().map(|result| (*result, Source::Operands(args)))),
        }
        if let Op::Scan { states, .. } = op {
            let inner = states.iter().flat_map(|state| state.defined().map(|id| (id, vec![state.next, state.init])));
            sources.extend(inner.map(|(id, values)| (id, Source::Values(values))));
        }
    }
}

/// What a weight's call is called: `attention.k` of `attention.k.weight`; a weight of the block itself is its own.
fn call(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(call, _)| call)
}

/// The unit that a weight stands in: `attention` of `attention.k.weight`, and of `attention.slope`.
fn unit(path: &str) -> &str {
    let parent = |path| str::rsplit_once(path, '.').map_or("", |(unit, _)| unit);
    match path.rsplit_once('.') {
        Some((call, "weight" | "bias")) => parent(call),
        Some((unit, _)) => unit,
        None => "",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
