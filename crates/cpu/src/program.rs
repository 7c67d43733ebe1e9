//! Functions placed in memory, and calls bound to what they read and write.
//!
//! Memory is one arena: what is computed before the first step, then what main keeps between its kernels. A call's own memory is
//! part of main's, alive during the call only, so that calls share it.

use std::collections::BTreeMap;

use genesys_ir::module::{Dtype, Function, Module, Stage};
use genesys_ir::{full_name, parameter_names, parameters};

use crate::contract::Contraction;
use crate::error::{CpuError, Result};
use crate::kernel::{Kernel, Products, Tile, Zeroed};
use crate::lower::chunk::CHUNK;
use crate::lower::{Buffer, Lowered, Shape, Use, lower, plans};
use crate::memory::place;
use crate::op::Op;
use crate::precision::Precision;
use crate::run::Needs;
use crate::run::kernel::finished;
use crate::view::BufferId;

/// What an address counts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// The weights, all in one.
    Weights,
    /// Their gradients, in the same order.
    Gradients,
    /// All else.
    Arena,
}

/// Where a buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) space: Space,
    pub(crate) offset: usize,
}

/// A piece of the arena: the first element, and how many there are.
pub(crate) type Piece = (usize, usize);

const NOWHERE: Address = Address { space: Space::Arena, offset: 0 };

/// A function with the addresses of its buffers: main, or a call.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) function: usize,
    pub(crate) addresses: Vec<Address>,
}

/// A step of a model, ready to run.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) shape: Shape,
    precision: Precision,
    pub(crate) functions: Vec<Lowered>,
    /// Main, then its calls in their order.
    pub(crate) instances: Vec<Instance>,
    /// Numbers that are there before the first step: the numbers of blocks.
    pub(crate) constants: Vec<(usize, f32)>,
    /// The elements of the arena, and of weights.
    pub(crate) arena: usize,
    pub(crate) weights: usize,
    /// The size of the vocabulary.
    pub(crate) tokens: usize,
    /// Where the losses are.
    pub(crate) losses: Vec<usize>,
    /// Where main's arguments are that are no tokens, and its results that are no gradients of weights.
    pub(crate) inputs: Vec<Piece>,
    pub(crate) outputs: Vec<Piece>,
    pub(crate) needs: Needs,
    /// The functions with what they compute before the first step, and where that lies.
    pub(crate) fixed: Vec<Instance>,
}

impl Program {
    /// The program of a module whose `main` gives losses and then the gradient of each weight, or losses alone; or of a module
    /// within a larger program, and the pullback of one. The weights lie in the order of the module. Where this
    /// processor has no products of bf16, a program that is asked for in these is one in f32: see [`precision`](Self::precision).
    ///
    /// # Errors
    /// The module is not specialized, or holds an operation that the executor has no loop for.
    pub fn new(module: &Module, shape: Shape, precision: Precision) -> Result<Self> {
        let order: Vec<String> = parameter_names(module).into_iter().map(|(name, _)| name).collect();
        Self::ordered(module, shape, precision, &order)
    }

    /// As [`new`](Self::new), where weights lie in that order, and gradients are given in it: that of the model that a backward
    /// pass is of. A pass may use weights in another one.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// The names are not those of the module's weights.
    pub fn ordered(module: &Module, shape: Shape, precision: Precision, order: &[String]) -> Result<Self> {
        Self::chunked(module, shape, precision, order, CHUNK)
    }

    /// As [`ordered`](Self::ordered). Values that only sums of products over all positions read are kept for a chunk of positions
    /// at a time where those of one level take more than `room` bytes, as the gradients of the logits of a large vocabulary do.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// As [`ordered`](Self::ordered).
    pub fn chunked(module: &Module, shape: Shape, precision: Precision, order: &[String], room: usize) -> Result<Self> {
        Self::linked(module, shape, precision, &sized(module, order)?, room)
    }

    /// As [`ordered`](Self::ordered), where the module has some of these weights, each with its number of elements.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    ///
    /// # Panics
    /// The module has another weight.
    pub fn among(module: &Module, shape: Shape, precision: Precision, weights: &[(String, usize)]) -> Result<Self> {
        Self::linked(module, shape, precision, weights, CHUNK)
    }

    fn linked(
        module: &Module,
        shape: Shape,
        precision: Precision,
        order: &[(String, usize)],
        room: usize,
    ) -> Result<Self> {
        let precision = precision.here();
        let mut functions: Vec<Lowered> = Vec::new();
        let mut frames: Vec<usize> = Vec::new();
        let mut inner: Vec<Vec<usize>> = Vec::new();
        let plans = plans(module, precision)?;
        for (function, plan) in module.functions.iter().zip(plans) {
            let lowered = lower(module, function, plan, shape, room, &frames)?;
            if let Some(what) = lowered.setup.iter().chain(&lowered.kernels).find_map(Kernel::excess) {
                return Err(CpuError::Unsupported { function: function.name.clone(), what });
            }
            let (offsets, size) = offsets(&lowered);
            functions.push(lowered);
            frames.push(size);
            inner.push(offsets);
        }
        let table = weight_table(order);
        let weights = table.values().map(|(offset, n)| offset + n).max().unwrap_or(0);
        let mut linker = Linker {
            module,
            functions: &functions,
            inner: &inner,
            table: &table,
            order,
            top: 0,
            fixed: Vec::new(),
            constants: Vec::new(),
            losses: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
        };
        linker.place_fixed();
        let instances = linker.link()?;
        let Linker { top, fixed, constants, losses, inputs, outputs, .. } = linker;
        let needs = functions.iter().map(needs).fold(Needs::default(), Needs::join);
        let fixed = fixed.into_iter().enumerate();
        let fixed = fixed.map(|(function, addresses)| Instance { function, addresses }).collect();
        let tokens = vocabulary(module);
        let arena = top;
        Ok(Self {
            shape,
            precision,
            instances,
            constants,
            arena,
            weights,
            tokens,
            losses,
            inputs,
            outputs,
            needs,
            fixed,
            functions,
        })
    }

    /// The bytes that a step needs besides weights and their gradients, on so many threads.
    pub fn bytes(&self, threads: usize) -> usize {
        4 * (self.arena + threads * (self.needs.locals + 2 * self.needs.row))
    }

    /// How many results main gives that are no gradients of weights.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// In which numbers it computes, which this processor decided as well.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// How many numbers all weights have together.
    pub fn weights(&self) -> usize {
        self.weights
    }
}

/// The weights of a module in that order, each with its number of elements.
fn sized(module: &Module, order: &[String]) -> Result<Vec<(String, usize)>> {
    let parameters = parameters(module).map_err(|error| CpuError::Size(error.to_string()))?;
    let sizes: BTreeMap<String, usize> =
        parameters.into_iter().map(|parameter| (parameter.name, parameter.shape.iter().product())).collect();
    assert!(sizes.len() == order.len() && order.iter().all(|name| sizes.contains_key(name)), "weights are named once");
    Ok(order.iter().map(|name| (name.clone(), sizes[name])).collect())
}

/// Where each weight lies among all, and how many elements it has.
fn weight_table(order: &[(String, usize)]) -> BTreeMap<String, (usize, usize)> {
    let mut offset = 0;
    let mut place = |(name, n): &(String, usize)| {
        offset += n;
        (name.clone(), (offset - n, *n))
    };
    order.iter().map(&mut place).collect()
}

/// How many rows the tables have that tokens are looked up in; without one, any number.
fn vocabulary(module: &Module) -> usize {
    let sizes = module.main().body.instructions.iter().filter_map(|instruction| match &instruction.op {
        genesys_ir::module::Op::Gather { axis } | genesys_ir::module::Op::CrossEntropy { axis } => {
            module.axis(*axis).domain.size().and_then(|size| size.eval(&|_| None).ok())
        }
        _ => None,
    });
    sizes.min().and_then(|n| usize::try_from(n).ok()).unwrap_or(usize::MAX)
}

/// Offsets of the inner buffers of a function within its frame, and the size of that.
fn offsets(lowered: &Lowered) -> (Vec<usize>, usize) {
    let mut life: Vec<Option<(usize, usize)>> = vec![None; lowered.buffers.len()];
    for (i, kernel) in lowered.kernels.iter().enumerate() {
        for buffer in touched(kernel) {
            let life = &mut life[buffer.0 as usize];
            *life = Some((life.map_or(i, |(first, _)| first), i));
        }
    }
    let spans: Vec<_> = life
        .into_iter()
        .zip(&lowered.buffers)
        .map(|(life, buffer)| life.filter(|_| buffer.purpose == Use::Inner).map(|life| (life, buffer.elements)))
        .collect();
    place(&spans)
}

/// The buffers that a kernel reads or writes.
fn touched(kernel: &Kernel) -> Vec<BufferId> {
    let tile = |tile: &Tile| -> Vec<BufferId> {
        let packed = tile.ops.iter().filter_map(|op| if let Op::Contract(plan) = op { plan.packed } else { None });
        tile.ops.iter().flat_map(Op::spots).filter_map(|spot| spot.place.buffer()).chain(packed).collect()
    };
    let each = |ops: &Tile, zeroed: &[Zeroed]| -> Vec<BufferId> {
        let zeroed = zeroed.iter().filter_map(|zeroed| zeroed.x.spot.place.buffer());
        tile(ops).into_iter().chain(zeroed).collect()
    };
    let summed = |products: &[Contraction]| -> Vec<BufferId> {
        products.iter().flat_map(|plan| [plan.a, plan.b, plan.c]).filter_map(|spot| spot.place.buffer()).collect()
    };
    match kernel {
        Kernel::Once(ops) => tile(ops),
        Kernel::Each(ops, zeroed) | Kernel::Past { tile: ops, zeroed, .. } => each(ops, zeroed),
        Kernel::Scan(scan) => tile(&scan.tile),
        Kernel::Pair(pair) => tile(&pair.tile),
        Kernel::Chunkwise(chunkwise) => tile(&chunkwise.tile),
        Kernel::Pack(packs) => {
            packs.iter().flat_map(|pack| [pack.b.place.buffer(), Some(pack.out)]).flatten().collect()
        }
        Kernel::Chunks { tile: ops, zeroed, products, .. } => [each(ops, zeroed), summed(products)].concat(),
        Kernel::Products(Products { plans, shared }) => {
            summed(plans).into_iter().chain(shared.iter().map(|shared| shared.out)).collect()
        }
        Kernel::Finish(finishes) => {
            finishes.iter().flat_map(|f| [Some(f.parts), f.out.spot.place.buffer()]).flatten().collect()
        }
        Kernel::Scatter { x, out, .. } => [x, out].into_iter().filter_map(|spot| spot.place.buffer()).collect(),
        Kernel::Call { args, results, frame, .. } => args.iter().chain(results).chain([frame]).copied().collect(),
    }
}

fn needs(lowered: &Lowered) -> Needs {
    let of = |kernel: &Kernel| match kernel {
        Kernel::Once(tile) | Kernel::Each(tile, _) | Kernel::Chunks { tile, .. } => Needs::of(tile, 0),
        Kernel::Past { tile, seen, .. } => Needs::of(tile, *seen),
        Kernel::Scan(scan) => Needs::of(&scan.tile, 0),
        Kernel::Pair(pair) => Needs::of(&pair.tile, 0),
        Kernel::Chunkwise(chunkwise) => Needs::of(&chunkwise.tile, 0),
        Kernel::Finish(finishes) => Needs { row: finished(finishes), ..Needs::default() },
        Kernel::Pack(_) | Kernel::Products(_) | Kernel::Scatter { .. } | Kernel::Call { .. } => Needs::default(),
    };
    lowered.kernels.iter().chain(&lowered.setup).map(of).fold(Needs::default(), Needs::join)
}

struct Linker<'a> {
    module: &'a Module,
    functions: &'a [Lowered],
    inner: &'a [Vec<usize>],
    table: &'a BTreeMap<String, (usize, usize)>,
    /// The weights, as their gradients are given.
    order: &'a [(String, usize)],
    /// The first free element of the arena.
    top: usize,
    /// By function, the addresses of its fixed buffers.
    fixed: Vec<Vec<Address>>,
    constants: Vec<(usize, f32)>,
    losses: Vec<usize>,
    inputs: Vec<Piece>,
    outputs: Vec<Piece>,
}

impl Linker<'_> {
    fn take(&mut self, elements: usize) -> usize {
        let at = self.top;
        self.top += elements.next_multiple_of(16).max(16);
        at
    }

    fn place_fixed(&mut self) {
        for lowered in self.functions {
            let mut addresses = Vec::new();
            for Buffer { purpose, elements, .. } in &lowered.buffers {
                let offset = if *purpose == Use::Fixed { self.take(*elements) } else { 0 };
                addresses.push(Address { space: Space::Arena, offset });
            }
            self.fixed.push(addresses);
        }
    }

    fn link(&mut self) -> Result<Vec<Instance>> {
        let last = self.functions.len() - 1;
        let main = self.module.main();
        let lowered = &self.functions[last];
        let inputs = self.inputs(main, lowered);
        let results = self.results(main, lowered)?;
        let frame = self.top;
        let size = lowered.buffers.iter().zip(&self.inner[last]);
        let size = size.filter(|(buffer, _)| buffer.purpose == Use::Inner).map(|(b, at)| at + b.elements).max();
        self.take(size.unwrap_or(0) + 16);
        let addresses = self.addresses(last, "", 0, frame, &inputs, &results)?;
        let mut instances = vec![Instance { function: last, addresses }];
        for kernel in &lowered.kernels {
            let Kernel::Call { function, args, results, frame, layer, path } = kernel else { continue };
            let of = |buffer: &BufferId| instances[0].addresses[buffer.0 as usize];
            let (args, results): (Vec<_>, Vec<_>) = (args.iter().map(of).collect(), results.iter().map(of).collect());
            let addresses = self.addresses(*function, path, *layer, of(frame).offset, &args, &results)?;
            instances.push(Instance { function: *function, addresses });
        }
        Ok(instances)
    }

    /// Where main's arguments are: tokens are those of the batch, which have no address.
    fn inputs(&mut self, main: &Function, lowered: &Lowered) -> Vec<Address> {
        let mut addresses = Vec::new();
        for (id, buffer) in main.inputs.iter().zip(&lowered.inputs) {
            addresses.push(match main.ty(*id).dtype {
                Dtype::Token => NOWHERE,
                Dtype::Real => {
                    let elements = lowered.buffers[buffer.0 as usize].elements;
                    let offset = self.take(elements);
                    self.inputs.push((offset, elements));
                    Address { space: Space::Arena, offset }
                }
            });
        }
        addresses
    }

    /// Where main's results go: gradients to theirs, all else to the arena.
    ///
    /// # Errors
    /// Gradients do not come in the order of the weights.
    fn results(&mut self, main: &Function, lowered: &Lowered) -> Result<Vec<Address>> {
        let mut addresses = Vec::new();
        let mut gradients = self.order.iter();
        let count = main.body.results.len();
        let backward = main.adjoint;
        let names: usize = if backward { gradients.len() } else { 0 };
        for (i, buffer) in lowered.results.iter().enumerate() {
            if i + names < count {
                let elements = lowered.buffers[buffer.0 as usize].elements;
                let offset = self.take(elements);
                self.outputs.push((offset, elements));
                if main.ty(main.body.results[i]).stage == Stage::Loss {
                    self.losses.push(offset);
                }
                addresses.push(Address { space: Space::Arena, offset });
            } else {
                let (name, _) = gradients.next().expect("there is a gradient for each weight");
                let (offset, elements) = self.table[name];
                if elements != lowered.buffers[buffer.0 as usize].elements {
                    let what = "gradients in another order than that in which weights are read".to_owned();
                    return Err(CpuError::Unsupported { function: main.name.clone(), what });
                }
                addresses.push(Address { space: Space::Gradients, offset });
            }
        }
        Ok(addresses)
    }

    fn addresses(
        &mut self,
        function: usize,
        path: &str,
        layer: u32,
        frame: usize,
        args: &[Address],
        results: &[Address],
    ) -> Result<Vec<Address>> {
        let lowered = &self.functions[function];
        let mut addresses = self.fixed[function].clone();
        for (i, Buffer { purpose, .. }) in lowered.buffers.iter().enumerate() {
            let id = BufferId(i as u32);
            let among = |ids: &[BufferId]| ids.iter().position(|other| *other == id).expect("it is one of them");
            addresses[i] = match purpose {
                Use::Fixed => continue,
                Use::Inner => Address { space: Space::Arena, offset: frame + self.inner[function][i] },
                Use::Input => args[among(&lowered.inputs)],
                Use::Result => results[among(&lowered.results)],
                Use::Layer => {
                    let offset = self.take(1);
                    self.constants.push((offset, layer as f32));
                    Address { space: Space::Arena, offset }
                }
                Use::Weight(number) => {
                    let weight = &self.module.functions[function].weights[*number];
                    let (offset, _) = self.table[&full_name(path, &weight.path)];
                    Address { space: Space::Weights, offset }
                }
            };
        }
        Ok(addresses)
    }
}
