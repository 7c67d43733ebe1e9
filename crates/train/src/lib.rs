//! AdamW, schedules, validation and checkpoints.
