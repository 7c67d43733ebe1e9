//! Versions out of Cargo.lock, for the build script; a file of its own so that it can be tested.
//!
//! In: the list of crates and the lock, as texts. Out: a Rust table of names and exact versions, or what is wrong in
//! one sentence. It knows just enough of the lock's format: one `key = "value"` a line below `[[package]]`.

/// The constant `DEFAULT_CRATES` for the crates in `list`, with the versions of `lock`.
///
/// # Errors
/// A listed crate that is not locked, or locked in several versions that the list does not choose from.
pub(crate) fn table(list: &str, lock: &str) -> Result<String, String> {
    let locked = packages(lock);
    let mut table = String::from("const DEFAULT_CRATES: &[(&str, &str)] = &[\n");
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, prefix) = line.split_once(' ').unwrap_or((line, ""));
        table.push_str(&format!("    ({name:?}, {:?}),\n", version(&locked, name, prefix)?));
    }
    table.push_str("];\n");
    Ok(table)
}

/// Name and version of every package in the lock that comes from a registry.
fn packages(lock: &str) -> Vec<(&str, &str)> {
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
    let listed = format!("{name} {prefix}");
    let listed = listed.trim_end();
    match found[..] {
        [one] => Ok(one),
        [] => Err(format!("default-crates.txt lists {listed}, but Cargo.lock has no such crate: take it off the list")),
        _ => Err(format!(
            "default-crates.txt lists {listed}, and Cargo.lock has {}: add a version prefix to the list",
            found.join(" and ")
        )),
    }
}
