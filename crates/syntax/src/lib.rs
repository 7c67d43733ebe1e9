//! The grammar, the syntax tree and the canonical printer of the design language.
//!
//! In goes text, out come a [`ast::File`] and diagnostics ([`parse`]); in goes a tree, out comes
//! its one canonical text ([`print()`]). Names are not resolved here, sizes are not evaluated and no
//! type is known: that is the checker's work. Nothing here reads a file.
//!
//! # The road of a text
//!
//! 1. A linear pre-scan checks the file's size and its brackets, collects the comments and cuts the
//!    text into items, so that one broken item does not hide the errors of the others.
//! 2. Each item is parsed by itself with `grammar/gau.pest`: at most one syntax error an item.
//! 3. The tree is built; operators, a flat list in the grammar, get their precedence here.
//! 4. Comments are hung onto the items, fields and statements they stand at.
//!
//! # The grammar at a glance
//!
//! ```text
//! file    = item*
//! item    = "use" path "::" ( Name | "{" Name,* "}" )
//!         | "design" Name "{" ( name "=" ( bool | stack | Unit ) )* "}"
//!         | "unit" Name "<" generic,* ">" "(" ( name ":" type ),* ")" "->" ( type | results ) ( block | ";" )
//! results = "(" ( ( name ":" )? type ),* ")"
//! generic = Axis ( "=" size )?  |  Name ":" "pointwise"? "unit" ( "(" type,* ")" "->" type )? ( "=" Unit )?  |  Name ":" "size" ( "=" size )?  |  Row ".."
//! stack   = "[" ( "share"? ( Unit | stack ) ( "*" int? )? ),* "]"
//! type    = "Seq"? "[" ( Axis | Row ".." | ".." ),* "]"
//! block   = "{" statement* value? "}"
//! statement = "let" ( name ( ":" type )? | "(" name,* ")" ) "=" value  |  "param" name ":" axes "=" value ( "@" role )?
//!         | "axis" Axis "=" size  |  "require" size compare size
//!         | "share" name "=" head  |  state "<-" value  |  "yield" value  |  "loss" value
//! value   = number | name | name "[" Axis "]" | "(" value,* ")" | "-" value | value op value
//!         | name "<" static,* ">" "[" slot "]" "(" argument,* ")"  |  "each" axes call
//!         | "[" axes "->" axes "]" "(" value ")"  |  value "as" "[" Axis "->" Axis "]"
//!         | "scan" ( state ":" axes "=" value ),* ( ":" class )? block
//! ```
//!
//! Precedence, tightest first: `as`, `^` (to the right), unary `-`, `*` and `/`, `+` and `-`,
//! comparisons (which do not chain). So `-x ^ 2` is `-(x ^ 2)`, and `x ^ -y` needs no parentheses.

pub mod ast;
mod build;
mod comments;
mod grammar;
mod limits;
mod message;
mod parse;
mod prescan;
mod print;
mod same;
mod slip;
mod walk;
mod words;

pub use limits::{MAX_ERRORS, MAX_EXPR_DEPTH, MAX_FILE_BYTES, MAX_NESTING};
pub use parse::{NotUtf8, Parsed, decode, parse};
pub use print::{print, print_expr, print_size, print_type, print_unit};
pub use same::{erase, renumber, same};
pub use walk::{walk_block, walk_expr, walk_exprs, walk_exprs_mut};
pub use words::KEYWORDS;
