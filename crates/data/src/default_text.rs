//! The default text: the documentation of the crates that every build of this project downloads.
//!
//! In: the table of crates and versions made by the build script, and Cargo's registry folder. Out: documents, one a
//! file: Markdown as it is, and the doc comments of Rust sources. In the order of crate names, then of file names, up
//! to [`MOST_BYTES`]. License texts are left out. It downloads nothing; a crate that is missing is an error.

use std::path::{Path, PathBuf};
use std::{env, fs};

use crate::corpus::{files_below, has_extension};
use crate::document::Document;
use crate::error::DataError;
use crate::prose::doc_comments;

include!(concat!(env!("OUT_DIR"), "/default_crates.rs"));

/// The default text ends before the document that would make it longer than this.
const MOST_BYTES: usize = 24_000_000;

/// The documents of the default text, found through `CARGO_HOME`, else `~/.cargo`.
pub(crate) fn documents() -> Result<Vec<Document>, DataError> {
    let home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| env::home_dir().map(|home| home.join(".cargo"))).unwrap_or_default();
    documents_in(&home.join("registry").join("src"), DEFAULT_CRATES, MOST_BYTES)
}

/// The documents of `crates` (name and version) below `sources`, a folder with one folder a registry.
fn documents_in(sources: &Path, crates: &[(&str, &str)], most: usize) -> Result<Vec<Document>, DataError> {
    let registries = registries(sources);
    let (mut documents, mut bytes) = (Vec::new(), 0);
    for (name, version) in crates {
        let folder = format!("{name}-{version}");
        let root = registries.iter().map(|registry| registry.join(&folder)).find(|root| root.is_dir());
        let root = root.ok_or_else(|| DataError::MissingCrate {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            searched: sources.to_owned(),
        })?;
        for document in crate_documents(&root, &folder)? {
            bytes += document.text.len();
            if bytes > most {
                return Ok(documents);
            }
            documents.push(document);
        }
    }
    Ok(documents)
}

/// The folders of the registries, in the order of their names; none when there is no such place.
fn registries(sources: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(sources).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

fn crate_documents(root: &Path, name: &str) -> Result<Vec<Document>, DataError> {
    let mut documents = Vec::new();
    for path in files_below(root, |path| has_extension(path, &["md", "markdown", "rs"]) && !is_license(path))? {
        let bytes = fs::read(&path).map_err(DataError::at(&path))?;
        // A published crate never changes, so leaving out what is not UTF-8 leaves out the same files everywhere.
        let Ok(source) = String::from_utf8(bytes) else { continue };
        let text = if has_extension(&path, &["rs"]) { doc_comments(&source) } else { source };
        if !text.trim().is_empty() {
            documents.push(Document { name: format!("{name}/{}", crate::corpus::name_below(root, &path)), text });
        }
    }
    Ok(documents)
}

fn is_license(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ["license", "licence", "unlicense", "copying", "copyright"].iter().any(|word| name.starts_with(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::collections::BTreeSet;
    use std::process::Command;

    fn write(root: &Path, path: &str, text: impl AsRef<[u8]>) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn markdown_and_doc_comments_of_the_listed_crates_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "reg/b-1.0.0/README.md", "# b\n");
        write(dir.path(), "reg/b-1.0.0/src/lib.rs", "//! Does b.\nfn f() {}\n");
        write(dir.path(), "reg/b-1.0.0/src/plain.rs", "// nothing\n");
        write(dir.path(), "reg/b-1.0.0/LICENSE-MIT.md", "MIT\n");
        write(dir.path(), "reg/b-1.0.0/latin1.md", b"\xe9");
        write(dir.path(), "reg/b-2.0.0/README.md", "another version\n");
        write(dir.path(), "other/a-0.1.0+x/CHANGELOG.md", "- a\n");
        let found = documents_in(dir.path(), &[("a", "0.1.0+x"), ("b", "1.0.0")], 1000).unwrap();
        let found: Vec<(&str, &str)> = found.iter().map(|d| (d.name.as_str(), d.text.as_str())).collect();
        let expected =
            [("a-0.1.0+x/CHANGELOG.md", "- a\n"), ("b-1.0.0/README.md", "# b\n"), ("b-1.0.0/src/lib.rs", "Does b.\n")];
        assert_eq!(found, expected);
        assert_eq!(documents_in(dir.path(), &[("a", "0.1.0+x"), ("b", "1.0.0")], 9).unwrap().len(), 2);
    }

    #[test]
    fn a_missing_crate_is_named_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        for sources in [dir.path().to_owned(), dir.path().join("nowhere")] {
            let error = documents_in(&sources, &[("rayon", "1.12.0")], 1000).unwrap_err();
            let text = error.to_string();
            assert!(text.contains("rayon 1.12.0") && text.contains("--corpus PATH"), "{text}");
            assert!(!error.is_input());
        }
    }

    #[test]
    fn the_list_is_in_the_order_of_names_without_repeats() {
        let names: Vec<&str> = DEFAULT_CRATES.iter().map(|(name, _)| *name).collect();
        let sorted: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names, sorted.into_iter().collect::<Vec<_>>());
    }

    /// The command's own dependencies are what a user's build downloads; a crate that only tests or other systems
    /// need would be missing on a user's machine.
    #[test]
    fn every_listed_crate_is_downloaded_by_a_build_of_the_command() {
        let target = "x86_64-unknown-linux-gnu";
        let tree = Command::new(env!("CARGO"))
            .args(["tree", "--locked", "--offline", "-p", "genesys-cli", "-e", "normal,build", "--target", target])
            .args(["--prefix", "none", "--format", "{p}"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8(tree.stdout).unwrap();
        let built: BTreeSet<(&str, &str)> = tree
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or_default().trim_start_matches('v')))
            .collect();
        let missing: Vec<_> = DEFAULT_CRATES.iter().filter(|listed| !built.contains(listed)).collect();
        assert!(missing.is_empty(), "listed, but not part of the command's build: {missing:?}");
    }
}
