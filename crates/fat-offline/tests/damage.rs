//! Damaged filesystems: refused before the first write, never a panic.

mod common;

use std::sync::Arc;

use block_io::{Memory, ReadAt, WriteAt};
use common::{Draw, SHAPES, complaint, is_thorough, make, mcopy, memory, on_disk};
use fat_offline::{Editor, FatError, check, read_file, used_extents};

/// Returns an image with files and directories of several clusters.
fn filled(kib: u64, options: &[&str]) -> Vec<u8> {
    let (_dir, path) = on_disk(&make(kib, options));
    let image = path.to_str().unwrap();
    common::run("mmd", "mtools", &["-i", image, "::overlays", "::overlays/more"]);
    mcopy(&path, "config.txt", &[b'c'; 3000]);
    mcopy(&path, "cmdline.txt", b"console=tty1 root=/dev/mmcblk0p2");
    mcopy(&path, "overlays/a long name.dtbo", &[b'o'; 10_000]);
    mcopy(&path, "overlays/more/README", &[b'r'; 100]);
    mcopy(&path, "empty", b"");
    assert_eq!(complaint(&path), None);
    std::fs::read(&path).unwrap()
}

fn le16(image: &[u8], at: usize) -> usize {
    u16::from_le_bytes([image[at], image[at + 1]]).into()
}

/// Returns where the tables and the root directory of a FAT16 begin.
fn fat16_places(image: &[u8]) -> (usize, usize, usize) {
    let sector = le16(image, 11);
    let table = le16(image, 14) * sector;
    let size = le16(image, 22) * sector;
    (table, size, table + size * usize::from(image[16]))
}

/// Returns where the entry with this short name is in the root directory of a FAT16.
fn entry(image: &[u8], name: &[u8; 11]) -> usize {
    let (_, _, root) = fat16_places(image);
    (root..root + 512 * 32)
        .step_by(32)
        .find(|&at| image[at..at + 11] == *name)
        .expect("the entry is there")
}

fn refusal(image: Vec<u8>) -> FatError {
    let storage: Arc<Memory> = memory(&image);
    let error = Editor::open(storage.clone(), 0).expect_err("damage is refused");
    assert!(storage.read_vec(0, image.len()).unwrap() == image, "something was written");
    error
}

#[test]
fn each_kind_of_damage_is_named() {
    let good = filled(20 * 1024, &["-F", "16", "-s", "2"]);
    let (table, size, _) = fat16_places(&good);
    let config = entry(&good, b"CONFIG  TXT");
    let cmdline = entry(&good, b"CMDLINE TXT");
    let first = le16(&good, config + 26);
    let both = |image: &mut Vec<u8>, cluster: usize, value: u16| {
        for copy in [table, table + size] {
            image[copy + cluster * 2..][..2].copy_from_slice(&value.to_le_bytes());
        }
    };
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut image = good.clone();
        change(&mut image);
        refusal(image).to_string()
    };

    let text = with(&|image| both(image, first, first as u16));
    assert!(text.contains("never ends"), "{text}");
    let text = with(&|image| both(image, first, 0));
    assert!(text.contains("leads to a free cluster"), "{text}");
    let text = with(&|image| both(image, first, 0xfff7));
    assert!(text.contains("leads to a bad cluster"), "{text}");
    let text = with(&|image| both(image, first, 0xfff0));
    assert!(text.contains("does not exist"), "{text}");
    let text = with(&|image| image[table + first * 2] ^= 1);
    assert!(text.contains("its table differs"), "{text}");
    let text = with(&|image| {
        image[cmdline + 26..cmdline + 28].copy_from_slice(&(first as u16).to_le_bytes())
    });
    assert!(
        text.contains("cmdline.txt has more clusters") || text.contains("shares clusters"),
        "{text}"
    );
    let text =
        with(&|image| image[config + 28..config + 32].copy_from_slice(&9000u32.to_le_bytes()));
    assert!(text.contains("config.txt is longer than its clusters"), "{text}");
    let text = with(&|image| image[config + 28..config + 32].copy_from_slice(&10u32.to_le_bytes()));
    assert!(text.contains("config.txt has more clusters than its size needs"), "{text}");
    let text = with(&|image| image[config + 28..config + 32].fill(0));
    assert!(text.contains("config.txt is empty but has clusters"), "{text}");
    let overlays = entry(&good, b"OVERLAYS   ");
    let text = with(&|image| image[overlays + 28] = 1);
    assert!(text.contains("overlays is a directory with a file size"), "{text}");
    let text = with(&|image| {
        image[overlays + 26..overlays + 28].copy_from_slice(&(first as u16).to_le_bytes())
    });
    assert!(text.contains("damaged FAT filesystem"), "{text}");
    let text = with(&|image| image[cmdline..cmdline + 11].copy_from_slice(b"CONFIG  TXT"));
    assert!(text.contains("has the name of another file"), "{text}");
}

#[test]
fn a_dirty_volume_and_lost_clusters_are_reported_and_edited() {
    let mut image = filled(20 * 1024, &["-F", "16", "-s", "2"]);
    let (table, size, _) = fat16_places(&image);
    for copy in [table, table + size] {
        image[copy + 3] &= 0x7f;
        let free = (2..).find(|&cluster| le16(&image, copy + cluster * 2) == 0).unwrap();
        image[copy + free * 2..][..2].copy_from_slice(&[0xff, 0xff]);
    }
    let storage = memory(&image);
    let mut editor = Editor::open(storage.clone(), 0).unwrap();
    assert!(editor.report().dirty);
    assert_eq!(editor.report().lost_clusters, 1);
    editor.write("ssh", b"").unwrap();
    assert_eq!(read_file(&storage, "ssh").unwrap(), Some(Vec::new()));
}

#[test]
fn fat32_corrects_a_wrong_free_count_when_it_changes() {
    let mut image = filled(40 * 1024, &["-F", "32", "-s", "1"]);
    image[512 + 488] ^= 1;
    let storage = memory(&image);
    let mut editor = Editor::open(storage.clone(), 0).unwrap();
    assert!(editor.report().wrong_free_count);
    editor.write("new", &[1; 2000]).unwrap();
    let (_dir, path) = on_disk(&storage.read_vec(0, image.len()).unwrap());
    assert_eq!(complaint(&path), None);
}

#[test]
fn mutated_filesystems_are_refused_or_stay_as_good_as_they_were() {
    let rounds = if is_thorough() { 3000 } else { 150 };
    let (mut accepted, mut refused, mut judged) = (0, 0, 0);
    for (shape, (kib, options)) in SHAPES.iter().enumerate().filter(|(shape, _)| *shape < 7) {
        let good = filled(*kib, options);
        // Only metadata and the first clusters: most files' contents may be anything.
        let used: Vec<_> = used_extents(&memory(&good)).unwrap().iter().collect();
        let metadata = used[0].end.min(good.len() as u64);
        let mut draw = Draw(shape as u64 + 17);
        for _ in 0..rounds {
            let mut image = good.clone();
            for _ in 0..1 + draw.below(3) {
                let limit = if draw.below(2) == 0 { 4096 } else { metadata };
                let at = draw.below(limit) as usize;
                image[at] = match draw.below(2) {
                    0 => draw.below(256) as u8,
                    _ => image[at] ^ 1 << draw.below(8),
                };
            }
            let storage = memory(&image);
            let _ = read_file(&storage, "config.txt");
            let _ = used_extents(&storage);
            let Ok(report) = check(&storage) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            let Ok(mut editor) = Editor::open(storage.clone(), 0) else {
                panic!("check accepted it")
            };
            let edited = editor
                .write("cmdline.txt", &[b'x'; 700])
                .and_then(|_| editor.write("overlays/more/another long name", &[b'y'; 5000]))
                .and_then(|_| editor.remove("config.txt"));
            if edited.is_err() || !report.is_clean() {
                continue;
            }
            let (_dir, path) = on_disk(&image);
            if complaint(&path).is_some() {
                continue;
            }
            judged += 1;
            let after = storage.read_vec(0, image.len()).unwrap();
            let (_dir, path) = on_disk(&after);
            assert_eq!(complaint(&path), None, "shape {shape}: an edit made it worse");
        }
    }
    assert!(accepted > 100 && refused > 100 && judged > 50, "{accepted} {refused} {judged}");
}

/// Storage that fails its n-th write.
#[derive(Debug)]
struct Failing(Arc<Memory>, std::sync::atomic::AtomicUsize);

impl ReadAt for Failing {
    fn size(&self) -> u64 {
        self.0.size()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.0.read_at(offset, buf)
    }
}

impl WriteAt for Failing {
    fn write_at(&self, offset: u64, data: &[u8]) -> block_io::Result<()> {
        use std::sync::atomic::Ordering::Relaxed;
        if self.1.fetch_sub(1, Relaxed) == 0 {
            return self.0.write_at(u64::MAX, data);
        }
        self.0.write_at(offset, data)
    }
    fn flush(&self) -> block_io::Result<()> {
        Ok(())
    }
}

#[test]
fn nothing_is_edited_after_a_failed_write() {
    let good = filled(20 * 1024, &["-F", "16", "-s", "2"]);
    for failing in 0..6 {
        let storage = Arc::new(Failing(memory(&good), failing.into()));
        let mut editor = Editor::open(storage, 0).unwrap();
        assert!(matches!(editor.write("new", &[1; 9000]), Err(FatError::Storage(_))));
        assert!(matches!(editor.write("other", b""), Err(FatError::HalfWritten)));
    }
}
