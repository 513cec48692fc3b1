//! Files on FAT boot partitions: written where the system mounts them, planned and verified as
//! files of the root filesystem are.

mod common;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{FileStorage, Layer, ReadAt as _, Window, WriteAt};
use card_audit::{BaseReference, Card, CardOutcome, PlanOptions, VerifyOptions, plan_against};
use card_image::{BuildInputs, BuildOptions, Cancel, ImageFormat, RootFs, RootFsEditor, build};
use cluster_keys::ClusterKeys;
use cluster_profile::Cluster;
use common::{ROOT, bench, run};
use test_support::{Recorder, replay_cut};

/// Where partition 1, FAT, begins and ends on the sample base.
const FAT: std::ops::Range<u64> = 3072 * 512..ROOT;
const MIB: u64 = 1 << 20;

/// A base, a profile and their keys, in a directory of their own.
struct Bed {
    temp: tempfile::TempDir,
    cluster: Cluster,
    keys: ClusterKeys,
}

/// Puts a file on the FAT partition of an image in a file.
/// The texts of notes.
fn texts(notes: &[impl ToString]) -> Vec<String> {
    notes.iter().map(ToString::to_string).collect()
}

fn mcopy(image: &Path, name: &str, contents: &[u8]) {
    let source = image.with_extension("source");
    fs::write(&source, contents).unwrap();
    let at = format!("{}@@{}", image.display(), FAT.start);
    let target = format!("::{name}");
    run("mtools", "mcopy", &["-o", "-i", &at, source.to_str().unwrap(), &target]);
}

/// Returns a file of the FAT partition, as mtools reads it.
fn mtype(image: &Path, name: &str) -> String {
    let at = format!("{}@@{}", image.display(), FAT.start);
    run("mtools", "mtype", &["-i", &at, &format!("::{name}")])
}

/// fsck.vfat must have nothing to say about the FAT partition.
fn assert_fat_clean(image: &Path) {
    let bytes = fs::read(image).unwrap();
    let part = image.with_extension("fat");
    fs::write(&part, &bytes[FAT.start as usize..FAT.end as usize]).unwrap();
    let said = run("dosfstools", "fsck.vfat", &["-n", part.to_str().unwrap()]);
    let lines = said.lines().filter(|line| !line.trim().is_empty()).count();
    assert_eq!(lines, 2, "{said}");
}

fn root_window(image: &Path) -> Window<Arc<FileStorage>> {
    let image = Arc::new(FileStorage::open(image).unwrap());
    let size = image.size() - ROOT;
    Window::new(image, ROOT, size).unwrap()
}

/// Makes a base like the sample base whose FAT partition is made by `mkfs` (options of
/// mkfs.vfat) and mounted by this line of /etc/fstab.
fn base(path: &Path, mkfs: &[&str], fstab: &str) {
    let sample = bench().base.storage();
    fs::write(path, sample.read_vec(0, sample.size() as usize).unwrap()).unwrap();
    let fat = path.with_extension("new");
    fs::File::create(&fat).unwrap().set_len(FAT.end - FAT.start).unwrap();
    let mut arguments = vec!["-i", "cafe0123", "-n", "BOOT"];
    arguments.extend(mkfs);
    arguments.push(fat.to_str().unwrap());
    run("dosfstools", "mkfs.vfat", &arguments);
    let mut bytes = fs::read(path).unwrap();
    bytes[FAT.start as usize..FAT.end as usize].copy_from_slice(&fs::read(&fat).unwrap());
    let size = bytes.len() as u64;
    let storage = Arc::new(block_io::Memory::new(bytes));
    let layer = Arc::new(Layer::new(storage, size));
    let root: Arc<dyn WriteAt> = Arc::new(Window::new(layer.clone(), ROOT, size - ROOT).unwrap());
    let mut files = RootFsEditor::open(root, common::BUILT).unwrap();
    let text = format!("UUID=e139ce78-9841-40fe-8823-96a304a09859 / ext4 defaults 0 1\n{fstab}\n");
    files.editor().write("/etc/fstab", text).unwrap();
    files.close().unwrap();
    fs::write(path, layer.read_vec(0, size as usize).unwrap()).unwrap();
    mcopy(path, "config.txt", b"arm_64bit=1\n");
    mcopy(
        path,
        "cmdline.txt",
        b"console=tty1 root=UUID=e139ce78-9841-40fe-8823-96a304a09859 rootwait\n",
    );
    // Clusters that are free again, full of old bytes.
    mcopy(path, "old", &[0xa5; 200_000]);
    let at = format!("{}@@{}", path.display(), FAT.start);
    run("mtools", "mdel", &["-i", &at, "::old"]);
}

impl Bed {
    fn new(mkfs: &[&str], fstab: &str, more: &str) -> Self {
        let temp = tempfile::tempdir().unwrap();
        base(&temp.path().join("base.img"), mkfs, fstab);
        Bed::in_directory(temp, more)
    }

    fn in_directory(temp: tempfile::TempDir, more: &str) -> Self {
        let profile = temp.path().join("profile.yaml");
        let text = format!(
            "cluster: test\nbase: base.img\ncard: 64MiB\n\
             network: {{interface: eth0, prefix: 24}}\n{more}"
        );
        fs::write(&profile, text).unwrap();
        let cluster = Cluster::load(&profile).unwrap_or_else(|error| panic!("{error}"));
        let names: Vec<String> = cluster.nodes.iter().map(|node| node.name.clone()).collect();
        let keys = ClusterKeys::open_or_create(&cluster.keys, "test", &names).unwrap();
        Bed { temp, cluster, keys }
    }

    fn inputs(&self) -> BuildInputs<'_> {
        BuildInputs {
            cluster: &self.cluster,
            keys: &self.keys,
            base: &self.cluster.base.path,
            base_sha256: None,
            root: None,
            time: Some(common::BUILT),
            cache: Some(self.temp.path()),
            largest_card: None,
        }
    }

    fn try_build(&self, out: &str, format: ImageFormat) -> Result<Vec<String>, String> {
        let options = BuildOptions {
            inputs: self.inputs(),
            nodes: self.cluster.nodes.iter().collect(),
            card_size: 64 * MIB,
            out: &self.temp.path().join(out),
            format,
            raw_sums: false,
        };
        let built = build(&options, &(), &Cancel::new());
        built.map(|built| texts(&built.notes)).map_err(|error| plain_text::with_causes(&error))
    }

    fn build(&self, out: &str, format: ImageFormat) -> Vec<String> {
        self.try_build(out, format).unwrap_or_else(|error| panic!("{error}"))
    }

    fn image(&self, out: &str, node: &str) -> PathBuf {
        self.temp.path().join(format!("{out}/{node}.img"))
    }

    fn card(&self, image: &Path) -> Card {
        let storage = Arc::new(FileStorage::open(image).unwrap());
        Card::from_storage("card".into(), storage, None).unwrap()
    }

    fn findings(&self, image: &Path, node: usize) -> Vec<String> {
        let options = VerifyOptions {
            cluster: &self.cluster,
            keys: &self.keys,
            base: BaseReference::Absent("for a test"),
            node: self.cluster.nodes.get(node),
        };
        let cards = vec![("card".to_owned(), Ok(self.card(image)))];
        let report = card_audit::verify(&options, cards);
        let [CardOutcome::Audited(report)] = report.cards.as_slice() else { panic!("refused") };
        let found = report.findings.iter().filter(|f| f.severity > card_audit::Severity::Note);
        found
            .map(|f| format!("{} {} {}", f.code.as_str(), f.path.as_deref().unwrap_or(""), f.fix))
            .collect()
    }
}

const NODES: &str = "nodes:\n  - {name: n1, address: 192.168.1.81, files: [{path: MOUNT/node.txt, \
                     content: \"one\\n\"}]}\n  - {name: n2, address: 192.168.1.82, files: [{path: \
                     MOUNT/node.txt, content: \"two\\n\"}]}\nfiles:\n  - {path: \
                     MOUNT/overlays/a long name.dtbo, content: \"shared\\n\"}\n  - {path: \
                     MOUNT/CONFIG.TXT, content: \"arm_64bit=0\\n\"}\n";

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

/// Plans show changes of boot files, verify finds differences, and apply fixes them.
#[test]
fn plan_verify_and_apply() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let bed = Bed::new(&["-F", "16", "-s", "1"], fstab, &NODES.replace("MOUNT", "/boot/firmware"));
    let cancel = Cancel::new();
    let builder = card_image::CardBuilder::open(bed.inputs(), &(), &cancel).unwrap();
    let nodes: Vec<_> = bed.cluster.nodes.iter().collect();
    let plan = card_audit::plan(&builder, 64 * MIB, &nodes, "base", &cancel).unwrap().to_string();
    for part in [
        "-arm_64bit=1\n+arm_64bit=0\n",
        "/boot/firmware/overlays/a long name.dtbo: new, 7 bytes",
        "/boot/firmware/node.txt: new, 4 bytes",
    ] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    bed.build("out", ImageFormat::Raw);
    let image = bed.image("out", "n1");
    mcopy(&image, "config.txt", b"arm_64bit=1\n");
    mcopy(&image, "node.txt", b"three\n");
    let found = bed.findings(&image, 0);
    assert_eq!(found.len(), 2, "{found:?}");
    for finding in &found {
        assert!(finding.starts_with("extra-file /boot/firmware/"), "{finding}");
        assert!(finding.contains("nodecard apply"), "{finding}");
    }
    let node = &bed.cluster.nodes[0];
    let options =
        PlanOptions { cluster: &bed.cluster, keys: &bed.keys, node, time: Some(common::BUILT) };
    let plan = plan_against(&options, &bed.card(&image)).unwrap().to_string();
    assert!(plan.contains("-three\n+one\n") && plan.contains("-arm_64bit=1\n"), "{plan}");

    let verify = VerifyOptions {
        cluster: &bed.cluster,
        keys: &bed.keys,
        base: BaseReference::Absent("for a test"),
        node: Some(node),
    };
    let options =
        card_audit::ApplyOptions { verify, node, root: None, grow: false, time: common::BUILT };
    let card = Arc::new(FileStorage::open(&image).unwrap());
    let rehearsed = card_audit::rehearse(&options, "card", card).unwrap();
    let plan = rehearsed.plan.to_string();
    assert!(plan.contains("-three\n+one\n") && plan.contains("-arm_64bit=1\n"), "{plan}");
    assert_eq!(rehearsed.left, []);
    assert_eq!(mtype(&image, "node.txt"), "three\n", "a rehearsal writes nothing");
    let card: Arc<dyn WriteAt> = Arc::new(FileStorage::open_writable(&image).unwrap());
    let applied = card_audit::apply(&options, "card", &card, &rehearsed.plan).unwrap();
    assert!(applied.boot && applied.committed.is_none() && !applied.table, "{applied:?}");
    assert_eq!(applied.left, []);
    assert_eq!(mtype(&image, "node.txt"), "one\n");
    assert_eq!(mtype(&image, "config.txt"), "arm_64bit=0\n");
    assert_fat_clean(&image);
    assert_eq!(bed.findings(&image, 0), [""; 0]);
    let card = Arc::new(FileStorage::open(&image).unwrap());
    assert!(card_audit::rehearse(&options, "card", card).unwrap().is_nothing());
}

/// A boot partition cut off at every write: each file is the old one or the new one, and
/// applying once more completes the card.
#[test]
fn applying_to_a_boot_partition_can_be_cut_off() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let bed = Bed::new(&["-F", "16", "-s", "1"], fstab, &NODES.replace("MOUNT", "/boot/firmware"));
    bed.build("out", ImageFormat::Raw);
    let image = bed.image("out", "n1");
    mcopy(&image, "config.txt", b"arm_64bit=1\n");
    mcopy(&image, "node.txt", b"three\n");
    let at = format!("{}@@{}", image.display(), FAT.start);
    run("mtools", "mdeltree", &["-i", &at, "::overlays"]);
    let node = &bed.cluster.nodes[0];
    let base = BaseReference::Absent("for a test");
    let verify = VerifyOptions { cluster: &bed.cluster, keys: &bed.keys, base, node: Some(node) };
    let options =
        card_audit::ApplyOptions { verify, node, root: None, grow: false, time: common::BUILT };
    let before: Arc<dyn block_io::ReadAt> = Arc::new(FileStorage::open(&image).unwrap());
    let plan = card_audit::rehearse(&options, "card", before.clone()).unwrap().plan;
    let size = before.size();
    let recorder = Arc::new(Recorder::new(Layer::new(before.clone(), size)));
    let card: Arc<dyn WriteAt> = recorder.clone();
    card_audit::apply(&options, "card", &card, &plan).unwrap();
    let events = recorder.events();
    assert!(events.len() > 30, "{}", events.len());
    let text = |card: &Arc<Layer>, name: &str| {
        let window = Window::new(card.clone(), FAT.start, FAT.end - FAT.start).unwrap();
        let found = fat_offline::read_file(&window, name).unwrap();
        found.map(|bytes| String::from_utf8(bytes).unwrap())
    };
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..=events.len() {
        for style in 0..3 {
            let cut = Arc::new(Layer::new(before.clone(), size));
            let kept = |offset: u64, _| match style {
                0 => true,
                1 => false,
                _ => (offset / 512).is_multiple_of(2),
            };
            replay_cut(&events[..number], &cut, kept).unwrap();
            let context = format!("event {number}, style {style}");
            let state = [
                text(&cut, "config.txt").unwrap(),
                text(&cut, "node.txt").unwrap(),
                text(&cut, "overlays/a long name.dtbo").unwrap_or_default(),
            ];
            let whole = ["arm_64bit=1\n", "arm_64bit=0\n", "three\n", "one\n", "", "shared\n"];
            assert!(
                state.iter().all(|text| whole.contains(&text.as_str())),
                "{context}: {state:?}"
            );
            seen.insert(state);
            if (number + style) % 8 == 0 {
                let card: Arc<dyn WriteAt> = cut.clone();
                let plan = card_audit::rehearse(&options, "card", cut.clone()).unwrap().plan;
                let applied = card_audit::apply(&options, "card", &card, &plan).unwrap();
                assert_eq!(applied.left, [], "{context}");
            }
        }
    }
    assert!(seen.len() >= 4, "{seen:?}");
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
    let mut files = RootFsEditor::open(window, common::BUILT).unwrap();
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

/// cloud-init's seed on the partition outranks /etc/cloud/cloud.cfg.d. Each node gets one of its
/// own where the profile keeps cloud-init on; verify and apply look after it.
#[test]
fn a_seed_on_the_partition_is_each_nodes_own() {
    let fstab = "LABEL=BOOT /boot/firmware vfat defaults 0 2";
    let make = |choice: &str| {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("base.img");
        base(&path, &["-F", "16", "-s", "1"], fstab);
        mcopy(&path, "meta-data", b"instance-id: maker\n");
        let seed = b"#cloud-config\nhostname: maker\npreserve_hostname: false\n\
                     manage_etc_hosts: true\nssh_deletekeys: true\nusers: [{name: lab}]\n";
        mcopy(&path, "user-data", seed);
        let bytes = fs::read(&path).unwrap();
        let size = bytes.len() as u64;
        let layer = Arc::new(Layer::new(Arc::new(block_io::Memory::new(bytes)), size));
        let window: Arc<dyn WriteAt> =
            Arc::new(Window::new(layer.clone(), ROOT, size - ROOT).unwrap());
        let mut files = RootFsEditor::open(window, common::BUILT).unwrap();
        let editor = files.editor();
        editor.create_dir_all("/etc/cloud/cloud.cfg.d").unwrap();
        editor.create_dir_all("/usr/lib/systemd/system").unwrap();
        editor.create_dir_all("/etc/systemd/system/multi-user.target.wants").unwrap();
        let config = "users: [default]\ndatasource_list: [NoCloud]\ncloud_init_modules: \
                      [set_hostname, update_hostname, update_etc_hosts, users-groups, ssh]\n\
                      system_info: {distro: debian, default_user: {name: pi}}\n";
        editor.write("/etc/cloud/cloud.cfg", config).unwrap();
        let unit = "[Service]\nExecStart=/usr/bin/cloud-init init\n";
        editor.write("/usr/lib/systemd/system/cloud-init.service", unit).unwrap();
        let link = "/etc/systemd/system/multi-user.target.wants/cloud-init.service";
        editor.symlink("/usr/lib/systemd/system/cloud-init.service", link).unwrap();
        files.close().unwrap();
        fs::write(&path, layer.read_vec(0, size as usize).unwrap()).unwrap();
        let nodes = "nodes:\n  - {name: n1, address: 192.168.1.81}\n  - {name: n2, address: \
                     192.168.1.82}\n";
        let bed = Bed::in_directory(temp, &format!("{nodes}{choice}"));
        bed.build("out", ImageFormat::Raw);
        bed
    };
    let bed = make("cloud_init: keep\n");
    let (one, two) = (bed.image("out", "n1"), bed.image("out", "n2"));
    for (image, name) in [(&one, "n1"), (&two, "n2")] {
        assert_fat_clean(image);
        let seed = mtype(image, "user-data");
        for part in ["\"preserve_hostname\": true", "\"manage_etc_hosts\": false", "\"users\": []"]
        {
            assert!(seed.contains(part), "{seed}");
        }
        assert!(mtype(image, "meta-data").contains(&format!("local-hostname: {name}\n")));
    }
    assert_ne!(mtype(&one, "meta-data"), mtype(&two, "meta-data"));
    assert_eq!(bed.findings(&one, 0), [""; 0]);
    assert_eq!(bed.findings(&two, 1), [""; 0]);
    // Another node's seed, and one that takes over.
    assert!(bed.findings(&two, 0).iter().any(|found| found.contains("/boot/firmware/meta-data")));
    mcopy(&one, "user-data", b"#cloud-config\npreserve_hostname: false\nhostname: x\n");
    let found = bed.findings(&one, 0);
    assert!(found.iter().any(|found| found.starts_with("cloud-init")), "{found:?}");

    // Off, which is the default: emptied, and turned off on the root filesystem.
    let bed = make("");
    let image = bed.image("out", "n1");
    assert!(mtype(&image, "user-data").contains("Emptied by nodecard"));
    let files = RootFs::open(Arc::new(root_window(&image))).unwrap();
    assert!(files.metadata("/etc/cloud/cloud-init.disabled").unwrap().is_some());
    assert_eq!(bed.findings(&image, 0), [""; 0]);
}
