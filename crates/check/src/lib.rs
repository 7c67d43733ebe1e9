//! From syntax to `CheckedDesign`: stages, axes, requirements, elaboration and identity.

pub mod core;
