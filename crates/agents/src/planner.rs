//! The planner: in which order the units of a sketch are written, and how.

use std::collections::BTreeSet;

use genesys_check::sketch::Hole;
use genesys_compiler::check_text;
use genesys_literature::Kind;
use genesys_llm::{Form, LlmError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::conversation::{Conversation, Record, value};
use crate::library::{Found, Library, Seen};
use crate::prompt::{PLAN, PLANNER, enclosed};
use crate::proposal::Proposal;

/// How many units that are known are shown, and how long a hint may be.
const SHOWN: usize = 6;
const HINT: usize = 800;

/// In which order units are written, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The units, the first to be written first.
    pub units: Vec<Step>,
}

/// A unit that is to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub unit: String,
    /// What it computes, and with which operations.
    pub how: String,
}

impl Plan {
    /// The hole that is to be filled first; none where the plan names none of them.
    pub(crate) fn first<'h>(&self, holes: &'h [Hole]) -> Option<&'h Hole> {
        self.units.iter().find_map(|step| holes.iter().find(|hole| hole.unit == step.unit))
    }

    /// What is said of a unit.
    pub(crate) fn hint(&self, unit: &str) -> Option<String> {
        self.units.iter().find(|step| step.unit == unit).map(|step| step.how.clone())
    }

    /// What keeps it from being a plan of these units.
    fn flaws(&self, open: &[String]) -> Vec<String> {
        let mut flaws = Vec::new();
        let mut planned = BTreeSet::new();
        for Step { unit, how } in &self.units {
            if !open.contains(unit) {
                flaws.push(format!("expected a unit that is open, {}, found `{unit}`", open.join(", ")));
            } else if !planned.insert(unit) {
                flaws.push(format!("`{unit}` stands in the plan twice"));
            }
            let count = how.chars().count();
            if count > HINT {
                flaws.push(format!("expected at most {HINT} characters for `{unit}`, found {count}"));
            }
        }
        let left = open.iter().filter(|unit| !planned.contains(unit));
        flaws.extend(left.map(|unit| format!("`{unit}` does not stand in the plan")));
        flaws
    }
}

/// What a planner is.
pub(crate) fn system() -> String {
    PLANNER.filled(&[])
}

/// Has the units of a sketch planned; none where no answer could be taken, or nothing is open.
pub(crate) fn plan(
    talk: &mut Conversation<'_>,
    record: &mut Record<'_>,
    library: Option<&dyn Library>,
    proposal: &Proposal,
    sketch: &str,
) -> Result<Option<Plan>, LlmError> {
    let checked = check_text("design.gau", sketch);
    let Some(open) = &checked.sketch else { return Ok(None) };
    let open: Vec<String> = open.holes().iter().map(|hole| hole.unit.clone()).collect();
    let question = format!("{} {}", proposal.title, proposal.change);
    let known = match library.map(|library| library.search(&question, &[Kind::Unit], SHOWN)).transpose()? {
        Some(Found::Documents(found)) if !found.is_empty() => Seen::default().show(&found),
        Some(Found::Documents(_) | Found::Nothing(_)) | None => "none".to_owned(),
    };
    let asked = PLAN.filled(&[
        ("units", &known),
        ("proposal", &enclosed(&proposal.text())),
        ("sketch", &enclosed(sketch)),
        ("open", &open.join(", ")),
    ]);
    talk.piece(record, "plan", asked, &form(), &|reply| {
        let plan: Plan = value(reply)?;
        let flaws = plan.flaws(&open);
        if flaws.is_empty() { Ok(plan) } else { Err(flaws) }
    })
}

fn form() -> Form {
    let step = json!({
        "type": "object",
        "properties": { "unit": { "type": "string" }, "how": { "type": "string" } },
        "required": ["unit", "how"],
        "additionalProperties": false,
    });
    let schema = json!({
        "type": "object",
        "properties": { "units": { "type": "array", "items": step } },
        "required": ["units"],
        "additionalProperties": false,
    });
    Form::Schema { name: "plan".to_owned(), schema }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_names_each_open_unit_once() {
        let step = |unit: &str| Step { unit: unit.to_owned(), how: "So.".to_owned() };
        let open = ["A".to_owned(), "B".to_owned()];
        assert!(Plan { units: vec![step("B"), step("A")] }.flaws(&open).is_empty());
        let flaws = Plan { units: vec![step("C"), step("A"), step("A")] }.flaws(&open).join("; ");
        assert!(
            flaws.contains("found `C`")
                && flaws.contains("`A` stands in the plan twice")
                && flaws.contains("`B` does not")
        );
        let long = Plan { units: vec![Step { how: "x".repeat(HINT + 1), ..step("A") }, step("B")] };
        assert!(long.flaws(&open)[0].contains("at most 800"));
    }
}
