//! The project's chores, as a library so that tests can run them.
//!
//! | module | does |
//! | --- | --- |
//! | [`ci`] | everything that decides whether a change may land, stage by stage, with the minutes of each |
//! | [`dialogues`] | what a run with many dialogues at once takes beside its models and its trainings |
//! | [`llama`] | the program against a real server of llama.cpp |
//! | [`peers`] | designs against the models of PyPI's `transformers`, by scripts in Python |
//! | [`tidy`] | the house rules that no compiler checks |
//! | [`versus`] | steps of models against PyTorch, in turn with a script in Python |
//!
//! It depends on nothing of the project, so that a chore never waits for candle to build.

pub mod ci;
pub mod dialogues;
pub mod llama;
pub mod peers;
mod python;
pub mod tidy;
pub mod versus;
