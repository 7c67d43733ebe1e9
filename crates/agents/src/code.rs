//! From what a model says to the text of a design: the block of code in it.

use genesys_llm::{Reply, Stop};

/// The code in a reply.
///
/// # Errors
/// What is wrong with the reply, to be told to the model.
pub(crate) fn code(reply: &Reply) -> Result<String, String> {
    match reply.stop {
        Stop::Refused => return Err("you would not answer; a design is asked for, and nothing else".to_owned()),
        Stop::Length => return Err("your answer was cut off, it is too long: write less, without remarks".to_owned()),
        Stop::End | Stop::Tools => {}
    }
    let text = reply.text.replace("\r\n", "\n");
    let blocks: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
    let closed = text.matches("```").count().is_multiple_of(2);
    match blocks[..] {
        [] if text.trim().is_empty() => Err("your answer is empty".to_owned()),
        [] => Ok(text),
        [block] if closed => Ok(block.split_once('\n').map_or("", |(_, code)| code).to_owned()),
        [_] => Err("your block of code is not closed by ```".to_owned()),
        _ => Err(format!("expected one block of code, found {}", blocks.len())),
    }
}

#[cfg(test)]
mod tests {
    use genesys_llm::Usage;

    use super::*;

    fn of(text: &str, stop: Stop) -> Result<String, String> {
        let usage = Usage::default();
        code(&Reply { text: text.to_owned(), calls: Vec::new(), stop, usage, model: String::new() })
    }

    #[test]
    fn code_is_taken_out_of_its_block_and_plain_text_as_it_is() {
        assert_eq!(of("Here:\n```gau\nunit A\n```\nSo.", Stop::End), Ok("unit A\n".to_owned()));
        assert_eq!(of("```\r\nunit A\r\n```", Stop::End), Ok("unit A\n".to_owned()));
        assert_eq!(of("unit A", Stop::End), Ok("unit A".to_owned()));
    }

    #[test]
    fn what_holds_no_one_block_is_told() {
        assert_eq!(of("  \n", Stop::End), Err("your answer is empty".to_owned()));
        assert_eq!(of("```gau\na\n``` ```b```", Stop::End), Err("expected one block of code, found 2".to_owned()));
        assert!(of("```gau\na", Stop::End).is_err_and(|why| why.contains("not closed")));
        assert!(of("```gau\na\n```", Stop::Length).is_err_and(|why| why.contains("cut off")));
        assert!(of("No.", Stop::Refused).is_err_and(|why| why.contains("would not answer")));
    }
}
