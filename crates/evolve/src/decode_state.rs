//! How many bytes decoding token by token has to keep.
//!
//! In: a module at a scale, and how many tokens one row has read. Out: bytes, at four a number, over all slots of its
//! state, which the crate `decode` lists.

use genesys_axis::Size;
use genesys_ir::module::Module;

const BYTES_A_NUMBER: i64 = 4;

/// Bytes of state after `context` tokens of one row.
///
/// # Errors
/// A size that is not a plain number: the module is not at a scale.
pub fn state_bytes(module: &Module, context: u64) -> Result<u64, String> {
    let tokens = Size::int(i64::try_from(context).unwrap_or(i64::MAX));
    let bytes = genesys_decode::layout(&genesys_ir::without_losses(module))
        .and_then(|layout| layout.bytes(&tokens, BYTES_A_NUMBER));
    let bytes = bytes.and_then(|bytes| bytes.eval(&|_| None)).map_err(|error| error.to_string())?;
    u64::try_from(bytes).map_err(|_| format!("a size of {bytes}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use genesys_compiler::{check_text, compile};
    use genesys_ladder::Scale;

    use super::*;

    fn bytes(text: &str, context: u64) -> u64 {
        let checked = check_text("test", text);
        let design = checked.design.unwrap_or_else(|| panic!("{:?}", checked.diagnostics));
        state_bytes(&compile(&design, &Scale::named("nano").unwrap(), 257).unwrap(), context).unwrap()
    }

    #[test]
    fn attention_keeps_keys_and_values_of_the_context() {
        let gpt = include_str!("../../../designs/gpt.gau");
        // Two blocks, keys and values of width 64, four bytes each.
        assert_eq!(bytes(gpt, 64), 2 * 2 * 64 * 64 * 4);
        assert_eq!(bytes(gpt, 1024), 2 * 2 * 64 * 1024 * 4);
    }

    #[test]
    fn a_scan_keeps_its_state_whatever_the_context() {
        let gla = include_str!("../../../designs/gla.gau");
        assert_eq!(bytes(gla, 64), bytes(gla, 1024));
        assert!(bytes(gla, 64) > 0);
    }

    #[test]
    fn shifts_and_windows_keep_what_they_reach() {
        let design = |body: &str| {
            format!("design X {{\n    stack = [B*]\n}}\n\nunit B(x: Seq[D]) -> Seq[D] {{\n    {body}\n}}\n")
        };
        assert_eq!(bytes(&design("x + shift(x, 3)"), 64), 2 * 3 * 64 * 4);
        assert_eq!(bytes(&design("x + shift(x, 3) + shift(x, 1)"), 64), 2 * 3 * 64 * 4);
        assert_eq!(bytes(&design("x + shift(x, 3)"), 2), 2 * 2 * 64 * 4);
        assert_eq!(bytes(&design("axis W = 4\n    x + sum[W](window[W](x))"), 64), 2 * 3 * 64 * 4);
        assert_eq!(bytes(&design("x * 2"), 64), 0);
    }
}
