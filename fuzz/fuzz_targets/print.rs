//! A text that parses prints to one that parses to the same tree and prints to itself.
#![no_main]

mod tree;

use genesys_syntax::{print, same};
use libfuzzer_sys::{fuzz_mutator, fuzz_target};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| { tree::mutate(data, size, max_size, seed) });

fuzz_target!(|text: &str| {
    if let Some(tree) = tree::read(text) {
        let printed = print(&tree);
        let again = tree::read(&printed).expect("what is printed parses");
        assert!(same(&tree, &again), "{text}\nprints to\n{printed}");
        assert_eq!(print(&again), printed);
    }
});
