//! The ladder of scales a design is trained at, as data.
