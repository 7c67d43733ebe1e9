//! Expressions, element by element: blocks of a row, or of several short rows.

use genesys_kernels::{BLOCK, Block, from_bf16, narrow, widen};

use crate::code::Code;
use crate::run::walk::{Loops, slice, slice_mut};
use crate::run::{Context, Room};
use crate::view::{Extent, Walk};

/// How many operands an expression has at most.
pub(crate) const OPERANDS: usize = 24;

/// A value of the expression for a tile.
#[derive(Clone, Copy)]
struct Operand {
    at: *mut f32,
    row: usize,
    loops: Loops,
    dense: bool,
    number: bool,
    /// Whether elements are bf16, and `at` says where these lie.
    narrow: bool,
}

impl Operand {
    fn new(context: &Context<'_>, walk: &Walk) -> Self {
        let loops = Loops::new(context, walk);
        Self {
            at: context.at(walk.spot),
            row: walk.spot.row,
            dense: loops.is_dense(),
            number: loops.is_number(),
            narrow: walk.spot.narrow,
            loops,
        }
    }

    /// Whether rows of that width follow one another.
    fn is_flat(&self, width: usize) -> bool {
        self.dense && self.row == width
    }
}

impl Operand {
    /// A block of a value of bf16, as [`Context::block`] has it.
    ///
    /// # Safety
    /// Its elements can be read.
    unsafe fn widened<'a>(
        &self,
        (row, count): (usize, usize),
        (start, length, width): (usize, usize, usize),
        place: &'a mut [f32],
    ) -> Block<'a> {
        // SAFETY: as asked of the caller.
        unsafe {
            let at = self.at.cast::<u16>().add(row * self.row).cast_const();
            if self.number && (count == 1 || self.row == 0) {
                return Block::Number(from_bf16(*at));
            }
            if self.dense && (count == 1 || self.is_flat(width)) {
                widen(std::slice::from_raw_parts(at.add(start), place.len()), place);
            } else {
                for (i, place) in place.chunks_exact_mut(length).enumerate() {
                    self.loops.gather_narrow(at.add(i * self.row), start, place);
                }
            }
            Block::Each(place)
        }
    }

    /// Writes a block of a value of bf16.
    ///
    /// # Safety
    /// Its elements can be written.
    unsafe fn store(
        &self,
        (row, count): (usize, usize),
        (start, length, width): (usize, usize, usize),
        values: &[f32],
    ) {
        // SAFETY: as asked of the caller.
        unsafe {
            let to = self.at.cast::<u16>().add(row * self.row);
            if self.dense && (count == 1 || self.is_flat(width)) {
                return narrow(values, std::slice::from_raw_parts_mut(to.add(start), values.len()));
            }
            for (i, values) in values.chunks_exact(length).enumerate() {
                self.loops.scatter_narrow(values, start, to.add(i * self.row));
            }
        }
    }
}

impl Context<'_> {
    pub(crate) fn map(&self, code: &Code, args: &[Walk], out: &Walk, order: &[Extent], room: &mut Room) {
        let width = self.product(order);
        let rows = if out.spot.row == 0 { 1 } else { self.rows };
        if width == 0 || rows == 0 {
            return;
        }
        let out = Operand::new(self, out);
        // Most expressions have few operands, and many tiles are short.
        match args.len() {
            0..=6 => self.map_in(code, (args, &mut [out; 6]), &out, (width, rows), room),
            _ => self.map_in(code, (args, &mut [out; OPERANDS]), &out, (width, rows), room),
        }
    }

    fn map_in(
        &self,
        code: &Code,
        (args, operands): (&[Walk], &mut [Operand]),
        out: &Operand,
        (mut width, mut rows): (usize, usize),
        room: &mut Room,
    ) {
        for (operand, walk) in operands.iter_mut().zip(args) {
            *operand = Operand::new(self, walk);
        }
        let operands = &mut operands[..args.len()];
        if out.is_flat(width) && operands.iter().all(|x| x.is_flat(width)) {
            // All rows are one.
            (width, rows) = (width * rows, 1);
            operands.iter_mut().for_each(|x| (x.number, x.loops) = (false, Loops::dense(width)));
        }
        let several = if width >= BLOCK / 8 { 1 } else { (BLOCK / width).min(rows) };
        let mut row = 0;
        while row < rows {
            let count = several.min(rows - row);
            let mut start = 0;
            while start < width {
                let length = if several > 1 { width } else { BLOCK.min(width - start) };
                self.block(code, operands, out, (row, count), (start, length, width), room);
                start += length;
            }
            row += count;
        }
    }

    /// A block: `length` elements from `start` on of `count` rows of that width.
    fn block(
        &self,
        code: &Code,
        operands: &[Operand],
        out: &Operand,
        (row, count): (usize, usize),
        (start, length, width): (usize, usize, usize),
        room: &mut Room,
    ) {
        let n = count * length;
        let (written, gathered) = room.blocks.split_at_mut(BLOCK);
        // SAFETY: operands and the result lie in memory planned for them; the result's elements are written by this tile only,
        // and lie apart from those of the operands, or are the very same, which are copied before.
        unsafe {
            let mut blocks = [Block::Number(0.0); OPERANDS];
            for ((block, operand), place) in blocks.iter_mut().zip(operands).zip(gathered.chunks_exact_mut(BLOCK)) {
                if operand.narrow {
                    *block = operand.widened((row, count), (start, length, width), &mut place[..n]);
                    continue;
                }
                let at = operand.at.add(row * operand.row);
                // What is written over is read first.
                let apart = operand.at != out.at;
                *block = if operand.number && (count == 1 || operand.row == 0) {
                    Block::Number(*at)
                } else if apart && operand.dense && count == 1 {
                    Block::Each(slice(at.add(start), n))
                } else if apart && operand.is_flat(width) && start == 0 {
                    Block::Each(slice(at, n))
                } else if let (1, Some((offset, stride @ (0 | 1)))) = (count, operand.loops.within(start, length)) {
                    match stride {
                        0 => Block::Number(*at.add(offset)),
                        _ if apart => Block::Each(slice(at.add(offset), n)),
                        _ => {
                            place[..n].copy_from_slice(slice(at.add(offset), n));
                            Block::Each(&place[..n])
                        }
                    }
                } else {
                    for (i, place) in place[..n].chunks_exact_mut(length).enumerate() {
                        operand.loops.gather(at.add(i * operand.row), start, place);
                    }
                    Block::Each(&place[..n])
                };
            }
            let blocks = &blocks[..operands.len()];
            if out.narrow {
                code.run(blocks, &mut room.registers, &mut written[..n]);
                return out.store((row, count), (start, length, width), &written[..n]);
            }
            let to = out.at.add(row * out.row);
            if out.dense && (count == 1 || out.is_flat(width)) {
                code.run(blocks, &mut room.registers, slice_mut(to.add(start), n));
            } else if let (1, Some((offset, 1))) = (count, out.loops.within(start, length)) {
                code.run(blocks, &mut room.registers, slice_mut(to.add(offset), n));
            } else {
                code.run(blocks, &mut room.registers, &mut written[..n]);
                for (i, values) in written[..n].chunks_exact(length).enumerate() {
                    out.loops.scatter(values, start, to.add(i * out.row));
                }
            }
        }
    }
}
