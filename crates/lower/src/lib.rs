//! From a checked design to IR.
