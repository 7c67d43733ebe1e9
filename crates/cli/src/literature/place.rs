//! Where things are kept between searches.
//!
//! In: a folder, or the environment. Out: the file of an index for some sources, in a folder that is there.

use std::env;
use std::fs;
use std::path::PathBuf;

/// Where things are kept between searches.
#[derive(Clone, Debug, Default, clap::Args)]
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

    /// The file of an index of these files and folders.
    ///
    /// # Errors
    /// What to say where there is no folder to keep it in.
    pub(crate) fn file(&self, what: &str, of: &[PathBuf]) -> Result<PathBuf, String> {
        let folder = self.folder().ok_or_else(|| not_kept("a cache"))?;
        fs::create_dir_all(&folder).map_err(|_| not_kept(&folder.display().to_string()))?;
        let whole = |path: &PathBuf| fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let mut of: Vec<PathBuf> = of.iter().map(whole).collect();
        of.sort();
        let name = blake3::hash(format!("{of:?}").as_bytes()).to_hex();
        Ok(folder.join(format!("{what}-{}.db", &name[..16])))
    }
}

fn not_kept(folder: &str) -> String {
    format!("{folder} cannot be made, so that the index is not kept; --cache names another place")
}

/// Where programs keep what they can make again.
fn default_cache() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))?;
    Some(base.join("genesys"))
}
