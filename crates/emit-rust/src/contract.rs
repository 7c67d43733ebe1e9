//! Sums of products, and what of a past takes part in them.
//!
//! Law M of the runtime holds: an element outside of a past is never an operand of arithmetic whose result is used. One
//! operand is 0 there by a selection; what the other holds there is looked at before it is multiplied.

use genesys_ir::module::AxisId;

use crate::body::Body;
use crate::code::Code;
use crate::dims::{Dim, Piece, list, plain};
use genesys_axis::Domain;

/// The most terms that are added without a matrix product.
const FEW: usize = 8;

impl Body<'_> {
    /// The sum of `a * b` over dimensions that both have.
    pub(crate) fn contract(&mut self, a: Piece, b: Piece, over: &[Dim]) -> Piece {
        let pasts = self.axes.dependent(over);
        let (a, b) = (self.atom(a, "left"), self.atom(b, "right"));
        let larger = if self.axes.elements(&a.dims) >= self.axes.elements(&b.dims) { &a } else { &b };
        let smaller = if std::ptr::eq(larger, &a) { &b } else { &a };
        let batch: Vec<Dim> =
            larger.dims.iter().copied().filter(|dim| smaller.has(*dim) && !over.contains(dim)).collect();
        let own = |x: &Piece| -> Vec<Dim> {
            x.dims.iter().copied().filter(|dim| !batch.contains(dim) && !over.contains(dim)).collect()
        };
        let (left, right) = (own(&a), own(&b));
        let few = matches!(over, [Dim::Axis(axis)] if !self.axes.is_dependent(*axis) && self.axes.size(*axis) <= FEW);
        let flat = (left.is_empty() && right.is_empty())
            || (few && !batch.is_empty() && (left.is_empty() || right.is_empty()));
        if flat {
            let a = self.kept(a, &pasts, 0.0);
            let b = self.kept(b, &pasts, 0.0);
            let product = self.zip("mul", a, b);
            return self.summed(product, over);
        }
        let dims = [batch, left, right].concat();
        if pasts.is_empty() {
            let args = vec![self.spec(&a, &b, &dims), a.code.borrowed(), b.code.borrowed()];
            let name = if self.axes.dependent(&dims).is_empty() { "einsum" } else { "einsum_apart" };
            return Piece::new(Code::call(name, args), dims);
        }
        self.contract_seen(a, b, &pasts, over)
    }

    /// As [`contract`](Self::contract), where pasts are among what is summed over.
    fn contract_seen(&mut self, a: Piece, b: Piece, pasts: &[AxisId], over: &[Dim]) -> Piece {
        let step = self.in_step();
        let varies = |x: &Piece| (step || x.has(Dim::Time)) && pasts.iter().all(|axis| x.has(Dim::Axis(*axis)));
        let (mut a, mut b) = (a, b);
        let b_is_smaller = self.axes.elements(&b.dims) < self.axes.elements(&a.dims);
        if b.closed || (!a.closed && !varies(&a) && (varies(&b) || b_is_smaller)) {
            (a, b) = (b, a);
        }
        if !a.closed {
            a = self.kept(a, pasts, 0.0);
            if varies(&b) && !b.closed {
                b = self.kept(b, pasts, 0.0);
            }
        }
        let (a, b) = (self.atom(a, "seen"), self.atom(b, "seen"));
        let larger = if self.axes.elements(&a.dims) >= self.axes.elements(&b.dims) { &a } else { &b };
        let batch: Vec<Dim> =
            larger.dims.iter().copied().filter(|dim| a.has(*dim) && b.has(*dim) && !over.contains(dim)).collect();
        let own = |x: &Piece| -> Vec<Dim> {
            x.dims.iter().copied().filter(|dim| !batch.contains(dim) && !over.contains(dim)).collect()
        };
        let dims = [batch.clone(), own(&a), own(&b)].concat();
        let seen = self.seen(pasts);
        let seen = self.beside(seen, &a.dims);
        let args = vec![self.spec(&a, &b, &dims), a.code.borrowed(), b.code.borrowed(), seen.borrowed()];
        Piece::new(Code::call("einsum_seen", args), dims)
    }

    /// The spec of a sum of products, in quotes.
    fn spec(&self, a: &Piece, b: &Piece, dims: &[Dim]) -> String {
        let letters = |dims: &[Dim]| -> String { dims.iter().map(|dim| self.axes.letter(*dim)).collect() };
        format!("\"{},{}->{}\"", letters(&a.dims), letters(&b.dims), letters(dims))
    }

    /// The sum over dimensions, those of them that there are.
    pub(crate) fn summed(&mut self, x: Piece, over: &[Dim]) -> Piece {
        let places: Vec<String> =
            x.dims.iter().enumerate().filter(|(_, d)| over.contains(d)).map(|(i, _)| i.to_string()).collect();
        let dims = x.dims.iter().copied().filter(|dim| !over.contains(dim)).collect();
        if places.is_empty() { x } else { Piece::new(x.code.then("sum", &list(&places)), dims) }
    }

    /// `x` with `fill` in place of elements that the pasts do not hold.
    pub(crate) fn kept(&mut self, x: Piece, pasts: &[AxisId], fill: f64) -> Piece {
        if pasts.is_empty() || (x.closed && fill == 0.0) {
            return x;
        }
        let seen = self.seen(pasts);
        self.masked(x, seen, fill)
    }

    /// `x` where the mask holds, else `fill`.
    pub(crate) fn masked(&mut self, x: Piece, mask: Piece, fill: f64) -> Piece {
        let mut order = x.dims.clone();
        // Time stands behind batch, as everywhere.
        if mask.has(Dim::Time) && !order.contains(&Dim::Time) {
            order.insert(usize::from(order.contains(&Dim::Batch)), Dim::Time);
        }
        order.extend(mask.dims.iter().copied().filter(|dim| !x.has(*dim) && *dim != Dim::Time));
        let args = [x, mask].map(|x| self.beside(x, &order).borrowed());
        let args = args.into_iter().chain([crate::code::number(fill)]).collect();
        Piece::new(Code::call("masked", args), order)
    }

    /// Which elements the pasts hold together.
    pub(crate) fn seen(&mut self, pasts: &[AxisId]) -> Piece {
        let mut all: Option<Piece> = None;
        for axis in pasts {
            let seen = self.seen_along(*axis);
            all = Some(match all {
                Some(before) => self.zip("mul", before, seen),
                None => seen,
            });
        }
        all.expect("a past is asked for")
    }

    fn seen_along(&mut self, axis: AxisId) -> Piece {
        let args = self.reach(axis);
        self.in_time(axis, "seen", &Code::call("seen_from", args), true)
    }

    /// What says which elements of a dependent axis a position sees: positions, the size of a block, a window, those skipped.
    fn reach(&self, axis: AxisId) -> Vec<String> {
        let (size, window, skip) = match self.axes.domain(axis) {
            Domain::Past { window, skip } => (1, window.as_ref().map(plain), plain(skip)),
            Domain::Blocks { size } => (plain(size), None, 0),
            Domain::Static(_) => unreachable!("only dependent axes have masks"),
        };
        vec!["t".to_owned(), size.to_string(), format!("{window:?}"), skip.to_string(), self.like.borrowed()]
    }

    /// Whether the past holds anything: `[t]`.
    pub(crate) fn any_seen(&mut self, axis: AxisId) -> Piece {
        let seen = self.whole(axis);
        self.in_time(axis, "any", &Code::call("sees_any", vec![seen]), false)
    }

    /// How many elements the past holds, at least 1: `[t]`.
    pub(crate) fn count_seen(&mut self, axis: AxisId) -> Piece {
        let args = vec![self.whole(axis), self.like.borrowed()];
        self.in_time(axis, "count", &Code::call("seen_count", args), false)
    }

    /// How long ago the elements of a past ended.
    pub(crate) fn age(&mut self, axis: AxisId) -> Piece {
        let args = self.reach(axis);
        self.in_time(axis, "age", &Code::call("age", args), true)
    }

    /// The mask of all positions, which is given before all other statements.
    fn whole(&mut self, axis: AxisId) -> String {
        self.seen_along(axis);
        format!("&{}_seen", self.axes.stem(axis))
    }

    /// What is given once for all positions, or of it what the present step has.
    fn in_time(&mut self, axis: AxisId, what: &str, code: &Code, has_axis: bool) -> Piece {
        let dims: Vec<Dim> = [Dim::Time].into_iter().chain(has_axis.then_some(Dim::Axis(axis))).collect();
        let shape = self.axes.shown(&dims);
        let name = format!("{}_{what}", self.axes.stem(axis));
        let given = Piece::new(self.before(&name, code, &shape), dims);
        if !self.in_step() {
            return given;
        }
        Piece::new(given.code.then("get", "i"), given.dims[1..].to_vec())
    }
}
