//! The event log and the artefacts of a run, in SQLite.
