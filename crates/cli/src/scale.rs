//! Scales on the command line, by name.

use genesys_ladder::Scale;

/// The rung of that name.
///
/// # Errors
/// The names there are.
pub(crate) fn parse(name: &str) -> Result<Scale, String> {
    Scale::named(name).ok_or_else(|| {
        let names: Vec<String> = Scale::all().into_iter().map(|scale| scale.name).collect();
        format!("expected one of {}", names.join(", "))
    })
}
