//! Writing cards, on files that stand for them. tests/flash_loop.rs does it on
//! block devices.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    ops::Range,
    os::unix::fs::{FileExt as _, symlink},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use crate::support::*;

pub const MIB: u64 = 1 << 20;

/// A file full of what was on the card before.
pub fn used_card(path: &Path, size: u64) {
    let file = fs::File::create(path).unwrap();
    let garbage = [0xb5; MIB as usize];
    for start in (0..size).step_by(MIB as usize) {
        file.write_all_at(&garbage[..(size - start).min(MIB) as usize], start).unwrap();
    }
}

impl Bench {
    /// `nodecard flash profile.yaml` with more arguments and this input.
    pub fn flash(&self, more: &[&str], input: &str) -> std::process::Output {
        let mut command = self.nodecard(&["flash", "profile.yaml"]);
        let mut child = command.args(more).stdin(Stdio::piped()).spawn().unwrap();
        // It may end without reading.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// A run that must work; answers its report.
    #[track_caller]
    pub fn flashed(&self, more: &[&str]) -> String {
        let output = self.flash(&[more, &["--yes"]].concat(), "");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// A run that must end with this code; answers the message.
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

/// The ranges that `build` writes of an image, from its block map.
fn mapped(bmap: &Path) -> Vec<Range<u64>> {
    let text = fs::read_to_string(bmap).unwrap();
    let range = |line: &str| {
        let text = line.trim().strip_prefix("<Range")?.split_once('>')?.1.split('<').next()?;
        let (first, last) = text.trim().split_once('-').unwrap_or((text.trim(), text.trim()));
        Some(first.parse::<u64>().ok()? * 4096..(last.parse::<u64>().ok()? + 1) * 4096)
    };
    text.lines().filter_map(range).collect()
}

/// A card must be clean, the node's, and the same as the image that `build`
/// makes for a card of this size, wherever that has anything.
#[track_caller]
pub fn assert_like_built(bench: &Bench, node: &str, card: &Path, size: u64) {
    bench.built(&["--card", &size.to_string(), "--node", node, "--no-sums"]);
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

/// Whether a card's boot sector says that it is not finished.
pub fn is_marked(card: &Path) -> bool {
    bytes(card, 0, 35) == b"nodecard: this card is not finished"
}

#[test]
fn several_files_at_once_are_what_build_makes() {
    let bench = Bench::new();
    // Two of one size; one that ends within a block.
    let sizes = [64 * MIB, 80 * MIB + 512, 64 * MIB, 1024 * MIB];
    let names = ["a.img", "b.img", "c.img", "d.img"];
    let mut arguments = Vec::new();
    for ((name, size), node) in names.iter().zip(sizes).zip(NODES) {
        match size < 100 * MIB {
            true => used_card(&bench.path(name), size),
            false => fs::File::create(bench.path(name)).unwrap().set_len(size).unwrap(),
        }
        arguments.push(format!("{node}={name}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = bench.flashed(&arguments);
    assert!(report.contains("safe to remove: a.img b.img c.img d.img"), "{report}");
    for ((name, size), node) in names.iter().zip(sizes).zip(NODES) {
        assert_eq!(fs::metadata(bench.path(name)).unwrap().len(), size);
        assert_like_built(&bench, node, &bench.path(name), size);
    }
    // What is not used is not written.
    assert_eq!(bytes(&bench.path("a.img"), 50 * MIB, 4096), [0xb5; 4096]);
}

#[test]
fn discards_first_if_asked() {
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    bench.flashed(&["xu4-node1=a.img", "--discard"]);
    assert_eq!(bytes(&bench.path("a.img"), 50 * MIB, 4096), [0; 4096]);
    assert_like_built(&bench, "xu4-node1", &bench.path("a.img"), 64 * MIB);
}

#[test]
fn asks_before_anything_is_overwritten() {
    let bench = Bench::new();
    let (a, b) = (bench.path("a.img"), bench.path("b.img"));
    used_card(&a, 64 * MIB);
    used_card(&b, 64 * MIB);
    let before = fs::read(&a).unwrap();
    let arguments = ["xu4-master=a.img", "xu4-node1=b.img"];
    for answers in ["", "\n", "y\ny\n", "yes\nyes\n", "b.img\na.img\n", "a.img\n"] {
        let output = bench.flash(&arguments, answers);
        assert_eq!(output.status.code(), Some(4), "{answers:?}");
        let message = String::from_utf8(output.stderr).unwrap();
        for part in ["67.1 MB", "now on it: nothing known", "Type a.img", "nothing was written"] {
            assert!(message.contains(part), "{part:?} is missing from: {message}");
        }
        assert!(fs::read(&a).unwrap() == before && fs::read(&b).unwrap() == before);
    }
    let output = bench.flash(&arguments, "a.img\nb.img\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // What is on it now is shown the next time.
    let output = bench.flash(&arguments, "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("2: ext4 \"rootfs\", 53.5 MiB"), "{message}");
}

#[test]
fn refuses_what_cannot_be_a_card() {
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    let whole = fs::read(bench.path("a.img")).unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| {
        bench.not_flashed(4, &[&["xu4-master=a.img"], arguments].concat(), parts);
        assert!(fs::read(bench.path("a.img")).unwrap() == whole);
    };
    refused(&["xu4-node1=none.img"], &["xu4-node1 on none.img", "no such", "truncate -s"]);
    refused(&["xu4-node1=/dev/none"], &["xu4-node1 on /dev/none", "nodecard devices"]);
    refused(&["xu4-node1=."], &["xu4-node1 on .", "a directory"]);
    refused(&["xu4-node1=/dev/null"], &["neither a block device nor a file"]);
    fs::File::create(bench.path("empty.img")).unwrap();
    refused(&["xu4-node1=empty.img"], &["empty.img", "is empty", "truncate -s"]);
    used_card(&bench.path("small.img"), 20 * MIB);
    refused(&["xu4-node1=small.img"], &["xu4-node1 on small.img", "20971520 bytes", "larger"]);
    // One file by two names.
    symlink("a.img", bench.path("link.img")).unwrap();
    fs::hard_link(bench.path("a.img"), bench.path("hard.img")).unwrap();
    for name in ["a.img", "./a.img", "link.img", "hard.img"] {
        refused(&[&format!("xu4-node1={name}")], &["given twice, for xu4-master as well"]);
    }
    // All that is wrong is told at once.
    refused(&["xu4-node1=none.img", "xu4-node2=empty.img"], &["none.img", "empty.img"]);
}

/// What does not fit one size of cards is told with the devices of that size.
#[test]
fn names_the_cards_that_cannot_be_made() {
    let bench = Bench::new();
    fs::write(bench.path("large"), vec![b'l'; 7 << 20]).unwrap();
    let profile = fs::read_to_string(bench.path("profile.yaml")).unwrap();
    let file = |number| format!("  - {{path: /srv/large-{number}, source: large}}\n");
    let files: String = (0..4).map(file).collect();
    fs::write(bench.path("profile.yaml"), format!("{profile}files:\n{files}")).unwrap();
    for (name, size) in [("small.img", 44), ("large.img", 96)] {
        used_card(&bench.path(name), size * MIB);
    }
    let arguments = ["xu4-node1=large.img", "xu4-node2=small.img"];
    let parts = ["xu4-node2 on small.img: ", "/srv/large-", "the filesystem is full"];
    let message = bench.not_flashed(2, &arguments, &parts);
    assert!(!message.contains("large.img"), "{message}");
    assert!(message.contains("nothing was written"), "{message}");
    for name in ["small.img", "large.img"] {
        assert!(bytes(&bench.path(name), 0, 512) == [0xb5; 512]);
    }
}

#[test]
fn refuses_the_base_itself() {
    let bench = Bench::new();
    let base = decoded_base(&bench);
    let before = fs::read(&base).unwrap();
    let base_option = ["--base", base.to_str().unwrap()];
    symlink("base.img", bench.path("link.img")).unwrap();
    for name in ["base.img", "link.img"] {
        let target = format!("xu4-master={name}");
        let arguments = [&base_option[..], &[&target]].concat();
        bench.not_flashed(4, &arguments, &[name, "the base image itself"]);
        assert!(fs::read(&base).unwrap() == before);
    }
}

#[test]
fn wrong_arguments() {
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    bench.not_flashed(2, &[], &["xu4-node1=/dev/sdb", "nodecard devices"]);
    bench.not_flashed(2, &["xu5=a.img"], &["xu5", "xu4-master"]);
    bench.not_flashed(2, &["xu4-master"], &["NODE=DEVICE"]);
    bench.not_flashed(2, &["xu4-master=a.img", "xu4-master=b.img"], &["given twice"]);
    bench.not_flashed(2, &["xu4-master=a.img", "--resume"], &["--one-reader"]);
}

#[test]
fn reports_as_json() {
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    let report = bench.flashed(&["xu4-node3=a.img", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let card = &report["cards"][0];
    assert_eq!(card["node"], "xu4-node3");
    assert_eq!(card["device"], "a.img");
    assert_eq!(card["size"], 64 * MIB);
    assert_eq!(card["result"], "verified");
    assert!(card["bytes"].as_u64().unwrap() > 8 * MIB, "{card}");
    assert!(card["write_seconds"].as_f64().unwrap() > 0.0, "{card}");
    let output = bench.nodecard(&["devices", "--json"]).output().unwrap();
    let devices: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(devices["devices"].is_array(), "{devices}");
}

/// A run with one reader, whose lines can be waited for.
pub struct OneReader {
    child: Child,
    lines: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl OneReader {
    pub fn start(bench: &Bench, reader: &Path, more: &[&str]) -> Self {
        let mut command = bench.nodecard(&["flash", "profile.yaml", "--one-reader"]);
        let mut child = command.arg(reader).args(more).spawn().unwrap();
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

    /// Interrupts it, as Ctrl-C does; answers its exit code.
    pub fn interrupt(mut self) -> Option<i32> {
        run("procps", "kill", &["-INT", &self.child.id().to_string()]);
        self.child.wait().unwrap().code()
    }

    /// Waits until it has ended well; answers its report.
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
    /// A test that fails must not leave it waiting for a card.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file that is replaced by another stands for a reader whose card is.
#[test]
fn one_reader_takes_one_card_after_another_and_resumes() {
    let bench = Bench::new();
    let reader = bench.path("reader.img");
    let kept = |node: &str| -> PathBuf { bench.path(&format!("{node}.card")) };
    let insert = |size: u64| {
        let fresh = bench.path("fresh.img");
        used_card(&fresh, size);
        fs::rename(fresh, &reader).unwrap();
    };
    let eject = |node: &str| fs::rename(&reader, kept(node)).unwrap();
    insert(64 * MIB);
    let mut run = OneReader::start(&bench, &reader, &["--yes"]);
    run.expect("put in xu4-node1's");
    eject("xu4-master");
    insert(72 * MIB);
    run.expect("put in xu4-node2's");
    eject("xu4-node1");
    // The card that is finished already, once more.
    fs::copy(kept("xu4-node1"), &reader).unwrap();
    run.expect("This is xu4-node1's card, which is finished");
    run.expect("put in xu4-node2's");
    // One that is too small.
    fs::remove_file(&reader).unwrap();
    insert(20 * MIB);
    run.expect("use a larger card");
    assert_eq!(run.interrupt(), Some(130));
    assert!(bytes(&reader, 0, 512) == [0xb5; 512], "the small card is as it was");

    insert(64 * MIB);
    let mut run = OneReader::start(&bench, &reader, &["--yes", "--resume"]);
    run.expect("put in xu4-node3's");
    eject("xu4-node2");
    insert(64 * MIB);
    let report = run.finish();
    eject("xu4-node3");
    // What the first run has done, it has said at its end.
    assert!(report.contains("xu4-node2") && report.contains("xu4-node3"), "{report}");
    assert!(!report.contains("xu4-node1"), "{report}");
    for (node, size) in NODES.iter().zip([64, 72, 64, 64]) {
        assert_like_built(&bench, node, &kept(node), size * MIB);
    }
    // All are done: there is nothing left to resume.
    assert!(!bench.path("profile.keys/one-reader.json").exists());
}

/// Whoever answers no keeps the card and is asked for another.
#[test]
fn one_reader_asks_for_every_card() {
    let bench = Bench::new();
    let reader = bench.path("reader.img");
    used_card(&reader, 64 * MIB);
    let output = bench.flash(&["--one-reader", "reader.img"], "");
    assert_eq!(output.status.code(), Some(4));
    assert!(bytes(&reader, 0, 512) == [0xb5; 512]);
    let mut command = bench.nodecard(&["flash", "profile.yaml", "--one-reader", "reader.img"]);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut answers = child.stdin.take().unwrap();
    answers.write_all(b"no\n").unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut run = OneReader { child, lines };
    run.expect("It stays as it is");
    run.expect("put in xu4-master's");
    assert!(bytes(&reader, 0, 512) == [0xb5; 512]);
    used_card(&bench.path("other.img"), 64 * MIB);
    fs::rename(bench.path("other.img"), &reader).unwrap();
    answers.write_all(b"reader.img\n").unwrap();
    run.expect("xu4-master on reader.img: done");
    assert_eq!(run.interrupt(), Some(130));
    e2fsck(&reader);
}

#[test]
fn resumes_nothing_that_belongs_to_another_base() {
    let bench = Bench::new();
    used_card(&bench.path("reader.img"), 64 * MIB);
    let mut run = OneReader::start(&bench, &bench.path("reader.img"), &["--yes"]);
    run.expect("put in xu4-node1's");
    run.interrupt();
    let base = decoded_base(&bench);
    let base = base.to_str().unwrap();
    let arguments = ["--one-reader", "reader.img", "--resume", "--base", base];
    bench.not_flashed(2, &arguments, &["another base", "without --resume"]);
}
