//! Writes the table of the default text's crates: name and exact version.
//!
//! In: `default-crates.txt` and the workspace's `Cargo.lock`. Out: `default_crates.rs` in the build folder, a constant
//! `DEFAULT_CRATES`. A crate that is listed but not locked stops the build. It downloads and reads no crate.
// A build script speaks to cargo on standard output.
#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    if let Err(message) = write_table() {
        println!("cargo::error={message}");
    }
}

fn write_table() -> Result<(), String> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("CARGO_MANIFEST_DIR is not set")?);
    let lock = read(&here.join("../../Cargo.lock"))?;
    let list = read(&here.join("default-crates.txt"))?;
    let locked = locked_packages(&lock);
    let mut table = String::from("const DEFAULT_CRATES: &[(&str, &str)] = &[\n");
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, prefix) = line.split_once(' ').unwrap_or((line, ""));
        table.push_str(&format!("    ({name:?}, {:?}),\n", version(&locked, name, prefix)?));
    }
    table.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("default_crates.rs");
    fs::write(&out, table).map_err(|error| format!("{}: {error}", out.display()))
}

fn read(path: &Path) -> Result<String, String> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Name and version of every package in the lock that comes from a registry.
fn locked_packages(lock: &str) -> Vec<(&str, &str)> {
    lock.split("[[package]]")
        .filter(|block| block.contains("\nsource = \"registry+"))
        .filter_map(|block| Some((field(block, "name")?, field(block, "version")?)))
        .collect()
}

fn field<'b>(block: &'b str, key: &str) -> Option<&'b str> {
    block.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"'))
}

/// The one locked version of `name` that starts with `prefix`.
fn version<'l>(locked: &[(&str, &'l str)], name: &str, prefix: &str) -> Result<&'l str, String> {
    let starts = |version: &str| prefix.is_empty() || version == prefix || version.starts_with(&format!("{prefix}."));
    let found: Vec<&str> = locked.iter().filter(|(n, v)| *n == name && starts(v)).map(|(_, v)| *v).collect();
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!(
            "default-crates.txt lists {name} {prefix}, but Cargo.lock has no such crate: take it off the list"
        )),
        _ => Err(format!(
            "default-crates.txt lists {name} {prefix}, and Cargo.lock has {}: add a version prefix to the list",
            found.join(" and ")
        )),
    }
}
