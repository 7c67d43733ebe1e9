//! [`Precision`] by name, in what is written of a training.
//!
//! In: `f32` or `bf16`. Out: the precision; or back. What is in f32 is written without it, as it was before there was another, so
//! that no key of a result changes.

use serde::{Deserialize, Deserializer, Serializer};

pub use genesys_cpu::Precision;

/// Whether it is left out.
#[must_use]
pub fn is_plain(precision: &Precision) -> bool {
    *precision == Precision::F32
}

/// For `serde(with)`: its name.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(precision: &Precision, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(precision)
}

/// For `serde(with)`: the precision of a name.
///
/// # Errors
/// Another name.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Precision, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
}
