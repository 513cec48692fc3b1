//! Writing cards to files. tests/flash_loop.rs writes to block devices.

use std::{fs, io::Write as _, os::unix::fs::symlink, path::PathBuf};

use crate::support::*;

#[test]
fn several_files_at_once_equal_built_images() {
    let bench = Bench::new();
    // Two cards have the same size; one ends within a block.
    let sizes = [64 * MIB, 80 * MIB + 512, 64 * MIB, 1024 * MIB];
    let names = ["a.img", "b.img", "c.img", "d.img"];
    let mut arguments = Vec::new();
    for ((name, size), node) in names.iter().zip(sizes).zip(NODES) {
        if size < 100 * MIB {
            used_card(&bench.path(name), size);
        } else {
            fs::File::create(bench.path(name)).unwrap().set_len(size).unwrap();
        }
        arguments.push(format!("{node}={name}"));
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let report = bench.flashed(&arguments);
    assert_eq!(report.matches(" verified\n").count(), names.len(), "{report}");
    // Only devices are removed.
    assert!(!report.contains("Safe to remove"), "{report}");
    for ((name, size), node) in names.iter().zip(sizes).zip(NODES) {
        assert_eq!(fs::metadata(bench.path(name)).unwrap().len(), size);
        assert_like_built(&bench, node, &bench.path(name), size);
    }
    // Free space is not written.
    assert_eq!(bytes(&bench.path("a.img"), 50 * MIB, 4096), [0xb5; 4096]);
}

/// The end of a file need not be that of a sector.
#[test]
fn files_of_odd_sizes() {
    let bench = Bench::new();
    for more in [1, 51, 511] {
        used_card(&bench.path("odd.img"), 64 * MIB + more);
        used_card(&bench.path("even.img"), 80 * MIB);
        bench.flashed(&["xu4-node1=odd.img", "xu4-node2=even.img"]);
        let whole = 64 * MIB;
        assert_eq!(bytes(&bench.path("odd.img"), whole, more as usize), vec![0; more as usize]);
        assert_eq!(fs::metadata(bench.path("odd.img")).unwrap().len(), whole + more);
        e2fsck(&bench.path("odd.img"));
        e2fsck(&bench.path("even.img"));
        let verified = bench.nodecard(&["verify", "profile.yaml", "odd.img"]).output().unwrap();
        let report = String::from_utf8_lossy(&verified.stdout).into_owned();
        assert!(verified.status.success(), "{report}");
    }
}

#[test]
fn refuses_files_that_hold_volumes() {
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    let file = fs::OpenOptions::new().write(true).open(bench.path("a.img")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"LUKS\xba\xbe", 0).unwrap();
    let parts = ["a.img", "holds an encrypted volume (LUKS)", "rm a.img"];
    bench.not_flashed(4, &["xu4-node1=a.img"], &parts);
    assert_eq!(bytes(&bench.path("a.img"), 0, 6), b"LUKS\xba\xbe");
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
        for part in
            ["67.1 MB", "now on it: nothing recognized", "Type a.img", "nothing was written"]
        {
            assert!(message.contains(part), "{part:?} is missing from: {message}");
        }
        assert!(fs::read(&a).unwrap() == before && fs::read(&b).unwrap() == before);
    }
    // Nobody is there: the answer is an option.
    let message = String::from_utf8(bench.flash(&arguments, "").stderr).unwrap();
    assert!(message.contains("fix: standard input is not a terminal"), "{message}");
    assert!(message.contains("--yes") && message.matches("error:").count() == 1, "{message}");
    let output = bench.flash(&arguments, "a.img\nb.img\n");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let quiet = bench.flash(&["-q", "--yes", arguments[0]], "");
    assert!(quiet.status.success() && quiet.stderr.is_empty() && quiet.stdout.is_empty());
    // The next run shows what is on the card now.
    let output = bench.flash(&arguments, "");
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("2: ext4 \"rootfs\", 53.5 MiB"), "{message}");
}

#[test]
fn refuses_targets_that_are_not_cards() {
    let bench = Bench::new();
    used_card(&bench.path("a.img"), 64 * MIB);
    let whole = fs::read(bench.path("a.img")).unwrap();
    let refused = |arguments: &[&str], parts: &[&str]| {
        bench.not_flashed(4, &[&["xu4-master=a.img"], arguments].concat(), parts);
        assert!(fs::read(bench.path("a.img")).unwrap() == whole);
    };
    refused(&["xu4-node1=none.img"], &["none.img", "no such", "truncate -s"]);
    refused(&["xu4-node1=/dev/none"], &["/dev/none", "nodecard devices"]);
    refused(&["xu4-node1=."], &[".", "a directory"]);
    refused(&["xu4-node1=/dev/null"], &["neither a block device nor a file"]);
    fs::File::create(bench.path("empty.img")).unwrap();
    refused(&["xu4-node1=empty.img"], &["empty.img", "is empty", "truncate -s"]);
    used_card(&bench.path("small.img"), 20 * MIB);
    refused(&["xu4-node1=small.img"], &["small.img", "21.0 MB", "larger"]);
    // One file under several names.
    symlink("a.img", bench.path("link.img")).unwrap();
    fs::hard_link(bench.path("a.img"), bench.path("hard.img")).unwrap();
    for name in ["a.img", "./a.img", "link.img", "hard.img"] {
        refused(&[&format!("xu4-node1={name}")], &["it was also given for xu4-master"]);
    }
    // Everything that is wrong is reported at once.
    refused(&["xu4-node1=none.img", "xu4-node2=empty.img"], &["none.img", "empty.img"]);
}

/// Files that do not fit one size of cards are reported with the cards of that size.
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
    let parts = ["xu4-node2's card on small.img", "/srv/large-", "the filesystem is full"];
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
    bench.not_flashed(2, &["xu4-master"], &["NODE=TARGET"]);
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

/// Replacing a file simulates swapping the card of a reader.
#[test]
fn one_reader_writes_one_card_after_another_and_resumes() {
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
    let mut run = OneReader::start(&bench, &reader, &[]);
    run.expect("insert the card for xu4-node1");
    run.expect("reader.img is a file, not a reader");
    eject("xu4-master");
    insert(72 * MIB);
    run.expect("insert the card for xu4-node2");
    eject("xu4-node1");
    // A card that is finished is inserted again.
    fs::copy(kept("xu4-node1"), &reader).unwrap();
    run.expect("This is the finished card of xu4-node1");
    run.expect("insert the card for xu4-node2");
    // A card that is too small is inserted.
    fs::remove_file(&reader).unwrap();
    insert(20 * MIB);
    run.expect("use a larger card");
    assert_eq!(run.interrupt(), Some(130));
    assert!(bytes(&reader, 0, 512) == [0xb5; 512], "the small card is as it was");

    insert(64 * MIB);
    let mut run = OneReader::start(&bench, &reader, &["--resume"]);
    run.expect("insert the card for xu4-node3");
    eject("xu4-node2");
    insert(64 * MIB);
    let report = run.finish();
    eject("xu4-node3");
    // The first run has reported the cards that it wrote.
    assert!(report.contains("xu4-node2") && report.contains("xu4-node3"), "{report}");
    assert!(!report.contains("xu4-node1"), "{report}");
    for (node, size) in NODES.iter().zip([64, 72, 64, 64]) {
        assert_like_built(&bench, node, &kept(node), size * MIB);
    }
    // All cards are finished: there is nothing to resume.
    assert!(!bench.path("profile.keys/one-reader.json").exists());
}

/// A run that resumes recognizes the cards that an earlier one finished, even if they were
/// mounted meanwhile; a run that begins anew says what they are.
#[test]
fn one_reader_recognizes_finished_cards_across_runs() {
    let bench = Bench::new();
    let reader = bench.path("reader.img");
    let name = reader.to_str().unwrap();
    used_card(&reader, 64 * MIB);
    let mut run = OneReader::start(&bench, &reader, &[]);
    run.expect("insert the card for xu4-node1");
    let (code, rest) = run.interrupt_and_read();
    assert_eq!(code, Some(130));
    let command = format!("nodecard flash profile.yaml --one-reader {name} --resume");
    assert!(rest.contains(&format!("continue with: {command}")), "{rest}");

    // The time of the last mount, as a desktop changes it.
    let card = fs::OpenOptions::new().write(true).open(&reader).unwrap();
    let superblock = ROOT_OFFSET + 1024;
    std::os::unix::fs::FileExt::write_all_at(&card, b"\x01\x02\x03\x04", superblock + 44).unwrap();
    let finished = fs::read(&reader).unwrap();
    let mut run = OneReader::start(&bench, &reader, &["--resume"]);
    run.expect("now on it: xu4-master of test, finished ");
    run.expect("This is the finished card of xu4-master; it is not overwritten.");
    run.expect("insert the card for xu4-node1");
    assert_eq!(run.interrupt(), Some(130));
    assert!(fs::read(&reader).unwrap() == finished);

    // A run that begins anew asks, and names what would be lost.
    let (mut run, answers) = OneReader::start_asking(&bench, &reader);
    run.expect("now on it: xu4-master of test, finished ");
    drop(answers);
    let (code, rest) = run.interrupt_and_read();
    assert!(matches!(code, Some(4 | 130)), "{code:?}");
    assert!(rest.contains("--resume"), "{rest}");
    assert!(fs::read(&reader).unwrap() == finished);

    // A card that was not finished is no finished card.
    std::os::unix::fs::FileExt::write_all_at(&card, b"nodecard: this card is not finished", 0)
        .unwrap();
    let mut run = OneReader::start(&bench, &reader, &["--resume"]);
    run.expect("insert the card for xu4-node2");
    drop(run);
    assert_like_built(&bench, "xu4-node1", &reader, 64 * MIB);
}

/// A card that is not confirmed is left alone, and another one is asked for.
#[test]
fn one_reader_asks_for_every_card() {
    let bench = Bench::new();
    let reader = bench.path("reader.img");
    used_card(&reader, 64 * MIB);
    let output = bench.flash(&["--one-reader", "reader.img"], "");
    assert_eq!(output.status.code(), Some(4));
    assert!(bytes(&reader, 0, 512) == [0xb5; 512]);
    let (mut run, mut answers) = OneReader::start_asking(&bench, "reader.img".as_ref());
    answers.write_all(b"no\n").unwrap();
    run.expect("The card was left as it is");
    run.expect("insert the card for xu4-master");
    assert!(bytes(&reader, 0, 512) == [0xb5; 512]);
    used_card(&bench.path("other.img"), 64 * MIB);
    fs::rename(bench.path("other.img"), &reader).unwrap();
    answers.write_all(b"reader.img\n").unwrap();
    run.expect("xu4-master on reader.img: done");
    assert_eq!(run.interrupt(), Some(130));
    e2fsck(&reader);
}

/// Without a terminal or a program at the other end, nobody replaces a file by that of the next
/// card.
#[test]
fn one_reader_ends_if_nobody_can_swap_the_card() {
    let bench = Bench::new();
    used_card(&bench.path("reader.img"), 64 * MIB);
    let flash = |more: &[&str]| {
        let arguments = ["flash", "profile.yaml", "--one-reader", "reader.img"];
        let mut command = bench.nodecard(&[&arguments, more].concat());
        let output = command.stdin(std::process::Stdio::null()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = flash(&[]);
    assert_eq!(code, Some(4), "{said}");
    assert!(!said.contains("finished cards are remembered"), "{said}");
    let (code, said) = flash(&["--yes"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("needs the card for xu4-node1 next"), "{said}");
    assert!(said.contains("xu4-node1=FILE") && said.contains("--resume"), "{said}");
    let (code, said) = flash(&["--resume"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("This is the finished card of xu4-master"), "{said}");
    assert!(said.contains("needs the card for xu4-node1 next"), "{said}");

    // A pipe that nobody reads from with `--yes`, as a CI job or a daemon leaves it open.
    let arguments = ["flash", "profile.yaml", "--one-reader", "reader.img", "--yes", "--resume"];
    let mut child = bench.nodecard(&arguments).stdin(std::process::Stdio::piped()).spawn().unwrap();
    let open = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(open);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("needs the card for xu4-node1 next"), "{said}");
}

#[test]
fn does_not_resume_with_another_base() {
    let bench = Bench::new();
    used_card(&bench.path("reader.img"), 64 * MIB);
    let mut run = OneReader::start(&bench, &bench.path("reader.img"), &[]);
    run.expect("insert the card for xu4-node1");
    run.interrupt();
    let base = decoded_base(&bench);
    let base = base.to_str().unwrap();
    let arguments = ["--one-reader", "reader.img", "--resume", "--base", base];
    bench.not_flashed(2, &arguments, &["another base", "leave out --resume"]);
}
