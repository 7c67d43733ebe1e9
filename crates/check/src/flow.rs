//! Which positions a value reads, element by element.
//!
//! In: a graph, which may still grow, and a place: a node at a position, with what is known of its elements. Out: the places
//! that it is made from, or a shortest way from it to what a parameter of the unit holds behind some position. An operation
//! reads what its rule names, whatever the numbers are: `0 * x` reads `x`, and a choice reads all that it chooses from.
//!
//! Elements matter where they stand for positions: `take[W](window[W](x), 0)` reads the oldest value of a window only. A
//! place therefore carries the elements known so far, by axis. What cannot be told (an offset that is a symbol, a unit that
//! is only promised) is left out, so that a way that is found is one.
//!
//! Not here: which rule asks, and how long a text has to be: see `elaborate::counterexample`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use genesys_axis::{Domain, Size};

use crate::core::{AxisId, Graph, NodeId, Op, Stage};

/// Most elements of a regrouped or cut axis that are told apart.
const MOST_ELEMENTS: u64 = 256;

/// What is known of the element along an axis; an axis that is not named may be at any of its elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Element {
    /// This one.
    At(u64),
    /// One of them, and none that can be told.
    Unknown,
}

/// A value at a position, and at elements.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) node: NodeId,
    pub(crate) position: u64,
    pub(crate) elements: BTreeMap<AxisId, Element>,
}

/// A search for what a value reads.
pub(crate) struct Flow<'g> {
    pub(crate) graph: &'g Graph,
    /// How many places may still be looked at.
    pub(crate) budget: &'g mut usize,
}

impl Place {
    /// All elements of a value.
    pub(crate) fn all(node: NodeId, position: u64) -> Self {
        Self { node, position, elements: BTreeMap::new() }
    }
}

impl Flow<'_> {
    /// A shortest way from a place to what a parameter holds at a position behind `floor`.
    pub(crate) fn reads_behind(&mut self, from: Place, floor: u64) -> Option<Vec<Place>> {
        let (mut reached, mut seen) = (vec![(from.clone(), 0)], BTreeSet::from([from]));
        let mut next = 0;
        while next < reached.len() {
            *self.budget = self.budget.checked_sub(1)?;
            let place = reached[next].0.clone();
            if matches!(self.graph.node(place.node).op, Op::Input(_)) && self.varies(place.node) {
                return Some(way(&reached, next));
            }
            for read in self.reads(&place, floor) {
                if self.varies(read.node) && self.is_behind(&read, floor) && seen.insert(read.clone()) {
                    reached.push((read, next));
                }
            }
            next += 1;
        }
        None
    }

    fn varies(&self, node: NodeId) -> bool {
        self.graph.node(node).ty.stage != Stage::Const
    }

    /// Whether a place may be made from positions behind `floor`: nothing reads a later position than its own, but an element
    /// of a past is one whatever the position.
    fn is_behind(&self, place: &Place, floor: u64) -> bool {
        place.position > floor || place.elements.keys().any(|&axis| self.graph.axis(axis).domain.is_dependent())
    }

    /// The places that a place is made from, of those behind `floor`.
    fn reads(&self, place: &Place, floor: u64) -> Vec<Place> {
        let node = self.graph.node(place.node);
        let at = |position: u64| self.of_first(place, position, &[]);
        match &node.op {
            Op::Input(_) | Op::Weight(_) | Op::Constant(_) | Op::Position | Op::Layer | Op::Index(_) | Op::Age(_) => {
                Vec::new()
            }
            // Every token of the batch, which has no way of its own: only losses read it.
            Op::MeanTokens => Vec::new(),
            Op::Map(_) | Op::Broadcast { .. } | Op::Dot { .. } | Op::Reduce { .. } | Op::Scanned(_) => {
                self.of_all(place, &[])
            }
            Op::Softmax { axes, .. } => self.of_all(place, &axes.iter().copied().collect::<Vec<_>>()),
            Op::Grad => self.of_all(&Place::all(place.node, place.position), &[]),
            Op::Top { to, .. } | Op::Picked { to, .. } => self.of_all(place, &[*to]),
            Op::Regroup { from, to } => self.regrouped(place, from, to),
            Op::Concat { parts, whole } => self.joined(place, parts, *whole),
            Op::Cut { whole, part, offset } => self.cut(place, *whole, *part, offset),
            Op::Take { axis, index } => {
                let element = number(index).map_or(Element::Unknown, Element::At);
                vec![with(self.of_first(place, place.position, &[]), *axis, element)]
            }
            Op::Stack { axis } => self.stacked(place, *axis),
            Op::Shift { by } => number(by).and_then(|by| place.position.checked_sub(by)).map(at).into_iter().collect(),
            Op::Window(axis) => {
                self.window(place, *axis, floor).into_iter().map(|p| self.of_first(place, p, &[*axis])).collect()
            }
            Op::Pool { size } => pooled(number(size), place.position).rev().map(at).collect(),
            Op::Past(axis) => {
                let seen = self.elements_of(place, *axis, floor + 1);
                seen.into_iter().map(|position| self.of_first(place, position, &[*axis])).collect()
            }
            Op::Blocks { blocks, within } => self.blocks(place, *blocks, *within),
            Op::Cumsum(axis) => self.along(place, *axis, false),
            Op::After(axis) => self.along(place, *axis, true),
            Op::State { .. } | Op::Start { .. } => self.held(place),
        }
    }

    /// All operands at the place's position, at its elements but those along `free`.
    fn of_all(&self, place: &Place, free: &[AxisId]) -> Vec<Place> {
        let args = &self.graph.node(place.node).args;
        args.iter().map(|&arg| self.operand(place, arg, place.position, free)).collect()
    }

    fn of_first(&self, place: &Place, position: u64, free: &[AxisId]) -> Place {
        self.operand(place, self.graph.node(place.node).args[0], position, free)
    }

    fn operand(&self, place: &Place, arg: NodeId, position: u64, free: &[AxisId]) -> Place {
        let has = |axis: &AxisId| self.graph.node(arg).ty.axes.contains(axis) && !free.contains(axis);
        let elements = place.elements.iter().filter(|(axis, _)| has(axis)).map(|(&axis, &e)| (axis, e)).collect();
        Place { node: arg, position, elements }
    }

    /// The size of a static axis, where it is a number.
    fn size(&self, axis: AxisId) -> Option<u64> {
        self.graph.axis(axis).domain.size().and_then(number)
    }

    fn regrouped(&self, place: &Place, from: &[AxisId], to: &[AxisId]) -> Vec<Place> {
        let plain = self.of_first(place, place.position, to);
        if to.iter().all(|axis| !place.elements.contains_key(axis)) {
            return vec![plain];
        }
        if let ([from], [to]) = (from, to) {
            return vec![with(plain, *from, place.elements[to])];
        }
        let sizes = |axes: &[AxisId]| axes.iter().map(|&axis| self.size(axis)).collect::<Option<Vec<u64>>>();
        let unknown = || vec![from.iter().fold(plain.clone(), |place, &axis| with(place, axis, Element::Unknown))];
        let (Some(before), Some(after)) = (sizes(from), sizes(to)) else { return unknown() };
        let count = after.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
        let Some(count) = count.filter(|&count| count <= MOST_ELEMENTS) else { return unknown() };
        let fits = |flat: u64| {
            to.iter().zip(digits(flat, &after)).all(|(axis, digit)| match place.elements.get(axis) {
                Some(Element::At(element)) => *element == digit,
                Some(Element::Unknown) | None => true,
            })
        };
        if to.iter().any(|axis| place.elements.get(axis) == Some(&Element::Unknown)) {
            return unknown();
        }
        let chosen = (0..count).rev().filter(|&flat| fits(flat));
        let elements = |flat| from.iter().copied().zip(digits(flat, &before));
        chosen
            .map(|flat| elements(flat).fold(plain.clone(), |p, (axis, digit)| with(p, axis, Element::At(digit))))
            .collect()
    }

    fn joined(&self, place: &Place, parts: &[AxisId], whole: AxisId) -> Vec<Place> {
        let operands = self.of_all(place, &[whole]);
        let mut first = 0;
        let mut found = Vec::new();
        for (operand, &part) in operands.into_iter().zip(parts) {
            let end = self.size(part).map(|size: u64| size.saturating_add(first));
            match (place.elements.get(&whole), end) {
                (None, _) => found.push(operand),
                (Some(&Element::At(element)), Some(end)) if (first..end).contains(&element) => {
                    found.push(with(operand, part, Element::At(element - first)));
                }
                (Some(Element::At(_)), Some(_)) => {}
                // Which part it is cannot be told.
                (Some(_), _) => return Vec::new(),
            }
            first = end.unwrap_or(first);
        }
        found
    }

    fn cut(&self, place: &Place, whole: AxisId, part: AxisId, offset: &Size) -> Vec<Place> {
        let plain = self.of_first(place, place.position, &[part]);
        let at = |element| with(plain.clone(), whole, element);
        match (place.elements.get(&part), number(offset), self.size(part)) {
            (Some(Element::At(element)), Some(offset), _) => vec![at(Element::At(offset.saturating_add(*element)))],
            (None, Some(offset), Some(size)) if size <= MOST_ELEMENTS => {
                (offset..offset.saturating_add(size)).rev().map(|element| at(Element::At(element))).collect()
            }
            _ => vec![at(Element::Unknown)],
        }
    }

    fn stacked(&self, place: &Place, axis: AxisId) -> Vec<Place> {
        let operands = self.of_all(place, &[axis]).into_iter().zip(0..);
        match place.elements.get(&axis) {
            None => operands.map(|(operand, _)| operand).collect(),
            Some(Element::At(element)) => operands.filter(|(_, i)| i == element).map(|(operand, _)| operand).collect(),
            Some(Element::Unknown) => Vec::new(),
        }
    }

    /// The positions of a window's elements, the newest first.
    fn window(&self, place: &Place, axis: AxisId, floor: u64) -> Vec<u64> {
        let t = place.position;
        match (place.elements.get(&axis), self.size(axis)) {
            (Some(&Element::At(element)), Some(size)) if element < size => {
                t.checked_sub(size - 1 - element).into_iter().collect()
            }
            (Some(_), _) => Vec::new(),
            (None, Some(size)) => (t.saturating_sub(size.saturating_sub(1)).max(floor)..=t).rev().collect(),
            // Whatever its size, it has a newest element.
            (None, None) => vec![t],
        }
    }

    fn blocks(&self, place: &Place, blocks: AxisId, within: AxisId) -> Vec<Place> {
        let Some(size) = self.size(within) else { return Vec::new() };
        let mut found = Vec::new();
        for block in self.elements_of(place, blocks, 0) {
            let elements = match place.elements.get(&within) {
                Some(&Element::At(element)) => element..element + 1,
                Some(Element::Unknown) => 0..0,
                None => 0..size,
            };
            let positions = elements.rev().map(|element| block.saturating_mul(size).saturating_add(element));
            found.extend(positions.map(|position| self.of_first(place, position, &[blocks, within])));
        }
        found
    }

    /// The elements of a dependent axis that a place stands for, those from `least` on, the last first.
    fn elements_of(&self, place: &Place, axis: AxisId, least: u64) -> Vec<u64> {
        match place.elements.get(&axis) {
            Some(&Element::At(element)) => vec![element],
            Some(Element::Unknown) => Vec::new(),
            None => {
                let all = holds(&self.graph.axis(axis).domain, place.position).unwrap_or(0..0);
                (all.start.max(least)..all.end).rev().collect()
            }
        }
    }

    /// What a sum along a past has added up at an element: all up to it, or all behind it.
    fn along(&self, place: &Place, axis: AxisId, behind: bool) -> Vec<Place> {
        let all = holds(&self.graph.axis(axis).domain, place.position).unwrap_or(0..0);
        let added = match (place.elements.get(&axis), behind) {
            (Some(&Element::At(element)), false) => all.start..element + 1,
            (Some(&Element::At(element)), true) => element + 1..all.end,
            (Some(Element::Unknown), _) => 0..0,
            (None, false) => all,
            (None, true) => all.start + 1..all.end,
        };
        let plain = self.of_first(place, place.position, &[axis]);
        added.rev().map(|element| with(plain.clone(), axis, Element::At(element))).collect()
    }

    /// What a state holds: what an earlier step has made.
    fn held(&self, place: &Place) -> Vec<Place> {
        let made = match self.graph.node(place.node).op {
            Op::State { scan, index } => {
                let (scan, t) = (self.graph.scan(scan), place.position);
                let state = scan.states.get(index as usize);
                let begins = |chunk: &Size| number(chunk).is_none_or(|chunk| t.is_multiple_of(chunk));
                let anew = state.is_some_and(|state| state.reset) && scan.chunk.as_ref().is_some_and(begins);
                state.filter(|_| !anew).and_then(|state| Some((state.next, t.checked_sub(1)?)))
            }
            Op::Start { scan, index } => {
                let scan = self.graph.scan(scan);
                let chunk = scan.chunk.as_ref().and_then(number).filter(|&chunk| chunk > 0);
                let state = scan.states.get(index as usize).filter(|state| !state.reset);
                let began = chunk.map(|chunk| place.position - place.position % chunk);
                state.and_then(|state| Some((state.next, began?.checked_sub(1)?)))
            }
            _ => None,
        };
        made.map(|(node, position)| self.operand(place, node, position, &[])).into_iter().collect()
    }
}

/// The elements of a dependent axis at a position; nothing where a size is no number, or the axis is static.
pub(crate) fn holds(domain: &Domain, t: u64) -> Option<Range<u64>> {
    match domain {
        Domain::Static(_) => None,
        Domain::Past { window, skip } => {
            let end = (t + 1).saturating_sub(number(skip)?);
            let window = match window {
                Some(window) => number(window)?,
                None => end,
            };
            Some(end.saturating_sub(window)..end)
        }
        Domain::Blocks { size } => Some(0..(t + 1).checked_div(number(size)?)?),
    }
}

/// The positions that the mean over the last completed block reads.
pub(crate) fn pooled(size: Option<u64>, t: u64) -> Range<u64> {
    let complete = |size: u64| (t + 1).checked_div(size).and_then(|blocks| blocks.checked_sub(1)).map(|b| (b, size));
    size.and_then(complete).map_or(0..0, |(block, size)| block * size..(block + 1) * size)
}

/// A size that is a number, not below 0.
pub(crate) fn number(size: &Size) -> Option<u64> {
    size.as_int().and_then(|n| u64::try_from(n).ok())
}

fn with(mut place: Place, axis: AxisId, element: Element) -> Place {
    place.elements.insert(axis, element);
    place
}

/// An index in row-major order as one along each axis.
fn digits(mut flat: u64, sizes: &[u64]) -> Vec<u64> {
    let mut digits: Vec<u64> = sizes.iter().rev().map(|&size| (flat % size, flat /= size).0).collect();
    digits.reverse();
    digits
}

fn way(reached: &[(Place, usize)], last: usize) -> Vec<Place> {
    let (mut way, mut at) = (vec![reached[last].0.clone()], last);
    while at != 0 {
        at = reached[at].1;
        way.push(reached[at].0.clone());
    }
    way.reverse();
    way
}
