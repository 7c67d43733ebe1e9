//! The genesys command.

fn main() {}
