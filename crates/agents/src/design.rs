//! One design, from a commission to its end: proposer, reviewer, planner, implementer, observer.
//!
//! In: who answers, what is known, a commission. Out: all that was said and made. It is a function of these and of the answers: a
//! dialogue that was stopped goes on where its answers end, if those before are given once more.

use std::collections::BTreeMap;

use genesys_check::CheckedDesign;
use genesys_family::{Families, Fingerprints};
use genesys_llm::{LlmError, Transport};
use genesys_registry::{Credit, Registry, UnitKey};

use crate::commission::{Commission, Review, Way};
use crate::conversation::{Conversation, Model, Record};
use crate::dialogue::{Attempt, Considered, Dialogue, End, Unfinished, Written};
use crate::implement::{Given, Work};
use crate::library::Library;
use crate::observer::{Observation, Opinion, look, observe};
use crate::offer::{UnitWords, Units};
use crate::planner::Plan;
use crate::proposal::Proposal;
use crate::proposer::Proposer;
use crate::reviewer::Verdict;
use crate::role::Role;
use crate::write::Target;
use crate::{observer, planner, reviewer};

/// Who answers, and what is known.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// Who answers.
    pub transport: &'a dyn Transport,
    /// The model's name.
    pub model: &'a str,
    /// Where documents are looked for; without one nothing is found.
    pub library: Option<&'a dyn Library>,
    /// Units that may be used again.
    pub registry: Option<&'a Registry>,
    /// What units were worth, as far as it is known.
    pub credits: &'a BTreeMap<UnitKey, Credit>,
    /// What they say, as far as it was searched before.
    pub words: &'a UnitWords,
    /// The families of designs that were compared before.
    pub families: &'a Families,
    /// Their fingerprints.
    pub prints: &'a Fingerprints,
}

/// Has a design made. `see` is told each answer as it ends.
///
/// # Errors
/// Why the model does not answer, with what was made before.
pub fn design(
    desk: &Desk<'_>,
    commission: &Commission,
    see: &mut dyn FnMut(&Attempt),
) -> Result<Dialogue, Box<Unfinished>> {
    Studio::run(desk, commission, see, &mut |studio| match studio.proposed()? {
        End::Designed => studio.designed(),
        end => Ok(end),
    })
}

/// Has a proposal written, sketched, and reviewed as the commission says; no design is made of it.
///
/// # Errors
/// Why the model does not answer, with what was made before.
pub fn propose(
    desk: &Desk<'_>,
    commission: &Commission,
    see: &mut dyn FnMut(&Attempt),
) -> Result<Dialogue, Box<Unfinished>> {
    Studio::run(desk, commission, see, &mut |studio| studio.proposed())
}

/// Has a proposal that is there reviewed, once; none where no answer could be taken.
///
/// # Errors
/// Why the model does not answer.
pub fn review(
    desk: &Desk<'_>,
    commission: &Commission,
    proposal: &Proposal,
    see: &mut dyn FnMut(&Attempt),
) -> Result<Option<Verdict>, LlmError> {
    let model = Model::of(desk, commission);
    let mut talk = Conversation::new(&model, Role::Reviewer, reviewer::system(), commission.limits.mends);
    reviewer::review(&mut talk, &mut Record::new(see), desk.prints, commission, proposal, None)
}

/// A dialogue under way.
struct Studio<'a> {
    desk: &'a Desk<'a>,
    model: &'a Model<'a>,
    commission: &'a Commission,
    record: Record<'a>,
    made: Dialogue,
}

impl<'a> Model<'a> {
    fn of(desk: &Desk<'a>, commission: &Commission) -> Self {
        let tokens = commission.limits.tokens;
        Self { transport: desk.transport, name: desk.model, seed: commission.seed, tokens }
    }
}

impl Studio<'_> {
    fn run(
        desk: &Desk<'_>,
        commission: &Commission,
        see: &mut dyn FnMut(&Attempt),
        work: &mut dyn FnMut(&mut Studio<'_>) -> Result<End, LlmError>,
    ) -> Result<Dialogue, Box<Unfinished>> {
        let model = Model::of(desk, commission);
        let made = Dialogue::default();
        let mut studio = Studio { desk, model: &model, commission, record: Record::new(see), made };
        let end = work(&mut studio);
        let (attempts, drafts) = studio.record.end();
        let dialogue = Dialogue { attempts, drafts, ..studio.made };
        match end {
            Ok(end) => Ok(Dialogue { end, ..dialogue }),
            Err(error) => Err(Box::new(Unfinished { dialogue, error })),
        }
    }

    /// Proposes until the reviewer passes a proposal; [`End::Designed`] where one is to be implemented.
    fn proposed(&mut self) -> Result<End, LlmError> {
        let (model, mends) = (self.model, self.commission.limits.mends);
        let talk = Conversation::new(model, Role::Proposer, Proposer::system(), mends);
        let mut proposer = Proposer::new(self.desk, talk, self.commission);
        proposer.search(&mut self.record)?;
        let mut proposal = proposer.propose(&mut self.record)?;
        for number in 1..=self.commission.limits.proposals {
            let Some(written) = proposal else { return Ok(End::Unproposed) };
            let sketch = match self.commission.variant.way {
                Way::ByUnits | Way::Unheard => match proposer.sketch(&mut self.record)? {
                    Some(sketch) => Some(sketch),
                    None => return Ok(End::Unwritten),
                },
                Way::Whole | Way::Direct => None,
            };
            let verdict = self.reviewed(&written, sketch.as_deref());
            let said = verdict.as_ref().ok().cloned().flatten();
            // Where the reviewer does not answer, the proposal stays, too.
            self.made.proposals.push(Considered { proposal: written, sketch, verdict: said });
            let Some(verdict) = verdict?.filter(|verdict| !verdict.passes()) else { return Ok(End::Designed) };
            if number == self.commission.limits.proposals {
                break;
            }
            proposal = proposer.revise(&mut self.record, &verdict)?;
        }
        Ok(End::Declined)
    }

    /// What the reviewer says. A reviewer who does not answer as was asked holds nothing up.
    fn reviewed(&mut self, proposal: &Proposal, sketch: Option<&str>) -> Result<Option<Verdict>, LlmError> {
        match self.commission.variant.review {
            Review::Asked => {
                let (model, mends) = (self.model, self.commission.limits.mends);
                let mut talk = Conversation::new(model, Role::Reviewer, reviewer::system(), mends);
                reviewer::review(&mut talk, &mut self.record, self.desk.prints, self.commission, proposal, sketch)
            }
            Review::Skipped => Ok(None),
        }
    }

    /// Plans, implements and observes the last proposal.
    fn designed(&mut self) -> Result<End, LlmError> {
        let Some(Considered { proposal, sketch, .. }) = self.made.proposals.last().cloned() else {
            return Ok(End::Unproposed);
        };
        self.made.plan = match &sketch {
            Some(sketch) => self.planned(&proposal, sketch)?,
            None => None,
        };
        let mut remarks = None;
        for _ in 0..self.commission.limits.designs.max(1) {
            let Some((design, text)) = self.implemented(&proposal, sketch.as_deref(), remarks.as_deref())? else {
                return Ok(End::Unwritten);
            };
            self.record.written(&text);
            let mut observation = look(self.desk, self.commission, &proposal, &design, &text);
            observation.opinion = self.observed(&proposal, &text, &observation)?;
            let (holds, words) = (observation.holds(), observation.words());
            self.made.observations.push(observation);
            if holds {
                self.record.designed();
                self.made.design = Some(Written { hash: design.hash().to_string(), text });
                return Ok(End::Designed);
            }
            self.record.anew();
            remarks = Some(words);
        }
        Ok(End::Unlike)
    }

    fn planned(&mut self, proposal: &Proposal, sketch: &str) -> Result<Option<Plan>, LlmError> {
        let (model, mends) = (self.model, self.commission.limits.mends);
        let mut talk = Conversation::new(model, Role::Planner, planner::system(), mends);
        planner::plan(&mut talk, &mut self.record, self.desk.library, proposal, sketch)
    }

    fn implemented(
        &mut self,
        proposal: &Proposal,
        sketch: Option<&str>,
        remarks: Option<&str>,
    ) -> Result<Option<(CheckedDesign, String)>, LlmError> {
        let Commission { scales, limits, variant, .. } = self.commission;
        let target = Target { scales, units: limits.units };
        let text = proposal.text();
        let work = Work { model: self.model, target, way: variant.way, mends: limits.mends, proposal: &text };
        let (Desk { credits, words, .. }, commission) = (*self.desk, self.commission);
        let units = self.desk.registry.map(|registry| Units { registry, credits, words, commission });
        let given = Given { sketch, plan: self.made.plan.as_ref(), units, remarks };
        work.design(&mut self.record, given)
    }

    fn observed(
        &mut self,
        proposal: &Proposal,
        text: &str,
        observation: &Observation,
    ) -> Result<Option<Opinion>, LlmError> {
        let (model, mends) = (self.model, self.commission.limits.mends);
        let mut talk = Conversation::new(model, Role::Observer, observer::system(), mends);
        observe(&mut talk, &mut self.record, proposal, text, &observation.facts)
    }
}
