//! A language model in a GGUF file, run on this machine: what `--llm local:PATH` asks.
//!
//! In: a file, requests. Out: replies, as of any other [`Transport`](genesys_llm::Transport). Where a grammar or a schema is asked for, every
//! token is one that it admits. That promises syntax, and nothing else: a model that is small enough to be run here designs nothing.
//!
//! | file | holds |
//! | --- | --- |
//! | `file` | what of a GGUF file is understood, and what is refused by name |
//! | `chat` | its tokenizer, and dialogues as tokens |
//! | `llama` | the model: a Llama over quantized weights, token by token |
//! | `schema` | a JSON schema as a grammar |
//! | `constraint` | which tokens a grammar admits next |
//! | `said` | text as it comes, up to where it stops |
//! | `local` | replies |
//!
//! It trains nothing, knows no other family than Llama with ChatML, and runs one dialogue after the other on the processor.

mod chat;
mod constraint;
mod file;
mod llama;
mod local;
mod said;
pub mod schema;

pub use local::Local;
