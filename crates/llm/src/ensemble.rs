//! Several models, by weight, and others where one fails.
//!
//! Which is asked is drawn from the seed and the request, so it does not depend on who asks when. Where it fails in a way that another
//! model may not, the others are asked in their order. The reply names the member that gave it, by the name that it has here: what it
//! cost can be told by it, from a recording, too.

use crate::error::LlmError;
use crate::message::{Reply, Request};
use crate::transport::Transport;

/// A model of an ensemble.
pub struct Member {
    /// How often it is the first to be asked, by the sum of all weights; 0 for one that is asked only where others failed.
    pub weight: f64,
    /// Its name, which takes the place of the request's.
    pub model: String,
    /// What answers.
    pub transport: Box<dyn Transport>,
}

/// Models that answer for each other.
pub struct Ensemble {
    members: Vec<Member>,
    seed: u64,
}

impl Ensemble {
    /// The models, at least one; none where a weight is no number or negative, or all are 0.
    #[must_use]
    pub fn new(members: Vec<Member>, seed: u64) -> Option<Self> {
        let fine = members.iter().all(|member| member.weight.is_finite() && member.weight >= 0.0);
        let sum: f64 = members.iter().map(|member| member.weight).sum();
        (fine && sum > 0.0).then_some(Self { members, seed })
    }

    /// Which is asked first.
    fn first(&self, request: &Request) -> usize {
        let hash = blake3::hash(Request { model: String::new(), ..request.clone() }.json().as_bytes());
        let word = u64::from_le_bytes(*hash.as_bytes().first_chunk().expect("a hash has 32 bytes"));
        let sum: f64 = self.members.iter().map(|member| member.weight).sum();
        let mut point = sum * genesys_random::unit(genesys_random::at(genesys_random::mix(self.seed), word));
        for (i, member) in self.members.iter().enumerate() {
            if point < member.weight {
                return i;
            }
            point -= member.weight;
        }
        self.members.iter().rposition(|member| member.weight > 0.0).unwrap_or(0)
    }
}

/// What stands between the names of models that answer for each other.
pub(crate) const AND: &str = " + ";

/// What members are called together, as `a + 0.5*b`: by their names, and by weights that are not 1.
#[must_use]
pub fn together(members: &[Member]) -> String {
    let name = |Member { weight, model, .. }: &Member| match weight {
        1.0 => model.clone(),
        weight => format!("{weight}*{model}"),
    };
    members.iter().map(name).collect::<Vec<_>>().join(AND)
}

/// Whether another model may answer where one did not.
fn falls_back(error: &LlmError) -> bool {
    match error {
        LlmError::Budget(_) | LlmError::Unrecorded(_) | LlmError::File { .. } => false,
        LlmError::Unreachable { .. } | LlmError::Key { .. } | LlmError::Refused { .. } | LlmError::Busy { .. } => true,
        LlmError::Silent { .. } | LlmError::CutOff(_) | LlmError::TooLarge { .. } | LlmError::Malformed(_) => true,
        LlmError::Recorded { .. } | LlmError::NoPrice { .. } | LlmError::Unsupported(_) => true,
        LlmError::Misfit { .. } | LlmError::Declined { .. } => true,
    }
}

impl Transport for Ensemble {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let first = self.first(request);
        let others = (0..self.members.len()).filter(|i| *i != first);
        let mut told = Vec::new();
        for i in std::iter::once(first).chain(others) {
            let Member { model, transport, .. } = &self.members[i];
            match transport.ask(&Request { model: model.clone(), ..request.clone() }, hear) {
                Err(error) if falls_back(&error) => told.push((model, error)),
                result => return result.map(|reply| Reply { model: model.clone(), ..reply }),
            }
        }
        // The first failure is that of the model that was meant.
        let others: Vec<String> = told.iter().skip(1).map(|(model, error)| format!("`{model}`: {error}")).collect();
        let (_, error) = told.swap_remove(0);
        if others.is_empty() {
            return Err(error);
        }
        let says = format!("{error}; and then {}", others.join("; "));
        let (passes, before_work, after) = (error.passes(), error.is_before_work(), error.after());
        Err(LlmError::Recorded { says, passes, before_work, after })
    }
}
