//! Secrets that are never shown.

use std::fmt;

/// A key of a server. It can be sent, and neither printed nor serialized.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// A key from its text, without blanks around it; none where that is empty.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The key for a host, from variables of the environment: `variable` gives the value of one. For `api.openai.com` it is
    /// `OPENAI_API_KEY`, for `api.anthropic.com` `ANTHROPIC_API_KEY`, for `openrouter.ai` `OPENROUTER_API_KEY`; for any other host
    /// `GENESYS_LLM_KEY`, so that a key goes nowhere that it was not made for.
    #[must_use]
    pub fn for_host(host: &str, variable: &dyn Fn(&str) -> Option<String>) -> Option<Self> {
        Self::new(&variable(Self::variable(host))?)
    }

    /// The variable that holds the key for a host.
    #[must_use]
    pub fn variable(host: &str) -> &'static str {
        match host {
            "api.openai.com" => "OPENAI_API_KEY",
            "api.anthropic.com" => "ANTHROPIC_API_KEY",
            "openrouter.ai" => "OPENROUTER_API_KEY",
            _ => "GENESYS_LLM_KEY",
        }
    }

    /// The key itself, to be sent.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }

    /// A text without the key, should it stand there.
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        text.replace(&self.0, "(key)")
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
