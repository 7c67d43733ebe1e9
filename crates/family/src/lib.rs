//! Which designs are equal in exact arithmetic, though they round otherwise: the family key.
//!
//! - [`FamilyKey::of`]: a checked design to its key. Designs of one key are, but for a collision of hashes, one function
//!   of real numbers: `a * (b + c)` and `a * b + a * c`, `softmax` and exponentials over their sum.
//!
//! Inside: `term` reads a normal form as terms (the step of a scan is one operation, named by the hash of its body),
//! `rules` holds the laws of real numbers, `saturate` applies them in an e-graph (Willsey et al., 2021) within limits on
//! nodes and rounds, never on time, and takes out the smallest term, `digest` hashes it so that names and order do not
//! count. Where a limit was met the key is marked: two members of a family may then have two keys.
//!
//! - [`Fingerprint`]: how far one design is from another, by the parts that they share.
//! - [`Families`], [`Fingerprints`]: keys and fingerprints that are found once for each design, for those who compare many with the same
//!   others.
//!
//! Not here: identity. Equal over the reals is not equal in floating point, and a spelling that overflows must not stand
//! for its stable twin: results are never kept by this key.

mod digest;
mod distance;
mod key;
mod memo;
mod rules;
mod saturate;
mod term;

pub use distance::Fingerprint;
pub use key::FamilyKey;
pub use memo::{Families, Fingerprints};
