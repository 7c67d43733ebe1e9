//! From what a model says to the text of a design: the block of code in it.

/// The code in an answer.
///
/// # Errors
/// What is wrong with it, to be told to the model.
pub(crate) fn code(answer: &str) -> Result<String, Vec<String>> {
    let text = answer.replace("\r\n", "\n");
    let blocks: Vec<&str> = text.split("```").skip(1).step_by(2).collect();
    let closed = text.matches("```").count().is_multiple_of(2);
    match blocks[..] {
        [] => Ok(text),
        [block] if closed => Ok(block.split_once('\n').map_or("", |(_, code)| code).to_owned()),
        [_] => Err(vec!["your block of code is not closed by ```".to_owned()]),
        _ => Err(vec![format!("expected one block of code, found {}", blocks.len())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_taken_out_of_its_block_and_plain_text_as_it_is() {
        assert_eq!(code("Here:\n```gau\nunit A\n```\nSo."), Ok("unit A\n".to_owned()));
        assert_eq!(code("```\r\nunit A\r\n```"), Ok("unit A\n".to_owned()));
        assert_eq!(code("unit A"), Ok("unit A".to_owned()));
    }

    #[test]
    fn what_holds_no_one_block_is_told() {
        assert_eq!(code("```gau\na\n``` ```b```"), Err(vec!["expected one block of code, found 2".to_owned()]));
        assert!(code("```gau\na").is_err_and(|why| why[0].contains("not closed")));
    }
}
