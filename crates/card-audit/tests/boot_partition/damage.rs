//! Partitions that are not whole.

use std::{fs, path::Path};

use card_image::{Cancel, ImageFormat};

use crate::{
    bed::{Bed, FAT, MIB, base, texts},
    common::run,
};

/// Damage matters where something is to be written; otherwise it is noted, and the partition
/// is copied whole, with the blocks that a wrong table marks as free.
#[test]
fn a_damaged_boot_partition_is_refused_or_copied_whole() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let nodes = "nodes:\n  - {name: n1, address: 192.168.1.81}\n";
    type Damage = fn(&mut [u8]);
    let damages: [(&str, Damage); 4] = [
        // The second copy of the table marks the first file's cluster as free.
        ("copy", |fat| {
            let reserved = usize::from(u16::from_le_bytes([fat[14], fat[15]]));
            let length = usize::from(u16::from_le_bytes([fat[22], fat[23]]));
            let at = (reserved + length) * 512 + 4;
            fat[at..at + 2].fill(0);
        }),
        // Both copies do: the data is where the table says that nothing is.
        ("chain", |fat| {
            let reserved = usize::from(u16::from_le_bytes([fat[14], fat[15]]));
            let length = usize::from(u16::from_le_bytes([fat[22], fat[23]]));
            for copy in 0..2 {
                let at = (reserved + copy * length) * 512 + 4;
                fat[at..at + 2].fill(0);
            }
        }),
        // Two files have the same cluster, and one of theirs is lost.
        ("shares clusters", |fat| {
            let entry = |fat: &[u8], name: &[u8]| {
                fat.windows(11).position(|bytes| bytes == name).expect("a directory entry")
            };
            let [from, to] = [b"CONFIG  TXT", b"CMDLINE TXT"].map(|name| entry(fat, name) + 26);
            fat.copy_within(from..from + 2, to);
        }),
        // Mounted when it was copied.
        ("unmounted", |fat| fat[37] |= 1),
    ];
    for (word, damage) in damages {
        let make = |more: &str| {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join("base.img");
            base(&path, &["-F", "16", "-s", "1"], fstab);
            let mut bytes = fs::read(&path).unwrap();
            damage(&mut bytes[FAT.start as usize..FAT.end as usize]);
            fs::write(&path, &bytes).unwrap();
            Bed::in_directory(temp, &format!("{nodes}{more}"))
        };
        let bed = make("");
        let notes = bed.build("out", ImageFormat::Raw);
        let note = notes.iter().find(|note| note.contains("all of partition 1 is copied"));
        assert!(note.is_some_and(|note| note.contains(word)), "{word}: {notes:?}");
        let map = bed.image("out", "n1").with_extension("img.bmap");
        let copy = bed.temp.path().join("copied.img");
        fs::write(&copy, vec![0xee; 64 << 20]).unwrap();
        let image = bed.image("out", "n1");
        let arguments = [
            "copy",
            "--bmap",
            map.to_str().unwrap(),
            image.to_str().unwrap(),
            copy.to_str().unwrap(),
        ];
        run("bmap-tools", "bmaptool", &arguments);
        let fat = FAT.start as usize..FAT.end as usize;
        let same =
            fs::read(&copy).unwrap()[fat.clone()] == fs::read(&bed.cluster.base.path).unwrap()[fat];
        assert!(same, "{word}: not every byte was written");
        let bed = make("files: [{path: /boot/firmware/x.txt, content: x}]\n");
        match bed.try_build("out", ImageFormat::Raw) {
            // It is whole, only not unmounted.
            Ok(_) => assert_eq!(word, "unmounted"),
            Err(error) => {
                assert!(error.contains("/boot/firmware/x.txt"), "{error}");
                assert!(error.contains("FAT"), "{error}");
                assert!(
                    fs::read_dir(bed.temp.path().join("out"))
                        .is_ok_and(|mut d| d.all(|entry| entry
                            .is_ok_and(|e| !e.path().to_string_lossy().ends_with(".img"))))
                        || !bed.temp.path().join("out").exists()
                );
            }
        }
    }
}

/// An ext2 partition whose bitmaps are wrong, because it was not unmounted.
#[test]
fn a_dirty_ext2_partition_is_copied_whole() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("base.img");
    base(&path, &["-F", "16", "-s", "1"], "");
    let part = temp.path().join("ext2");
    fs::File::create(&part).unwrap().set_len(FAT.end - FAT.start).unwrap();
    run("e2fsprogs", "mke2fs", &["-q", "-t", "ext2", "-L", "BOOT", part.to_str().unwrap()]);
    let source = temp.path().join("vmlinuz");
    fs::write(&source, vec![b'k'; 300_000]).unwrap();
    let write = format!("write {} vmlinuz", source.display());
    run("e2fsprogs", "debugfs", &["-w", "-R", &write, part.to_str().unwrap()]);
    let whole = fs::read(&part).unwrap();
    let put = |contents: &[u8], path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        bytes[FAT.start as usize..FAT.end as usize].copy_from_slice(contents);
        fs::write(path, &bytes).unwrap();
    };
    put(&whole, &path);
    let bed = Bed::in_directory(temp, "nodes:\n  - {name: n1, address: 192.168.1.81}\n");
    let notes = bed.build("clean", ImageFormat::Raw);
    assert!(!notes.iter().any(|note| note.contains("including free blocks")), "{notes:?}");
    let used = || {
        let cancel = Cancel::new();
        let builder = card_image::CardBuilder::open(bed.inputs(), &(), &cancel).unwrap();
        let nodes: Vec<_> = bed.cluster.nodes.iter().collect();
        let cards = builder.cards(64 * MIB, &nodes, &cancel).unwrap();
        let inside: u64 = cards.cards[0]
            .used
            .within(FAT.start..FAT.end)
            .map(|range| range.end - range.start)
            .sum();
        let notes = texts(&cards.notes).join("\n");
        (inside, notes)
    };
    assert!(used().0 < FAT.end - FAT.start);
    // s_state: not clean; then the block bitmap forgets the file.
    let mut dirty = whole.clone();
    dirty[1024 + 0x3a] &= !1;
    // As if there were a journal to replay.
    let mut pending = whole.clone();
    pending[1024 + 0x60] |= 4;
    let mut forgotten = whole;
    let part = bed.temp.path().join("ext2");
    let ask = ["-R", "blocks vmlinuz", part.to_str().unwrap()];
    let blocks = run("e2fsprogs", "debugfs", &ask);
    let block: usize = blocks
        .split_whitespace()
        .filter_map(|word| word.parse().ok())
        .next()
        .expect("a block of the file");
    let bitmap = u32::from_le_bytes(forgotten[2048..2052].try_into().unwrap()) as usize;
    let bit = block - 1;
    forgotten[bitmap * 1024 + bit / 8] &= !(1 << (bit % 8));
    let cases = [(dirty, "unmounted"), (pending, "journal"), (forgotten, "bitmap")];
    for (contents, word) in cases {
        put(&contents, &bed.cluster.base.path);
        let (inside, notes) = used();
        assert_eq!(inside, FAT.end - FAT.start, "{word}: {notes}");
        assert!(notes.contains("all of partition 1 is copied") && notes.contains(word), "{notes}");
    }
}
