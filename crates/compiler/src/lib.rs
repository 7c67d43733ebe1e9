//! The facade: text in, checked design and IR module out.
