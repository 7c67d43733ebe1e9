//! Slips of other notations, answered with the spelling this language has.
