//! Floors: a crate depends only on crates of a strictly lower floor, and low floors touch nothing of the machine.
//!
//! In: what cargo knows of the packages, and tokens of a file. Out: findings. A crate states its floor in
//! `[package.metadata.genesys]`; the packages outside `crates/` have none, and no crate may depend on them.

use std::collections::BTreeMap;

use cargo_metadata::{Metadata, Package};

use super::Finding;
use super::tokens::{Kind, Token, closing, starts_with};
use super::tree::TextFile;

/// What the names of all crates begin with; their folders do not.
const PREFIX: &str = "genesys-";

/// From this floor on a crate may touch disk, clock, environment, network and processes.
const FIRST_IMPURE_FLOOR: u64 = 8;

/// Modules of `std` that do.
const IMPURE: [&str; 5] = ["env", "fs", "net", "process", "time"];

/// Foreign crates that the chores must not wait for.
const HEAVY: [&str; 3] = ["candle-core", "candle-nn", "tokenizers"];

/// Findings about names, floors and dependencies of all packages.
pub(super) fn check_packages(metadata: &Metadata) -> Vec<Finding> {
    let floors: BTreeMap<&str, Option<u64>> =
        metadata.packages.iter().map(|package| (package.name.as_str(), floor(package))).collect();
    metadata
        .packages
        .iter()
        .flat_map(|package| {
            let path = manifest(metadata, package);
            let messages = match path.strip_prefix("crates/") {
                Some(rest) => check_crate(package, rest, &floors),
                None => check_outsider(package),
            };
            messages.into_iter().map(move |message| Finding { path: path.clone(), line: 0, message })
        })
        .collect()
}

/// A package under `crates/`, whose manifest is `crates/{rest}`.
fn check_crate(package: &Package, rest: &str, floors: &BTreeMap<&str, Option<u64>>) -> Vec<String> {
    let mut messages = Vec::new();
    let folder = rest.trim_end_matches("/Cargo.toml");
    if package.name.as_str() != format!("{PREFIX}{folder}") {
        messages.push(format!("expected the name `{PREFIX}{folder}`, found `{}`", package.name));
    }
    let Some(own) = floor(package) else {
        messages.push("expected a floor: `[package.metadata.genesys]` with `floor = N`".to_owned());
        return messages;
    };
    for dependency in &package.dependencies {
        match floors.get(dependency.name.as_str()) {
            Some(Some(other)) if *other < own => {}
            Some(Some(other)) => messages.push(format!(
                "floor {own} may depend on lower floors only, found `{}` of floor {other}",
                dependency.name
            )),
            Some(None) => messages.push(format!("no crate may depend on `{}`: it has no floor", dependency.name)),
            None => {}
        }
    }
    messages
}

/// A package beside `crates/`: it has no floor, and `xtask` stays light.
fn check_outsider(package: &Package) -> Vec<String> {
    let mut messages = Vec::new();
    if floor(package).is_some() {
        messages.push("a package outside `crates/` has no floor".to_owned());
    }
    if package.name.as_str() == "xtask" {
        let heavy = package.dependencies.iter().map(|dependency| dependency.name.as_str());
        let heavy = heavy.filter(|name| name.starts_with(PREFIX) || HEAVY.contains(name));
        messages.extend(heavy.map(|name| format!("chores must not wait for `{name}` to build")));
    }
    messages
}

/// Findings where the table of crates in ARCHITECTURE.md, rows of `| floor | crate | .. |`, is not that of the manifests.
pub(super) fn check_map(file: &TextFile, metadata: &Metadata) -> Vec<Finding> {
    let mut floors: BTreeMap<&str, u64> = metadata
        .packages
        .iter()
        .filter_map(|package| Some((package.name.as_str().strip_prefix(PREFIX)?, floor(package)?)))
        .collect();
    let mut findings = Vec::new();
    for (line, text) in (1..).zip(file.text.lines()) {
        let Some((stated, name)) = map_row(text) else { continue };
        match floors.remove(name) {
            Some(floor) if floor == stated => {}
            Some(floor) => findings.push(file.finding(line, format!("`{name}` stands on floor {floor}"))),
            None => findings.push(file.finding(line, format!("there is no crate `{name}`, or it stands here twice"))),
        }
    }
    let missing =
        floors.into_iter().map(|(name, floor)| file.finding(0, format!("`{name}` of floor {floor} is missing")));
    findings.extend(missing);
    findings
}

/// Floor and crate of a row of the table.
fn map_row(line: &str) -> Option<(u64, &str)> {
    let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
    let floor = cells.next()?.parse().ok()?;
    Some((floor, cells.next()?.strip_prefix('`')?.strip_suffix('`')?))
}

/// Whether the file at `path` belongs to a crate that may not touch the machine.
pub(super) fn is_pure(metadata: &Metadata, path: &str) -> bool {
    let of_crate = |package: &&Package| {
        manifest(metadata, package).strip_suffix("Cargo.toml").is_some_and(|folder| path.starts_with(folder))
    };
    let package = metadata.packages.iter().find(of_crate);
    package.and_then(floor).is_some_and(|floor| floor < FIRST_IMPURE_FLOOR)
}

/// Findings about `std` modules that a low floor may not use.
pub(super) fn check_purity(file: &TextFile, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for at in 0..tokens.len() {
        if tokens[at].test || !starts_with(&tokens[at..], &["std", ":", ":"]) {
            continue;
        }
        for token in children(tokens, at + 3).into_iter().filter(|token| IMPURE.iter().any(|word| token.is_word(word)))
        {
            let module = token.word().unwrap_or_default();
            let message =
                format!("below floor {FIRST_IMPURE_FLOOR} nothing uses `std::{module}`: take it as an argument");
            findings.push(file.finding(token.line, message));
        }
    }
    findings
}

/// The first word of each path that continues at `at`: one word, or those of a braced list.
fn children(tokens: &[Token], at: usize) -> Vec<&Token> {
    match tokens.get(at).map(|token| &token.kind) {
        Some(Kind::Word(_)) => vec![&tokens[at]],
        Some(Kind::Open('{')) => {
            let inner = &tokens[at..closing(tokens, at)];
            let mut depth = 0_usize;
            let mut words = Vec::new();
            for pair in inner.windows(2) {
                match pair[0].kind {
                    Kind::Open(_) => depth += 1,
                    Kind::Close(_) => depth -= 1,
                    Kind::Word(_) | Kind::Punct(_) | Kind::Literal => {}
                }
                if depth == 1 && matches!(pair[0].kind, Kind::Open(_) | Kind::Punct(',')) {
                    words.push(&pair[1]);
                }
            }
            words
        }
        Some(Kind::Punct(_) | Kind::Literal | Kind::Open(_) | Kind::Close(_)) | None => Vec::new(),
    }
}

fn floor(package: &Package) -> Option<u64> {
    package.metadata.get("genesys")?.get("floor")?.as_u64()
}

/// The package's manifest, relative to the workspace.
fn manifest(metadata: &Metadata, package: &Package) -> String {
    let path = package.manifest_path.as_str();
    path.strip_prefix(metadata.workspace_root.as_str()).unwrap_or(path).trim_start_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::tokens::lex;
    use super::*;

    fn impure(text: &str) -> Vec<usize> {
        let file = TextFile { path: "crates/a/src/b.rs".to_owned(), text: text.to_owned() };
        check_purity(&file, &lex(text).unwrap()).into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn low_floors_do_not_touch_the_machine() {
        assert_eq!(impure("use std::fs;\nuse std::{collections::BTreeMap, time::Instant};\n"), [1, 2]);
        assert_eq!(impure("fn f() { let x = std::env::var(\"X\"); }"), [1]);
        assert_eq!(impure("use std::{fmt::{self, process}, str};\nuse std::path::Path;\n"), [0; 0]);
        assert_eq!(impure("#[cfg(test)]\nmod tests { use std::fs; }\n"), [0; 0]);
    }

    /// A workspace of two crates, as cargo describes it.
    fn workspace(low: u64, high: u64, folder: &str) -> Metadata {
        let package = |name: &str, folder: &str, floor: u64, dependencies: &str| {
            format!(
                r#"{{"name":"{name}","version":"0.1.0","id":"{name}","manifest_path":"/w/crates/{folder}/Cargo.toml",
                "dependencies":[{dependencies}],"targets":[],"features":{{}},"metadata":{{"genesys":{{"floor":{floor}}}}}}}"#
            )
        };
        let dependency = r#"{"name":"genesys-low","req":"*","kind":null,"optional":false,
            "uses_default_features":true,"features":[],"target":null,"rename":null,"source":null}"#;
        let json = format!(
            r#"{{"packages":[{},{}],"workspace_members":[],"resolve":null,"target_directory":"/w/target",
            "version":1,"workspace_root":"/w"}}"#,
            package("genesys-low", "low", low, ""),
            package("genesys-high", folder, high, dependency),
        );
        cargo_metadata::MetadataCommand::parse(json).unwrap()
    }

    #[test]
    fn a_crate_depends_on_lower_floors_only() {
        assert_eq!(check_packages(&workspace(1, 2, "high")), []);
        assert_eq!(check_packages(&workspace(2, 2, "high")).len(), 1);
        assert_eq!(check_packages(&workspace(3, 2, "high")).len(), 1);
    }

    #[test]
    fn the_map_of_crates_is_held_to_the_manifests() {
        let findings = |text: &str| {
            let file = TextFile { path: "ARCHITECTURE.md".to_owned(), text: text.to_owned() };
            check_map(&file, &workspace(1, 2, "high")).into_iter().map(|f| (f.line, f.message)).collect::<Vec<_>>()
        };
        assert_eq!(findings("| floor | crate |\n| 1 | `low` | x |\n| 2 | `high` | y |\n"), []);
        assert_eq!(findings("| 1 | `low` |\n| 3 | `high` |\n")[0], (2, "`high` stands on floor 2".to_owned()));
        assert_eq!(findings("| 2 | `high` |\n")[0], (0, "`low` of floor 1 is missing".to_owned()));
        assert_eq!(findings("| 1 | `low` |\n| 2 | `high` |\n| 3 | `attic` |\n")[0].0, 3);
    }

    #[test]
    fn a_crate_is_named_as_its_folder() {
        let findings = check_packages(&workspace(1, 2, "tall"));
        assert_eq!(findings.len(), 1);
        assert!(findings[0].message.contains("`genesys-tall`"), "{findings:?}");
    }

    #[test]
    fn purity_is_asked_below_the_runtime_only() {
        let metadata = workspace(7, 8, "high");
        assert!(is_pure(&metadata, "crates/low/src/lib.rs"));
        assert!(!is_pure(&metadata, "crates/high/src/lib.rs"));
        assert!(!is_pure(&metadata, "xtask/src/main.rs"));
    }
}
