//! Cotangents that lie beside each other, arranged instead of added.
//!
//! What was selected element by element, or cut into parts, gets a cotangent that is 0 at all other elements from each of
//! them, and their sum. Where they fill the axis, the sum is a `stack` or a `concat`: nothing is added to zeros.
//! A result may differ in the sign of a zero, and by rounding where other terms are added in between.

use std::collections::BTreeMap;

use genesys_axis::Size;
use genesys_ir::module::{Axis, AxisId, Expr, Function, Instruction, Op, Region, Type, ValueId};
use genesys_scalar::Function::{Add, Equal, Where};

use crate::expr::{apply, value};
use crate::fold::{Known, known};
use crate::work::{self, counts, inner, updates};

/// Joins in every region; says whether anything was joined.
pub(crate) fn join(axes: &[Axis], function: &mut Function) -> bool {
    let (known, counts) = (known(function), counts(function));
    let mut body = std::mem::take(&mut function.body);
    let mut joins = Joins { axes, types: &mut function.values, known, counts, changed: false };
    joins.region(&mut body);
    let changed = joins.changed;
    function.body = body;
    changed
}

struct Joins<'a> {
    axes: &'a [Axis],
    types: &'a mut Vec<Type>,
    known: Known,
    counts: Vec<u32>,
    changed: bool,
}

/// Where a term of a sum stands along an axis: its first element, its own axis there if it has one, and what it is.
#[derive(Clone, Copy)]
struct Place {
    first: i64,
    part: Option<AxisId>,
    value: ValueId,
}

impl Joins<'_> {
    fn region(&mut self, region: &mut Region) {
        let fixed = updates(region);
        let mut kept = Vec::with_capacity(region.instructions.len());
        for mut instruction in std::mem::take(&mut region.instructions) {
            if let Some(body) = inner(&mut instruction.op) {
                self.region(body);
            }
            match self.sum(&instruction).filter(|_| !fixed.contains(&instruction.results[0])) {
                Some(joined) => {
                    self.changed = true;
                    kept.extend(joined);
                }
                None => kept.push(instruction),
            }
        }
        region.instructions = kept;
    }

    /// The sum with terms joined that fill an axis.
    fn sum(&mut self, instruction: &Instruction) -> Option<Vec<Instruction>> {
        let [a, b] = self.added(&instruction.op, &instruction.args)?;
        let result = instruction.results[0];
        let mut terms = Vec::new();
        [a, b].into_iter().for_each(|id| self.terms(id, &mut terms));
        let groups = self.groups(&terms);
        let (axis, places) = groups.into_iter().find(|(axis, places)| self.fills(*axis, places, result))?;
        let joined: Vec<ValueId> = places.iter().map(|(term, _)| *term).collect();
        let rest: Vec<ValueId> = terms.into_iter().filter(|id| !joined.contains(id)).collect();
        let mut out = Vec::new();
        let whole = if rest.is_empty() { result } else { self.like(result) };
        out.push(self.arranged(axis, places.into_iter().map(|(_, place)| place).collect(), whole));
        let mut sum = whole;
        for (i, term) in rest.iter().enumerate() {
            let next = if i + 1 == rest.len() { result } else { self.like(result) };
            let op = Op::Map(apply(Add, [Expr::Arg(0), Expr::Arg(1)]));
            out.push(Instruction { op, args: vec![sum, *term], results: vec![next] });
            sum = next;
        }
        Some(out)
    }

    fn like(&mut self, id: ValueId) -> ValueId {
        let ty = self.types[id.0 as usize].clone();
        work::value(self.types, ty)
    }

    /// The two operands of a plain sum.
    fn added(&self, op: &Op, args: &[ValueId]) -> Option<[ValueId; 2]> {
        match (op, args) {
            (Op::Map(Expr::Apply(Add, operands)), &[a, b]) => match operands[..] {
                [Expr::Arg(0), Expr::Arg(1)] => Some([a, b]),
                [Expr::Arg(1), Expr::Arg(0)] => Some([b, a]),
                _ => None,
            },
            _ => None,
        }
    }

    /// The terms of a sum, through sums that nothing else reads.
    fn terms(&self, id: ValueId, found: &mut Vec<ValueId>) {
        let made = self.known.get(id.0 as usize).and_then(Option::as_ref).filter(|_| self.counts[id.0 as usize] == 1);
        match made.and_then(|(op, args)| self.added(op, args)) {
            Some(inner) => inner.into_iter().for_each(|id| self.terms(id, found)),
            None => found.push(id),
        }
    }

    /// Terms by the axis along which they have a place, in order of their places.
    fn groups(&self, terms: &[ValueId]) -> BTreeMap<AxisId, Vec<(ValueId, Place)>> {
        let mut groups: BTreeMap<AxisId, Vec<(ValueId, Place)>> = BTreeMap::new();
        for term in terms {
            if let Some((axis, place)) = self.place(*term) {
                groups.entry(axis).or_default().push((*term, place));
            }
        }
        groups.values_mut().for_each(|places| places.sort_by_key(|(_, place)| place.first));
        groups
    }

    /// The axis and the place of a term: of `where(index == i, g, 0)`, or of a pad.
    fn place(&self, term: ValueId) -> Option<(AxisId, Place)> {
        match self.known.get(term.0 as usize)?.as_ref()? {
            (Op::Pad { part, whole, offset }, args) => {
                Some((*whole, Place { first: offset.as_int()?, part: Some(*part), value: args[0] }))
            }
            (Op::Map(Expr::Apply(Where, parts)), args) => {
                let [Expr::Apply(Equal, compared), Expr::Arg(own), zero] = &parts[..] else { return None };
                let [Expr::Arg(index), element] = &compared[..] else { return None };
                let first = value(element)?;
                let (Op::Index(axis), _) = self.known[args[*index].0 as usize].as_ref()? else { return None };
                let plain = args.len() == 2 && value(zero)? == 0.0 && first.fract() == 0.0;
                plain.then_some((*axis, Place { first: first as i64, part: None, value: args[*own] }))
            }
            _ => None,
        }
    }

    /// Whether terms fill an axis, each element once, and are otherwise like their sum.
    fn fills(&self, axis: AxisId, places: &[(ValueId, Place)], sum: ValueId) -> bool {
        let size = |axis: AxisId| self.axes[axis.0 as usize].domain.size().and_then(Size::as_int);
        let sum = &self.types[sum.0 as usize];
        let alike = |(_, place): &(ValueId, Place)| {
            let ty = &self.types[place.value.0 as usize];
            let kept = ty.axes.iter().filter(|axis| Some(**axis) != place.part);
            ty.stage == sum.stage
                && kept.clone().count() + 1 == sum.axes.len()
                && kept.into_iter().all(|own| *own != axis && sum.axes.contains(own))
        };
        let mut end = 0;
        for (_, place) in places {
            if place.first != end || place.part.is_some() != places[0].1.part.is_some() {
                return false;
            }
            let Some(length) = place.part.map_or(Some(1), size) else { return false };
            end += length;
        }
        places.len() > 1 && size(axis) == Some(end) && places.iter().all(alike)
    }

    fn arranged(&self, axis: AxisId, places: Vec<Place>, result: ValueId) -> Instruction {
        let args = places.iter().map(|place| place.value).collect();
        let parts: Option<Vec<AxisId>> = places.iter().map(|place| place.part).collect();
        let op = parts.map_or(Op::Stack { axis }, |parts| Op::Concat { parts, whole: axis });
        Instruction { op, args, results: vec![result] }
    }
}
