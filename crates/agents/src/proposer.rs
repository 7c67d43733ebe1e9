//! The proposer: searches, writes a proposal, and sketches its interfaces.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use genesys_family::{Fingerprint, Fingerprints};
use genesys_literature::Kind;
use genesys_llm::{Form, LlmError, Reply};
use serde::Deserialize;
use serde_json::json;

use crate::card::card;
use crate::commission::{Commission, Known, Mode};
use crate::conversation::{Conversation, Record, value};
use crate::design::Desk;
use crate::library::{Found, Seen};
use crate::prompt::{DECLINED, FOUND, INTERFACES, PROPOSAL, PROPOSE, PROPOSER, SEARCH, cut, enclosed};
use crate::proposal::Proposal;
use crate::reviewer::Verdict;
use crate::write::{Target, widths};

/// Questions a round, and documents a question.
const QUESTIONS: usize = 4;
const DOCUMENTS: usize = 4;
/// The most characters of a design, and of a lesson, that a prompt has.
const DESIGN: usize = 12_000;
/// The most of the others and of the lessons that are told.
const OTHERS: usize = 12;

/// A proposer at work on one commission.
pub(crate) struct Proposer<'a> {
    desk: &'a Desk<'a>,
    commission: &'a Commission,
    talk: Conversation<'a>,
    seen: Seen,
}

/// What a round of searching gives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Round {
    /// What was noted; it stays in the dialogue, and goes nowhere else.
    #[serde(rename = "notes")]
    _notes: String,
    questions: Vec<String>,
}

impl<'a> Proposer<'a> {
    pub(crate) fn new(desk: &'a Desk<'a>, talk: Conversation<'a>, commission: &'a Commission) -> Self {
        Self { desk, commission, talk, seen: Seen::default() }
    }

    /// What a proposer is.
    pub(crate) fn system() -> String {
        PROPOSER.filled(&[("card", &card())])
    }

    /// Searches in rounds; the first question is asked with what the commission is. An answer that cannot be taken ends the
    /// search, not the dialogue.
    pub(crate) fn search(&mut self, record: &mut Record<'_>) -> Result<(), LlmError> {
        let mut told = propose(self.desk.prints, self.commission);
        for round in 1..=self.commission.limits.searches {
            let left = self.commission.limits.searches - round;
            let asked =
                SEARCH.filled(&[("told", &told), ("most", &QUESTIONS.to_string()), ("left", &left.to_string())]);
            let take = |reply: &Reply| Round::take(reply);
            let round = self.talk.piece(record, &format!("search {round}"), asked, &round_form(), &take)?;
            let Some(Round { questions, .. }) = round.filter(|round| !round.questions.is_empty()) else { break };
            told = FOUND.filled(&[("documents", &self.found(&questions)?)]);
        }
        Ok(())
    }

    /// What is found for some questions, each document once.
    fn found(&mut self, questions: &[String]) -> Result<String, LlmError> {
        let (mut documents, mut nothing) = (Vec::new(), "nothing".to_owned());
        for question in questions {
            match self.desk.library.map(|library| library.search(question, Kind::ALL, DOCUMENTS)).transpose()? {
                Some(Found::Documents(found)) => documents.extend(found),
                Some(Found::Nothing(why)) => nothing = format!("nothing: {why}"),
                None => {}
            }
        }
        let mut keys = BTreeSet::new();
        documents.retain(|document| keys.insert(document.key.clone()));
        Ok(if documents.is_empty() { nothing } else { self.seen.show(&documents) })
    }

    /// Writes a proposal; none where no answer could be taken.
    pub(crate) fn propose(&mut self, record: &mut Record<'_>) -> Result<Option<Proposal>, LlmError> {
        let first = self.commission.limits.searches == 0;
        let told = if first { propose(self.desk.prints, self.commission) } else { String::new() };
        let asked = PROPOSAL.filled(&[("told", &told)]);
        self.written(record, asked)
    }

    /// Writes another one, behind what the reviewer said.
    pub(crate) fn revise(&mut self, record: &mut Record<'_>, verdict: &Verdict) -> Result<Option<Proposal>, LlmError> {
        let asked = DECLINED.filled(&[("review", &enclosed(&verdict.words()))]);
        self.written(record, asked)
    }

    fn written(&mut self, record: &mut Record<'_>, asked: String) -> Result<Option<Proposal>, LlmError> {
        let seen = &self.seen;
        self.talk.piece(record, "proposal", asked, &Form::Text, &|reply| {
            let proposal = Proposal::read(&reply.text)?;
            let flaws: Vec<String> = proposal.references.iter().filter_map(|one| seen.flaw(one)).collect();
            if flaws.is_empty() { Ok(proposal) } else { Err(flaws) }
        })
    }

    /// Writes the sketch of what was proposed.
    pub(crate) fn sketch(&mut self, record: &mut Record<'_>) -> Result<Option<String>, LlmError> {
        let Commission { scales, limits, .. } = self.commission;
        let target = Target { scales, units: limits.units };
        let asked = INTERFACES.filled(&[("widths", &widths(scales))]);
        self.talk.piece(record, "sketch", asked, &Form::Text, &|reply| target.sketch(&reply.text))
    }
}

impl Round {
    fn take(reply: &Reply) -> Result<Self, Vec<String>> {
        let round: Self = value(reply)?;
        let found = round.questions.len();
        if found > QUESTIONS {
            Err(vec![format!("expected at most {QUESTIONS} questions, found {found}")])
        } else {
            Ok(round)
        }
    }
}

fn round_form() -> Form {
    let schema = json!({
        "type": "object",
        "properties": {
            "notes": { "type": "string" },
            "questions": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["notes", "questions"],
        "additionalProperties": false,
    });
    Form::Schema { name: "search".to_owned(), schema }
}

/// What is wanted, as the proposer is told it.
fn propose(prints: &Fingerprints, commission: &Commission) -> String {
    let mode = match commission.mode() {
        Mode::Scratch => "a design that is made from no other",
        Mode::Mutation => "a design that changes one thing of the parent, and has a reason to",
        Mode::Crossover => "a design that joins what is good in the two parents",
    };
    let lessons: Vec<String> =
        commission.lessons.iter().take(OTHERS).map(|one| format!("- {}", enclosed(one))).collect();
    PROPOSE.filled(&[
        ("mode", mode),
        ("widths", &widths(&commission.scales)),
        ("parents", &parents(commission)),
        ("others", &others(prints, commission)),
        ("lessons", &or_none(lessons.join("\n"))),
    ])
}

/// The parents, all of each.
pub(crate) fn parents(commission: &Commission) -> String {
    let parent = |known: &Known| {
        let text = enclosed(&cut(&known.text, DESIGN));
        format!("<parent name=\"{}\"{}>\n{}\n</parent>", plain(&known.name), score(known), text.trim_end())
    };
    or_none(commission.parents.iter().map(parent).collect::<Vec<_>>().join("\n\n"))
}

/// The other designs in a line each: those that are nearest to the parents first, by the parts that they share.
pub(crate) fn others(prints: &Fingerprints, commission: &Commission) -> String {
    let print = |known: &Known| known.print(prints);
    let parents: Vec<Arc<Fingerprint>> = commission.parents.iter().filter_map(print).collect();
    let far = |known: &Known| {
        let own = print(known)?;
        parents.iter().map(|parent| parent.distance(&own)).min_by(f64::total_cmp)
    };
    let mut others: Vec<(Option<f64>, &Known)> = commission.others.iter().map(|known| (far(known), known)).collect();
    others.sort_by(|a, b| a.0.unwrap_or(1.0).total_cmp(&b.0.unwrap_or(1.0)));
    let mut text = String::new();
    for (far, known) in others.into_iter().take(OTHERS) {
        let far = far.map_or(String::new(), |far| format!(" distance=\"{far:.2}\""));
        let units: Vec<&str> = known.text.lines().filter_map(|line| line.strip_prefix("unit ")).collect();
        let names: Vec<&str> = units.iter().filter_map(|line| line.split(['<', '(']).next()).collect();
        writeln!(text, "- {}{far}{}: {}", plain(&known.name), score(known), plain(&names.join(", ")))
            .expect("a string takes any text");
    }
    or_none(text.trim_end().to_owned())
}

fn score(known: &Known) -> String {
    known.score.map_or(String::new(), |score| format!(" bits-per-byte=\"{score:.4}\""))
}

/// A name on one line, without tags.
fn plain(name: &str) -> String {
    name.replace(['<', '>', '"', '\n'], "")
}

fn or_none(text: String) -> String {
    if text.is_empty() { "none".to_owned() } else { text }
}
