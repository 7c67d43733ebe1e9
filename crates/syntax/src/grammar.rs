//! The parser that pest derives from `grammar/gau.pest`.
//!
//! Nothing else: what its rules mean is built in `build`, what its errors say in `message`.
#![allow(missing_docs, unreachable_pub)]

use pest_derive::Parser;

/// The start rule is [`Rule::item`].
#[derive(Parser)]
#[grammar = "../../grammar/gau.pest"]
pub(crate) struct Grammar;
