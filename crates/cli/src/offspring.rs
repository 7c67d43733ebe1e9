//! What `mutate` and `crossover` share: as many offspring as asked for, written to a folder, or none.

use std::fs;
use std::path::Path;

use genesys_check::CheckedDesign;
use genesys_compiler::{check_text, standard_units};
use genesys_genetic::{Brood, Context, Offspring};
use genesys_ladder::Scale;

use crate::aside;
use crate::failure::Failure;
use crate::output;
use crate::shipped;

/// The standard units, the shipped designs as donors, and every scale.
pub(crate) fn context() -> Context {
    let donors: Vec<CheckedDesign> =
        shipped::DESIGNS.iter().filter_map(|(name, text)| check_text(name, text).design).collect();
    Context::new(standard_units(), &donors, &Scale::all())
}

/// A file's name without its ending.
pub(crate) fn stem(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes the first `number` offspring to files `stem-001.gau` and so on. `source` says what they come of.
///
/// # Errors
/// Where fewer exist; then nothing is written. And where the folder cannot be written to.
pub(crate) fn write(brood: Brood, number: u64, source: &str, out: &Path, stem: &str) -> Result<(), Failure> {
    let offspring: Vec<Offspring> = brood.take(usize::try_from(number).unwrap_or(usize::MAX)).collect();
    if (offspring.len() as u64) < number {
        return Err(Failure::Input(format!(
            "expected {number} different designs, but {source} gives {}; nothing is written",
            offspring.len()
        )));
    }
    if out.exists() && !out.is_dir() {
        return Err(Failure::Input(format!(
            "expected a folder to write to, found the file {}: name another",
            out.display()
        )));
    }
    fs::create_dir_all(out).map_err(Failure::writing(out))?;
    for (number, child) in (1..).zip(&offspring) {
        write_one(&out.join(format!("{stem}-{number:03}.gau")), child)?;
    }
    Ok(())
}

fn write_one(path: &Path, child: &Offspring) -> Result<(), Failure> {
    aside::write(path, child.text().as_bytes()).map_err(Failure::writing(path))?;
    let (hash, operator) = (child.design.hash(), child.operator);
    output::line(format_args!("{hash}  {}  {operator}: {}", path.display(), child.detail))
}
