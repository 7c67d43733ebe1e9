//! What answers, in one spelling: `URL|file:DIR|local:PATH|replay:FILE`.
//!
//! ```text
//! http://localhost:8080/v1            chat completions, the server's only model
//! https://api.openai.com/v1#gpt-x     chat completions, a model by name
//! https://api.anthropic.com#claude-x  messages
//! anthropic+http://localhost:9000#m   messages, at another address
//! file:DIR                            files in a folder
//! file:DIR#NAME                       the same, answered by whom the name says
//! replay:FILE                         a recording
//! ```

use std::path::PathBuf;

use reqwest::Url;

/// What a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `POST URL/chat/completions`, as OpenAI has it, and vLLM, llama.cpp, Ollama and OpenRouter with it.
    Chat,
    /// `POST URL/v1/messages`, as Anthropic has it.
    Messages,
}

/// What answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A server.
    Http {
        /// What it speaks.
        protocol: Protocol,
        /// Its address, without a slash at the end.
        base: Url,
        /// The model's name; empty for the only one.
        model: String,
    },
    /// A folder of requests and answers.
    Folder {
        /// The folder.
        dir: PathBuf,
        /// Who answers, as given; empty where nobody said.
        model: String,
    },
    /// A model on this machine.
    Local(PathBuf),
    /// A recording.
    Replay(PathBuf),
}

/// What may stand there, for messages.
const FORMS: &str = "`https://HOST/v1#MODEL`, `file:DIR#NAME`, `local:PATH` or `replay:FILE`";

impl Target {
    /// Reads the spelling.
    ///
    /// # Errors
    /// A sentence that says what is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = |rest: &str, what: &str| match rest {
            "" => Err(format!("expected {what} behind `{text}`")),
            rest => Ok(PathBuf::from(rest)),
        };
        if let Some(rest) = text.strip_prefix("file:") {
            // What stands behind the last `#` is the name, as of servers.
            let (dir, model) = rest.rsplit_once('#').unwrap_or((rest, ""));
            return Ok(Self::Folder { dir: path(dir, "a folder")?, model: model.to_owned() });
        }
        if let Some(rest) = text.strip_prefix("local:") {
            return Ok(Self::Local(path(rest, "a model's file")?));
        }
        if let Some(rest) = text.strip_prefix("replay:") {
            return Ok(Self::Replay(path(rest, "a recording")?));
        }
        let (named, rest) = match (text.strip_prefix("anthropic+"), text.strip_prefix("openai+")) {
            (Some(rest), _) => (Some(Protocol::Messages), rest),
            (_, Some(rest)) => (Some(Protocol::Chat), rest),
            (None, None) => (None, text),
        };
        Self::http(named, rest)
    }

    /// Reads the spelling with a weight before it, as `0.5*TARGET`; without one it is 1.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and where the weight is negative or too large to be one.
    pub fn weighted(text: &str) -> Result<(f64, Self), String> {
        let given = text.split_once('*').and_then(|(weight, rest)| Some((weight.trim().parse::<f64>().ok()?, rest)));
        match given {
            Some((weight, rest)) if (0.0..=1e6).contains(&weight) => Ok((weight, Self::parse(rest.trim())?)),
            Some((weight, _)) => Err(format!("expected a weight from 0 to 1000000 before `*`, found {weight}")),
            None => Ok((1.0, Self::parse(text)?)),
        }
    }

    fn http(named: Option<Protocol>, text: &str) -> Result<Self, String> {
        let mut base = Url::parse(text).map_err(|why| format!("expected {FORMS}, found `{}` ({why})", shown(text)))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(format!("expected {FORMS}, found `{}`", shown(text)));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(
                "expected an address without a name or a key in it: keys come from the environment alone".to_owned()
            );
        }
        if base.query().is_some() {
            return Err(
                "expected an address without `?`: the model stands behind `#`, keys in the environment".to_owned()
            );
        }
        let model = base.fragment().unwrap_or_default().to_owned();
        base.set_fragment(None);
        let path = base.path().trim_end_matches('/').to_owned();
        base.set_path(&path);
        let anthropic = base.host_str() == Some("api.anthropic.com");
        let protocol = named.unwrap_or(if anthropic { Protocol::Messages } else { Protocol::Chat });
        if protocol == Protocol::Messages && model.is_empty() {
            return Err(format!("expected a model behind `#`, as in `{}#claude-x`", shown(text)));
        }
        Ok(Self::Http { protocol, base, model })
    }

    /// How it is told to people: without a password, should one have been written.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Http { base, model, .. } if model.is_empty() => base.to_string(),
            Self::Http { base, model, .. } => format!("{base}#{model}"),
            Self::Folder { dir, model } if model.is_empty() => format!("file:{}", dir.display()),
            Self::Folder { dir, model } => format!("file:{}#{model}", dir.display()),
            Self::Local(path) => format!("local:{}", path.display()),
            Self::Replay(path) => format!("replay:{}", path.display()),
        }
    }
}

/// A text without what stands between `//` and `@`, which may be a secret.
fn shown(text: &str) -> String {
    match (text.find("//"), text.rfind('@')) {
        (Some(from), Some(to)) if from + 2 < to => format!("{}..{}", &text[..from + 2], &text[to..]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn http(text: &str) -> (Protocol, String, String) {
        match Target::parse(text).unwrap() {
            Target::Http { protocol, base, model } => (protocol, base.to_string(), model),
            other => panic!("{other:?} is no server"),
        }
    }

    #[test]
    fn the_spelling_tells_protocol_address_and_model() {
        assert_eq!(
            http("http://localhost:8080/v1/"),
            (Protocol::Chat, "http://localhost:8080/v1".into(), String::new())
        );
        assert_eq!(http("https://openrouter.ai/api/v1#a/b").2, "a/b");
        assert_eq!(http("https://api.anthropic.com#claude-x").0, Protocol::Messages);
        assert_eq!(http("anthropic+http://localhost:9#m").0, Protocol::Messages);
        assert_eq!(http("openai+https://api.anthropic.com/v1#m").0, Protocol::Chat);
        let folder = |dir: &str, model: &str| Target::Folder { dir: dir.into(), model: model.into() };
        for (text, dir, model) in
            [("file:asked", "asked", ""), ("file:asked#Ada", "asked", "Ada"), ("file:a#b#Ada", "a#b", "Ada")]
        {
            assert_eq!(Target::parse(text), Ok(folder(dir, model)));
            assert_eq!(folder(dir, model).name(), text);
        }
        assert_eq!(Target::parse("replay:run.jsonl"), Ok(Target::Replay("run.jsonl".into())));
        assert_eq!(Target::parse("local:model.gguf").unwrap().name(), "local:model.gguf");
    }

    #[test]
    fn a_weight_may_stand_before_a_target() {
        let read = |text: &str| Target::weighted(text).map(|(weight, target)| (weight, target.name()));
        assert_eq!(read("file:asked#Ada"), Ok((1.0, "file:asked#Ada".to_owned())));
        assert_eq!(read("0.25*file:asked"), Ok((0.25, "file:asked".to_owned())));
        assert_eq!(read("0 * https://host/v1#a*b"), Ok((0.0, "https://host/v1#a*b".to_owned())));
        assert_eq!(read("https://host/v1#a*b"), Ok((1.0, "https://host/v1#a*b".to_owned())));
        for wrong in ["-1*file:asked", "NaN*file:asked", "inf*file:asked", "2*", "2*3*file:asked", "x*file:asked"] {
            assert!(read(wrong).is_err_and(|why| why.starts_with("expected")), "{wrong}: {:?}", read(wrong));
        }
    }

    #[test]
    fn what_is_no_target_is_told_and_no_secret_is_shown() {
        let told = |text: &str| Target::parse(text).unwrap_err();
        assert!(told("gpt-x").starts_with("expected `https://HOST/v1#MODEL`"), "{}", told("gpt-x"));
        assert!(told("ftp://host/v1").contains("found `ftp://host/v1`"));
        assert!(["file:", "file:#Ada"].iter().all(|text| told(text).contains("a folder")));
        assert!(told("https://api.anthropic.com").contains("a model behind `#`"));
        assert!(told("https://host/v1?key=s3cret").contains("without `?`"));
        for text in
            ["https://me:s3cret@host/v1", "https://s3cret@host/v1", "ftp://me:s3cret@host", "https://s3cret@:x/"]
        {
            assert!(!told(text).contains("s3cret"), "{}", told(text));
        }
    }
}
