//! The intermediate representation: operations over named axes, batch and time.

pub mod module;
