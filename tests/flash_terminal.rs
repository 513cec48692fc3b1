//! Flashing on a terminal, interrupting it, and flashing without O_DIRECT.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::Path,
    process::{Command, Stdio},
};

use crate::support::*;

/// Bars fit a terminal of 60 columns, and Ctrl-C leaves whole lines.
#[test]
fn bars_fit_60_columns_and_interrupted_ones_end_their_line() {
    let bench = Bench::new();
    let card = bench.path("card.img");
    used_card(&card, 64 * MIB);
    fs::OpenOptions::new().write(true).open(&card).unwrap().set_len(32 << 30).unwrap();
    let arguments = ["flash", "profile.yaml", "xu4-node1=card.img", "--yes", "--full"];
    let shown = on_terminal(&bench, 130, &[["writing ", "", "\x03"]], &arguments);
    let without_escapes = |line: &str| {
        let mut text = String::new();
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("\x1b[") {
            text += before;
            rest = after.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest);
        }
        text + rest
    };
    let lines: Vec<String> = shown.split(['\r', '\n']).map(without_escapes).collect();
    let bars: Vec<&String> = lines.iter().filter(|line| line.contains("% ")).collect();
    assert!(!bars.is_empty(), "{shown}");
    assert!(bars.iter().all(|bar| bar.contains(" left") || bar.contains("FAILED")), "{bars:?}");
    for bar in bars {
        // The terminal itself shows what was typed.
        assert!(bar.trim_end_matches("^C").trim_end().chars().count() <= 60, "{bar:?}");
    }
    assert!(lines.iter().any(|line| line == "error: interrupted"), "{shown}");
}

/// After Ctrl-C, the card is reported as interrupted, has no partition table, and so does
/// not start.
#[test]
fn interrupted_while_it_writes() {
    let bench = Bench::new();
    // Large, so that writing its inode tables takes a while.
    let card = bench.path("card.img");
    used_card(&card, 64 * MIB);
    fs::OpenOptions::new().write(true).open(&card).unwrap().set_len(32 << 30).unwrap();
    let arguments = ["flash", "profile.yaml", "xu4-node1=card.img", "--yes", "--full"];
    let mut command = bench.nodecard(&arguments);
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let writing = |line: &std::io::Result<String>| {
        line.as_ref().is_ok_and(|line| line.starts_with("xu4-node1 on card.img: writing "))
    };
    assert!(lines.by_ref().any(|line| writing(&line)), "writing did not begin");
    run("procps", "kill", &["-INT", &child.id().to_string()]);
    let rest: Vec<String> = lines.map(|line| line.unwrap()).collect();
    let mut report = String::new();
    child.stdout.take().unwrap().read_to_string(&mut report).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?} {report}");
    assert!(rest.contains(&"error: interrupted".to_owned()), "{rest:?}");
    let failed = |line: &String| line == "error: cannot write xu4-node1's card to card.img";
    assert!(rest.iter().any(failed), "{rest:?}");
    let again = "Write again with: nodecard flash profile.yaml xu4-node1=card.img";
    assert!(report.contains(again), "{again:?} is missing from: {report}");
    assert!(!report.contains("Safe to remove"), "{report}");
    assert!(is_marked(&card));
    assert_eq!(bytes(&card, 510, 2), [0; 2], "a partition table was written");
    let mut sfdisk = Command::new("/usr/sbin/sfdisk");
    let listed = sfdisk.args(["--dump", card.to_str().unwrap()]).output();
    assert!(listed.is_ok_and(|output| !output.status.success()));
}

/// On a terminal, each card has a progress bar.
#[test]
fn progress_bars() {
    let bench = Bench::new();
    for name in ["a.img", "b.img"] {
        used_card(&bench.path(name), 64 * MIB);
    }
    let arguments = ["flash", "profile.yaml", "xu4-master=a.img", "xu4-node1=b.img", "--yes"];
    let shown = on_terminal(&bench, 0, &[], &arguments);
    assert!(shown.contains("\u{1b}["), "lines are drawn over: {shown:?}");
    for bar in ["xu4-master on a.img", "xu4-node1 on b.img "] {
        let drawn: Vec<&str> = shown
            .split(['\r', '\n'])
            .filter(|line| line.contains(bar) && line.contains("% "))
            .collect();
        assert!(drawn.iter().any(|line| line.contains(" left")), "{bar}: {shown:?}");
        assert!(drawn[0].contains("  0% "), "the first frame is {:?}", drawn[0]);
        let last = drawn.last().unwrap_or_else(|| panic!("{bar}: {shown:?}"));
        assert!(last.contains("done") && last.contains("100%"), "{last:?}");
    }
    assert_eq!(shown.matches(" verified").count(), 2, "{shown}");
    assert_like_built(&bench, "xu4-node1", &bench.path("b.img"), 64 * MIB);
}

/// At a terminal with one reader, each card is requested, and confirmed by name. Replacing
/// a file simulates the swap.
#[test]
fn one_reader_at_a_terminal() {
    let nodes = "  - {name: one, address: 192.168.1.80}\n  - {name: two, address: 192.168.1.81}\n";
    let bench = Bench::with_profile(&format!(
        "cluster: test\nbase: {}\ncard: 64MiB\nnodes:\n{nodes}\
         network: {{interface: eth0, prefix: 24, gateway: 192.168.1.1, dns: [192.168.1.1]}}\n",
        sample_base().display()
    ));
    for name in ["reader.img", "second.img"] {
        used_card(&bench.path(name), 64 * MIB);
    }
    let question = "Type reader.img to overwrite reader.img with ";
    let shown = on_terminal(
        &bench,
        0,
        &[
            [&format!("{question}the card for one:"), "", "reader.img\n"],
            ["insert the card for two.", "mv reader.img one.card && mv second.img reader.img", ""],
            [&format!("{question}the card for two:"), "", "reader.img\n"],
        ],
        &["flash", "profile.yaml", "--one-reader", "reader.img"],
    );
    assert!(shown.contains("now on it: "), "{shown}");
    assert_like_built(&bench, "one", &bench.path("one.card"), 64 * MIB);
    assert_like_built(&bench, "two", &bench.path("reader.img"), 64 * MIB);

    // Ctrl-C at the prompt: nothing is written.
    used_card(&bench.path("third.img"), 64 * MIB);
    let before = fs::read(bench.path("third.img")).unwrap();
    on_terminal(
        &bench,
        130,
        &[["Type third.img", "", "\u{3}"]],
        &["flash", "profile.yaml", "--one-reader", "third.img"],
    );
    assert!(fs::read(bench.path("third.img")).unwrap() == before);
}

/// Returns whether a filesystem supports O_DIRECT.
fn takes_direct(path: &Path) -> bool {
    let script = "import os, sys; os.open(sys.argv[1], os.O_RDWR | os.O_DIRECT)";
    let opened = Command::new("python3")
        .args(["-c", script])
        .arg(path)
        .stderr(Stdio::null())
        .status()
        .expect("python3 is needed: install the Debian package python3");
    opened.success()
}

/// Where O_DIRECT is not supported, as on ramfs and on tmpfs of older kernels, cards are
/// written through the page cache.
#[test]
fn flashes_without_o_direct() {
    let bench = Bench::new();
    let flash = |directory: &Path| {
        let card = directory.join("card.img");
        used_card(&card, 64 * MIB);
        let direct = takes_direct(&card);
        let target = format!("xu4-node1={}", card.display());
        let report = bench.flashed(&[&target]);
        assert!(report.contains("verified"), "{report}");
        assert_like_built(&bench, "xu4-node1", &card, 64 * MIB);
        direct
    };
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        let directory = tempfile::tempdir_in(shared).unwrap();
        let direct = flash(directory.path());
        let _ = writeln!(
            std::io::stderr().lock(),
            "flash_terminal: tmpfs of this kernel supports O_DIRECT: {direct}"
        );
    }
    if loops() {
        let ramfs = Mounted::new(&["-t", "ramfs", "none"], bench.path("ramfs"));
        assert!(
            !flash(&ramfs.0),
            "ramfs supports O_DIRECT on this kernel: the test needs another filesystem"
        );
    }
}
