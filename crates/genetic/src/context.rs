//! What operators draw from beside the parents, made ready once for many offspring.

use std::sync::Arc;

use genesys_check::{CheckedDesign, Library};
use genesys_ladder::Scale;

use crate::genome::Source;

/// The standard units, the donors and the scales. Copies share what was made ready.
#[derive(Clone, Debug)]
pub struct Context {
    pub(crate) library: Arc<Library>,
    pub(crate) standard: Arc<Source>,
    pub(crate) donors: Arc<[Arc<Source>]>,
    pub(crate) scales: Arc<[Scale]>,
}

impl Context {
    /// The `library` holds the standard units; the units of `donors` may be taken over by a mutation; the
    /// `scales` are those that count: an offspring runs at each of them at which its (first) parent
    /// runs.
    pub fn new(library: &Library, donors: &[CheckedDesign], scales: &[Scale]) -> Self {
        let standard = Arc::new(Source::standard(library.file()));
        let donors = donors.iter().map(|donor| Arc::new(Source::design(donor.file(), &standard))).collect();
        Self { library: Arc::new(library.clone()), standard, donors, scales: scales.into() }
    }

    /// The standard units.
    pub fn library(&self) -> &Library {
        &self.library
    }

    /// The scales at which a design runs, of those that count.
    pub fn scales_of(&self, design: &CheckedDesign) -> Vec<Scale> {
        self.scales.iter().filter(|scale| design.at_scale(scale).is_ok()).cloned().collect()
    }
}
