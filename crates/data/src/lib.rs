//! Corpora, documents, splits and memory-mapped token shards.
