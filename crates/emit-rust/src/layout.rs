//! Operations that move elements and compute nothing, and those that pick them.

use genesys_ir::module::{AxisId, Op, ValueId};

use crate::body::Body;
use crate::code::Code;
use crate::dims::{Dim, Piece, plain};
use crate::error::Unsupported;
use crate::op::{dims, reshaped, rest};

type Result<T> = std::result::Result<T, Unsupported>;

impl<'m> Body<'m> {
    pub(crate) fn layout(&mut self, op: &'m Op, args: &[ValueId]) -> Result<Piece> {
        let x = self.piece(args[0])?;
        Ok(match op {
            Op::Regroup { from, to } => self.regroup(x, from, to),
            Op::Slice { whole, part, offset } => {
                let (whole, part) = (Dim::Axis(*whole), Dim::Axis(*part));
                let cut = format!("{}, {}, {}", x.place(whole), plain(offset), self.axes.extent(part));
                x.then("narrow", &cut).renamed(whole, part)
            }
            Op::Pad { part, whole, offset } => {
                let (part, whole) = (Dim::Axis(*part), Dim::Axis(*whole));
                let (size, cut) = (self.axes.extent(whole), self.axes.extent(part));
                let (place, offset) = (x.place(part), plain(offset));
                let behind = format!("{size} - {offset} - {cut}");
                x.then("pad_with_zeros", &format!("{place}, {offset}, {behind}")).renamed(part, whole)
            }
            Op::Select { axis, index } => {
                let dim = Dim::Axis(*axis);
                let (place, rest) = (x.place(dim), rest(&x, &[dim]));
                let code = x.code.then("narrow", &format!("{place}, {}, 1", plain(index)));
                Piece::new(code.then("squeeze", &place.to_string()), rest)
            }
            Op::Broadcast { axes } => {
                let order = [x.dims.clone(), dims(axes)].concat();
                let code = self.expanded(x, &order);
                Piece::new(code, order)
            }
            Op::Concat { parts, whole } => self.concat(args, parts, Dim::Axis(*whole))?,
            Op::Stack { axis } => {
                let (operands, order) = self.operands(args)?;
                let order_of: Vec<Vec<Dim>> = operands.iter().map(|_| order.clone()).collect();
                let listed = self.listed(operands, &order_of);
                let dims = [order, vec![Dim::Axis(*axis)]].concat();
                Piece::new(Code::call("Tensor::stack", vec![listed, (dims.len() - 1).to_string()]), dims)
            }
            _ => unreachable!("computed elsewhere"),
        })
    }

    fn regroup(&mut self, x: Piece, from: &[AxisId], to: &[AxisId]) -> Piece {
        if let ([from], [to]) = (from, to) {
            return x.renamed(Dim::Axis(*from), Dim::Axis(*to));
        }
        let from = dims(from);
        let start = x.place(from[0]);
        let x = if x.dims[start..].starts_with(&from) {
            x
        } else {
            let order = [rest(&x, &from), from.clone()].concat();
            x.permuted(&order)
        };
        let start = x.place(from[0]);
        let mut made = x.dims.clone();
        made.splice(start..start + from.len(), dims(to));
        let shape: Vec<String> = made.iter().map(|dim| self.axes.extent(*dim)).collect();
        reshaped(x, &shape, made)
    }

    /// All operands, and the order of their dimensions together.
    fn operands(&mut self, args: &[ValueId]) -> Result<(Vec<Piece>, Vec<Dim>)> {
        let operands = args.iter().map(|id| self.piece(*id)).collect::<Result<Vec<Piece>>>()?;
        let order = self.axes.union(&operands.iter().map(|x| x.dims.as_slice()).collect::<Vec<_>>());
        Ok((operands, order))
    }

    /// Operands, each with just those dimensions, as a slice.
    fn listed(&mut self, operands: Vec<Piece>, orders: &[Vec<Dim>]) -> String {
        let mut listed = Vec::new();
        for (x, order) in operands.into_iter().zip(orders) {
            let code = self.expanded(x, order);
            let code = self.atom(Piece::new(code, order.clone()), "part").code;
            listed.push(code.borrowed());
        }
        format!("&[{}]", listed.join(", "))
    }

    fn concat(&mut self, args: &[ValueId], parts: &[AxisId], whole: Dim) -> Result<Piece> {
        let operands = args.iter().map(|id| self.piece(*id)).collect::<Result<Vec<Piece>>>()?;
        let own: Vec<Vec<Dim>> = operands.iter().zip(parts).map(|(x, part)| rest(x, &[Dim::Axis(*part)])).collect();
        let shared = self.axes.union(&own.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let orders: Vec<Vec<Dim>> =
            parts.iter().map(|part| [shared.clone(), vec![Dim::Axis(*part)]].concat()).collect();
        let listed = self.listed(operands, &orders);
        let at = shared.len().to_string();
        Ok(Piece::new(Code::call("Tensor::cat", vec![listed, at]), [shared, vec![whole]].concat()))
    }

    /// The score with what it is chosen along last, and its mask, if it has one.
    fn score(&mut self, from: AxisId, id: ValueId) -> Result<(Piece, Option<Code>)> {
        let score = self.piece(id)?;
        let from_dim = Dim::Axis(from);
        if !self.axes.is_dependent(from) {
            let order = [rest(&score, &[from_dim]), vec![from_dim]].concat();
            let score = self.atom(score.permuted(&order), "score");
            return Ok((score, None));
        }
        let seen = self.seen(&[from]);
        let score = if seen.has(Dim::Time) { self.timed(score) } else { score };
        let order = [rest(&score, &[from_dim]), vec![from_dim]].concat();
        let score = self.atom(score.permuted(&order), "score");
        let seen = self.beside(seen, &order);
        Ok((score, Some(seen)))
    }

    /// Which of the picked elements there are, in dimensions that are the score's with `to` in place of `from`.
    fn there(&mut self, from: AxisId, to: AxisId, seen: Option<&Code>, dims: &[Dim]) -> Piece {
        let n = if self.axes.is_dependent(from) { "0".to_owned() } else { self.axes.extent(Dim::Axis(from)) };
        let seen = seen.map_or("None".to_owned(), |seen| format!("Some({})", seen.borrowed()));
        let args = vec![self.axes.extent(Dim::Axis(to)), n, seen, self.like.borrowed()];
        let code = Code::call("there_are", args).then("broadcast_as", &self.axes.shape(dims));
        self.bind(None, "there", Piece::new(code, dims.to_vec()))
    }

    /// Values at the elements of largest score.
    pub(crate) fn top(&mut self, from: AxisId, to: AxisId, args: &[ValueId]) -> Result<Piece> {
        let (score, seen) = self.score(from, args[0])?;
        let lead = rest(&score, &[Dim::Axis(from)]);
        let chosen_dims = [lead.clone(), vec![Dim::Axis(to)]].concat();
        let there = self.there(from, to, seen.as_ref(), &chosen_dims);
        let seen = seen.map_or("None".to_owned(), |seen| format!("Some({})", seen.borrowed()));
        let choose = Code::call("choose", vec![score.code.borrowed(), self.axes.extent(Dim::Axis(to)), seen]);
        let chosen = self.bind(None, "chosen", Piece::new(choose, chosen_dims));
        let masked = Code::call("masked", vec![chosen.code.borrowed(), there.code.borrowed(), "0.0".into()]);
        let chosen = self.bind(None, "chosen", Piece::new(masked, chosen.dims));
        let value = self.piece(args[1])?;
        let value = self.ranging(value, from);
        let shared: Vec<Dim> = lead.iter().copied().filter(|dim| value.has(*dim)).collect();
        let own = rest(&value, &[shared.clone(), vec![Dim::Axis(from)]].concat());
        let asked: Vec<Dim> = chosen.dims.iter().copied().filter(|dim| !shared.contains(dim)).collect();
        let value = value.permuted(&[shared.clone(), vec![Dim::Axis(from)], own.clone()].concat());
        let value = self.atom(value, "table");
        let chosen = chosen.permuted(&[shared.clone(), asked.clone()].concat());
        let args = vec![value.code.borrowed(), chosen.code.borrowed(), shared.len().to_string()];
        let dims = [shared, asked, own].concat();
        let found = self.bind(None, "found", Piece::new(Code::call("look_up", args), dims));
        // Elements that are not there are 0, by a selection, and not what stands at element 0.
        let order = [there.dims.clone(), rest(&found, &there.dims)].concat();
        let args = vec![found.aligned(&order).borrowed(), there.aligned(&order).borrowed(), "0.0".into()];
        Ok(Piece::new(Code::call("masked", args), order))
    }

    /// A value that ranges along an axis also where it is the same at each of its elements.
    fn ranging(&mut self, x: Piece, axis: AxisId) -> Piece {
        if x.has(Dim::Axis(axis)) {
            return x;
        }
        let order = [x.dims.clone(), vec![Dim::Axis(axis)]].concat();
        let code = self.expanded(x, &order);
        self.atom(Piece::new(code, order), "ranging")
    }

    /// 1 where an element is picked.
    pub(crate) fn picked(&mut self, from: AxisId, to: AxisId, args: &[ValueId]) -> Result<Piece> {
        let (score, seen) = self.score(from, args[0])?;
        let dims = [rest(&score, &[Dim::Axis(from)]), vec![Dim::Axis(to)]].concat();
        Ok(self.there(from, to, seen.as_ref(), &dims).then("to_dtype", "dtype"))
    }
}
