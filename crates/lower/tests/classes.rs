//! What a scan is said to be is what it is lowered to, over all designs that the project has.
//!
//! In: texts. The classes of a unit's scans, as `genesys explain` tells them, against the scans of the module: the same
//! states together, and element by element just where the class says so. A state in chunks may run together with what its
//! start reads, so there the lowered scans are only held to be made of what is said.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use genesys_check::CheckedDesign;
use genesys_check::class::{Kind, classify};
use genesys_check::core::Graph;
use genesys_ir::module::{Function, Op, Region, StateClass};
use genesys_ladder::Scale;
use genesys_span::Sources;

/// The names of states that run together, and whether they do so element by element.
type Run = (Vec<String>, bool);

fn designs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["tests/designs", "../../designs", "../../designs/mechanisms", "../../tests/peers/designs"];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(root.join(folder)).unwrap());
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ext| ext == "gau"));
    paths.sort();
    paths
}

fn read(path: &Path) -> CheckedDesign {
    let mut sources = Sources::default();
    let std = sources.add(genesys_stdlib::NAME, genesys_stdlib::TEXT);
    let std = genesys_check::Library::new(genesys_syntax::parse(&sources, std).file);
    let file = sources.add(path.to_string_lossy(), fs::read_to_string(path).unwrap());
    let checked = genesys_check::check(&Arc::new(genesys_syntax::parse(&sources, file).file), &std);
    checked.design.unwrap_or_else(|| panic!("{}: {:?}", path.display(), checked.diagnostics))
}

fn sorted<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort();
    names
}

/// What the classes say of a graph's scans.
fn said(graph: &Graph) -> Vec<(Vec<String>, Kind)> {
    let mut all = Vec::new();
    for scan in classify(graph) {
        let states = &graph.scan(scan.scan).states;
        for component in scan.components {
            let names = component.states.iter().map(|index| states[*index as usize].name.as_str());
            all.push((sorted(names), component.kind));
        }
    }
    all
}

/// What is expected of them. A state that is written anew is a shift, and no scan.
fn expected(said: Vec<(Vec<String>, Kind)>) -> Vec<Run> {
    let runs = said.into_iter().filter(|(_, kind)| *kind != Kind::Free);
    let mut all: Vec<Run> = runs.map(|(names, kind)| (names, kind.is_elementwise())).collect();
    all.sort();
    all
}

/// The scans of a function of the module.
fn lowered(function: &Function) -> Vec<Run> {
    let mut all = Vec::new();
    scans(&function.body, &mut all);
    all.sort();
    all
}

fn scans(region: &Region, all: &mut Vec<Run>) {
    for instruction in &region.instructions {
        match &instruction.op {
            Op::Scan { states, class, body, .. } => {
                let names = states.iter().map(|state| state.name.as_str());
                all.push((sorted(names), *class == StateClass::Diagonal));
                scans(body, all);
            }
            Op::Past { body, .. } | Op::Grad { body, .. } => scans(body, all),
            _ => {}
        }
    }
}

#[test]
fn scans_are_lowered_as_they_are_explained() {
    let (mut elementwise, mut others, mut chunked) = (0, 0, 0);
    for path in designs() {
        let design = read(&path);
        let layers = Scale::all().iter().find_map(|scale| design.at_scale(scale).ok()).unwrap();
        let module = genesys_lower::lower(&design, &layers, 256);
        for function in design.functions() {
            let Some(made) = module.functions.iter().find(|made| made.name == function.name) else { continue };
            let (said, made) = (said(&function.graph), lowered(made));
            if function.graph.scans.iter().all(|scan| scan.chunk.is_none()) {
                assert_eq!(made, expected(said), "{} of {}", function.name, path.display());
                elementwise += made.iter().filter(|(_, elementwise)| *elementwise).count();
                others += made.iter().filter(|(_, elementwise)| !elementwise).count();
                continue;
            }
            chunked += made.len();
            for (names, elementwise) in made {
                let parts = said.iter().filter(|(part, _)| part.iter().all(|name| names.contains(name)));
                let parts: Vec<_> = parts.collect();
                let whole: usize = parts.iter().map(|(part, _)| part.len()).sum();
                assert!(whole >= names.len(), "{names:?} of {} of {}: {said:?}", function.name, path.display());
                assert!(
                    !elementwise || parts.iter().all(|(_, kind)| kind.is_elementwise()),
                    "{names:?} of {}",
                    path.display()
                );
            }
        }
    }
    // None of the three kinds is missing.
    assert!(elementwise > 20 && others > 10 && chunked > 2, "{elementwise}, {others}, {chunked}");
}
