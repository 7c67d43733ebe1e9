//! Server-sent events: the `data` of each, in whatever pieces the bytes come (WHATWG HTML, 9.2).

use crate::error::LlmError;

/// Bytes that are no whole event yet.
#[derive(Default)]
pub(super) struct Events {
    rest: Vec<u8>,
    data: String,
}

impl Events {
    /// The events that more bytes complete.
    ///
    /// # Errors
    /// [`LlmError::Malformed`] where a line is not UTF-8.
    pub(super) fn of(&mut self, bytes: &[u8]) -> Result<Vec<String>, LlmError> {
        self.rest.extend_from_slice(bytes);
        let mut events = Vec::new();
        let mut from = 0;
        while let Some(length) = self.rest[from..].iter().position(|byte| *byte == b'\n') {
            let line = self.rest[from..from + length].to_vec();
            from += length + 1;
            self.line(&line, &mut events)?;
        }
        self.rest.drain(..from);
        Ok(events)
    }

    fn line(&mut self, line: &[u8], events: &mut Vec<String>) -> Result<(), LlmError> {
        let line = std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line));
        let line = line.map_err(|why| LlmError::Malformed(format!("an event that is not UTF-8 ({why})")))?;
        if line.is_empty() {
            if !self.data.is_empty() {
                events.push(std::mem::take(&mut self.data));
            }
        } else if let Some(data) = line.strip_prefix("data:") {
            if !self.data.is_empty() {
                self.data.push('\n');
            }
            self.data.push_str(data.strip_prefix(' ').unwrap_or(data));
        }
        Ok(())
    }

    /// The end of the bytes.
    ///
    /// # Errors
    /// [`LlmError::CutOff`] where it comes within an event.
    pub(super) fn end(&self) -> Result<(), LlmError> {
        let within = !self.rest.is_empty() || !self.data.is_empty();
        if within { Err(LlmError::CutOff("in the middle of an event".to_owned())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn events_are_the_same_in_whatever_pieces_they_come() {
        let text = ": hello\r\nevent: a\ndata: {\"x\":\ndata: \"\u{e9}\"}\n\ndata:1\r\n\r\n\n\ndata: [DONE]\n\n";
        for size in 1..text.len() {
            let mut events = Events::default();
            let all: Vec<String> = text.as_bytes().chunks(size).flat_map(|piece| events.of(piece).unwrap()).collect();
            assert_eq!(all, ["{\"x\":\n\"\u{e9}\"}", "1", "[DONE]"], "in pieces of {size}");
            events.end().unwrap();
        }
    }

    #[test]
    fn what_is_cut_off_or_no_text_is_told() {
        let mut events = Events::default();
        assert!(events.of(b"data: {").unwrap().is_empty());
        assert!(matches!(events.end(), Err(LlmError::CutOff(_))));
        assert!(matches!(Events::default().of(b"data: \xff\n\n"), Err(LlmError::Malformed(_))));
    }
}
