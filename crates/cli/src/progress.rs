//! Progress of a training on standard error: a bar on a terminal, ten lines elsewhere.
//!
//! In: what the trainer tells its observer. Out: steps, loss, tokens a second and time left. The clock is read here and
//! decides nothing.

use std::ops::ControlFlow;
use std::time::Instant;

use genesys_train::observer::{Observer, Start, Step};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output;

/// Shows the steps of one training.
#[derive(Default)]
pub(crate) struct Steps {
    shown: Option<Shown>,
}

struct Shown {
    bar: ProgressBar,
    begin: Instant,
    tokens: u64,
}

impl Steps {
    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        if let Some(shown) = &self.shown {
            shown.bar.finish_and_clear();
        }
    }
}

impl Observer for Steps {
    fn started(&mut self, start: &Start) {
        for note in start.notes() {
            output::say(format_args!("note: {note}"));
        }
        let bar = ProgressBar::with_draw_target(Some(start.steps), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} step {pos}/{len}, {msg}, {eta} left");
        bar.set_style(style.expect("the template is well formed"));
        bar.set_position(start.step);
        bar.set_message(format!("{:.3} bits per byte untrained", start.validation.bits_per_byte));
        self.shown = Some(Shown { bar, begin: Instant::now(), tokens: 0 });
    }

    fn step(&mut self, step: &Step) -> ControlFlow<()> {
        if let Some(shown) = &mut self.shown {
            shown.step(step);
        }
        ControlFlow::Continue(())
    }
}

impl Shown {
    fn step(&mut self, step: &Step) {
        self.tokens += step.tokens;
        let rate = self.tokens as f64 / self.begin.elapsed().as_secs_f64().max(1e-9);
        let auxiliary = step.auxiliary.map_or_else(String::new, |sum| format!(", auxiliary {sum:.4}"));
        let message = format!("loss {:.3} nats{auxiliary}, {rate:.0} tokens/s", step.loss);
        if self.bar.is_hidden() {
            let tenth = |done: u64| done * 10 / step.steps.max(1);
            if tenth(step.done) > tenth(step.done - 1) {
                output::say(format_args!("step {}/{}, {message}", step.done, step.steps));
            }
        } else {
            self.bar.set_message(message);
            self.bar.set_position(step.done);
        }
    }
}
