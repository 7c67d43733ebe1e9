//! Byte-level BPE: training, caching by content, encoding.
