//! Where values come from: the units of a design, under the calls that led to them.
//!
//! In: what `lower` knows of a value, and what passes say of the values that they make. Out: for each value of a function the
//! units that its operation does the work of; several where passes joined maps of several. It is provenance, for reports alone:
//! it is not printed, no pass reads it, and two functions that differ in nothing else are equal.

use std::collections::BTreeMap;

use crate::module::{Function, Instruction, Op, Region, ValueId};
use crate::renumber::{definitions, reads};

/// A unit: the calls that lead to it from the function, outermost first, `["Attention", "Rope"]`; of the function's own text
/// there are none.
pub type Unit = Vec<String>;

/// A part of what an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The number of the unit: see [`Origins::unit`].
    pub unit: usize,
    /// How much of the operation is the unit's, as a count beside those of other shares.
    pub weight: u32,
}

/// The origins of a function's values.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    units: Vec<Unit>,
    shares: BTreeMap<ValueId, Vec<Share>>,
}

/// Where a value comes from means nothing.
impl PartialEq for Origins {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Origins {
    /// The calls that lead to a unit.
    ///
    /// # Panics
    /// The number is not of these origins.
    pub fn unit(&self, number: usize) -> &Unit {
        &self.units[number]
    }

    /// The shares of a value; none where nothing is known.
    pub fn of(&self, value: ValueId) -> &[Share] {
        self.shares.get(&value).map_or(&[], Vec::as_slice)
    }

    /// Says that `weight` parts of a value's operation are a unit's.
    pub fn add(&mut self, value: ValueId, unit: &Unit, weight: u32) {
        let number = self.units.iter().position(|known| known == unit).unwrap_or_else(|| {
            self.units.push(unit.clone());
            self.units.len() - 1
        });
        let shares = self.shares.entry(value).or_default();
        match shares.iter_mut().find(|share| share.unit == number) {
            Some(share) => share.weight += weight,
            None => shares.push(Share { unit: number, weight }),
        }
    }

    /// Says that a new value does the work of another.
    pub fn follow(&mut self, value: ValueId, like: ValueId) {
        if let Some(shares) = self.shares.get(&like).cloned() {
            self.shares.entry(value).or_insert(shares);
        }
    }

    /// Says that a new value does the work of a value of another function.
    pub fn adopt(&mut self, value: ValueId, from: &Origins, like: ValueId) {
        for share in from.of(like) {
            self.add(value, from.unit(share.unit), share.weight);
        }
    }

    /// Says that the operation of `from` became a part of that of `into`.
    pub fn join(&mut self, into: ValueId, from: ValueId) {
        for share in self.shares.get(&from).cloned().unwrap_or_default() {
            let unit = self.units[share.unit].clone();
            self.add(into, &unit, share.weight);
        }
    }

    /// The first of some values of which something is known.
    fn known(&self, values: &[ValueId]) -> Option<ValueId> {
        values.iter().copied().find(|id| self.shares.contains_key(id))
    }

    /// Gives values other numbers; those without one are gone.
    pub(crate) fn renumber(&mut self, numbers: &BTreeMap<ValueId, ValueId>) {
        let all = std::mem::take(&mut self.shares).into_iter();
        self.shares = all.filter_map(|(value, shares)| Some((*numbers.get(&value)?, shares))).collect();
    }
}

impl Function {
    /// The origins of all values that instructions define. A value that nothing is known of was made by a pass: it counts as what
    /// first reads it, else as what it reads, else as the function's own text.
    pub fn origins(&self) -> Origins {
        let mut origins = self.origins.clone();
        let mut instructions = Vec::new();
        all(&self.body, &mut instructions);
        // What a function gives comes from there, not from what reads it here.
        instructions.retain(|instruction| !matches!(instruction.op, Op::Call { .. }));
        for instruction in instructions.iter().rev() {
            if let Some(like) = origins.known(&instruction.results) {
                reads(instruction).into_iter().for_each(|id| origins.follow(id, like));
            }
        }
        for instruction in &instructions {
            let read: Vec<ValueId> = reads(instruction).into_iter().collect();
            if let Some(like) = origins.known(&instruction.results).or_else(|| origins.known(&read)) {
                instruction.results.iter().for_each(|id| origins.follow(*id, like));
            }
        }
        for id in self.inputs.iter().copied().chain(definitions(&self.body)) {
            if origins.of(id).is_empty() {
                origins.add(id, &Unit::new(), 1);
            }
        }
        origins
    }
}

/// The instructions of a region and of those within it, inner ones before the one that holds them.
fn all<'f>(region: &'f Region, found: &mut Vec<&'f Instruction>) {
    for instruction in &region.instructions {
        match &instruction.op {
            Op::Past { body, .. } | Op::Scan { body, .. } | Op::Grad { body, .. } => all(body, found),
            _ => {}
        }
        found.push(instruction);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Builder;
    use crate::module::{Dtype, Expr, Stage, Type};
    use crate::renumber::renumber;

    fn unit(names: &[&str]) -> Unit {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// Copies in a row of the function's argument, the last of which it gives.
    fn copies(n: usize) -> (Function, Vec<ValueId>) {
        let (mut builder, mut body) = (Builder::default(), Region::default());
        let mut ids = vec![builder.input(Type { stage: Stage::Seq, dtype: Dtype::Real, axes: Vec::new() })];
        for i in 0..n {
            let copy = builder.push((&[], &[]), &mut body, Op::Map(Expr::Arg(0)), vec![ids[i]]).unwrap();
            ids.extend(copy);
        }
        body.results = vec![ids[n]];
        (builder.finish("f".into(), body), ids)
    }

    fn told(origins: &Origins, id: ValueId) -> Vec<(Unit, u32)> {
        origins.of(id).iter().map(|share| (origins.unit(share.unit).clone(), share.weight)).collect()
    }

    #[test]
    fn shares_of_joined_values_add_up() {
        let (a, b, [u, v]) = (ValueId(1), ValueId(2), [unit(&["U"]), unit(&["U", "V"])]);
        let mut origins = Origins::default();
        origins.add(a, &u, 1);
        origins.add(a, &v, 2);
        origins.add(b, &v, 1);
        origins.join(b, a);
        assert_eq!(told(&origins, b), [(v.clone(), 3), (u.clone(), 1)]);
        origins.follow(ValueId(3), a);
        assert_eq!(told(&origins, ValueId(3)), [(u, 1), (v, 2)]);
        assert_eq!(told(&origins, ValueId(4)), []);
    }

    #[test]
    fn what_is_not_known_counts_as_what_reads_it_then_as_what_it_reads() {
        let (mut function, ids) = copies(4);
        function.origins.add(ids[2], &unit(&["A"]), 1);
        let origins = function.origins();
        let all: Vec<Unit> = ids.iter().map(|id| told(&origins, *id)[0].0.clone()).collect();
        assert_eq!(all, [unit(&["A"]), unit(&["A"]), unit(&["A"]), unit(&["A"]), unit(&["A"])]);
        let (function, ids) = copies(1);
        assert_eq!(told(&function.origins(), ids[1]), [(Unit::new(), 1)]);
    }

    #[test]
    fn origins_go_with_their_values_and_mean_nothing() {
        let (mut function, ids) = copies(2);
        let plain = function.clone();
        // What the function gives is read from the argument: the copy between is gone.
        function.origins.add(ids[2], &unit(&["A"]), 1);
        assert_eq!(function, plain);
        function.body.instructions[1].args = vec![ids[0]];
        function.body.instructions.remove(0);
        renumber(&mut function);
        assert_eq!(told(&function.origins, function.body.results[0]), [(unit(&["A"]), 1)]);
    }
}
