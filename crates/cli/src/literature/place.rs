//! Where things are kept between searches.
//!
//! In: a folder, or the environment. Out: the file of an index for some sources, in a folder that is there.

use std::env;
use std::fs;
use std::path::PathBuf;

/// Where things are kept between searches.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Place {
    /// Where indices, vectors and answers of live sources are kept [default: genesys in $XDG_CACHE_HOME, or in ~/.cache].
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Place {
    /// The folder, which may not be there yet.
    pub(crate) fn folder(&self) -> Option<PathBuf> {
        self.cache.clone().or_else(default_cache)
    }

    /// The file of an index of these files and folders; none where there is no folder to keep it in.
    pub(crate) fn file(&self, what: &str, of: &[PathBuf]) -> Option<PathBuf> {
        let folder = self.folder().filter(|folder| fs::create_dir_all(folder).is_ok())?;
        let whole = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let mut of: Vec<PathBuf> = of.iter().map(whole).collect();
        of.sort();
        let name = blake3::hash(format!("{of:?}").as_bytes()).to_hex();
        Some(folder.join(format!("{what}-{}.db", &name[..16])))
    }
}

/// Where programs keep what they can make again.
fn default_cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("genesys"))
}
