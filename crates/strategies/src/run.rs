//! Runs operators against the laws, many times: failures are shrunk and kept.

use std::cell::RefCell;

use genesys_check::CheckedDesign;
use genesys_genetic::{Context, Tally};
use proptest::prelude::*;
use proptest::test_runner::{
    Config, FileFailurePersistence, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner,
};

use crate::law::{Operator, judge, sound};
use crate::strategy::{Step, Walk, seed, walk};

/// How much is tried, and where failures are kept.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Fewest children to judge.
    pub children: u32,
    /// Longest chain of shipped operators before, or of which, the children are.
    pub depth: usize,
    /// The file that failures are kept in, and tried first from then on; relative to the package
    /// whose test it is.
    pub kept: Option<&'static str>,
}

/// The smallest failure that was found: a chain, and the law that it breaks.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The chain that leads to it, and the seed of a user's operator.
    pub input: String,
    /// The law and the text, in words.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nsmallest way there: {}", self.message, self.input)
    }
}

impl std::error::Error for Failure {}

/// Children of one walk by shipped operators.
const PER_WALK: u32 = 10;
/// Cases of a user's operator that may give no child, for each one asked for.
const IDLE: u32 = 4;

/// Holds the shipped operators to the laws, on children of `designs` and of their offspring.
///
/// # Errors
/// The smallest failure.
pub fn hold_shipped(designs: &[CheckedDesign], context: &Context, plan: Plan) -> Result<Tally, Box<Failure>> {
    let designs = &by_size(designs);
    let sum = RefCell::new(Tally::default());
    let cases = plan.children.div_ceil(PER_WALK);
    run(plan, cases, &walk(designs.len(), 1, plan.depth), |walk| {
        let tally = follow(&walk, designs, context)?;
        sum.replace_with(|sum| sum.plus(tally));
        Ok(())
    })?;
    Ok(sum.into_inner())
}

/// Holds an operator of yours to the laws, on `designs` and on offspring of theirs by the shipped
/// operators.
///
/// # Errors
/// The smallest failure; one, too, where the operator hardly ever gives a child.
pub fn hold(
    operator: &impl Operator,
    designs: &[CheckedDesign],
    context: &Context,
    plan: Plan,
) -> Result<Tally, Box<Failure>> {
    let designs = &by_size(designs);
    let sum = RefCell::new(Tally::default());
    let strategy = (walk(designs.len(), 0, plan.depth), seed());
    run(plan, plan.children.saturating_mul(IDLE), &strategy, |(walk, seed)| {
        if sum.borrow().offspring >= plan.children as usize {
            return Ok(());
        }
        let parent = walk.end(designs, context);
        let made = judge(operator, &parent, seed, context).map_err(|broken| fail(&*broken))?;
        let one = Tally { tried: 1, offspring: usize::from(made), ..Tally::default() };
        sum.replace_with(|sum| sum.plus(one));
        Ok(())
    })?;
    let tally = sum.into_inner();
    if tally.offspring < plan.children as usize {
        let message = format!("the operator gave {} children of {} designs", tally.offspring, tally.tried);
        return Err(Box::new(Failure { input: format!("{plan:?}"), message }));
    }
    Ok(tally)
}

/// Smallest first, by the text.
fn by_size(designs: &[CheckedDesign]) -> Vec<CheckedDesign> {
    let mut designs = designs.to_vec();
    designs.sort_by_key(|design| genesys_syntax::print(design.file()).len());
    designs
}

/// Judges the first children of every step, ten for a walk of ten or fewer steps.
fn follow(walk: &Walk, designs: &[CheckedDesign], context: &Context) -> Result<Tally, TestCaseError> {
    let mut design = designs[walk.start % designs.len()].clone();
    let mut sum = Tally::default();
    let each = (PER_WALK as usize).div_ceil(walk.steps.len().max(1));
    for step in &walk.steps {
        let mut brood = step.brood(&design, designs, context);
        let children: Vec<_> = brood.by_ref().take(each).collect();
        if let Some(refusal) = brood.refused().first() {
            let messages: Vec<&str> = refusal.diagnostics.iter().map(|found| found.message.as_str()).collect();
            let (operator, detail, text) = (refusal.operator, &refusal.detail, &refusal.text);
            return Err(fail(&format!("{operator}: {detail}: {}\n{text}", messages.join("; "))));
        }
        let again = step.brood(&design, designs, context).next();
        if again.map(|child| child.text()) != children.first().map(genesys_genetic::Offspring::text) {
            return Err(fail(&"one seed gave two children"));
        }
        let mut parents = vec![&design];
        if let Step::Cross { mate, .. } = step {
            parents.push(&designs[mate % designs.len()]);
        }
        for child in &children {
            let named = |broken| fail(&format!("{}: {}: {broken}", child.operator, child.detail));
            sound(&child.design, &parents, context).map_err(named)?;
        }
        sum = sum.plus(brood.tally());
        design = children.into_iter().next().map_or(design, |child| child.design);
    }
    Ok(sum)
}

fn fail(what: &dyn std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(what.to_string())
}

/// The same cases in every run of one plan; kept failures first.
fn run<S: Strategy>(
    plan: Plan,
    cases: u32,
    strategy: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> Result<(), Box<Failure>> {
    let kept = plan.kept.map(|path| Box::new(FileFailurePersistence::Direct(path)) as _);
    let config = Config { cases, failure_persistence: kept, max_shrink_iters: 256, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng).run(strategy, test).map_err(|error| match error {
        TestError::Fail(reason, input) => {
            Box::new(Failure { input: format!("{input:?}"), message: reason.message().to_string() })
        }
        TestError::Abort(reason) => Box::new(Failure { input: "none".into(), message: reason.message().to_string() }),
    })
}
