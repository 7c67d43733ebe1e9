//! The live sources against local servers that speak as arXiv and Semantic Scholar do: pages, errors, waits, rubbish.
//!
//! All works in the answers are invented.
#![allow(clippy::unwrap_used)]

mod arxiv;
mod rules;
mod scholar;
mod server;
