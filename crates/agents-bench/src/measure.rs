//! A row, measured: a proposal is implemented, and the answers are counted and timed.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use genesys_agents::{Attempt, Limits, Outcome, Task, implement};
use genesys_ladder::Scale;
use genesys_llm::throttle::Clock;
use genesys_llm::{LlmError, Money, Prices, Reply, Request, Transport, Usage};

use crate::row::{Proposal, Row};
use crate::variant::Variant;

/// What is the same for all rows.
pub struct Setting<'a> {
    /// Who answers.
    pub transport: &'a dyn Transport,
    /// The model's name.
    pub model: &'a str,
    /// What tokens cost.
    pub prices: &'a Prices,
    /// The scales that a design has to run at.
    pub scales: &'a [Scale],
    /// What the implementer may take.
    pub limits: Limits,
    /// What draws are made of, where the model knows seeds.
    pub seed: u64,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

/// A row, with all answers and the text of the design, if there is one.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The row. Its seconds of the model are those that this program waited.
    pub row: Row,
    /// All answers.
    pub attempts: Vec<Attempt>,
    /// The text of the design.
    pub text: Option<String>,
}

/// Has a proposal implemented. A server that answers, and then refuses to go on, as one does whose window is full, ends the row without a design.
///
/// # Errors
/// Why the model does not answer.
pub fn measure(setting: &Setting<'_>, proposal: &Proposal, variant: Variant) -> Result<Measured, LlmError> {
    let start = setting.clock.now();
    let meter = Meter { setting, taken: Mutex::default() };
    let mut attempts = Vec::new();
    let task = Task {
        transport: &meter,
        model: setting.model,
        proposal: &proposal.text,
        scales: setting.scales,
        way: variant.way(),
        limits: setting.limits,
        seed: setting.seed,
    };
    let (design, refused) = match implement(&task, &mut |attempt| attempts.push(attempt.clone())) {
        Ok(Outcome { design, .. }) => (design, None),
        Err(error) if !attempts.is_empty() && refuses(&error) => (None, Some(error.to_string())),
        Err(error) => return Err(error),
    };
    let Taken { calls, usage, money, waited } = meter.taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let row = Row {
        proposal: proposal.name.clone(),
        variant,
        design: design.as_ref().map(|(design, _)| design.hash().to_string()),
        answers: attempts.len() as u64,
        repairs: attempts.iter().filter(|attempt| attempt.number > 1).count() as u64,
        refused,
        calls,
        usage,
        money,
        model_seconds: Some(waited.as_secs_f64()),
        own_seconds: (setting.clock.now().saturating_sub(start).saturating_sub(waited)).as_secs_f64(),
    };
    Ok(Measured { row, attempts, text: design.map(|(_, text)| text) })
}

/// Does a server say that it will not answer this request, now or later?
fn refuses(error: &LlmError) -> bool {
    match error {
        LlmError::Refused { .. } => true,
        LlmError::Recorded { passes, before_work, .. } => !passes && *before_work,
        LlmError::Declined { before_work, .. } => *before_work,
        LlmError::Unreachable { .. } | LlmError::Key { .. } | LlmError::Busy { .. } | LlmError::Silent { .. } => false,
        LlmError::CutOff(_) | LlmError::TooLarge { .. } | LlmError::Malformed(_) | LlmError::File { .. } => false,
        LlmError::Unrecorded(_) | LlmError::Budget(_) | LlmError::NoPrice { .. } | LlmError::Unsupported(_) => false,
        LlmError::Misfit { .. } => false,
    }
}

/// What calls took.
#[derive(Debug)]
struct Taken {
    calls: u64,
    usage: Usage,
    /// What the answers cost; none as soon as one has no price.
    money: Option<Money>,
    waited: Duration,
}

impl Default for Taken {
    fn default() -> Self {
        Self { calls: 0, usage: Usage::default(), money: Some(Money::default()), waited: Duration::ZERO }
    }
}

/// A transport whose calls are counted and timed.
struct Meter<'a> {
    setting: &'a Setting<'a>,
    taken: Mutex<Taken>,
}

impl Meter<'_> {
    /// What an answer costs: by the price of the model that was asked, else of the one that says it answered, as where several answer for
    /// each other.
    fn money(&self, reply: &Reply) -> Option<Money> {
        let Setting { prices, model, .. } = self.setting;
        let price = prices.of(model).or_else(|_| prices.of(&reply.model)).ok()?;
        Some(price.of(reply.usage))
    }
}

impl Transport for Meter<'_> {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        let Setting { transport, clock, .. } = self.setting;
        let start = clock.now();
        let result = transport.ask(request, hear);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.waited += clock.now().saturating_sub(start);
        taken.calls += 1;
        if let Ok(reply) = &result {
            taken.usage = taken.usage.plus(reply.usage);
            taken.money = taken.money.zip(self.money(reply)).map(|(before, money)| before + money);
        }
        result
    }
}
