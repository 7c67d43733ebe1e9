//! Asking for a piece until an answer can be taken.
//!
//! In: whom to ask, what, and what takes an answer or says what is wrong with it. Out: what was taken, or nothing after so many
//! answers; every answer is kept.

use genesys_llm::{Form, LlmError, Message, Reply, Request, Stop, Transport};
use serde::de::DeserializeOwned;

use crate::dialogue::Attempt;
use crate::prompt::{AGAIN, MEND};
use crate::role::Role;

/// Who answers.
pub(crate) struct Model<'a> {
    pub(crate) transport: &'a dyn Transport,
    pub(crate) name: &'a str,
    /// What draws are made of.
    pub(crate) seed: u64,
    /// The most tokens of an answer.
    pub(crate) tokens: u64,
}

/// What is heard of what is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feedback {
    /// All of it.
    Told,
    /// That it is wrong.
    Withheld,
}

/// What is wrong with an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flaws {
    pub(crate) errors: Vec<String>,
    /// The text, where the checker passed it.
    pub(crate) draft: Option<String>,
}

impl From<Vec<String>> for Flaws {
    fn from(errors: Vec<String>) -> Self {
        Self { errors, draft: None }
    }
}

/// All answers of a dialogue, who is told of them, and the texts that the checker passed.
pub(crate) struct Record<'a> {
    pub(crate) attempts: Vec<Attempt>,
    drafts: Vec<String>,
    /// The text that is being written, as far as it is.
    open: Option<String>,
    see: &'a mut dyn FnMut(&Attempt),
}

impl<'a> Record<'a> {
    pub(crate) fn new(see: &'a mut dyn FnMut(&Attempt)) -> Self {
        Self { attempts: Vec::new(), drafts: Vec::new(), open: None, see }
    }

    fn push(&mut self, attempt: Attempt) {
        (self.see)(&attempt);
        self.attempts.push(attempt);
    }

    /// Notes how far a text is written: it has all that it had before.
    pub(crate) fn written(&mut self, text: &str) {
        self.open = Some(text.to_owned());
    }

    /// Begins another text: the one before stays a draft.
    pub(crate) fn anew(&mut self) {
        let text = self.open.take();
        self.draft(text);
    }

    /// The text that was written is the design.
    pub(crate) fn designed(&mut self) {
        self.open = None;
    }

    fn draft(&mut self, text: Option<String>) {
        self.drafts.extend(text.filter(|text| !self.drafts.contains(text)));
    }

    /// All answers, and all drafts.
    pub(crate) fn end(mut self) -> (Vec<Attempt>, Vec<String>) {
        self.anew();
        (self.attempts, self.drafts)
    }
}

/// A conversation with a model in one role.
pub(crate) struct Conversation<'a> {
    model: &'a Model<'a>,
    role: Role,
    system: String,
    messages: Vec<Message>,
    /// How often each piece may be mended.
    mends: usize,
    feedback: Feedback,
}

impl<'a> Conversation<'a> {
    pub(crate) fn new(model: &'a Model<'a>, role: Role, system: String, mends: usize) -> Self {
        Self { model, role, system, messages: Vec::new(), mends, feedback: Feedback::Told }
    }

    pub(crate) fn hearing(mut self, feedback: Feedback) -> Self {
        self.feedback = feedback;
        self
    }

    /// Forgets what was said: the next piece begins anew.
    pub(crate) fn forget(&mut self) {
        self.messages.clear();
    }

    /// Asks for a piece until `take` takes an answer, or as often as may be.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(crate) fn piece<T, E: Into<Flaws>>(
        &mut self,
        record: &mut Record<'_>,
        piece: &str,
        asked: String,
        form: &Form,
        take: &dyn Fn(&Reply) -> Result<T, E>,
    ) -> Result<Option<T>, LlmError> {
        self.messages.push(Message::User { text: asked });
        for number in 1..=1 + self.mends {
            let reply = self.model.transport.ask(&self.request(form), &mut |_| {})?;
            let taken = whole(&reply).map_err(|why| vec![why].into()).and_then(|()| take(&reply).map_err(Into::into));
            let Flaws { errors, draft } = taken.as_ref().err().cloned().unwrap_or_default();
            record.draft(draft);
            self.messages.push(Message::Model { text: reply.text.clone(), calls: Vec::new() });
            if taken.is_err() {
                self.messages.push(Message::User { text: self.mend(&errors) });
            }
            record.push(Attempt { role: self.role, piece: piece.to_owned(), number, answer: reply.text, errors });
            if let Ok(taken) = taken {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }

    fn mend(&self, errors: &[String]) -> String {
        match self.feedback {
            Feedback::Told => MEND.filled(&[("errors", &errors.join("\n\n"))]),
            Feedback::Withheld => AGAIN.filled(&[]),
        }
    }

    fn request(&self, form: &Form) -> Request {
        Request {
            role: self.role.word().to_owned(),
            model: self.model.name.to_owned(),
            system: self.system.clone(),
            messages: self.messages.clone(),
            tools: Vec::new(),
            form: form.clone(),
            max_tokens: self.model.tokens,
            temperature: None,
            seed: Some(self.model.seed),
            stop: Vec::new(),
        }
    }
}

/// Whether a reply is one, and all of it.
fn whole(reply: &Reply) -> Result<(), String> {
    match reply.stop {
        Stop::Refused => Err("you would not answer; what was asked for is all that is wanted".to_owned()),
        Stop::Length => Err("your answer was cut off, it is too long: write less, without remarks".to_owned()),
        Stop::End | Stop::Tools if reply.text.trim().is_empty() => Err("your answer is empty".to_owned()),
        Stop::End | Stop::Tools => Ok(()),
    }
}

/// The value of an answer in JSON, also where it stands in a block of code.
///
/// # Errors
/// Where it is none, to be told to the model.
pub(crate) fn value<T: DeserializeOwned>(reply: &Reply) -> Result<T, Vec<String>> {
    let text = reply.text.trim();
    let block =
        text.split_once("```").and_then(|(_, rest)| rest.split_once('\n')).and_then(|(_, rest)| rest.split_once("```"));
    let text = block.map_or(text, |(inner, _)| inner);
    serde_json::from_str(text).map_err(|why| vec![format!("expected JSON of the form that was asked for: {why}")])
}

#[cfg(test)]
mod tests {
    use genesys_llm::Usage;
    use serde_json::{Value, json};

    use super::*;

    fn reply(text: &str, stop: Stop) -> Reply {
        Reply { text: text.to_owned(), calls: Vec::new(), stop, usage: Usage::default(), model: String::new() }
    }

    #[test]
    fn values_are_read_in_a_block_and_without_one() {
        for text in ["{\"a\": 1}", " ```json\n{\"a\": 1}\n```", "Here:\n```\n{\"a\": 1}\n```\nSo."] {
            assert_eq!(value::<Value>(&reply(text, Stop::End)), Ok(json!({ "a": 1 })), "{text}");
        }
        let wrong = value::<Value>(&reply("{\"a\": 1", Stop::End));
        assert!(wrong.is_err_and(|why| why[0].contains("expected JSON") && why[0].contains("line 1")));
    }

    #[test]
    fn what_is_no_answer_is_told() {
        assert_eq!(whole(&reply("  \n", Stop::End)), Err("your answer is empty".to_owned()));
        assert!(whole(&reply("a", Stop::Length)).is_err_and(|why| why.contains("cut off")));
        assert!(whole(&reply("No.", Stop::Refused)).is_err_and(|why| why.contains("would not answer")));
        assert_eq!(whole(&reply("a", Stop::End)), Ok(()));
    }
}
