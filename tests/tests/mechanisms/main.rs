//! The library of mechanisms (`designs/`) against the formulas of their papers.
//!
//! Each mechanism is a unit of a design. It is held to a reference that knows nothing of the language:
//! plain loops over the positions of one item, written once over a scalar ([`real`]), which is a
//! number or a variable of a small tape ([`tape`]). Outputs, final states and every gradient must
//! agree, closely in f64, and within a part of 0.005 in f32 ([`hold`]). `docs/mechanisms.md` is the table ([`table`])
//! with what was measured ([`page`]).

mod hold;
mod math;
mod page;
mod real;
mod reference;
mod table;
mod tape;
