//! What a status means.

use std::time::{Duration, SystemTime};

use reqwest::{Response, StatusCode, header};
use serde_json::Value;

use super::Http;
use crate::error::LlmError;
use crate::key::Key;

impl Http {
    /// The error that a response stands for.
    pub(super) async fn trouble(&self, response: Response) -> LlmError {
        let (status, after) = (response.status(), after(&response));
        let host = self.base.host_str().unwrap_or_default().to_owned();
        if status.is_redirection() {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok()).unwrap_or("elsewhere");
            let says = format!("it redirects to {to}, which is not followed: name that address if you trust it");
            return LlmError::Refused { status: status.as_u16(), says };
        }
        // What cannot be read says nothing, and the status is known.
        let says = told(&self.all(response).await.unwrap_or_default());
        let quota = says.contains("insufficient_quota") || says.contains("credit balance");
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                LlmError::Key { url: self.base.to_string(), variable: Key::variable(&host), sent: self.key.is_some() }
            }
            StatusCode::TOO_MANY_REQUESTS if quota => refused(status, &says, "pay for more, or name another server"),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                LlmError::Busy { status: status.as_u16(), after, says }
            }
            status if status.is_server_error() => LlmError::Busy { status: status.as_u16(), after, says },
            StatusCode::PAYMENT_REQUIRED => refused(status, &says, "pay for more, or name another server"),
            StatusCode::NOT_FOUND => refused(status, &says, "is the model's name right behind `#`, and the address?"),
            StatusCode::PAYLOAD_TOO_LARGE => refused(status, &says, LONG),
            status if is_long(&says) => refused(status, &says, LONG),
            status => LlmError::Refused { status: status.as_u16(), says },
        }
    }
}

/// The way out of a dialogue that is too long.
const LONG: &str = "say less, or take a model that reads more";

/// A refusal with a way out.
fn refused(status: StatusCode, says: &str, out: &str) -> LlmError {
    LlmError::Refused { status: status.as_u16(), says: format!("{says}; {out}") }
}

/// Whether a server says that the dialogue is too long, in the words of those that we know.
fn is_long(says: &str) -> bool {
    ["context_length", "context length", "context size", "prompt is too long"].iter().any(|words| says.contains(words))
}

/// What a server says of an error, in a line.
fn told(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let error = &value["error"];
    let message = [&error["message"], error, &value["message"], &value["detail"]].into_iter().find_map(Value::as_str);
    let kind = [&error["code"], &error["type"]].into_iter().find_map(Value::as_str);
    let said = match (message, kind) {
        (Some(message), Some(kind)) if !message.contains(kind) => format!("{message} ({kind})"),
        (Some(message), _) => message.to_owned(),
        (None, _) if text.trim().is_empty() => "it says nothing".to_owned(),
        (None, _) => text.to_owned(),
    };
    said.chars().take(500).map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// How long the server asks to wait: seconds, or a date.
fn after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let then = httpdate::parse_http_date(text).ok()?;
    let now = response.headers().get(header::DATE).and_then(|now| httpdate::parse_http_date(now.to_str().ok()?).ok());
    // A date that is past asks for no wait.
    Some(then.duration_since(now.unwrap_or_else(SystemTime::now)).unwrap_or_default())
}
