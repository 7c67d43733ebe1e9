//! Writes the table of the shipped designs: every file of `designs/` and `designs/mechanisms/`, by its path and with its text.
//!
//! In: those folders. Out: `designs.rs` in the build folder, a constant `ALL`. It reads no design.
// A build script speaks to cargo on standard output.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The folders, from the workspace on.
const FOLDERS: [&str; 2] = ["designs", "designs/mechanisms"];

fn main() {
    if let Err(message) = write_table() {
        println!("cargo::error={message}");
    }
}

fn write_table() -> Result<(), String> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    let root = here.parent().and_then(Path::parent).ok_or("the package lies in no workspace")?;
    let mut rows = String::new();
    for folder in FOLDERS {
        println!("cargo::rerun-if-changed={}", root.join(folder).display());
        for name in designs(&root.join(folder))? {
            rows += &format!(
                "    ({:?}, include_str!({:?})),\n",
                format!("{folder}/{name}"),
                root.join(folder).join(&name)
            );
        }
    }
    let table =
        format!("/// Path and text of every shipped design.\npub(crate) const ALL: &[(&str, &str)] = &[\n{rows}];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("designs.rs");
    fs::write(&out, table).map_err(|error| format!("{}: {error}", out.display()))
}

/// The names of the designs in `folder`, in order.
fn designs(folder: &Path) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".gau")).collect();
    names.sort();
    Ok(names)
}
