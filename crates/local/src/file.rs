//! What of a GGUF file is understood, and what is refused by name.
//!
//! In: a file. Out: its metadata by name, and tensors of the shapes that are asked for. Sizes come from a file that anybody may have
//! written: each is held to its tensor before anything is made of it.

use std::fs::File;
use std::io::BufReader;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, Value};
use genesys_llm::LlmError;

/// The largest number of a file that is one of a size: products of two of them are numbers, too.
const LARGEST: usize = 1 << 24;

/// An open file.
pub(crate) struct Gguf {
    path: PathBuf,
    reader: BufReader<File>,
    content: Content,
}

impl Gguf {
    /// Opens a file and reads its metadata.
    pub(crate) fn open(path: &Path) -> Result<Self, LlmError> {
        let of_file = |why: String| LlmError::File { path: path.to_owned(), why };
        let file = File::open(path).map_err(|error| of_file(error.to_string()))?;
        let mut reader = BufReader::new(file);
        // Of some files its reader panics, as where an alignment is 0.
        let content = catch_unwind(AssertUnwindSafe(|| Content::read(&mut reader)));
        let content =
            content.map_err(|_| of_file("expected a model in GGUF, and its head cannot be read".to_owned()))?;
        let content = content.map_err(|error| of_file(format!("expected a model in GGUF ({})", first(&error))))?;
        Ok(Self { path: path.to_owned(), reader, content })
    }

    /// An error about the file.
    pub(crate) fn bad(&self, why: impl Into<String>) -> LlmError {
        LlmError::File { path: self.path.clone(), why: why.into() }
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.content.metadata.get(name)
    }

    /// A whole number.
    pub(crate) fn number(&self, name: &str) -> Result<usize, LlmError> {
        self.number_or(name, None)
    }

    /// A whole number, or what it is where the file does not say.
    pub(crate) fn number_or(&self, name: &str, default: Option<usize>) -> Result<usize, LlmError> {
        match (self.value(name), default) {
            (None, Some(default)) => Ok(default),
            (value, _) => value
                .and_then(|value| value.to_u64().ok())
                .and_then(|value| usize::try_from(value).ok().filter(|value| *value <= LARGEST))
                .ok_or_else(|| self.missing(name, &format!("a whole number up to {LARGEST}"))),
        }
    }

    /// A number, or what it is where the file does not say.
    pub(crate) fn real_or(&self, name: &str, default: Option<f32>) -> Result<f32, LlmError> {
        match (self.value(name), default) {
            (None, Some(default)) => Ok(default),
            (value, _) => value
                .and_then(|value| value.to_f32().ok())
                .filter(|value| value.is_finite() && *value > 0.0)
                .ok_or_else(|| self.missing(name, "a number above 0")),
        }
    }

    /// A text; none where the file does not say.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value(name).and_then(|value| value.to_string().ok()).map(String::as_str)
    }

    /// Texts.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&str>, LlmError> {
        let values = self.value(name).and_then(|value| value.to_vec().ok());
        let texts = values.and_then(|values| {
            values.iter().map(|value| value.to_string().ok().map(String::as_str)).collect::<Option<Vec<_>>>()
        });
        texts.ok_or_else(|| self.missing(name, "texts"))
    }

    /// Whole numbers; none where the file does not say.
    pub(crate) fn numbers(&self, name: &str) -> Option<Vec<i32>> {
        let values = self.value(name)?.to_vec().ok()?;
        values.iter().map(|value| value.to_i32().ok()).collect()
    }

    /// Whether the file says yes.
    pub(crate) fn says(&self, name: &str) -> bool {
        self.value(name).and_then(|value| value.to_bool().ok()).unwrap_or(false)
    }

    fn missing(&self, name: &str, expected: &str) -> LlmError {
        let found = match self.value(name) {
            None => "nothing".to_owned(),
            Some(Value::Array(values)) => format!("an array of {} values", values.len()),
            Some(value) => format!("{value:?}").chars().take(60).collect(),
        };
        self.bad(format!("expected {expected} as `{name}`, found {found}"))
    }

    /// Whether there is a tensor of a name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// A tensor of a shape.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<QTensor, LlmError> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(self.bad(format!("expected a tensor `{name}`, found none")));
        };
        if info.shape.dims() != shape {
            let found = info.shape.dims();
            return Err(self.bad(format!("expected `{name}` to have the shape {shape:?}, found {found:?}")));
        }
        let tensor = self.content.tensor(&mut self.reader, name, &Device::Cpu);
        tensor.map_err(|error| self.bad(format!("`{name}` cannot be read: {}", first(&error))))
    }
}

/// The first line of an error of candle, which may have a trace behind it.
pub(crate) fn first(error: &candle_core::Error) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}
