//! Writes the table of the default text's crates: name and exact version.
//!
//! In: `default-crates.txt` and the workspace's `Cargo.lock`. Out: `default_crates.rs` in the build folder, a constant
//! `DEFAULT_CRATES`. A crate that is listed but not locked stops the build. It downloads and reads no crate.
// A build script speaks to cargo on standard output.
#![allow(clippy::print_stdout)]

mod locked;

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
    let table = locked::table(&list, &lock)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("default_crates.rs");
    fs::write(&out, table).map_err(|error| format!("{}: {error}", out.display()))
}

fn read(path: &Path) -> Result<String, String> {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
