//! The tools of e2fsprogs. The unit tests include this file too.
#![allow(dead_code, missing_docs)]

use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs one of e2fsprogs' tools.
pub fn run(tool: &str, arguments: &[&str]) -> Output {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    match Command::new(tool).args(arguments).env("PATH", path).env("LC_ALL", "C").output() {
        Ok(output) => output,
        Err(error) => panic!("cannot run {tool}: {error}; install the Debian package e2fsprogs"),
    }
}

/// Runs a tool that must succeed, and returns what it printed.
pub fn output_of(tool: &str, arguments: &[&str]) -> String {
    let output = run(tool, arguments);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{tool} {arguments:?} failed:\n{text}");
    text
}

/// The output of e2fsck, unless it is silent. Exit code 0 is not enough: wrong counts, for example,
/// are reported but do not count as errors.
pub fn e2fsck_complaint(image: &Path, options: &[&str]) -> Option<String> {
    let mut arguments = vec!["-f", "-n"];
    arguments.extend(options);
    arguments.push(image.to_str().unwrap());
    let output = run("e2fsck", &arguments);
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stderr),
        String::from_utf8_lossy(&output.stdout)
    );
    let expected = |line: &str| {
        line.is_empty()
            || line.starts_with("e2fsck 1.")
            || (1..=5).any(|pass| line.starts_with(&format!("Pass {pass}: Checking ")))
            || (line.contains(" files (")
                && line.contains("% non-contiguous), ")
                && line.ends_with(" blocks"))
    };
    let silent = output.status.success() && text.lines().all(expected) && text.contains("Pass 5");
    (!silent).then_some(text)
}
