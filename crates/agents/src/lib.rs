//! What language models are told when they propose, review and write designs.
//!
//! | file | holds |
//! | --- | --- |
//! | [`card`] | the language on one page |
//!
//! It asks nobody, and reads no file: texts come from the documentation as this program was built with it.

pub mod card;
