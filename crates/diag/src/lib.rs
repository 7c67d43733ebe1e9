//! Diagnostics: stable codes, and their text, one-line and JSON forms.
