//! The words that are no names.

/// The words of the language, in order: none of them is a name.
pub const KEYWORDS: [&str; 18] = [
    "as", "axis", "design", "each", "else", "every", "false", "let", "loss", "param", "repeat", "require", "scan",
    "share", "true", "unit", "use", "yield",
];
