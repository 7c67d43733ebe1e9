//! The operations of a chunk: products of matrices whose rows are its positions.
//!
//! In: the steps of a chunk. Out: operations of a tile. A position of a chunk is an axis here, like any other: `I` where it is what
//! reads, `J` and `K` where it is what wrote.
//!
//! | module | holds |
//! | --- | --- |
//! | `fading` | what decays come to |
//! | `sums` | sums of vectors with a state, and the state behind a chunk |
//! | `dots` | sums of products of two states |
//! | `solve` | delta rules |

mod dots;
mod fading;
mod solve;
mod sums;

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::Constant;
use genesys_ir::module::{AxisId, Expr, Instruction, ValueId};
use genesys_scalar::Function;

use crate::code::Code;
use crate::contract;
use crate::error::Result;
use crate::lower::Lowering;
use crate::lower::build::Build;
use crate::lower::chunkwise::CHUNK;
use crate::lower::chunkwise::form::{At, By, Chain, Scale, Write};
use crate::lower::chunkwise::matrices::fading::Fading;
use crate::lower::chunkwise::order::Step;
use crate::lower::sweep::Space;
use crate::op::Op;
use crate::view::{Extent, Place, Spot, View};

const I: AxisId = AxisId(u32::MAX);
const J: AxisId = AxisId(u32::MAX - 1);
const K: AxisId = AxisId(u32::MAX - 2);

/// What a sum goes along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Rows,
    Columns,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Rows => Side::Columns,
            Side::Columns => Side::Rows,
        }
    }

    fn axis(self, space: &Space) -> AxisId {
        match self {
            Side::Rows => space.rows(),
            Side::Columns => space.columns(),
        }
    }

    /// That of the rows and columns of a product.
    fn of([rows, columns]: [View; 2], side: Side) -> View {
        match side {
            Side::Rows => rows,
            Side::Columns => columns,
        }
    }
}

/// A chunk under construction.
pub(super) struct Matrices<'b, 'l, 'm> {
    build: &'b mut Build,
    lowering: &'l mut Lowering<'m>,
    chains: &'b [Chain],
    /// Where the states lie, as they are at the beginning of the chunk.
    states: &'b [View],
    /// The stages that are read.
    stages: BTreeSet<At>,
    /// Writes of which one side is solved for: which it is.
    solved: BTreeMap<(usize, usize), Side>,
    fading: BTreeMap<usize, Fading>,
    /// The sides of each write.
    writes: BTreeMap<(usize, usize), [View; 2]>,
    /// Sums of vectors with a state of the beginning.
    begun: Vec<(usize, View, Side, View)>,
    /// What was read before.
    known: Vec<(At, ValueId, Vec<AxisId>, ValueId)>,
    /// What was computed last.
    last: Vec<ValueId>,
}

impl<'b, 'l, 'm> Matrices<'b, 'l, 'm> {
    pub(super) fn new(
        build: &'b mut Build,
        lowering: &'l mut Lowering<'m>,
        chains: &'b [Chain],
        states: &'b [View],
        steps: &[Step<'_>],
    ) -> Self {
        let (mut stages, mut solved) = (BTreeSet::new(), BTreeMap::new());
        for step in steps {
            let read = match step {
                Step::Small(_) => continue,
                Step::Read(read) => read,
                Step::Solve(solve) => {
                    let space = &chains[solve.at.chain].space;
                    solved.insert((solve.at.chain, solve.write), side(space, &solve.read.axes).other());
                    &solve.read
                }
            };
            stages.extend(read.at);
            if let By::State(other) = read.by {
                stages.insert(other);
            }
        }
        Self {
            build,
            lowering,
            chains,
            states,
            stages,
            solved,
            fading: BTreeMap::new(),
            writes: BTreeMap::new(),
            begun: Vec::new(),
            known: Vec::new(),
            last: Vec::new(),
        }
    }

    /// An operation that knows no state.
    pub(super) fn small(&mut self, instruction: &Instruction) -> Result<()> {
        self.last = instruction.results.clone();
        self.build.operation(self.lowering, instruction)
    }

    /// Lets what was computed last be known by its other names.
    pub(super) fn rename(&mut self, names: &BTreeMap<ValueId, ValueId>) {
        for (name, _) in names.iter().filter(|(_, value)| self.last.contains(value)) {
            let view = self.build.views[&names[name]].clone();
            self.build.views.insert(*name, view);
        }
    }

    /// The rows and the columns of a write of a chain, one of them with its scale.
    fn sides(&mut self, chain: usize, write: usize) -> Result<[View; 2]> {
        if let Some(sides) = self.writes.get(&(chain, write)) {
            return Ok(sides.clone());
        }
        let on_rows = self.solved.get(&(chain, write)) == Some(&Side::Columns);
        let sides = self.sides_of(&self.chains[chain].writes[write].clone(), on_rows)?;
        self.writes.insert((chain, write), sides.clone());
        Ok(sides)
    }

    /// The rows and the columns of a write, one of them with its scale and where its condition holds.
    fn sides_of(&mut self, write: &Write, on_rows: bool) -> Result<[View; 2]> {
        let none = Scale { number: 1.0, factors: Vec::new() };
        let [on, off] = [&write.scale, &none];
        let rows = self.scaled(&write.rows, if on_rows { on } else { off })?;
        let columns = self.scaled(&write.columns, if on_rows { off } else { on })?;
        let Some(only) = write.only else { return Ok([rows, columns]) };
        let only = self.build.view(self.lowering, only)?;
        Ok(if on_rows { [self.selected(&only, &rows)?, columns] } else { [rows, self.selected(&only, &columns)?] })
    }

    /// A value where a condition holds, and 0 elsewhere.
    fn selected(&mut self, only: &View, x: &View) -> Result<View> {
        let axes = self.axes_of(&[only, x]);
        let out = self.local(&axes, only.spot.row != 0 || x.spot.row != 0);
        let zero = Expr::Const(Constant::Real(0.0));
        let chosen = Expr::Apply(Function::Where, vec![Expr::Arg(0), Expr::Arg(1), zero]);
        self.map(chosen, &[only, x], &out, &axes)?;
        Ok(out)
    }

    /// The product of values and a scale, at each position.
    fn scaled(&mut self, ids: &[ValueId], scale: &Scale) -> Result<View> {
        let mut views = Vec::new();
        for id in ids.iter().chain(&scale.factors) {
            views.push(self.build.view(self.lowering, *id)?);
        }
        match views.as_slice() {
            [view] if scale.number == 1.0 => Ok(view.clone()),
            _ => self.times(&views.iter().collect::<Vec<_>>(), scale.number),
        }
    }

    /// The product of values and a number, with all their axes.
    fn times(&mut self, views: &[&View], number: f64) -> Result<View> {
        let axes = self.axes_of(views);
        let each = views.iter().any(|view| view.spot.row != 0);
        let out = self.local(&axes, each);
        self.map(product_of(views.len(), number), views, &out, &axes)?;
        Ok(out)
    }

    /// The axes of views, in the order of states.
    fn axes_of(&self, views: &[&View]) -> Vec<AxisId> {
        let space = &self.chains[0].space;
        space.axes.iter().copied().filter(|axis| views.iter().any(|view| view.has(*axis))).collect()
    }

    fn extent(&self, axis: AxisId) -> Extent {
        if [I, J, K].contains(&axis) { Extent::Fixed(CHUNK) } else { self.lowering.extent(axis) }
    }

    fn local(&mut self, axes: &[AxisId], each: bool) -> View {
        self.build.local(self.lowering, axes, each)
    }

    /// Memory for a matrix over the chunk's positions, around it what these views have around rows and columns.
    fn square(&mut self, views: &[&View], inner: [AxisId; 2]) -> View {
        let space = &self.chains[0].space;
        let around = &space.axes[..space.axes.len() - 2];
        let outer = around.iter().copied().filter(|axis| views.iter().any(|view| view.has(*axis)));
        let axes: Vec<AxisId> = outer.chain(inner).collect();
        let sized: Vec<(AxisId, usize)> =
            axes.iter().map(|axis| (*axis, self.build.room(self.extent(*axis)))).collect();
        let place = Place::Local(self.build.memory(sized.iter().map(|(_, n)| n).product()));
        View::dense(Spot::new(place, 0), &sized)
    }

    fn square_like(&mut self, square: &View) -> View {
        self.square(&[square], [I, J])
    }

    /// The number in memory.
    fn number(&mut self, number: f64) -> Result<View> {
        self.times(&[], number)
    }

    /// `out = sum a b` over those axes, or added to it. What one of both has not is the same along it.
    fn product(&mut self, a: &View, b: &View, summed: &[AxisId], out: &View, accumulate: bool) {
        let (mut a, mut b) = (a.clone(), b.clone());
        for axis in summed {
            for view in [&mut a, &mut b] {
                if !view.has(*axis) {
                    view.axes.push((*axis, 0));
                }
            }
        }
        for (axis, _) in &out.axes {
            if !a.has(*axis) && !b.has(*axis) {
                a.axes.push((*axis, 0));
            }
        }
        let sizes = |axis: AxisId| match self.extent(axis) {
            Extent::Fixed(n) if [I, J, K].contains(&axis) => (Extent::Rows, n),
            extent => (extent, self.build.room(extent)),
        };
        let (plan, _) = contract::plan(a, b, summed, &sizes, contract::Rows::Kept, Some(out));
        self.build.ops.push(Op::Contract(contract::Contraction { accumulate, ..plan }));
    }

    /// An expression of those views, along those axes of its result.
    fn map(&mut self, expr: Expr, args: &[&View], out: &View, axes: &[AxisId]) -> Result<()> {
        let order: Vec<(AxisId, Extent)> = axes.iter().map(|axis| (*axis, self.extent(*axis))).collect();
        self.build.ops.push(Op::Map {
            code: Code::new(&expr, &|_| None)?,
            args: args.iter().map(|view| view.walk(&order)).collect(),
            out: out.walk(&order),
            order: order.iter().map(|(_, extent)| *extent).collect(),
        });
        Ok(())
    }
}

/// What a sum of vectors with a state goes along.
fn side(space: &Space, axes: &[AxisId]) -> Side {
    if axes.contains(&space.rows()) { Side::Rows } else { Side::Columns }
}

/// A value with the positions of a chunk as an axis.
fn spread(view: &View, axis: AxisId) -> View {
    let mut view = view.clone();
    view.axes.push((axis, view.spot.row));
    view.spot.row = 0;
    view
}

/// The product of so many operands and a number.
fn product_of(operands: usize, number: f64) -> Expr {
    let number = Expr::Const(Constant::Real(number));
    (0..operands).map(Expr::Arg).reduce(times).map_or(number.clone(), |all| match number {
        Expr::Const(Constant::Real(1.0)) => all,
        number => times(all, number),
    })
}

fn times(a: Expr, b: Expr) -> Expr {
    Expr::Apply(Function::Mul, vec![a, b])
}

/// `a + b c` of the first three operands.
fn sum_of_products() -> Expr {
    Expr::Apply(Function::Add, vec![Expr::Arg(0), times(Expr::Arg(1), Expr::Arg(2))])
}
