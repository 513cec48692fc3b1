//! What is built: files where the system mounts the partition, and what the image needs of it.

use std::{fs, sync::Arc};

use block_io::{Layer, ReadAt as _, Window, WriteAt};
use card_image::{Cancel, ImageFormat, RootFs, RootFsEditor};

use crate::{
    bed::{Bed, FAT, MIB, NODES, assert_fat_clean, base, mcopy, mtype, root_window},
    common::{ROOT, bench, run},
};

/// However /etc/fstab names the partition: the files are on it, and nothing is below the mount
/// point.
#[test]
fn files_below_a_mount_point_go_to_its_partition() {
    let sample = bench().base_card();
    let partuuid = sample.layout().table().partuuid(1).unwrap();
    let mounted = |spec: &str, options: &str| format!("{spec} /boot/firmware vfat {options} 0 2");
    for (mkfs, fstab, mount) in [
        (["-F", "12", "-s", "8"], mounted("LABEL=BOOT", "defaults"), "/boot/firmware"),
        (["-F", "16", "-s", "1"], mounted("UUID=CAFE-0123", "ro"), "/boot/firmware"),
        (["-F", "16", "-s", "2"], mounted(&format!("PARTUUID={partuuid}"), "defaults"), "p1:"),
        (["-F", "12", "-s", "8"], mounted("LABEL=BOOT", "noauto"), "p1:"),
        (["-F", "12", "-s", "8"], String::new(), "p1:"),
    ] {
        let bed = Bed::new(&mkfs, &fstab, &NODES.replace("MOUNT", mount));
        let notes = bed.build("out", ImageFormat::Raw);
        assert!(!notes.iter().any(|note| note.contains("hidden")), "{notes:?}");
        assert!(!notes.iter().any(|note| note.contains("including free blocks")), "{notes:?}");
        bed.build("again", ImageFormat::Raw);
        for (node, text) in [("n1", "one\n"), ("n2", "two\n")] {
            let image = bed.image("out", node);
            assert_fat_clean(&image);
            assert_eq!(mtype(&image, "node.txt"), text, "{fstab}");
            assert_eq!(mtype(&image, "overlays/a long name.dtbo"), "shared\n");
            assert_eq!(mtype(&image, "config.txt"), "arm_64bit=0\n");
            let root = RootFs::open(Arc::new(root_window(&image))).unwrap();
            for path in ["/boot/firmware/node.txt", "/boot/firmware/config.txt", "/p1:"] {
                assert!(root.metadata(path).unwrap().is_none(), "{fstab}: {path}");
            }
            assert_eq!(
                fs::read(&image).unwrap(),
                fs::read(bed.image("again", node)).unwrap(),
                "identical inputs give other bytes"
            );
        }
        assert_eq!(bed.findings(&bed.image("out", "n1"), 0), [""; 0], "{fstab}");
    }
}

/// What is written of an image is enough: it is read back from the parts that its block map
/// lists, and from compressed images.
#[test]
fn every_format_has_the_changed_clusters() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let bed = Bed::new(&["-F", "16", "-s", "1"], fstab, &NODES.replace("MOUNT", "/boot/firmware"));
    bed.build("raw", ImageFormat::Raw);
    let (raw, copy) = (bed.image("raw", "n2"), bed.temp.path().join("copied.img"));
    let map = raw.with_extension("img.bmap");
    fs::write(&copy, vec![0xee; 64 << 20]).unwrap();
    let arguments =
        ["copy", "--bmap", map.to_str().unwrap(), raw.to_str().unwrap(), copy.to_str().unwrap()];
    run("bmap-tools", "bmaptool", &arguments);
    assert_fat_clean(&copy);
    assert_eq!(mtype(&copy, "node.txt"), "two\n");
    assert_eq!(mtype(&copy, "overlays/a long name.dtbo"), "shared\n");
    for (format, extension, program) in
        [(ImageFormat::Zst, "zst", "zstd"), (ImageFormat::Gz, "gz", "gzip")]
    {
        bed.build(extension, format);
        let packed = bed.image(extension, "n2").with_extension(format!("img.{extension}"));
        let plain = bed.temp.path().join(format!("{extension}.img"));
        let output = std::process::Command::new(program).arg("-dc").arg(&packed).output().unwrap();
        fs::write(&plain, output.stdout).unwrap();
        assert_fat_clean(&plain);
        assert_eq!(mtype(&plain, "node.txt"), "two\n");
    }
}

/// Nodes share the edits of the layer that all have in common.
#[test]
fn nodes_share_what_is_the_same() {
    let bed = Bed::new(
        &["-F", "16", "-s", "1"],
        "LABEL=BOOT /boot/firmware vfat defaults 0 2",
        "nodes:\n  - {name: n1, address: 192.168.1.81}\n",
    );
    let cancel = Cancel::new();
    let builder = card_image::CardBuilder::open(bed.inputs(), &(), &cancel).unwrap();
    let nodes: Vec<_> = bed.cluster.nodes.iter().collect();
    let cards = builder.cards(64 * MIB, &nodes, &cancel).unwrap();
    // Without files of its own a node's layer does not touch the boot partition.
    let changed = cards.cards[0].layer.changed();
    assert!(changed.iter().all(|range| range.start >= ROOT), "{changed:?}");
}

/// Raspberry Pi OS has links in /boot to files of the partition that is mounted below it.
#[test]
fn symlinks_that_lead_to_the_partition_are_followed() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("base.img");
    base(&path, &["-F", "16", "-s", "1"], fstab);
    let bytes = fs::read(&path).unwrap();
    let size = bytes.len() as u64;
    let layer = Arc::new(Layer::new(Arc::new(block_io::Memory::new(bytes)), size));
    let window: Arc<dyn WriteAt> = Arc::new(Window::new(layer.clone(), ROOT, size - ROOT).unwrap());
    let mut files = RootFsEditor::open(window, crate::common::BUILT).unwrap();
    files.editor().create_dir_all("/boot/firmware").unwrap();
    files.replace_with_symlink("/boot/config.txt", "firmware/config.txt").unwrap();
    files.replace_with_symlink("/boot/overlays", "/boot/./firmware/../firmware/overlays").unwrap();
    files.replace_with_symlink("/boot/loop", "loop").unwrap();
    files.replace_with_symlink("/b", "boot").unwrap();
    files.close().unwrap();
    fs::write(&path, layer.read_vec(0, size as usize).unwrap()).unwrap();
    let more = "nodes:\n  - {name: n1, address: 192.168.1.81}\nfiles:\n  \
                - {path: /b/config.txt, content: \"arm_64bit=0\\n\"}\n  \
                - {path: /boot/overlays/own.dtbo, content: \"own\"}\n";
    let bed = Bed::in_directory(temp, more);
    bed.build("out", ImageFormat::Raw);
    let image = bed.image("out", "n1");
    assert_fat_clean(&image);
    assert_eq!(mtype(&image, "config.txt"), "arm_64bit=0\n");
    assert_eq!(mtype(&image, "overlays/own.dtbo"), "own");
    let files = RootFs::open(Arc::new(root_window(&image))).unwrap();
    assert_eq!(files.read_link("/boot/config.txt").unwrap().unwrap(), b"firmware/config.txt");
    assert_eq!(bed.findings(&image, 0), [""; 0]);
    mcopy(&image, "config.txt", b"arm_64bit=1\n");
    let found = bed.findings(&image, 0);
    assert!(found.len() == 1 && found[0].contains("/b/config.txt"), "{found:?}");
}

/// The profile's `boot:`, on the partition where the firmware reads it.
#[test]
fn boot_settings_reach_the_partition() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let more = "nodes:\n  - {name: n1, address: 192.168.1.81}\nboot:\n  cmdline: {add: [quiet], \
                remove: [console]}\n  config: {arm_64bit: 0, dtparam: [i2c_arm=on]}\n";
    let bed = Bed::new(&["-F", "16", "-s", "1"], fstab, more);
    bed.build("out", ImageFormat::Raw);
    let image = bed.image("out", "n1");
    assert_fat_clean(&image);
    let line = "root=UUID=e139ce78-9841-40fe-8823-96a304a09859 rootwait quiet\n";
    assert_eq!(mtype(&image, "cmdline.txt").trim_start(), line);
    assert_eq!(mtype(&image, "config.txt"), "arm_64bit=0\ndtparam=i2c_arm=on\n");
    assert_eq!(bed.findings(&image, 0), [""; 0]);
    mcopy(&image, "config.txt", b"arm_64bit=1\n# mine\n");
    let found = bed.findings(&image, 0);
    assert!(found.iter().all(|f| f.starts_with("boot-settings /boot/firmware/config.txt")));
    assert!(!found.is_empty());
}

/// A small file changes its own cluster, its directory and both copies of the table. Free clusters
/// are not written, whatever the base has there.
#[test]
fn only_the_clusters_that_change_are_written() {
    let bed = Bed::new(
        &["-F", "16", "-s", "1"],
        "LABEL=BOOT /boot/firmware vfat defaults 0 2",
        "nodes:\n  - {name: n1, address: 192.168.1.81, files: [{path: /boot/firmware/node.txt, \
         content: \"one\\n\"}]}\n",
    );
    bed.build("out", ImageFormat::Raw);
    let fat = |path: &std::path::Path| {
        let bytes = fs::read(path).unwrap();
        bytes[FAT.start as usize..FAT.end as usize].to_vec()
    };
    let (before, after) = (fat(&bed.temp.path().join("base.img")), fat(&bed.image("out", "n1")));
    let sectors = before.chunks(512).zip(after.chunks(512));
    let is_skipped = |old: &[u8], new: &[u8]| old == [0xa5; 512] && new == [0; 512];
    let changed: Vec<(&[u8], &[u8])> =
        sectors.filter(|(old, new)| old != new && !is_skipped(old, new)).collect();
    assert!((3..=5).contains(&changed.len()), "{} sectors change", changed.len());
    assert_eq!(changed.iter().filter(|(_, new)| new.starts_with(b"one\n")).count(), 1);
}
