//! The limits that keep hostile text harmless: each is checked before anything deep or large is built.

/// The longest file read, in bytes.
pub const MAX_FILE_BYTES: usize = 1 << 20;

/// How deep brackets may nest, and how deep static arguments.
pub const MAX_NESTING: usize = 64;

/// How deep a value or a size may be as a tree. A chain `a + b + ..` is as deep as it has operators,
/// so this also bounds chains; what consumes a tree by recursion is safe on a 2 MiB stack.
pub const MAX_EXPR_DEPTH: usize = 160;

/// How many syntax errors are reported before the rest of the file is given up.
pub const MAX_ERRORS: usize = 100;
