//! Random edits against a model in memory, read back by mtools and judged by fsck.vfat.

mod common;

use std::collections::BTreeMap;

use block_io::ReadAt;
use common::{Draw, SHAPES, complaint, is_thorough, make, memory, on_disk, run};
use fat_offline::{Editor, FatError};

const DIRECTORIES: [&str; 4] =
    ["", "overlays/", "a directory with a long name/", "a directory with a long name/deep/"];

fn draw_name(draw: &mut Draw) -> String {
    let directory = DIRECTORIES[draw.below(4) as usize];
    let name = match draw.below(5) {
        0 => format!("F{}.TXT", draw.below(40)),
        1 => format!("user-data-{}", draw.below(20)),
        2 => format!("Größe und Länge {}.conf", draw.below(20)),
        3 => format!("bcm2711-rpi-cm4-io-{}.dtb", draw.below(60)),
        _ => format!("cmdline{}.txt", draw.below(10)),
    };
    format!("{directory}{name}")
}

/// Returns the bytes of the whole storage.
fn bytes(storage: &dyn ReadAt) -> Vec<u8> {
    storage.read_vec(0, storage.size() as usize).unwrap()
}

fn drawn_edits(seed: u64, kib: u64, options: &[&str], steps: usize, largest: u64) -> usize {
    let case = format!("seed {seed}, {kib} KiB, {options:?}");
    let mut draw = Draw(seed * 7919 + kib);
    let storage = memory(&make(kib, options));
    let mut editor = Editor::open(storage.clone(), 1_700_000_000).unwrap();
    let mut model: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut refused = 0;
    for _ in 0..steps {
        let name = draw_name(&mut draw);
        match draw.below(12) {
            0..3 => {
                let removed = editor.remove(&name).unwrap();
                assert_eq!(removed, model.remove(&name).is_some(), "{case}: {name}");
            }
            3 => {
                let directory = DIRECTORIES[1 + draw.below(3) as usize];
                editor.remove(directory).unwrap();
                model.retain(|name, _| !name.starts_with(directory));
            }
            _ => {
                let length = draw.below(largest) as usize;
                let salt = draw.below(256) as usize;
                let contents: Vec<u8> = (0..length).map(|i| ((i + salt) % 251) as u8).collect();
                // Copying a large image for each edit would take most of the time.
                let before = (kib < 8 << 10).then(|| bytes(&storage));
                match editor.write(&name, &contents) {
                    Ok(_) => {
                        model.insert(name, contents);
                    }
                    Err(FatError::NoSpace { .. } | FatError::DirectoryFull { .. }) => {
                        refused += 1;
                        let same = before.is_none_or(|before| bytes(&storage) == before);
                        assert!(same, "{case}: {name} left a trace");
                    }
                    Err(error) => panic!("{case}: {name}: {error}"),
                }
            }
        }
    }
    for (name, contents) in &model {
        let read = editor.read(name, u64::MAX).unwrap();
        assert!(read.as_ref() == Some(contents), "{case}: {name} reads wrong");
    }
    let (_dir, path) = on_disk(&bytes(&storage));
    assert_eq!(complaint(&path), None, "{case}");
    assert!(fat_offline::check(&storage).unwrap().is_clean(), "{case}");
    // mtools is the other reader: the same names with the same contents, and no others.
    let target = tempfile::tempdir().unwrap();
    let image = path.to_str().unwrap();
    let copied =
        run("mcopy", "mtools", &["-s", "-n", "-i", image, "::/", target.path().to_str().unwrap()]);
    assert!(copied.status.success(), "{case}: {}", String::from_utf8_lossy(&copied.stderr));
    let mut found = BTreeMap::new();
    let mut ahead = vec![target.path().to_owned()];
    while let Some(directory) = ahead.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                ahead.push(path);
                continue;
            }
            let name = path.strip_prefix(target.path()).unwrap().to_str().unwrap().to_owned();
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    assert!(found.keys().eq(model.keys()), "{case}: mtools lists {:?}", found.keys());
    assert!(found == model, "{case}: mtools reads other contents");
    refused
}

#[test]
fn random_edits_leave_what_the_model_says() {
    let rounds = if is_thorough() { 60 } else { 3 };
    for seed in 1..=rounds {
        for (kib, options) in SHAPES {
            drawn_edits(seed, kib, options, 60, 9000);
        }
    }
}

#[test]
fn edits_on_full_filesystems_are_refused_whole() {
    let rounds = if is_thorough() { 20 } else { 2 };
    let mut refused = 0;
    for seed in 100..100 + rounds {
        for (kib, options) in &SHAPES[..3] {
            refused += drawn_edits(seed, *kib, options, 150, 150_000);
        }
    }
    assert!(refused > 20, "only {refused} edits met a full filesystem");
}

#[test]
fn the_same_edits_give_the_same_bytes() {
    let edit = || {
        let storage = memory(&make(20 * 1024, &["-F", "16"]));
        let mut editor = Editor::open(storage.clone(), 1_700_000_001).unwrap();
        editor.write("cmdline.txt", b"console=tty1").unwrap();
        editor.write("network-config", &[b'x'; 5000]).unwrap();
        editor.write("cmdline.txt", b"console=tty1 cgroup_enable=memory").unwrap();
        assert!(!editor.write("CMDLINE.TXT", b"console=tty1 cgroup_enable=memory").unwrap());
        bytes(&storage)
    };
    assert!(edit() == edit());
}

#[test]
fn a_directory_grows_beyond_its_first_cluster() {
    let storage = memory(&make(40 * 1024, &["-F", "32", "-s", "1"]));
    let mut editor = Editor::open(storage.clone(), 1_700_000_000).unwrap();
    for number in 0..300 {
        let name = format!("overlays/a rather long name of an overlay {number}.dtbo");
        editor.write(&name, name.as_bytes()).unwrap();
    }
    assert_eq!(editor.list("overlays").unwrap().unwrap().len(), 300);
    let (_dir, path) = on_disk(&bytes(&storage));
    assert_eq!(complaint(&path), None);
}

#[test]
fn a_fixed_root_directory_can_be_full() {
    let storage = memory(&make(4096, &["-F", "12", "-r", "64"]));
    let mut editor = Editor::open(storage.clone(), 1_700_000_000).unwrap();
    let error = (0..100)
        .find_map(|number| editor.write(&format!("F{number}"), b"").err())
        .expect("64 entries hold no 100 files");
    assert!(matches!(error, FatError::DirectoryFull { .. }), "{error}");
    let (_dir, path) = on_disk(&bytes(&storage));
    assert_eq!(complaint(&path), None);
}

#[test]
fn attributes_and_creation_time_of_a_replaced_file_stay() {
    let (_dir, path) = on_disk(&make(1440, &["-F", "12"]));
    common::mcopy(&path, "boot.ini", b"setenv bootargs");
    let image = path.to_str().unwrap();
    run("mattrib", "mtools", &["+h", "-i", image, "::boot.ini"]);
    let storage = memory(&std::fs::read(&path).unwrap());
    let mut editor = Editor::open(storage.clone(), 1_700_000_000).unwrap();
    editor.write("BOOT.INI", b"setenv bootargs root=/dev/mmcblk1p2").unwrap();
    std::fs::write(&path, bytes(&storage)).unwrap();
    let shown = run("mattrib", "mtools", &["-i", image, "::boot.ini"]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains('H') && shown.contains("boot.ini"), "{shown}");
    let listed = run("mdir", "mtools", &["-i", image, "-a", "::boot.ini"]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("2023-11-14"), "{listed}");
}
