//! The designs that come with the program: part of the binary, so that a run needs no file.

/// Name and text of each, in the order a run trains them; the first is what the others are compared with.
pub(crate) const DESIGNS: [(&str, &str); 5] = [
    ("gpt", include_str!("../../../designs/gpt.gau")),
    ("gla", include_str!("../../../designs/gla.gau")),
    ("retnet", include_str!("../../../designs/retnet.gau")),
    ("mamba2", include_str!("../../../designs/mamba2.gau")),
    ("octave", include_str!("../../../designs/octave.gau")),
];

include!(concat!(env!("OUT_DIR"), "/designs.rs"));
