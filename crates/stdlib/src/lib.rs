//! The standard units, written in the design language itself.
