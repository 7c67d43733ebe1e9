//! Benchmarks; they lie in `benches/`, and what they measured in `docs/benchmarks.md`.
//!
//! Here is what they share: the allocator of the `genesys` program, so that what is measured is what its users get (a bench
//! takes it with `use benches as _`), in [`versus`] our side of `cargo xtask versus torch`, and in [`constrained`] what `cargo xtask llama`
//! asks for.

pub mod constrained;
pub mod versus;

/// The program's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
