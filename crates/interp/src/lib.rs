//! A scalar step evaluator of IR in f64: the witness that causality and the fast paths are held to.
