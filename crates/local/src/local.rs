//! Replies of a model on this machine.
//!
//! In: a request. Out: a reply, token by token. What draws is greedy where no temperature is asked for. A grammar, or the one of a schema,
//! admits each token before it is drawn; where no token of the model can go on, that is an error, and no answer that is cut.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use genesys_gbnf::{Grammar, Vocabulary};
use genesys_llm::{Form, LlmError, Reply, Request, Schema, Stop, Transport, Usage};
use genesys_sample::Sampling;
use genesys_tokenize::TextStream;

use crate::chat::Chat;
use crate::constraint::Constraint;
use crate::file::{Gguf, first};
use crate::llama::{Llama, Memory};
use crate::said::{Flow, Said};
use crate::schema;

/// A model of a file, which answers one dialogue after the other.
pub struct Local {
    name: String,
    chat: Chat,
    /// The bytes of each token; none of marks.
    bytes: Vec<Vec<u8>>,
    vocabulary: Vocabulary,
    /// Held by the dialogue that is answered.
    model: Mutex<Llama>,
}

impl Local {
    /// Loads the model of a GGUF file.
    ///
    /// # Errors
    /// [`LlmError::File`] where it cannot be read, or is of a kind that is not run here, by its name.
    pub fn open(path: &Path) -> Result<Self, LlmError> {
        let mut file = Gguf::open(path)?;
        let chat = Chat::read(&file)?;
        let model = Mutex::new(Llama::read(&mut file, chat.count)?);
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        let bytes: Vec<Vec<u8>> = chat.bytes().collect();
        let vocabulary = Vocabulary::new((0..).zip(bytes.iter().cloned()));
        Ok(Self { name, chat, bytes, vocabulary, model })
    }

    /// The model's name: that of its file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What holds an answer, if anything does.
    fn constraint(&self, request: &Request) -> Result<Option<Constraint<'_>>, LlmError> {
        let gbnf = match &request.form {
            Form::Text => return Ok(None),
            Form::Grammar { gbnf } => gbnf.clone(),
            Form::Schema { name, schema } => {
                let read = Schema::read(schema);
                let read = read.map_err(|why| LlmError::Unsupported(format!("`{name}` holds no answer: {why}")))?;
                schema::gbnf(&read)
            }
        };
        let grammar = Grammar::read(&gbnf);
        let grammar = grammar.map_err(|why| LlmError::Unsupported(format!("the form holds no answer: {why}")))?;
        Ok(Some(Constraint::new(grammar, &self.vocabulary)))
    }

    /// How many tokens an answer may have.
    fn room(&self, model: &Llama, asked: usize, most: u64) -> Result<u64, LlmError> {
        if asked < model.context {
            return Ok(most.min((model.context - asked) as u64));
        }
        let says = format!(
            "the dialogue has {asked} tokens, and `{}` reads {} with its answer: say less, or take a model that reads more",
            self.name, model.context
        );
        Err(LlmError::Declined { says, before_work: true })
    }
}

impl Transport for Local {
    fn ask(&self, request: &Request, hear: &mut dyn FnMut(&str)) -> Result<Reply, LlmError> {
        if !request.tools.is_empty() {
            let why = "a model on this machine calls no tools: ask for JSON by a schema, or take a server";
            return Err(LlmError::Unsupported(why.to_owned()));
        }
        let (draw, constraint) = (Draw::new(request)?, self.constraint(request)?);
        let dialogue = self.chat.dialogue(request);
        let input = dialogue.len() as u64;
        // A dialogue that broke off leaves nothing behind: each has a memory of its own.
        let model = self.model.lock().unwrap_or_else(PoisonError::into_inner);
        let room = self.room(&model, dialogue.len(), request.max_tokens)?;
        let memory = model.memory();
        let mut answer = Answer { local: self, model: &model, draw, constraint, memory, output: 0 };
        let (mut stream, mut said) = (TextStream::new(self.chat.tokenizer()), Said::new(&request.stop));
        let stop = answer.write(dialogue, room, &mut |token| said.push(&stream.push(token), hear))?;
        let usage = Usage { input, cached: 0, output: answer.output, estimated: false };
        drop(model);
        let text = said.finish(&stream.finish(), hear);
        Ok(Reply { text, calls: Vec::new(), stop, usage, model: self.name.clone() })
    }
}

/// An answer under way.
struct Answer<'a> {
    local: &'a Local,
    model: &'a Llama,
    draw: Draw,
    constraint: Option<Constraint<'a>>,
    memory: Memory,
    /// How many tokens were drawn.
    output: u64,
}

impl Answer<'_> {
    /// Writes tokens behind a dialogue, at most so many, until it ends or `push` is at a stop.
    fn write(&mut self, dialogue: Vec<u32>, room: u64, push: &mut dyn FnMut(u32) -> Flow) -> Result<Stop, LlmError> {
        let mut pending = dialogue;
        loop {
            let candidates = self.candidates()?;
            // Nothing is left to be chosen.
            if candidates.iter().all(|token| self.is_end(*token)) {
                return Ok(Stop::End);
            }
            if self.output == room {
                return Ok(Stop::Length);
            }
            let scores = self.model.scores(&pending, &mut self.memory);
            let scores =
                scores.map_err(|error| LlmError::Malformed(format!("the model cannot be run: {}", first(&error))))?;
            let token = self.draw.of(&scores, &candidates, self.output)?;
            self.output += 1;
            if self.is_end(token) {
                return Ok(Stop::End);
            }
            if let Some(constraint) = &mut self.constraint {
                constraint.take(&self.local.bytes[token as usize]);
            }
            if push(token) == Flow::Stopped {
                return Ok(Stop::End);
            }
            pending = vec![token];
        }
    }

    fn is_end(&self, token: u32) -> bool {
        self.local.chat.ends.contains(&token)
    }

    /// The tokens that may come next, those that end the text among them where it may end.
    fn candidates(&mut self) -> Result<Vec<u32>, LlmError> {
        let ends = &self.local.chat.ends;
        let declined = |says: String| LlmError::Declined { says, before_work: self.output == 0 };
        let Some(constraint) = &mut self.constraint else {
            let spoken = (0..).zip(&self.local.bytes).filter(|(_, bytes)| !bytes.is_empty()).map(|(token, _)| token);
            return Ok(spoken.chain(ends.iter().copied()).collect());
        };
        let mut tokens = constraint.admitted().map_err(declined)?.to_vec();
        if constraint.may_end() {
            tokens.extend(ends);
        }
        if tokens.is_empty() {
            return Err(declined(format!(
                "the form asks for one of the bytes `{}` next, and `{}` has no token for it: take another model, or loosen the form",
                constraint.wanted(),
                self.local.name
            )));
        }
        Ok(tokens)
    }
}

/// How tokens are drawn.
struct Draw {
    sampling: Sampling,
    seed: u64,
}

impl Draw {
    fn new(request: &Request) -> Result<Self, LlmError> {
        let sampling = Sampling::new(request.temperature.unwrap_or(0.0), None, 1.0);
        let sampling = sampling.map_err(|why| LlmError::Unsupported(format!("the temperature: {why}")))?;
        Ok(Self { sampling, seed: request.seed.unwrap_or(0) })
    }

    /// One of some tokens, by their scores.
    fn of(&self, scores: &[f32], tokens: &[u32], step: u64) -> Result<u32, LlmError> {
        let own: Vec<f32> = tokens.iter().map(|token| scores[*token as usize]).collect();
        let drawn = genesys_sample::draw(&own, &self.sampling, self.seed, step);
        let drawn = drawn.map_err(|why| LlmError::Malformed(format!("the model gives no scores: {why}")))?;
        Ok(tokens[drawn.expect("there is a token to be drawn")])
    }
}
