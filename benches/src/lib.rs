//! Benchmarks; they lie in `benches/`, and what they measured in `docs/benchmarks.md`.
//!
//! Here is only what all of them share: the allocator of the `genesys` program, so that what is measured is what its
//! users get. A bench takes it with `use benches as _`.

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
