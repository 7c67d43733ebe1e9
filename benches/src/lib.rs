//! Benchmarks; they lie in `benches/`, and what they measured in `docs/benchmarks.md`.
//!
//! Nothing is exported: a package needs a target of its own.
