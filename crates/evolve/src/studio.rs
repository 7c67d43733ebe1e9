//! Dialogues side by side, each on a thread of its own.
//!
//! In: what is asked for, under a [`Subject`]. Out: what came of it, whichever ends first. A subject that stands earlier in the order of
//! a run is begun earlier. Threads are not waited for: a run that ends leaves them, and what they heard is in the recording.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use genesys_agents::{Attempt, Commission};
use genesys_llm::LlmError;

use crate::designer::{Designer, Designers, Made, Taught, Teaching};
use crate::fact::Place;

/// What a dialogue is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A design for a place.
    Design(Place),
    /// What the generation of that number taught.
    Lessons(u64),
}

/// What is asked for.
pub(crate) enum Task {
    Design(Commission),
    Learn(Teaching),
}

/// What came of it.
pub(crate) enum Product {
    Made(Box<Made>),
    Taught(Taught),
}

/// What is heard of a dialogue.
pub(crate) enum Heard {
    Begun(Subject),
    Answer(Subject, Box<Attempt>),
    Ended(Subject),
}

enum Message {
    Answer(Subject, Box<Attempt>),
    Ended(Subject, Result<Product, LlmError>),
}

/// The dialogues of a run.
pub(crate) struct Studio {
    designers: Designers,
    /// The generation that designers know what there was before.
    knowing: Option<u64>,
    waiting: BTreeMap<Subject, Task>,
    under_way: BTreeSet<Subject>,
    ended: BTreeMap<Subject, Result<Product, LlmError>>,
    sender: Sender<Message>,
    receiver: Receiver<Message>,
}

impl Studio {
    pub(crate) fn new(designers: &Designers) -> Self {
        let (sender, receiver) = channel();
        let (waiting, under_way, ended) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { designers: designers.clone(), knowing: None, waiting, under_way, ended, sender, receiver }
    }

    /// The designer, if it was not told yet what there was before that generation; it is from now on.
    pub(crate) fn unknowing(&mut self, generation: u64) -> Option<Arc<dyn Designer>> {
        let told = self.knowing.replace(generation) == Some(generation);
        (!told).then(|| Arc::clone(&self.designers.designer))
    }

    /// Whether it was asked for already.
    pub(crate) fn has(&self, subject: Subject) -> bool {
        self.waiting.contains_key(&subject) || self.under_way.contains(&subject) || self.ended.contains_key(&subject)
    }

    /// Has it done when its turn comes.
    pub(crate) fn ask(&mut self, subject: Subject, task: Task) {
        self.waiting.insert(subject, task);
    }

    /// A design that was made, while it is not taken.
    pub(crate) fn made(&self, place: Place) -> Option<&Made> {
        match self.ended.get(&Subject::Design(place))?.as_ref().ok()? {
            Product::Made(made) => Some(made.as_ref()),
            Product::Taught(_) => None,
        }
    }

    /// What came of a subject, once it ended.
    pub(crate) fn take(&mut self, subject: Subject) -> Option<Result<Product, LlmError>> {
        self.ended.remove(&subject)
    }

    /// The next that happens, if anything does within that time: as many dialogues as may be are begun first.
    pub(crate) fn hear(&mut self, wait: Duration) -> Option<Heard> {
        if self.under_way.len() < self.designers.at_once.max(1)
            && let Some((subject, task)) = self.waiting.pop_first()
        {
            self.begin(subject, task);
            return Some(Heard::Begun(subject));
        }
        // A sender is held here, so that nothing but time ends the wait.
        match self.receiver.recv_timeout(wait).ok()? {
            Message::Answer(subject, attempt) => Some(Heard::Answer(subject, attempt)),
            Message::Ended(subject, product) => {
                self.under_way.remove(&subject);
                self.ended.insert(subject, product);
                Some(Heard::Ended(subject))
            }
        }
    }

    fn begin(&mut self, subject: Subject, task: Task) {
        self.under_way.insert(subject);
        let designer = Arc::clone(&self.designers.designer);
        let end = End { subject, sender: self.sender.clone(), product: None };
        thread::spawn(move || {
            let product = work(designer.as_ref(), subject, task, &end.sender);
            end.with(product);
        });
    }
}

fn work(designer: &dyn Designer, subject: Subject, task: Task, sender: &Sender<Message>) -> Result<Product, LlmError> {
    // Nobody may be listening any more.
    let mut see = |attempt: &Attempt| drop(sender.send(Message::Answer(subject, Box::new(attempt.clone()))));
    match task {
        Task::Design(commission) => designer.design(&commission, &mut see).map(|made| Product::Made(Box::new(made))),
        Task::Learn(teaching) => designer.learn(&teaching, &mut see).map(Product::Taught),
    }
}

/// Tells how a dialogue ended, also where its thread did in a panic.
struct End {
    subject: Subject,
    sender: Sender<Message>,
    product: Option<Result<Product, LlmError>>,
}

impl End {
    /// Tells what came of it.
    fn with(mut self, product: Result<Product, LlmError>) {
        self.product = Some(product);
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let broken = || Err(LlmError::Unsupported("a dialogue broke off by a bug of this program".to_owned()));
        let product = self.product.take().unwrap_or_else(broken);
        let _ = self.sender.send(Message::Ended(self.subject, product));
    }
}
