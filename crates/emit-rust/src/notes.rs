//! What the text says that the IR does not keep: names, and the lines that values were written in.
//!
//! Notes decide no number: without them the source is the same program, with plainer names.

use std::collections::BTreeMap;

use genesys_ir::module::ValueId;

/// What is known of a module's text.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// Lines about the model: what the design's text says of itself.
    pub docs: Vec<String>,
    /// What is known of each function, in their order; of those behind the last nothing is.
    pub functions: Vec<FunctionNotes>,
}

/// What is known of a function's text.
#[derive(Clone, Debug, Default)]
pub struct FunctionNotes {
    /// Lines about the unit.
    pub docs: Vec<String>,
    /// What is known of values.
    pub values: BTreeMap<ValueId, ValueNote>,
}

/// What is known of a value's text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ValueNote {
    /// The name that the text gives it.
    pub name: Option<String>,
    /// The statement that it is part of.
    pub statement: Option<String>,
}
