//! Which files there are.
//!
//! In: the workspace's folder. Out: its text files in the order of their paths. Build output, runs and hidden folders
//! other than `.ci` and `.cargo` are left out.

use std::fs;
use std::path::Path;

use super::Finding;

/// A text file of the workspace.
pub(super) struct TextFile {
    /// Relative to the workspace, with `/` between the parts.
    pub(super) path: String,
    /// All of it.
    pub(super) text: String,
}

impl TextFile {
    /// A finding in this file.
    pub(super) fn finding(&self, line: usize, message: impl Into<String>) -> Finding {
        Finding { path: self.path.clone(), line, message: message.into() }
    }

    /// Whether a program wrote the file, as a golden of what it writes.
    pub(super) fn is_emitted(&self) -> bool {
        self.path.starts_with("tests/tests/emitted/golden/")
    }

    /// Whether all of the file is test code, so that rules about shipped code do not hold in it.
    pub(super) fn is_test(&self) -> bool {
        let parts: Vec<&str> = self.path.split('/').collect();
        let name = parts.last().copied().unwrap_or_default();
        parts.iter().any(|part| matches!(*part, "tests" | "benches")) || matches!(name, "tests.rs" | "testing.rs")
    }
}

/// Extensions of the files the rules are about.
const EXTENSIONS: [&str; 9] = ["rs", "toml", "md", "gau", "pest", "py", "sh", "txt", "json"];

/// Hidden folders that belong to the project.
const HIDDEN: [&str; 3] = [".ci", ".cargo", ".config"];

/// Every text file below `root`.
pub(super) fn text_files(root: &Path) -> Result<Vec<TextFile>, String> {
    let mut files = Vec::new();
    walk(root, "", &mut files).map_err(|error| format!("cannot read the workspace: {error}"))?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<TextFile>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type()?.is_dir() {
            if enters(prefix, &name) {
                walk(&entry.path(), &format!("{path}/"), files)?;
            }
        } else if prefix == ".ci/" || name.rsplit_once('.').is_some_and(|(_, e)| EXTENSIONS.contains(&e)) {
            // Test data may hold bytes that are not UTF-8 on purpose: no rule is about those.
            if let Ok(text) = String::from_utf8(fs::read(entry.path())?) {
                files.push(TextFile { path, text });
            }
        }
    }
    Ok(())
}

fn enters(prefix: &str, name: &str) -> bool {
    // The fuzz targets are a workspace of their own, built beside them.
    let output = matches!((prefix, name), ("" | "fuzz/", "target") | ("", "runs") | ("fuzz/", "corpus" | "artifacts"));
    !output && (!name.starts_with('.') || HIDDEN.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_code_is_known_by_its_place() {
        let is_test = |path: &str| TextFile { path: path.to_owned(), text: String::new() }.is_test();
        assert!(is_test("crates/store/tests/log.rs"));
        assert!(is_test("tests/tests/house.rs"));
        assert!(is_test("crates/check/src/tests.rs"));
        assert!(!is_test("crates/check/src/units.rs"));
    }
}
