//! The analyst: what results teach, for those who propose next.

use std::fmt;

use genesys_llm::{Form, LlmError};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::conversation::{Conversation, Model, Record, value};
use crate::design::Desk;
use crate::dialogue::Attempt;
use crate::prompt::{ANALYSE, ANALYST, cut, enclosed};
use crate::role::Role;

/// How many lessons a generation gives, and how long each may be.
const LESSONS: usize = 5;
const LONG: usize = 400;
/// The most characters of what a design is about, and of an answer's mends.
const ABOUT: usize = 600;

/// What was learned, in a sentence or two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lesson(String);

impl Lesson {
    /// A lesson of at most 400 characters, on one line; more is cut.
    #[must_use]
    pub fn cut(text: &str) -> Self {
        Self(cut(&text.split_whitespace().collect::<Vec<_>>().join(" "), LONG))
    }

    /// The lesson.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lesson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What became of a design.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What it is called.
    pub name: String,
    /// The designs it was made from.
    pub parents: Vec<String>,
    /// What was proposed, or how it was made.
    pub about: String,
    /// Bits per byte; none where the training failed.
    pub score: Option<f64>,
    /// The best score of its parents.
    pub before: Option<f64>,
    /// Why there is no score.
    pub failure: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    lessons: Vec<String>,
}

/// Asks what results teach. Without an answer that can be taken there is no lesson; all answers are told to `see`.
///
/// # Errors
/// Why the model does not answer.
pub fn analyse(
    desk: &Desk<'_>,
    cases: &[Case],
    mends: usize,
    tokens: u64,
    seed: u64,
    see: &mut dyn FnMut(&Attempt),
) -> Result<Vec<Lesson>, LlmError> {
    let model = Model { transport: desk.transport, name: desk.model, seed, tokens };
    let mut talk = Conversation::new(&model, Role::Analyst, ANALYST.filled(&[]), mends);
    let told: Vec<String> = cases.iter().map(Case::words).collect();
    let asked = ANALYSE.filled(&[("most", &LESSONS.to_string()), ("results", &enclosed(&told.join("\n\n")))]);
    let lessons = talk.piece(&mut Record::new(see), "lessons", asked, &form(), &|reply| {
        let Said { lessons } = value(reply)?;
        let found = lessons.len();
        if found > LESSONS {
            return Err(vec![format!("expected at most {LESSONS} lessons, found {found}")]);
        }
        let long = lessons.iter().find(|lesson| lesson.chars().count() > LONG);
        match long {
            Some(lesson) => {
                Err(vec![format!("expected lessons of at most {LONG} characters, found `{}`", cut(lesson, 60))])
            }
            None => Ok(lessons.iter().map(|lesson| Lesson::cut(lesson)).collect()),
        }
    })?;
    Ok(lessons.unwrap_or_default())
}

impl Case {
    fn words(&self) -> String {
        let parents = if self.parents.is_empty() { "none".to_owned() } else { self.parents.join(" and ") };
        let score = match (self.score, self.before, &self.failure) {
            (Some(score), Some(before), _) => {
                format!("{score:.4} bits per byte, {:+.4} against its parent", score - before)
            }
            (Some(score), None, _) => format!("{score:.4} bits per byte"),
            (None, _, Some(failure)) => format!("no score: {failure}"),
            (None, _, None) => "no score yet".to_owned(),
        };
        format!("{} (from {parents}): {score}\n{}", self.name, cut(self.about.trim(), ABOUT))
    }
}

fn form() -> Form {
    let schema = json!({
        "type": "object",
        "properties": { "lessons": { "type": "array", "items": { "type": "string" } } },
        "required": ["lessons"],
        "additionalProperties": false,
    });
    Form::Schema { name: "lessons".to_owned(), schema }
}
