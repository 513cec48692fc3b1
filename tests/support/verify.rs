//! Running `nodecard verify`, and editing the files of an image.

use std::{fs, process::Output};

use super::*;

pub fn verify(bench: &Bench, arguments: &[&str]) -> (Option<i32>, String, String) {
    let all = [&["verify", "profile.yaml"], arguments].concat();
    let Output { status, stdout, stderr } = bench.nodecard(&all).output().expect("nodecard runs");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, error) = (text(stdout), text(stderr));
    assert!(!error.contains("panicked"), "{error}");
    (status.code(), out, error)
}

/// Writes a file of the root filesystem of an image.
pub fn write(bench: &Bench, image: &str, path: &str, text: &str) {
    let contents = bench.path("contents");
    fs::write(&contents, text).unwrap();
    let (dir, name) = path.rsplit_once('/').unwrap();
    let lines = format!("cd {dir}/\nrm {name}\nwrite {} {name}\n", contents.display());
    edit(bench, image, &lines);
}

/// Runs debugfs commands, one a line, that change the root filesystem of an image.
pub fn edit(bench: &Bench, image: &str, lines: &str) {
    let commands = bench.path("commands");
    fs::write(&commands, lines).unwrap();
    let target = format!("{}?offset={ROOT_OFFSET}", bench.path(image).display());
    run("e2fsprogs", "debugfs", &["-w", "-f", commands.to_str().unwrap(), &target]);
}
