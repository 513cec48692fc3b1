//! Names for plain-text's functions that are used throughout the crate.

pub(crate) use plain_text::{count, printable, shell_word, size};
