//! Running `nodecard flash`, and checking the cards it writes.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    os::unix::fs::FileExt as _,
    path::Path,
    process::{Child, ChildStdin, Stdio},
};

use super::*;

pub const MIB: u64 = 1 << 20;

/// Makes a file full of old data.
pub fn used_card(path: &Path, size: u64) {
    let file = fs::File::create(path).unwrap();
    let garbage = [0xb5; MIB as usize];
    for start in (0..size).step_by(MIB as usize) {
        file.write_all_at(&garbage[..(size - start).min(MIB) as usize], start).unwrap();
    }
}

impl Bench {
    /// Runs `nodecard flash profile.yaml` with more arguments and this input.
    pub fn flash(&self, more: &[&str], input: &str) -> std::process::Output {
        let mut command = self.nodecard(&["flash", "profile.yaml"]);
        let mut child = command.args(more).stdin(Stdio::piped()).spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// Runs a flash that must succeed, and returns its report.
    #[track_caller]
    pub fn flashed(&self, more: &[&str]) -> String {
        let output = self.flash(&[more, &["--yes"]].concat(), "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a flash that must fail with this exit code, and returns the message.
    #[track_caller]
    pub fn not_flashed(&self, code: i32, more: &[&str], parts: &[&str]) -> String {
        let output = self.flash(&[more, &["--yes"]].concat(), "");
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{message}");
        for part in parts {
            assert!(message.contains(part), "{part:?} is missing from: {message}");
        }
        assert!(code != 4 || message.contains("nothing was written"), "{message}");
        message
    }
}

/// Returns the ranges of an image that are written, from its block map.
pub fn mapped(bmap: &Path) -> Vec<Range<u64>> {
    let text = fs::read_to_string(bmap).unwrap();
    let range = |line: &str| {
        let text = line.trim().strip_prefix("<Range")?.split_once('>')?.1.split('<').next()?;
        let (first, last) = text.trim().split_once('-').unwrap_or((text.trim(), text.trim()));
        Some(first.parse::<u64>().ok()? * 4096..(last.parse::<u64>().ok()? + 1) * 4096)
    };
    text.lines().filter_map(range).collect()
}

/// Checks that a card is clean, is the node's, and equals the image that `build` makes for a
/// card of this size, in every range of its block map.
#[track_caller]
pub fn assert_like_built(bench: &Bench, node: &str, card: &Path, size: u64) {
    bench.built(&["--card", &size.to_string(), "--node", node]);
    let image = bench.path(&format!("out/{node}.img"));
    let ranges = mapped(&bench.path(&format!("out/{node}.img.bmap")));
    assert!(ranges.len() > 3, "{ranges:?}");
    for range in ranges {
        let length = (range.end.min(size) - range.start) as usize;
        let (found, expected) =
            (bytes(card, range.start, length), bytes(&image, range.start, length));
        assert!(found == expected, "{}: {range:?} differs from {node}.img", card.display());
    }
    e2fsck(card);
    assert_eq!(cat(card, "/etc/hostname"), format!("{node}\n"));
}

/// Returns whether a card's boot sector says that it is not finished.
pub fn is_marked(card: &Path) -> bool {
    bytes(card, 0, 35) == b"nodecard: this card is not finished"
}

/// A run with one reader. A test can wait for the lines that it prints.
pub struct OneReader {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl OneReader {
    /// Starts a run whose standard input is a pipe.
    pub fn start_asking(bench: &Bench, reader: &Path) -> (Self, ChildStdin) {
        let mut command = bench.nodecard(&["flash", "profile.yaml", "--one-reader"]);
        let mut child = command.arg(reader).stdin(Stdio::piped()).spawn().unwrap();
        let answers = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (OneReader { child, lines }, answers)
    }

    /// Starts a run with more arguments, by a program that swaps the cards and confirms each of
    /// them.
    pub fn start(bench: &Bench, reader: &Path, more: &[&str]) -> Self {
        let mut command = bench.nodecard(&["flash", "profile.yaml", "--one-reader"]);
        let mut child = command.arg(reader).args(more).stdin(Stdio::piped()).spawn().unwrap();
        let answers = format!("{}\n", reader.file_name().unwrap().display()).repeat(8);
        // The pipe stays open as long as the child.
        child.stdin.as_mut().unwrap().write_all(answers.as_bytes()).unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        OneReader { child, lines }
    }

    /// Waits for a line that contains this.
    #[track_caller]
    pub fn expect(&mut self, part: &str) {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line.contains(part) {
                return;
            }
            seen.push(line);
        }
        panic!("{part:?} did not come, but: {seen:#?}");
    }

    /// Interrupts it, as Ctrl-C does, and returns its exit code.
    pub fn interrupt(mut self) -> Option<i32> {
        run("procps", "kill", &["-INT", &self.child.id().to_string()]);
        self.child.wait().unwrap().code()
    }

    /// Interrupts it, and returns its exit code and what it still printed.
    pub fn interrupt_and_read(mut self) -> (Option<i32>, String) {
        run("procps", "kill", &["-INT", &self.child.id().to_string()]);
        let rest: Vec<String> = self.lines.by_ref().map(|line| line.unwrap()).collect();
        (self.child.wait().unwrap().code(), rest.join("\n"))
    }

    /// Waits until it has succeeded, and returns its report.
    #[track_caller]
    pub fn finish(mut self) -> String {
        let rest: Vec<String> = self.lines.by_ref().map(|line| line.unwrap()).collect();
        let mut report = String::new();
        let mut stdout = self.child.stdout.take().unwrap();
        std::io::Read::read_to_string(&mut stdout, &mut report).unwrap();
        assert!(self.child.wait().unwrap().success(), "{rest:#?}");
        report
    }
}

impl Drop for OneReader {
    /// Ends the run, which would wait for a card forever if a test fails.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
