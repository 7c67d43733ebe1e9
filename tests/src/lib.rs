//! Tests of the workspace as a whole; they lie in `tests/`.
//!
//! Nothing is exported: a package needs a target of its own.
