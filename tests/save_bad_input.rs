//! Saves that fail: interrupted, without room, of a damaged card. The card stays as it is, and no
//! image is left.

use std::{fs, os::unix::fs::FileExt as _, path::Path, thread::sleep, time::Duration};

use crate::{save::*, support::*};

/// Returns the names in a directory that saving could have left.
fn left(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap();
    names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A card with a partition of random bytes, which take a while to compress.
fn slow_card(bench: &Bench) -> std::path::PathBuf {
    let mut state = 1_u64;
    let mut random = vec![0; 96 << 20];
    for word in random.as_chunks_mut::<8>().0 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *word = state.to_le_bytes();
    }
    let root = root_filesystem(bench);
    let sgdisk = ["sgdisk", "-n", "1:2048:+32M", "-n", "2:0:+96M"];
    image(bench, 140 * MIB, "gdisk", &sgdisk, &[(MIB, &root), (33 * MIB, &random)])
}

#[test]
fn an_interrupted_save_leaves_no_image() {
    let bench = Bench::new();
    let card = slow_card(&bench);
    let before = fs::read(&card).unwrap();
    fs::create_dir(bench.path("out")).unwrap();
    // Ctrl-C, kill, a closed terminal, and no chance to clean up.
    for signal in ["-INT", "-TERM", "-HUP", "-KILL"] {
        let mut command = bench.nodecard(&["save", "base.img", "out/new.img.xz"]);
        let child = command.spawn().unwrap();
        for _ in 0..600 {
            if left(&bench.path("out")).iter().any(|name| name.ends_with("-partial")) {
                break;
            }
            sleep(Duration::from_millis(100));
        }
        assert!(!left(&bench.path("out")).is_empty(), "saving never began to write");
        run("procps", "kill", &[signal, &child.id().to_string()]);
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        if signal == "-KILL" {
            let names = left(&bench.path("out"));
            let is_hidden =
                |name: &String| name.ends_with(".nodecard-partial") || name == ".nodecard.lock";
            assert!(names.iter().all(is_hidden), "{names:?}");
            continue;
        }
        assert_eq!(output.status.code(), Some(130), "{signal}: {message}");
        assert!(message.contains("interrupted"), "{message}");
        assert_eq!(left(&bench.path("out")), [""; 0], "{signal}");
    }
    assert!(fs::read(&card).unwrap() == before, "the card was changed");
    // The next save removes what the killed one left.
    saved(&bench, &[sample_base().to_str().unwrap(), "out/other.img"]);
    let mut names = left(&bench.path("out"));
    names.sort();
    assert_eq!(names, ["other.img", "other.img.bmap", "other.img.sha256"]);
}

#[test]
fn a_disk_without_room_is_an_error_and_leaves_nothing() {
    let bench = built();
    let before = fs::read(bench.path(CARD)).unwrap();
    // A shell's limit on file sizes lets writing fail at different points.
    for name in ["new.img", "new.img.xz"] {
        for limit in [0, 1, 8, 100, 600] {
            let out = bench.path("limited");
            fs::create_dir(&out).unwrap();
            let output = bench.with_file_limit(limit, &format!("save {CARD} limited/{name}"));
            let message = String::from_utf8_lossy(&output.stderr);
            if name == "new.img.xz" && output.status.success() {
                assert!(limit >= 100, "{limit} KiB were enough");
                fs::remove_dir_all(&out).unwrap();
                continue;
            }
            assert_eq!(output.status.code(), Some(5), "{name}, {limit} KiB: {message}");
            assert!(!message.contains("panicked"), "{message}");
            assert_eq!(left(&out), [""; 0], "{name}, {limit} KiB");
            fs::remove_dir_all(&out).unwrap();
        }
    }
    if loops() {
        let full = Mounted::new(&["-t", "tmpfs", "-o", "size=4m", "none"], bench.path("full"));
        let (code, _, error) = save(&bench, &[CARD, "full/new.img"]);
        assert_eq!(code, Some(5), "{error}");
        assert_eq!(left(&full.0), [""; 0]);
    }
    assert!(fs::read(bench.path(CARD)).unwrap() == before, "the card was changed");
}

/// The bitmap says that a block of a file is free: whoever shrinks it could overwrite the block.
#[test]
fn a_filesystem_whose_bitmap_is_wrong_is_copied_or_refused_and_never_shrunk() {
    let bench = built();
    let card = bench.path(CARD);
    let block = debugfs(&card, "blocks /etc/passwd");
    let block = block.split_whitespace().next().unwrap().to_owned();
    let target = format!("{}?offset={ROOT_OFFSET}", card.display());
    run("e2fsprogs", "debugfs", &["-w", "-R", &format!("freeb {block}"), &target]);
    let before = fs::read(&card).unwrap();
    let said = format!("block {block}");
    for more in [
        &[][..],
        &["--exact"],
        &["--base"],
        &["--base", "--no-shrink"],
        &["--profile", "profile.yaml"],
        &["--exact", "--size", "60MiB"],
    ] {
        not_saved(&bench, 4, &[&[CARD, "new.img"], more].concat(), &[&said, "--exact --no-shrink"]);
    }
    let report = saved(&bench, &[CARD, "new.img", "--exact", "--no-shrink"]);
    let sentence = report.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(sentence.contains("all of partition 2 is copied, including free blocks"), "{report}");
    let image = fs::read(bench.path("new.img")).unwrap();
    let root = ROOT_OFFSET as usize;
    assert!(image[root..] == before[root..], "the copy differs from the card");
    assert!(fs::read(&card).unwrap() == before, "the card was changed");
}

#[test]
fn a_card_that_ends_too_early_or_is_empty_is_refused() {
    let bench = built();
    let file = fs::OpenOptions::new().write(true).open(bench.path(CARD)).unwrap();
    file.set_len(40 << 20).unwrap();
    not_saved(&bench, 4, &[CARD, "new.img"], &[]);
    file.set_len(0).unwrap();
    not_saved(&bench, 4, &[CARD, "new.img"], &["is empty"]);
    file.set_len(64 << 20).unwrap();
    file.write_all_at(&[0x55, 0xaa], 510).unwrap();
    not_saved(&bench, 4, &[CARD, "new.img"], &[]);
}
