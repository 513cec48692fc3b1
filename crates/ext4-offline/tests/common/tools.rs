//! The tools of e2fsprogs. The unit tests include this file too.
#![allow(dead_code, missing_docs)]

use std::process::Output;

pub use test_support::e2fsck_complaint;

/// The Debian package of the tools.
const PACKAGE: &str = "e2fsprogs";

/// Runs one of e2fsprogs' tools.
pub fn run(tool: &str, arguments: &[&str]) -> Output {
    test_support::output(PACKAGE, tool, arguments)
}

/// Runs a tool that must succeed, and returns what it printed.
pub fn output_of(tool: &str, arguments: &[&str]) -> String {
    test_support::run(PACKAGE, tool, arguments)
}

/// The lines of e2fsck's output that a clean run does not have.
pub fn complaint_lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| {
        !(line.is_empty()
            || line.starts_with("e2fsck 1.")
            || line.starts_with("Pass ")
            || line.contains(" files (")
            || line.contains("WARNING: Filesystem still has errors"))
    })
}
