//! Every chunk once, whatever the threads do.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Pool;

/// Runs `chunks` chunks, and counts how often each was run and whether two were run under one number at once.
fn counts(pool: &Pool, chunks: usize) -> Vec<usize> {
    let runs: Vec<AtomicUsize> = (0..chunks).map(|_| AtomicUsize::new(0)).collect();
    let busy: Vec<AtomicUsize> = (0..pool.threads()).map(|_| AtomicUsize::new(0)).collect();
    pool.run(chunks, &|chunk, worker| {
        assert_eq!(busy[worker].fetch_add(1, Ordering::SeqCst), 0, "two chunks are run as worker {worker}");
        runs[chunk].fetch_add(1, Ordering::SeqCst);
        busy[worker].fetch_sub(1, Ordering::SeqCst);
    });
    runs.into_iter().map(AtomicUsize::into_inner).collect()
}

#[test]
fn every_chunk_is_run_once_by_any_number_of_threads() {
    for threads in 1..=8 {
        let pool = Pool::new(threads);
        assert_eq!(pool.threads(), threads);
        for chunks in [0, 1, 2, 3, threads, 64, 1000] {
            assert_eq!(counts(&pool, chunks), vec![1; chunks], "{chunks} chunks, {threads} threads");
        }
    }
}

#[test]
fn many_runs_follow_each_other_at_any_distance() {
    let pool = Pool::new(3);
    let sum = AtomicUsize::new(0);
    for round in 0..20_000 {
        pool.run(round % 5, &|chunk, _| {
            sum.fetch_add(chunk + 1, Ordering::Relaxed);
        });
        // Now and then long enough for the workers to fall asleep.
        if round % 1000 == 0 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
    assert_eq!(sum.into_inner(), 20_000 / 5 * (1 + 3 + 6 + 10));
}

#[test]
fn what_work_writes_is_seen_by_the_caller_and_by_the_next_work() {
    let pool = Pool::new(4);
    let mut cells = vec![0_u64; 64];
    for _ in 0..500 {
        let at = cells.as_mut_ptr() as usize;
        pool.run(64, &|chunk, _| {
            let cell = (at as *mut u64).wrapping_add(chunk);
            // SAFETY: each chunk has a cell of its own, and the cells outlive the call.
            unsafe { *cell += chunk as u64 }
        });
    }
    assert!(cells.iter().enumerate().all(|(i, cell)| *cell == 500 * i as u64), "{cells:?}");
}

#[test]
fn a_panic_comes_to_the_caller_and_the_pool_lives_on() {
    let pool = Pool::new(4);
    for bad in [0, 7, 63] {
        let caught = catch_unwind(AssertUnwindSafe(|| {
            pool.run(64, &|chunk, _| {
                if chunk == bad {
                    std::panic::resume_unwind(Box::new(bad));
                }
            });
        }));
        assert_eq!(caught.unwrap_err().downcast_ref::<usize>(), Some(&bad));
        assert_eq!(counts(&pool, 64), vec![1; 64]);
    }
    let alone = catch_unwind(AssertUnwindSafe(|| pool.run(1, &|_, _| std::panic::resume_unwind(Box::new(())))));
    assert!(alone.is_err());
    assert_eq!(counts(&pool, 64), vec![1; 64]);
}

#[test]
fn a_run_within_a_run_stays_with_its_worker() {
    let pool = Pool::new(3);
    let count = AtomicUsize::new(0);
    pool.run(10, &|_, outer| {
        pool.run(10, &|_, inner| {
            assert_eq!(inner, outer);
            count.fetch_add(1, Ordering::Relaxed);
        });
    });
    assert_eq!(count.into_inner(), 100);
}

#[test]
fn callers_wait_for_their_turn() {
    let pool = Pool::new(2);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..200 {
                    assert_eq!(counts(&pool, 9), vec![1; 9]);
                }
            });
        }
    });
}

#[test]
fn a_dropped_pool_has_ended_its_threads() {
    // What a worker holds: it is gone only when all threads are.
    for sleeping in [false, true] {
        let pool = Pool::new(4);
        let shared = std::sync::Arc::downgrade(&pool.shared);
        pool.run(8, &|_, _| {});
        if sleeping {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        drop(pool);
        assert!(shared.upgrade().is_none());
    }
}
