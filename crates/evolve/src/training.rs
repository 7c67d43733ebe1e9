//! The part of a run that trains: what is submitted, who has it, and verdicts in their order.
//!
//! In: designs and numbers of seeds. Out: facts. A verdict is kept by its key as soon as it is reached, before its turn in the log. A
//! training may be handed out before it is submitted, while dialogues of its generation go on: the log does not show it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::time::Duration;

use genesys_check::RunKey;
use genesys_train::Job;

use crate::crew::{Crew, Moment};
use crate::error::EvolveError;
use crate::fact::{Fact, Failed, Finished, Submitted};
use crate::propose::checked;
use crate::results::{Results, key};
use crate::run::{News, Run, go_on};
use crate::runner::{Assignment, Keep, Runner, Verdict};

/// Trainings that are handed out, and verdicts that wait for their turn.
pub(crate) struct Trainings {
    results: Results,
    /// The folder for trainings under way.
    dir: PathBuf,
    crew: Crew,
    /// By ticket.
    at_work: BTreeMap<usize, Submitted>,
    /// By key.
    verdicts: BTreeMap<String, Verdict>,
}

impl Trainings {
    pub(crate) fn open(run: &Path) -> Result<Self, EvolveError> {
        let (results, dir) = (Results::open(run.join("results"))?, run.join("trainings"));
        Ok(Self { results, dir, crew: Crew::default(), at_work: BTreeMap::new(), verdicts: BTreeMap::new() })
    }

    /// Whether none is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.crew.is_idle()
    }

    /// Takes the folder away; nothing is under way any more.
    pub(crate) fn clear(&self) -> Result<(), EvolveError> {
        remove(&self.dir)
    }

    fn has(&self, key: &str) -> bool {
        self.verdicts.contains_key(key) || self.at_work.values().any(|submitted| submitted.key == key)
    }

    /// A folder within a folder of the training's own, which can be removed with whatever a killed writer left in it.
    fn keep(&self, key: &str, every: u64) -> Keep {
        Keep { dir: self.dir.join(key).join("checkpoint"), every }
    }
}

impl Run<'_> {
    /// Trains these, and takes their results in this order.
    pub(crate) fn train(&mut self, wanted: &[(String, u64)], runner: &mut dyn Runner) -> Result<(), EvolveError> {
        for (design, index) in wanted {
            if self.state.training(design, *index).is_none() {
                self.submit(design, *index)?;
            }
        }
        let open = |(design, index): &(String, u64)| {
            let training = self.state.training(design, *index).expect("a training that is wanted was submitted");
            (training.submitted.clone(), training.event)
        };
        let trainings: Vec<(Submitted, u64)> = wanted.iter().map(open).collect();
        trainings.iter().for_each(|(submitted, _)| self.hand_out(submitted));
        for (submitted, event) in &trainings {
            let verdict = self.verdict(submitted, runner)?;
            let fact = self.settle(submitted, &verdict)?;
            self.append(fact, *event)?;
        }
        Ok(())
    }

    fn submit(&mut self, design: &str, index: u64) -> Result<(), EvolveError> {
        let submitted = self.order(design, index);
        let proposed = self.state.design(design).map_or(0, |design| design.event);
        // With more seeds a design is trained because it was chosen, else because it was proposed.
        let cause = if index == 0 { proposed } else { self.state.gate() };
        self.append(Fact::Submitted(submitted), cause)
    }

    /// The training of a design with the seed of that number.
    pub(crate) fn order(&self, design: &str, index: u64) -> Submitted {
        let seed = self.state.started.settings.training_seed(index);
        let submitted = Submitted { design: design.to_owned(), index, seed, key: String::new() };
        let job = self.job(&submitted);
        Submitted { key: key(&job, &run_key(&job), &self.state.started.text.key), ..submitted }
    }

    fn job(&self, submitted: &Submitted) -> Job {
        let text = self.state.design(&submitted.design).map_or("", |design| &design.proposed.text);
        let settings = &self.state.started.settings;
        Job { precision: settings.precision, ..Job::at_scale(text, &settings.scale, submitted.seed) }
    }

    /// Has it trained, where there is no verdict and nobody has it.
    pub(crate) fn hand_out(&mut self, submitted: &Submitted) {
        let key = &submitted.key;
        if self.trainings.has(key) {
            return;
        }
        if let Some(verdict) = self.trainings.results.get(key) {
            self.trainings.verdicts.insert(key.clone(), verdict);
            return;
        }
        let keep = self.observer.checkpoint_every().map(|every| self.trainings.keep(key, every));
        let assignment = Assignment { job: self.job(submitted), dataset: self.data.dir().to_owned(), keep };
        let ticket = self.trainings.crew.add(assignment);
        self.trainings.at_work.insert(ticket, submitted.clone());
    }

    /// The verdict of a training, which is waited for.
    fn verdict(&mut self, submitted: &Submitted, runner: &mut dyn Runner) -> Result<Verdict, EvolveError> {
        loop {
            if let Some(verdict) = self.trainings.verdicts.remove(&submitted.key) {
                return Ok(verdict);
            }
            // Another training of the same key may have taken it.
            self.hand_out(submitted);
            if !self.trainings.verdicts.contains_key(&submitted.key) {
                self.work(runner, None)?;
            }
        }
    }

    /// Hands assignments to workers and hears one report; none where none comes within `wait`.
    pub(crate) fn work(&mut self, runner: &mut dyn Runner, wait: Option<Duration>) -> Result<(), EvolveError> {
        let mut crew = mem::take(&mut self.trainings.crew);
        let worked = self.work_with(&mut crew, runner, wait);
        self.trainings.crew = crew;
        worked
    }

    fn work_with(
        &mut self,
        crew: &mut Crew,
        runner: &mut dyn Runner,
        wait: Option<Duration>,
    ) -> Result<(), EvolveError> {
        crew.begin(runner, &mut |moment| self.tell(moment))?;
        let report = match wait {
            Some(time) => runner.wait(time)?,
            None => Some(runner.next()?),
        };
        let Some(report) = report else { return Ok(()) };
        if let Some((ticket, verdict)) = crew.hear(report, &mut |moment| self.tell(moment))? {
            let submitted = self.trainings.at_work.remove(&ticket).expect("a ticket stands for a training");
            self.trainings.verdicts.insert(submitted.key, verdict);
        }
        Ok(())
    }

    fn tell(&mut self, moment: Moment<'_>) -> Result<(), EvolveError> {
        let (ticket, news) = match moment {
            Moment::Begun(ticket) => (ticket, News::Begun),
            Moment::Note(ticket, note) => (ticket, News::Note(note)),
            Moment::Progress(ticket, progress) => (ticket, News::Progress(progress)),
            Moment::Lost { ticket, reason, again } => (ticket, News::Lost { reason, again }),
            Moment::Done(ticket, verdict) => {
                let key = &self.trainings.at_work[&ticket].key;
                self.trainings.results.put(key, verdict)?;
                remove(&self.trainings.dir.join(key))?;
                (ticket, News::Done(verdict))
            }
        };
        go_on(self.observer.training(&self.trainings.at_work[&ticket], news, &self.state))
    }

    fn settle(&self, submitted: &Submitted, verdict: &Verdict) -> Result<Fact, EvolveError> {
        let key = submitted.key.clone();
        match verdict {
            Err(failure) => Ok(Fact::Failed(Failed { key, failure: failure.clone() })),
            Ok(score) => {
                let curve = self.artifacts.put(&score.curve_file())?.to_hex().to_string();
                let steps = self.state.started.settings.scale.steps;
                let (start, trained, parameters) = (score.start, score.trained, score.parameters);
                Ok(Fact::Finished(Finished { key, start, trained, parameters, steps, curve }))
            }
        }
    }
}

/// The run key of a job's design; of a text that does not check, itself: its training tells.
fn run_key(job: &Job) -> String {
    let design = checked(&job.design).ok();
    design
        .and_then(|design| RunKey::of(&design, &job.scale).ok())
        .map_or_else(|| job.design.clone(), |key| key.to_string())
}

fn remove(dir: &Path) -> Result<(), EvolveError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(EvolveError::io("remove", dir)(error)),
        _ => Ok(()),
    }
}
