//! The command line of nodecard.

fn main() {}
