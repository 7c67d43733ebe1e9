//! From a function of the IR to kernels over buffers.
//!
//! In goes a specialized module, out comes for each function a list of kernels, the buffers that they name, and the values that
//! are computed before the first step. Not here: where buffers lie (`memory`), and how kernels run (`run`).

mod build;
pub(crate) mod chunk;
pub(crate) mod chunkwise;
mod convolve;
mod emit;
mod past;
mod results;
mod scan;
pub(crate) mod schedule;
mod shared;
mod sums;
mod sweep;
mod totals;

use std::collections::{BTreeMap, BTreeSet};

use genesys_axis::{Domain, Size};
use genesys_ir::module::{AxisId, Dtype, Function, Module, Op, Stage, ValueId};

use crate::error::{CpuError, Result};
use crate::kernel::{Kernel, Pack, Tile};
use crate::lower::build::Build;
use crate::lower::chunk::{Chunk, chunks, is_product};
use crate::lower::schedule::{Kind, Schedule};
use crate::lower::totals::Taken;
use crate::precision::{Precision, narrow};
use crate::view::{BufferId, Extent, Place, Spot, View};

/// What a buffer is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// An argument of the function.
    Input,
    /// A result of the function.
    Result,
    /// A weight of the function, by its number.
    Weight(usize),
    /// The number of the block.
    Layer,
    /// What is computed before the first step.
    Fixed,
    /// What is kept between kernels.
    Inner,
}

/// A buffer.
#[derive(Clone, Debug)]
pub(crate) struct Buffer {
    pub(crate) purpose: Use,
    pub(crate) elements: usize,
    /// The value that it holds, or that it is made for.
    pub(crate) of: Option<ValueId>,
}

/// A function, ready to be placed in memory.
#[derive(Clone, Debug)]
pub(crate) struct Lowered {
    pub(crate) name: String,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) kernels: Vec<Kernel>,
    /// What computes the fixed buffers, over the positions of one item.
    pub(crate) setup: Vec<Kernel>,
    pub(crate) inputs: Vec<BufferId>,
    pub(crate) results: Vec<BufferId>,
}

/// The positions that a step goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Items of a batch.
    pub rows: usize,
    /// Positions of an item.
    pub context: usize,
}

impl Shape {
    pub(crate) fn positions(self) -> usize {
        self.rows * self.context
    }
}

/// How many positions a tile has.
pub(crate) const TILE: usize = 64;

/// A function under lowering.
pub(crate) struct Lowering<'m> {
    pub(crate) module: &'m Module,
    pub(crate) function: &'m Function,
    pub(crate) shape: Shape,
    pub(crate) schedule: Schedule<'m>,
    /// The levels that run chunk by chunk.
    chunks: BTreeMap<usize, Chunk>,
    pub(crate) precision: Precision,
    /// The values whose buffers hold bf16.
    narrow: BTreeSet<ValueId>,
    /// Which of its arguments are the tokens of the batch, and which the targets.
    streams: BTreeMap<ValueId, Stream>,
    pub(crate) buffers: Vec<Buffer>,
    /// Where values lie that have a buffer.
    pub(crate) homes: BTreeMap<ValueId, View>,
    /// The sizes of axes; none where they depend on the position.
    sizes: Vec<Option<usize>>,
    weights: BTreeMap<usize, BufferId>,
    layer: Option<BufferId>,
    packs: Vec<Pack>,
    /// Which sums over all positions scans have taken, by what they sum.
    pub(crate) totals: BTreeMap<ValueId, Taken>,
    /// The kernels that end the present level.
    pub(crate) ends: Vec<Kernel>,
}

/// What is decided of a function before it is lowered: when each value is computed, and in how many bits it is kept.
pub(crate) struct Plan<'m> {
    schedule: Schedule<'m>,
    precision: Precision,
    narrow: BTreeSet<ValueId>,
}

/// The plans of all functions, which know one another's values.
pub(crate) fn plans<'m>(module: &'m Module, precision: Precision) -> Result<Vec<Plan<'m>>> {
    let sizes = sizes(module)?;
    let schedule = |function: &'m Function| Schedule::new(function, &|axis| sized(function, &sizes, axis));
    let schedules: Vec<Schedule<'_>> = module.functions.iter().map(schedule).collect::<Result<_>>()?;
    let count = |axes: &[AxisId]| axes.iter().map(|axis| sizes[axis.0 as usize]).product();
    let narrow = match precision {
        Precision::F32 => vec![BTreeSet::new(); schedules.len()],
        Precision::Bf16 => narrow(module, &schedules, &count),
    };
    Ok(schedules.into_iter().zip(narrow).map(|(schedule, narrow)| Plan { schedule, precision, narrow }).collect())
}

/// The sizes of axes; none where they depend on the position.
fn sizes(module: &Module) -> Result<Vec<Option<usize>>> {
    module.axes.iter().map(|axis| axis.domain.size().map(number).transpose()).collect()
}

/// The size of a static axis.
fn sized(function: &Function, sizes: &[Option<usize>], axis: AxisId) -> Result<usize> {
    sizes[axis.0 as usize].ok_or_else(|| CpuError::Unsupported {
        function: function.name.clone(),
        what: "a dependent axis outside of its region".to_owned(),
    })
}

/// Lowers a function; `frames` are the sizes of those before it, and `room` the bytes that what is there for a chunk may take.
pub(crate) fn lower<'m>(
    module: &'m Module,
    function: &'m Function,
    plan: Plan<'m>,
    shape: Shape,
    room: usize,
    frames: &[usize],
) -> Result<Lowered> {
    let Plan { schedule, precision, narrow } = plan;
    let sizes = sizes(module)?;
    let chunks = chunks(&schedule, function, shape, room, &|axis| sized(function, &sizes, axis))?;
    let lowering = Lowering {
        module,
        function,
        shape,
        schedule,
        chunks,
        precision,
        narrow,
        streams: streams(module, function),
        buffers: Vec::new(),
        homes: BTreeMap::new(),
        sizes,
        weights: BTreeMap::new(),
        layer: None,
        packs: Vec::new(),
        totals: BTreeMap::new(),
        ends: Vec::new(),
    };
    lowering.run(frames)
}

/// What a value of tokens is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stream {
    /// What is read.
    Tokens,
    /// What is predicted.
    Targets,
}

/// The arguments of a function that are, in all calls, the tokens or the targets of the batch.
fn streams(module: &Module, function: &Function) -> BTreeMap<ValueId, Stream> {
    let main = module.main();
    let token = |id: &ValueId| main.ty(*id).dtype == Dtype::Token;
    // A function alone reads no tokens; it may take targets.
    let all = if main.inputs.first().is_some_and(token) {
        &[Stream::Tokens, Stream::Targets][..]
    } else {
        &[Stream::Targets]
    };
    let own = BTreeMap::from_iter(main.inputs.iter().copied().filter(token).zip(all.iter().copied()));
    if function.name == main.name {
        return own;
    }
    let mut found: BTreeMap<ValueId, Option<Stream>> = BTreeMap::new();
    for instruction in &main.body.instructions {
        let Op::Call { function: callee, .. } = &instruction.op else { continue };
        if module.function(*callee).name == function.name {
            for (input, arg) in function.inputs.iter().zip(&instruction.args) {
                let stream = own.get(arg).copied();
                found
                    .entry(*input)
                    .and_modify(|known| *known = known.filter(|known| Some(*known) == stream))
                    .or_insert(stream);
            }
        }
    }
    found.into_iter().filter_map(|(id, stream)| Some((id, stream?))).collect()
}

/// A size as a number of elements.
pub(crate) fn number(size: &Size) -> Result<usize> {
    let value = size.eval(&|_| None).map_err(|error| CpuError::Size(error.to_string()))?;
    usize::try_from(value).map_err(|_| CpuError::Size(value.to_string()))
}

impl<'m> Lowering<'m> {
    fn run(mut self, frames: &[usize]) -> Result<Lowered> {
        let function = self.function;
        let mut inputs = Vec::new();
        for id in &function.inputs {
            let view = self.home(*id, Use::Input)?;
            inputs.push(view.spot.place.buffer().expect("a home is a buffer"));
            self.homes.insert(*id, view);
        }
        let results = self.results()?;
        self.in_place();
        let kept: Vec<ValueId> = self.schedule.kept.iter().copied().collect();
        for id in kept {
            if !self.homes.contains_key(&id) {
                let fixed =
                    self.schedule.definition.get(&id).is_some_and(|(i, _)| self.schedule.kinds[*i] == Kind::Fixed);
                let view = match self.chunks.values().find(|chunk| chunk.values.contains(&id)).map(|c| c.positions) {
                    Some(positions) => self.home_for(id, positions)?,
                    None => self.home(id, if fixed { Use::Fixed } else { Use::Inner })?,
                };
                self.homes.insert(id, view);
            }
        }
        let setup = self.setup()?;
        let mut kernels = Vec::new();
        let levels = self.schedule.levels.iter().max().map_or(0, |last| last + 1);
        for level in 0..levels {
            self.level(level, frames, &mut kernels)?;
        }
        let copies = self.copies(&results)?;
        kernels.extend(copies);
        Ok(Lowered { name: function.name.clone(), buffers: self.buffers, kernels, setup, inputs, results })
    }

    fn setup(&mut self) -> Result<Vec<Kernel>> {
        let mut build = Build { setup: true, ..Build::new(TILE) };
        let fixed: Vec<usize> =
            (0..self.schedule.kinds.len()).filter(|i| self.schedule.kinds[*i] == Kind::Fixed).collect();
        for i in fixed {
            if self.schedule.instructions[i].results.iter().any(|id| self.homes.contains_key(id)) {
                build.instruction(self, i)?;
            }
        }
        let packs = std::mem::take(&mut self.packs);
        assert!(packs.is_empty(), "what is fixed reads no weight");
        Ok(build.finish().map(|tile| Kernel::Each(tile, Vec::new())).into_iter().collect())
    }

    fn level(&mut self, level: usize, frames: &[usize], kernels: &mut Vec<Kernel>) -> Result<()> {
        let of = |lowering: &Self, kinds: &[Kind]| -> Vec<usize> {
            let here =
                |i: &usize| lowering.schedule.levels[*i] == level && kinds.contains(&lowering.schedule.kinds[*i]);
            (0..lowering.schedule.kinds.len()).filter(here).collect()
        };
        let mut once = Build::new(1);
        for i in of(self, &[Kind::Once]) {
            once.instruction(self, i)?;
        }
        kernels.extend(once.finish().map(Kernel::Once));
        let mut each = Build::new(TILE);
        for i in of(self, &[Kind::Each, Kind::Far, Kind::Sum]) {
            if !self.is_taken(i) {
                each.instruction(self, i)?;
            }
        }
        let packs = std::mem::take(&mut self.packs);
        if !packs.is_empty() {
            kernels.push(Kernel::Pack(packs));
        }
        let finish = std::mem::take(&mut each.finishes);
        let zeroed = each.zeroed(self);
        let (chunked, whole): (Vec<usize>, Vec<usize>) =
            of(self, &[Kind::Whole]).into_iter().partition(|i| self.is_chunked(*i));
        let products = chunked.into_iter().map(|i| self.product(self.schedule.instructions[i]));
        let products = products.collect::<Result<Vec<_>>>()?;
        let positions = self.chunks.get(&level).map(|chunk| chunk.positions);
        kernels.extend(each.finish().map(|tile| match positions {
            Some(positions) => Kernel::Chunks { tile, zeroed, products, positions },
            None => Kernel::Each(tile, zeroed),
        }));
        if !finish.is_empty() {
            kernels.push(Kernel::Finish(finish));
        }
        for i in whole {
            self.whole(i, frames)?;
        }
        for mut kernel in std::mem::take(&mut self.ends) {
            if let Kernel::Products(products) = &mut kernel {
                self.share(products);
            }
            kernels.push(kernel);
        }
        Ok(())
    }

    /// Whether an instruction is a product that reads what is there for a chunk only.
    fn is_chunked(&self, i: usize) -> bool {
        let chunk = self.chunks.get(&self.schedule.levels[i]);
        let args = &self.schedule.instructions[i].args;
        is_product(&self.schedule, i)
            && chunk.is_some_and(|chunk| args.iter().any(|id| chunk.values.contains(&self.schedule.root(*id))))
    }

    fn whole(&mut self, i: usize, frames: &[usize]) -> Result<()> {
        let instruction = self.schedule.instructions[i];
        match &instruction.op {
            Op::Past { .. } => self.past(instruction),
            // What only the way back reads is computed there.
            Op::Scan { .. } if instruction.results.iter().all(|id| !self.homes.contains_key(id)) => Ok(()),
            Op::Scan { .. } => match self.schedule.pairs.get(&i).copied() {
                Some(forward) => self.pair(self.schedule.instructions[forward], instruction),
                None => self.scan(instruction),
            },
            Op::Call { function, layer, path } => {
                let callee = self.module.function(*function);
                let args = instruction.args.iter().zip(&callee.inputs);
                let args = args.map(|(id, input)| self.argument(*id, &callee.ty(*input).axes));
                let args = args.collect::<Result<Vec<_>>>()?;
                let given = instruction.results.iter().zip(&callee.body.results);
                if given.clone().any(|(id, own)| self.function.ty(*id).axes != callee.ty(*own).axes) {
                    return Err(self.unsupported("a result whose axes come in another order"));
                }
                let results = instruction.results.iter().map(|id| self.home_buffer(*id)).collect();
                let function = function.0 as usize;
                let frame = self.buffer(Use::Inner, frames[function], None);
                self.ends.push(Kernel::Call { function, args, results, frame, layer: *layer, path: path.clone() });
                Ok(())
            }
            _ => self.total(instruction),
        }
    }

    fn home_buffer(&self, id: ValueId) -> BufferId {
        self.homes[&id].spot.place.buffer().expect("a home is a buffer")
    }

    /// The buffer of an argument, in which it lies in the order of those axes: a copy, where it lies in another.
    fn argument(&mut self, id: ValueId, axes: &[AxisId]) -> Result<BufferId> {
        let ty = self.function.ty(id);
        if ty.axes == axes {
            return Ok(self.home_buffer(id));
        }
        let sized = self.dense(axes)?;
        let row: usize = sized.iter().map(|(_, n)| n).product();
        let each = matches!(ty.stage, Stage::Seq | Stage::Step);
        let elements = row.checked_mul(if each { self.shape.positions() } else { 1 }).ok_or(CpuError::TooLarge)?;
        let buffer = self.buffer(Use::Inner, elements, Some(id));
        let spot = if each { Spot::new(Place::Seq { buffer, row }, row) } else { Spot::new(Place::Once(buffer), 0) };
        let mut build = Build::new(TILE);
        let source = build.view(self, id)?;
        build.copy(self, &source, &View::dense(spot, &sized), id);
        let tile = build.finish().expect("there is a copy");
        self.ends.push(if each { Kernel::Each(tile, Vec::new()) } else { Kernel::Once(tile) });
        Ok(buffer)
    }

    /// A new buffer.
    pub(crate) fn buffer(&mut self, purpose: Use, elements: usize, of: Option<ValueId>) -> BufferId {
        self.buffers.push(Buffer { purpose, elements, of });
        BufferId(self.buffers.len() as u32 - 1)
    }

    /// A buffer for a value, dense in the order of its axes.
    fn home(&mut self, id: ValueId, purpose: Use) -> Result<View> {
        let sized = self.dense(&self.function.ty(id).axes)?;
        let row: usize = sized.iter().map(|(_, n)| n).product();
        let positions = match (self.function.ty(id).stage, &purpose) {
            (Stage::Const | Stage::Loss, _) => 1,
            (_, Use::Fixed) => self.shape.context,
            _ => self.shape.positions(),
        };
        let elements = row.checked_mul(positions).ok_or(CpuError::TooLarge)?;
        let elements = self.lying(id, elements);
        let fixed = purpose == Use::Fixed;
        let buffer = self.buffer(purpose, elements, Some(id));
        if fixed {
            return Ok(View::dense(Spot::new(Place::Positions { buffer, row }, row), &sized));
        }
        self.at(id, buffer)
    }

    /// The numbers of 32 bits that so many elements of a value take.
    fn lying(&self, id: ValueId, elements: usize) -> usize {
        if self.narrow.contains(&id) { elements.div_ceil(2) } else { elements }
    }

    /// A buffer for what is there for so many positions at a time.
    fn home_for(&mut self, id: ValueId, positions: usize) -> Result<View> {
        let sized = self.dense(&self.function.ty(id).axes)?;
        let row: usize = sized.iter().map(|(_, n)| n).product();
        let elements = self.lying(id, row.checked_mul(positions).ok_or(CpuError::TooLarge)?);
        let buffer = self.buffer(Use::Inner, elements, Some(id));
        let spot = Spot { narrow: self.narrow.contains(&id), ..Spot::new(Place::Chunk { buffer, row }, row) };
        Ok(View::dense(spot, &sized))
    }

    /// Gives a value of a region a buffer.
    pub(crate) fn inner_home(&mut self, id: ValueId) -> Result<()> {
        if !self.homes.contains_key(&id) {
            let view = self.home(id, Use::Inner)?;
            self.homes.insert(id, view);
        }
        Ok(())
    }

    /// A value in a buffer, dense in the order of its axes.
    fn at(&self, id: ValueId, buffer: BufferId) -> Result<View> {
        let ty = self.function.ty(id);
        let sized = self.dense(&ty.axes)?;
        let row: usize = sized.iter().map(|(_, n)| n).product();
        let spot = match ty.stage {
            Stage::Const | Stage::Loss => Spot::new(Place::Once(buffer), 0),
            Stage::Seq | Stage::Step => {
                Spot { narrow: self.narrow.contains(&id), ..Spot::new(Place::Seq { buffer, row }, row) }
            }
        };
        Ok(View::dense(spot, &sized))
    }

    /// Static axes with their sizes.
    pub(crate) fn dense(&self, axes: &[AxisId]) -> Result<Vec<(AxisId, usize)>> {
        axes.iter().map(|axis| self.size(*axis).map(|n| (*axis, n))).collect()
    }

    /// The size of a static axis.
    pub(crate) fn size(&self, axis: AxisId) -> Result<usize> {
        self.sizes[axis.0 as usize].ok_or_else(|| self.unsupported("a dependent axis outside of its region"))
    }

    /// How many elements an axis has; a dependent one as many as are seen.
    pub(crate) fn extent(&self, axis: AxisId) -> Extent {
        self.sizes[axis.0 as usize].map_or(Extent::Seen, Extent::Fixed)
    }

    pub(crate) fn domain(&self, axis: AxisId) -> &'m Domain {
        &self.module.axis(axis).domain
    }

    /// Refuses a value that is not that stream of the batch.
    pub(crate) fn expect(&self, id: ValueId, stream: Stream) -> Result<()> {
        if self.streams.get(&id) == Some(&stream) {
            return Ok(());
        }
        Err(self.unsupported(match stream {
            Stream::Tokens => "tokens that are not those of the batch",
            Stream::Targets => "targets that are not those of the batch",
        }))
    }

    pub(crate) fn unsupported(&self, what: &str) -> CpuError {
        CpuError::Unsupported { function: self.function.name.clone(), what: what.to_owned() }
    }

    /// The buffer of a weight.
    pub(crate) fn weight(&mut self, number: usize) -> Result<BufferId> {
        if let Some(buffer) = self.weights.get(&number) {
            return Ok(*buffer);
        }
        let axes = self.dense(&self.function.weights[number].axes)?;
        let buffer = self.buffer(Use::Weight(number), axes.iter().map(|(_, n)| n).product(), None);
        self.weights.insert(number, buffer);
        Ok(buffer)
    }

    /// The buffer that holds the number of the block.
    pub(crate) fn layer(&mut self) -> BufferId {
        if let Some(buffer) = self.layer {
            return buffer;
        }
        let buffer = self.buffer(Use::Layer, 1, None);
        self.layer = Some(buffer);
        buffer
    }

    pub(crate) fn pack(&mut self, pack: Pack) {
        self.packs.push(pack);
    }
}

impl Tile {
    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }
}
