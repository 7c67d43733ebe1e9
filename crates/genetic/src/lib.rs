//! Seeded genetic operators on checked designs.
