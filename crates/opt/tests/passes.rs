//! Each pass on small modules, as text: what a module is, and what it becomes.
//!
//! `UPDATE_GOLDENS=1 cargo test -p genesys-opt` writes what is made now behind the line in the middle of each file of
//! `tests/golden`; read the difference before it is kept. That what it becomes means the same is held by `tests/tests/optimized`,
//! which runs these files, too.

use std::path::{Path, PathBuf};

use genesys_ir::module::Module;
use genesys_ir::{parse, print, validate};
use genesys_opt::{PASSES, Recompute, optimize, recompute};

/// What stands between a module and what it becomes.
const BECOMES: &str = "\n==== becomes ====\n\n";

fn folder(name: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let files = std::fs::read_dir(root).expect("the folder of a pass is there");
    let mut paths: Vec<PathBuf> = files.map(|file| file.expect("a readable folder").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no module for `{name}`");
    paths
}

fn sound(path: &Path, text: &str) -> Module {
    let module = parse(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    validate(&module).unwrap_or_else(|violations| panic!("{}: {}\n{text}", path.display(), violations[0]));
    module
}

fn becomes(name: &str, pass: &dyn Fn(&mut Module), path: &Path) {
    let text = std::fs::read_to_string(path).expect("a readable file");
    let (before, expected) = text.split_once(BECOMES).unwrap_or((text.as_str(), ""));
    let mut module = sound(path, before);
    pass(&mut module);
    let found = print(&module);
    assert_eq!(sound(path, &found), module, "{}", path.display());
    if std::env::var_os("UPDATE_GOLDENS").is_some() {
        let before = before.trim_end();
        std::fs::write(path, format!("{before}\n{BECOMES}{found}")).expect("the folder of goldens");
    } else {
        assert!(found == expected, "{} differs; it is now:\n{found}", path.display());
    }
    // Nothing is left to do.
    let mut again = module.clone();
    pass(&mut again);
    assert!(again == module, "`{name}` changes {} once more:\n{}", path.display(), print(&again));
}

#[test]
fn passes_give_what_the_goldens_say() {
    let mut seen = Vec::new();
    for pass in PASSES {
        if !seen.contains(&pass.0) {
            seen.push(pass.0);
            folder(pass.0).iter().for_each(|path| becomes(pass.0, &pass.1, path));
        }
    }
}

/// One backward pass, by what it may compute again.
#[test]
fn tapes_are_as_small_as_what_is_computed_again_allows() {
    for path in folder("recompute") {
        let how = match path.file_stem().and_then(|stem| stem.to_str()) {
            Some("elements") => Recompute::Elements,
            Some("products") => Recompute::Products,
            Some("all") => Recompute::All,
            other => panic!("{other:?} is nothing that may be computed again"),
        };
        becomes("recompute", &|module| recompute(module, how), &path);
    }
}

/// A module in which there is nothing to do, whose values have numbers of their own.
#[test]
fn what_is_at_its_best_stays_to_the_bit() {
    let text = "module Small

axis V = {5}
axis D = {4}

fn main {
  weight table: [V, D] = normal(0.02) @embedding stream 0
  input %1: Token Seq[]
  input %0: Token Seq[]
  %4: [V, D] = weight table
  %3: Seq[D] = gather [V] %4, %1
  %2: Seq[D] = map exp($0) %3
  %6: Seq[V] = contract [D] %2, %4
  %5: Loss[] = cross_entropy [V] %6, %0
  return %6, %5
}
";
    let module = sound(Path::new("the module above"), text);
    assert_eq!(print(&optimize(&module)), text);
}
