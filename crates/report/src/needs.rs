//! Where a design runs.
//!
//! In: its text. Out: what must hold of the width D, and the rungs of the ladder at which it does. The text is checked
//! again for it; one that does not check, as no design of a run is, has no answer.

use std::collections::BTreeSet;

use genesys_compiler::check_text;
use genesys_ladder::Scale;

/// What a design asks for.
pub(crate) struct Needs {
    /// Conditions on D, in words.
    pub(crate) conditions: Vec<String>,
    /// `every rung`, or those at which it runs.
    pub(crate) rungs: String,
}

/// What the design of this text asks for.
pub(crate) fn needs(text: &str) -> Option<Needs> {
    let design = check_text("design", text).design?;
    let words = design.requirements().iter().map(|required| required.requirement.to_string());
    // What stands under "requires" need not say so again.
    let conditions: BTreeSet<String> = words.map(|words| words.trim_end_matches(" must hold").to_owned()).collect();
    let all = Scale::all();
    let fit: Vec<&str> =
        all.iter().filter(|scale| design.at_scale(scale).is_ok()).map(|scale| scale.name.as_str()).collect();
    let rungs = match fit.len() {
        0 => "no rung".to_owned(),
        some if some == all.len() => "every rung".to_owned(),
        _ => fit.join(", "),
    };
    Some(Needs { conditions: conditions.into_iter().collect(), rungs })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_design_says_where_it_runs() {
        let gla = include_str!("../../../designs/gla.gau");
        let found = needs(gla).unwrap();
        assert_eq!(found.conditions, ["D/64 >= 1", "ceil_to(8*D/3, 128) >= 1"]);
        assert_eq!(found.rungs, "every rung");
        let odd = needs(&gla.replace("H = D / 64", "H = D / 768")).unwrap();
        assert_eq!(odd.rungs, "125M, 760M");
        assert!(needs("unit {").is_none());
    }
}
