//! Threads that share chunks of work.
//!
//! In: a number of chunks and a function of a chunk. Out: every chunk done, once. A chunk goes to whoever asks next, so
//! a thread that the machine has taken away holds up nothing but the chunk it is in, and one that has not come yet is
//! not waited for. A thread that waits spins for some tens of microseconds, then sleeps.
//!
//! Not here: what the chunks are, and in which order their results are joined. The numbers that chunks and workers get
//! must not change a result; only the scratch that a worker uses may go by its number.
#![allow(unsafe_code)] // work that lives as long as a call is lent to threads that live longer

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

/// Turns of a waiting loop before it sleeps: 20 to 50 microseconds on the processors of the day.
const SPINS: usize = 1000;

/// What is run: a chunk's number and a worker's.
type Work = dyn Fn(usize, usize) + Sync;

/// A number of threads that run chunks of work together with their caller.
///
/// One call of [`run`](Self::run) is served at a time; other threads that call it wait for their turn. A call from
/// within the work of the same pool runs where it stands. Work of one pool must not wait for work of another that in turn
/// runs on the first.
pub struct Pool {
    shared: Arc<Shared>,
    /// Held by the call that is served.
    turn: Mutex<()>,
    workers: Vec<JoinHandle<()>>,
}

/// What caller and workers see.
struct Shared {
    state: State,
    /// The next chunk that nobody has taken.
    next: Next,
    job: UnsafeCell<Job>,
    /// The first panic of the job.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// Workers that sleep, or are about to.
    asleep: AtomicUsize,
    gate: Mutex<()>,
    /// There is a job, or the end.
    opened: Condvar,
    /// The last worker has left a closed job.
    left: Condvar,
}

/// A counter on a cache line of its own.
#[repr(align(128))]
struct Next(AtomicUsize);

/// `epoch << 32 | flags | workers in the job`, on a cache line of its own.
#[repr(align(128))]
struct State(AtomicU64);

/// Workers may join.
const OPEN: u64 = 1 << 31;
/// The caller sleeps until the last worker has left.
const AWAITED: u64 = 1 << 30;
/// There will be no further job.
const OVER: u64 = 1 << 29;
/// The bits that count workers in the job.
const MEMBERS: u64 = OVER - 1;
/// One more job.
const EPOCH: u64 = 1 << 32;

/// The work of one call.
#[derive(Clone, Copy)]
struct Job {
    work: Option<*const Work>,
    chunks: usize,
}

// SAFETY: `job` is written by the caller that holds the turn while no worker is in a job, and read by workers that have
// joined; the state's release and acquire order the two. The work it points to is `Sync` and outlives the job.
unsafe impl Sync for Shared {}
// SAFETY: as above; the pointer of the last job is followed by no one.
unsafe impl Send for Shared {}

thread_local! {
    /// The pool whose work this thread is in, by address, and the thread's number there.
    static INSIDE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

impl Pool {
    /// A pool of `threads` threads, of which the caller of [`run`](Self::run) is one. Where the machine gives fewer, it
    /// has fewer.
    #[must_use]
    pub fn new(threads: usize) -> Pool {
        let shared = Arc::new(Shared::new());
        let spawn = |worker: usize| {
            let shared = Arc::clone(&shared);
            Builder::new().name(format!("kernels-{worker}")).spawn(move || shared.serve(worker)).ok()
        };
        let workers = (1..threads).map_while(spawn).collect();
        Pool { shared, turn: Mutex::new(()), workers }
    }

    /// How many threads there are, the caller included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `work(chunk, worker)` once for every chunk in `0..chunks`; `worker` is below [`threads`](Self::threads), and
    /// no two chunks that run at once have the same. Returns when all are done; allocates nothing.
    ///
    /// # Panics
    /// Where `work` panics, with its payload, when no thread is in the work any more; chunks that nobody has begun by then
    /// are left out.
    pub fn run(&self, chunks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let here = Arc::as_ptr(&self.shared) as usize;
        let (outer, worker) = INSIDE.get();
        if outer == here {
            return (0..chunks).for_each(|chunk| work(chunk, worker));
        }
        let turn = lock(&self.turn);
        let result = if chunks < 2 || self.workers.is_empty() {
            within(here, 0, || catch_unwind(AssertUnwindSafe(|| (0..chunks).for_each(|chunk| work(chunk, 0)))))
        } else {
            self.share(chunks, work)
        };
        drop(turn);
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    }

    /// Opens the job to the workers, takes part in it, and comes back when no one is in it.
    fn share(&self, chunks: usize, work: &(dyn Fn(usize, usize) + Sync)) -> Result<(), Box<dyn Any + Send>> {
        let shared = &*self.shared;
        // SAFETY: the lifetime is forgotten until `close` returns, which is before this function does, whatever
        // panics: `take_part` catches it, and nothing else between here and there can.
        let work: *const Work =
            unsafe { std::mem::transmute::<*const (dyn Fn(usize, usize) + Sync + '_), *const Work>(work) };
        // SAFETY: this thread holds the turn, and the last job was closed, so no worker looks at the job.
        unsafe { *shared.job.get() = Job { work: Some(work), chunks } };
        shared.next.0.store(0, Ordering::Relaxed);
        shared.open(chunks - 1);
        shared.take_part(0);
        shared.close();
        lock(&shared.panic).take().map_or(Ok(()), Err)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.state.0.fetch_or(OVER, Ordering::SeqCst);
        drop(lock(&self.shared.gate));
        self.shared.opened.notify_all();
        for worker in self.workers.drain(..) {
            worker.join().expect("a worker catches what its work panics with");
        }
    }
}

impl Shared {
    fn new() -> Self {
        Shared {
            state: State(AtomicU64::new(0)),
            next: Next(AtomicUsize::new(0)),
            job: UnsafeCell::new(Job { work: None, chunks: 0 }),
            panic: Mutex::new(None),
            asleep: AtomicUsize::new(0),
            gate: Mutex::new(()),
            opened: Condvar::new(),
            left: Condvar::new(),
        }
    }

    /// What a worker does all its life.
    fn serve(&self, worker: usize) {
        let mut seen = 0;
        loop {
            let state = self.await_job(seen);
            if state & OVER != 0 {
                return;
            }
            seen = state / EPOCH;
            if self.join(seen) {
                self.take_part(worker);
                self.leave();
            }
        }
    }

    /// The state once it has another epoch than `seen`, or says that all is over.
    fn await_job(&self, seen: u64) -> u64 {
        let news = |state: u64| state / EPOCH != seen || state & OVER != 0;
        for _ in 0..SPINS {
            let state = self.state.0.load(Ordering::Acquire);
            if news(state) {
                return state;
            }
            spin_loop();
        }
        let mut gate = lock(&self.gate);
        // Told before the state is looked at again: either this thread sees the job, or the caller sees the sleeper.
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let state = loop {
            let state = self.state.0.load(Ordering::SeqCst);
            if news(state) {
                break state;
            }
            gate = self.opened.wait(gate).unwrap_or_else(PoisonError::into_inner);
        };
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        state
    }

    /// Counts this worker into the job of `epoch`, if it is still open.
    fn join(&self, epoch: u64) -> bool {
        let join = |state: u64| (state / EPOCH == epoch && state & OPEN != 0).then_some(state + 1);
        self.state.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, join).is_ok()
    }

    /// Counts this worker out of the job, and wakes the caller if it waits for that.
    fn leave(&self) {
        let before = self.state.0.fetch_sub(1, Ordering::Release);
        if before & MEMBERS == 1 && before & AWAITED != 0 {
            drop(lock(&self.gate));
            self.left.notify_one();
        }
    }

    /// Lets workers into a new job, and wakes as many sleepers as can be of `use_for` at most.
    fn open(&self, use_for: usize) {
        let next = |state: u64| Some((state / EPOCH).wrapping_add(1).wrapping_mul(EPOCH) | OPEN);
        self.state.0.fetch_update(Ordering::SeqCst, Ordering::Relaxed, next).expect("the update always says yes");
        let asleep = self.asleep.load(Ordering::SeqCst).min(use_for);
        if asleep > 0 {
            // A sleeper that has told so holds the gate until it sleeps.
            drop(lock(&self.gate));
            (0..asleep).for_each(|_| self.opened.notify_one());
        }
    }

    /// Lets no one in any more, and returns when all have left.
    fn close(&self) {
        let mut state = self.state.0.fetch_and(!OPEN, Ordering::AcqRel) & !OPEN;
        for _ in 0..SPINS {
            if state & MEMBERS == 0 {
                return;
            }
            spin_loop();
            state = self.state.0.load(Ordering::Acquire);
        }
        let mut gate = lock(&self.gate);
        state = self.state.0.fetch_or(AWAITED, Ordering::AcqRel);
        while state & MEMBERS != 0 {
            gate = self.left.wait(gate).unwrap_or_else(PoisonError::into_inner);
            state = self.state.0.load(Ordering::Acquire);
        }
        self.state.0.fetch_and(!AWAITED, Ordering::Relaxed);
    }

    /// Takes chunks as `worker` while there are any. A panic of one is kept, and ends the job for all.
    fn take_part(&self, worker: usize) {
        // SAFETY: this thread has opened or joined the job, so the job is written, and not written again before it left.
        let Job { work, chunks } = unsafe { *self.job.get() };
        // SAFETY: the caller does not return, and so the work lives, before this thread has left.
        let work = unsafe { &*work.expect("a job is written before it is opened") };
        let here = std::ptr::from_ref(self) as usize;
        let all = || {
            loop {
                let chunk = self.next.0.fetch_add(1, Ordering::Relaxed);
                if chunk >= chunks {
                    return;
                }
                work(chunk, worker);
            }
        };
        if let Err(payload) = within(here, worker, || catch_unwind(AssertUnwindSafe(all))) {
            self.next.0.store(chunks, Ordering::Relaxed);
            lock(&self.panic).get_or_insert(payload);
        }
    }
}

/// Runs `f`, which does not panic, as worker `worker` of the pool at `pool`.
fn within<T>(pool: usize, worker: usize, f: impl FnOnce() -> T) -> T {
    let outer = INSIDE.replace((pool, worker));
    let result = f();
    INSIDE.set(outer);
    result
}

/// Locks what holds no invariant that a panic could break.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
