//! Kernels on all workers.

use genesys_kernels::{Lines, Matrix, Pool, add_to, fill, pack_panel, pack_panel_bf16, panels};

use crate::kernel::{Chunkwise, Cut, Finish, Kernel, Over, Pack, Pair, Scan, Sight, Tile, Zeroed};
use crate::lower::{Shape, TILE};
use crate::run::meter::Spent;
use crate::run::products::{multiply, sums};
use crate::run::walk::{Loops, slice, slice_mut};
use crate::run::{Context, Room, Step};
use crate::view::{LocalId, Spot};

/// What a worker has to itself.
pub(crate) struct Worker {
    pub(crate) locals: Lines,
    pub(crate) room: Room,
}

/// The workers of an executor; each is used by one thread at a time.
pub(crate) struct Workers<'a> {
    pub(crate) pool: &'a Pool,
    /// One for each thread.
    pub(crate) each: *mut Worker,
}

/// Where buffers are, for all workers.
#[derive(Clone, Copy)]
pub(crate) struct Bases<'a>(pub(crate) &'a [*mut f32]);

// SAFETY: workers write to disjoint elements; see the head of `run`.
unsafe impl Sync for Bases<'_> {}
// SAFETY: as above; each worker is one thread's at a time.
unsafe impl Sync for Workers<'_> {}

impl Workers<'_> {
    /// Adds what the operations of the last kernel took, if that was measured.
    pub(crate) fn empty_into(&self, all: &mut Vec<Spent>) {
        for i in 0..self.pool.threads() {
            // SAFETY: no worker runs between two kernels.
            if let Some(meter) = unsafe { &mut (*self.each.add(i)).room.meter } {
                meter.empty_into(all);
            }
        }
    }

    /// Runs `work` once for each of so many parts.
    pub(super) fn run(&self, parts: usize, work: &(dyn Fn(usize, &mut Worker) + Sync)) {
        if parts == 1 {
            // SAFETY: the caller is worker 0.
            return work(0, unsafe { &mut *self.each });
        }
        self.pool.run(parts, &|part, worker| {
            // SAFETY: the pool runs no two parts at once with the same number, and there are as many workers as threads.
            work(part, unsafe { &mut *self.each.add(worker) });
        });
    }
}

/// Runs a kernel; calls are run by who knows the functions.
pub(crate) fn run(kernel: &Kernel, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    match kernel {
        Kernel::Once(tile) => once(tile, bases, step, workers),
        Kernel::Each(tile, zeroed) => each(tile, zeroed, Reach::all(step), bases, step, workers),
        Kernel::Past { tile, sight, tasks, zeroed, seen: _ } => {
            past(tile, *sight, *tasks, zeroed, bases, step, workers)
        }
        Kernel::Scan(scan) => recur(scan, bases, step, workers),
        Kernel::Pair(pair) => through_and_back(pair, bases, step, workers),
        Kernel::Chunkwise(chunkwise) => by_chunks(chunkwise, bases, step, workers),
        Kernel::Pack(packs) => pack(packs, bases, step, workers),
        Kernel::Products(products) => sums(products, bases, step, workers),
        Kernel::Chunks { tile, zeroed, products, positions } => {
            let mut next = Reach::NONE.next(step, *positions);
            while let Some(reach) = next {
                each(tile, zeroed, reach, bases, step, workers);
                multiply(products, tile.ops.len(), reach, bases, step, workers);
                next = reach.next(step, *positions);
            }
        }
        Kernel::Finish(finishes) => finish(finishes, bases, step, workers),
        Kernel::Scatter { x, width, tokens, out, of: _ } => scatter(*x, *width, *tokens, *out, bases, step, workers),
        Kernel::Call { .. } => unreachable!("calls are run by who knows the functions"),
    }
}

fn context<'a>(bases: Bases<'a>, step: &'a Step<'a>, tile: &'a Tile, worker: &mut Worker) -> Context<'a> {
    Context {
        step,
        bases: bases.0,
        ops: &tile.ops,
        locals: &tile.locals,
        scratch: worker.locals.as_mut_ptr(),
        item: 0,
        t: 0,
        rows: 1,
        start: 0,
        task: 0,
        part: 0,
        phase: 0,
        sight: None,
        low: 0,
        seen: 0,
    }
}

fn once(tile: &Tile, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    workers.run(1, &|_, worker| context(bases, step, tile, worker).run(&tile.ops, &mut worker.room));
}

/// Tiles that follow one another, counted through all items, and their positions.
#[derive(Clone, Copy)]
pub(super) struct Reach {
    tile: usize,
    tiles: usize,
    pub(super) start: usize,
    pub(super) positions: usize,
}

impl Reach {
    pub(super) const NONE: Reach = Reach { tile: 0, tiles: 0, start: 0, positions: 0 };

    pub(super) fn all(step: &Step<'_>) -> Self {
        let Shape { rows, context } = step.shape;
        Self { tile: 0, tiles: rows * context.div_ceil(TILE), start: 0, positions: rows * context }
    }

    /// The tiles behind these that have so many positions at most; none behind the last.
    pub(super) fn next(self, step: &Step<'_>, most: usize) -> Option<Self> {
        let Shape { rows, context } = step.shape;
        let (tile, start) = (self.tile + self.tiles, self.start + self.positions);
        let mut next = Self { tile, tiles: 0, start, positions: 0 };
        while start + next.positions < rows * context {
            let more = TILE.min(context - (start + next.positions) % context);
            if next.tiles > 0 && next.positions + more > most {
                break;
            }
            (next.tiles, next.positions) = (next.tiles + 1, next.positions + more);
        }
        (next.tiles > 0).then_some(next)
    }
}

fn each(tile: &Tile, zeroed: &[Zeroed], reach: Reach, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let length = step.shape.context;
    let tiles = length.div_ceil(TILE);
    workers.run(reach.tiles, &|part, worker| {
        let part = reach.tile + part;
        let (item, t) = (part / tiles, part % tiles * TILE);
        let own = context(bases, step, tile, worker);
        let context = Context { item, t, rows: TILE.min(length - t), start: reach.start, part, ..own };
        zero(&context, zeroed);
        context.run(&tile.ops, &mut worker.room);
    });
}

/// Sets to 0 what a part sums up.
fn zero(context: &Context<'_>, zeroed: &[Zeroed]) {
    for Zeroed { x, each, order } in zeroed {
        let (loops, n) = (Loops::new(context, x), context.product(order));
        let rows = if *each { context.step.shape.context } else { 1 };
        for row in 0..rows {
            // SAFETY: what is summed up is this part's alone.
            unsafe { loops.clear(0, n, context.at(x.spot).add(row * x.spot.row)) };
        }
    }
}

fn past(
    tile: &Tile,
    sight: Sight,
    tasks: usize,
    zeroed: &[Zeroed],
    bases: Bases<'_>,
    step: &Step<'_>,
    workers: &Workers<'_>,
) {
    let length = step.shape.context;
    workers.run(step.shape.rows * tasks, &|part, worker| {
        let first = Context {
            item: part / tasks,
            task: part % tasks,
            part,
            sight: Some(sight),
            ..context(bases, step, tile, worker)
        };
        zero(&first, zeroed);
        for t in (0..length).step_by(tile.rows) {
            let rows = tile.rows.min(length - t);
            let (low, high) = (sight.of(t).0, sight.of(t + rows - 1).1);
            let context = Context { t, rows, low, seen: high.saturating_sub(low), ..first };
            context.run(&tile.ops, &mut worker.room);
        }
    });
}

/// Runs `go` for each item, and each task or strip of it.
fn cut(
    cut: &Cut,
    tile: &Tile,
    bases: Bases<'_>,
    step: &Step<'_>,
    workers: &Workers<'_>,
    go: &(dyn Fn(Context<'_>, &mut Room) + Sync),
) {
    let Cut { tasks, strips, zeroed } = cut;
    workers.run(step.shape.rows * tasks, &|part, worker| {
        let first = Context { item: part / tasks, task: part % tasks, part, ..context(bases, step, tile, worker) };
        zero(&first, zeroed);
        for strip in 0..*strips {
            go(Context { task: if *strips > 1 { strip } else { first.task }, ..first }, &mut worker.room);
        }
    });
}

fn recur(scan: &Scan, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let Scan { tile, cut: pieces, begin, anew, chunk, reverse } = scan;
    let length = step.shape.context;
    cut(pieces, tile, bases, step, workers, &|first, room| {
        for i in 0..length {
            let t = if *reverse { length - 1 - i } else { i };
            let context = Context { t, ..first };
            if i == 0 {
                context.run(&tile.ops[..*begin], room);
            }
            if i == 0 || chunk.is_some_and(|chunk| t % chunk == 0) {
                context.run(&tile.ops[*begin..*anew], room);
            }
            context.run(&tile.ops[*anew..], room);
        }
    });
}

fn through_and_back(pair: &Pair, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let Pair { tile, cut: pieces, begin, anew, through, back, chunk, span, states, saved } = pair;
    let length = step.shape.context;
    let ops = &tile.ops;
    cut(pieces, tile, bases, step, workers, &|first, room| {
        let forward = |t: usize, room: &mut Room| {
            let context = Context { t, phase: t % span, ..first };
            if chunk.is_some_and(|chunk| t.is_multiple_of(chunk)) {
                context.run(&ops[*begin..*anew], room);
            }
            context.run(&ops[*anew..*through], room);
        };
        first.run(&ops[..*begin], room);
        for t in 0..length {
            if t % span == 0 {
                if t > 0 {
                    first.turn(states, *span);
                }
                first.save(states, *saved, t / span, true);
            }
            forward(t, room);
        }
        for (i, start) in (0..length).step_by(*span).enumerate().rev() {
            let end = (start + span).min(length);
            if end < length {
                // What was run last was another span.
                first.save(states, *saved, i, false);
                (start..end).for_each(|t| forward(t, room));
            }
            for t in (start..end).rev() {
                let context = Context { t, phase: t % span, ..first };
                if t + 1 == length {
                    context.run(&ops[*through..*back], room);
                }
                context.run(&ops[*back..], room);
            }
        }
    });
}

fn by_chunks(chunkwise: &Chunkwise, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let Chunkwise { tile, cut: pieces, begin, back, reverse } = chunkwise;
    let (length, ops) = (step.shape.context, &tile.ops);
    let chunks = length.div_ceil(tile.rows);
    cut(pieces, tile, bases, step, workers, &|first, room| {
        let chunk = |i: usize| Context { t: i * tile.rows, rows: tile.rows.min(length - i * tile.rows), ..first };
        first.run(&ops[..*begin], room);
        let Some(back) = back else {
            for i in 0..chunks {
                chunk(if *reverse { chunks - 1 - i } else { i }).run(&ops[*begin..], room);
            }
            return;
        };
        for i in 0..chunks {
            first.save(&[back.state], back.saved, i, true);
            if i + 1 < chunks {
                chunk(i).run(&ops[*begin..back.through], room);
            }
        }
        first.run(&ops[back.through..back.back], room);
        for i in (0..chunks).rev() {
            first.save(&[back.state], back.saved, i, false);
            chunk(i).run(&ops[back.back..], room);
        }
    });
}

impl Context<'_> {
    fn state(&self, LocalId(id): LocalId) -> *mut f32 {
        // SAFETY: local values lie in the worker's memory.
        unsafe { self.scratch.add(self.locals[id as usize]) }
    }

    /// What the states held behind a span is what they hold before the next.
    fn turn(&self, states: &[(LocalId, usize)], span: usize) {
        for (id, width) in states {
            let state = self.state(*id);
            // SAFETY: a state has a row more than the span has positions.
            unsafe { std::ptr::copy_nonoverlapping(state.add(span * width), state, *width) };
        }
    }

    /// Keeps the states before a span, or takes them back.
    fn save(&self, states: &[(LocalId, usize)], saved: LocalId, span: usize, keep: bool) {
        let whole: usize = states.iter().map(|(_, width)| width).sum();
        let mut offset = span * whole;
        for (id, width) in states {
            // SAFETY: there is a place for all states before each span.
            unsafe {
                let (state, kept) = (self.state(*id), self.state(saved).add(offset));
                let (from, to) = if keep { (state, kept) } else { (kept, state) };
                std::ptr::copy_nonoverlapping(from, to, *width);
            }
            offset += width;
        }
    }
}

/// A context without a tile.
pub(super) fn whole<'a>(bases: Bases<'a>, step: &'a Step<'a>) -> Context<'a> {
    Context {
        step,
        bases: bases.0,
        ops: &[],
        locals: &[],
        scratch: std::ptr::null_mut(),
        item: 0,
        t: 0,
        rows: step.shape.positions(),
        start: 0,
        task: 0,
        part: 0,
        phase: 0,
        sight: None,
        low: 0,
        seen: 0,
    }
}

fn pack(packs: &[Pack], bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let parts = packs.iter().map(|pack| panels(pack.n.0)).sum();
    workers.run(parts, &|part, _| {
        let (i, panel) = located(part, packs.iter().map(|pack| panels(pack.n.0)));
        let Pack { b, k, n, out, of: _, rounds } = packs[i];
        let data = whole(bases, step).at(b).cast_const();
        let matrix = Matrix { data, row: k.1 as isize, column: n.1 as isize };
        // SAFETY: the buffer has room for the packed matrix, and each panel is one part's.
        unsafe {
            let pack = if rounds { pack_panel_bf16 } else { pack_panel };
            pack(panel, k.0, n.0, matrix, bases.0[out.0 as usize]);
        }
    });
}

/// Which of several works a part is of, where they have so many each, and which of that one's.
pub(super) fn located(mut part: usize, counts: impl Iterator<Item = usize>) -> (usize, usize) {
    for (i, count) in counts.enumerate() {
        if part < count {
            return (i, part);
        }
        part -= count;
    }
    unreachable!("parts are counted before they are run")
}

fn finish(finishes: &[Finish], bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    workers.run(finishes.len(), &|i, worker| {
        let Finish { parts, groups, width, out, over, of: _ } = &finishes[i];
        let items = step.shape.rows;
        let count = match over {
            Over::Tiles => items * step.shape.context.div_ceil(TILE),
            Over::Tasks(tasks) => items * tasks,
        };
        let sums = &mut worker.room.row[..*width];
        for group in 0..*groups {
            fill(0.0, sums);
            let context = Context { task: group, ..whole(bases, step) };
            let loops = Loops::new(&context, out);
            for part in (group..count).step_by(*groups) {
                // SAFETY: the parts were written by the kernel before; the result is this part's alone.
                unsafe { add_to(slice(bases.0[parts.0 as usize].add(part * width), *width), sums) };
            }
            // SAFETY: as above.
            unsafe { loops.scatter(sums, 0, context.at(out.spot)) };
        }
    });
}

/// How many parts the rows of a table are cut into.
const PARTS: usize = 16;

fn scatter(x: Spot, width: usize, tokens: usize, out: Spot, bases: Bases<'_>, step: &Step<'_>, workers: &Workers<'_>) {
    let share = tokens.div_ceil(PARTS);
    workers.run(PARTS, &|part, _| {
        let (low, high) = ((part * share).min(tokens), ((part + 1) * share).min(tokens));
        let context = whole(bases, step);
        // SAFETY: each part has rows of its own.
        unsafe {
            slice_mut(context.at(out).add(low * width), (high - low) * width).fill(0.0);
            for (i, token) in step.tokens.iter().enumerate() {
                let token = *token as usize;
                if (low..high).contains(&token) {
                    let from = slice(context.at(x).add(i * x.row), width);
                    add_to(from, slice_mut(context.at(out).add(token * width), width));
                }
            }
        }
    });
}

/// How many elements a finish gathers.
pub(crate) fn finished(finishes: &[Finish]) -> usize {
    finishes.iter().map(|finish| finish.width).max().unwrap_or(0)
}
