//! The card as a whole: partitions, filesystem, boot area, journal, several cards at
//! once, and how little is read.

mod common;

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use block_io::{FileStorage, Layer, ReadAt, WriteAt as _};
use card_audit::{AuditError, Card, CardOutcome, ErrorKind, Finding, Severity};
use card_image::{BaseOptions, Cancel};
use common::{Changed, ROOT, bench, run};
use part_table::PartitionTable;

fn codes(findings: &[Finding]) -> Vec<(&str, Option<u32>)> {
    findings.iter().map(|finding| (finding.code.as_str(), finding.partition)).collect()
}

#[test]
fn a_partition_that_was_not_grown() {
    let bench = bench();
    // The card's files on the base's partition table, with a filesystem of its size.
    let image = FileStorage::open(&bench.path("out/xu4-node2.img")).unwrap();
    let card = Changed::over("card", Arc::new(image), 128 << 20);
    // A card that is larger than the profile's is right: cards of one size differ.
    assert_eq!(bench.findings(&card), []);
    let base = bench.base.storage();
    let card = Changed::over("card", base.clone(), base.size());
    assert!(!codes(&bench.findings(&card)).contains(&("partition-not-grown", Some(2))));
    let card = Changed::over("card", base, 64 << 20);
    let findings = bench.findings(&card);
    let finding = findings.iter().find(|f| f.code.as_str() == "partition-not-grown").unwrap();
    assert_eq!(finding.severity, Severity::Error);
    assert_eq!(finding.expected.as_deref(), Some("ends at 63.0 MiB (sector 129024)"));
    assert_eq!(finding.found.as_deref(), Some("ends at 41.5 MiB (sector 84992)"));
    assert!(!codes(&findings).contains(&("filesystem-not-grown", Some(2))));
}

#[test]
fn a_filesystem_smaller_than_its_partition() {
    let bench = bench();
    let card = Changed::over("card", bench.base.storage(), 64 << 20);
    let table = PartitionTable::read(&card.layer).unwrap();
    table.grow(&card.layer, 2, 1 << 20).unwrap();
    let findings = bench.findings(&card);
    let finding = findings.iter().find(|f| f.code.as_str() == "filesystem-not-grown").unwrap();
    assert_eq!(finding.expected.as_deref(), Some("53.5 MiB"));
    assert_eq!(finding.found.as_deref(), Some("32.0 MiB"));
    assert!(!codes(&findings).contains(&("partition-not-grown", Some(2))));
}

/// What Hardkernel's resizer does to a card that is grown already.
#[test]
fn a_filesystem_that_was_cut_off() {
    let bench = bench();
    let card = bench.card("xu4-node2");
    let mut sector = [0; 512];
    card.layer.read_at(0, &mut sector).unwrap();
    let mut length = [0; 4];
    length.copy_from_slice(&sector[446 + 16 + 12..][..4]);
    let shorter = u32::from_le_bytes(length) - 4096;
    card.layer.write_at(446 + 16 + 12, &shorter.to_le_bytes()).unwrap();
    let findings = bench.findings(&card);
    let expected = [("partition-not-grown", Some(2)), ("filesystem-cut-off", Some(2))];
    assert_eq!(codes(&findings), expected, "{findings:#?}");
}

#[test]
fn the_filesystems_own_state() {
    let bench = bench();
    let card = bench.card("xu4-node1").superblock(0x3a, |state| state[0] |= 2);
    assert_eq!(codes(&bench.findings(&card)), [("filesystem-errors", Some(2))]);
    // An orphan that waits: its inode is that of a file with no name.
    let card = bench.card("xu4-node1").superblock(0xe8, |orphan| *orphan = 13u32.to_le_bytes());
    let findings = bench.findings(&card);
    assert_eq!(codes(&findings), [("filesystem-orphans", Some(2))]);
    assert_eq!(findings[0].severity, Severity::Note);
}

/// The journal, written by debugfs, holds another host name than the filesystem.
#[test]
fn a_dirty_journal_is_replayed_in_memory_only() {
    let bench = bench();
    let image = bench.path("dirty.img");
    fs::copy(bench.path("out/xu4-node2.img"), &image).unwrap();
    let target = format!("{}?offset={ROOT}", image.display());
    let block = run("e2fsprogs", "debugfs", &["-R", "blocks /etc/hostname", &target]);
    let block = block.split_whitespace().next().unwrap().to_owned();
    let contents = bench.path("block");
    let mut bytes = b"xu4-node3\n".to_vec();
    bytes.resize(4096, 0);
    fs::write(&contents, bytes).unwrap();
    let commands = bench.path("commands");
    fs::write(&commands, format!("jo\njw -b {block} {}\njc\n", contents.display())).unwrap();
    run("e2fsprogs", "debugfs", &["-w", "-f", commands.to_str().unwrap(), &target]);

    let before = fs::read(&image).unwrap();
    let card = Changed::over("dirty", Arc::new(FileStorage::open(&image).unwrap()), 64 << 20);
    let findings = bench.findings(&card);
    assert!(findings.iter().any(|f| f.code.as_str() == "filesystem-dirty"), "{findings:#?}");
    let name = findings.iter().find(|f| f.code.as_str() == "host-name").unwrap();
    assert_eq!(name.found.as_deref(), Some("xu4-node3"), "the replayed name");
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(fs::read(&image).unwrap() == before, "the target was written to");
}

#[test]
fn the_boot_area_is_compared_with_the_bases() {
    let bench = bench();
    for (offset, found) in [(100, "sector 0"), (63 * 512, "sector 63"), (3071 * 512, "sector 3071")]
    {
        let card = bench.card("xu4-node1");
        card.layer.write_at(offset, b"X").unwrap();
        let findings = bench.findings(&card);
        assert_eq!(codes(&findings), [("boot-area", None)]);
        assert_eq!(findings[0].found.as_deref(), Some(&*format!("other bytes in {found}")));
        // Without the base this cannot be detected, and the report says so.
        assert_eq!(bench.findings_without_base(&card), []);
    }
    // The disk id and the partition table are the card's own.
    let card = bench.card("xu4-node1");
    card.layer.write_at(440, b"abcd").unwrap();
    assert_eq!(bench.findings(&card), []);
    // u-boot saves its settings there.
    card.layer.write_at(2015 * 512, b"saved").unwrap();
    let findings = bench.findings(&card);
    assert_eq!(codes(&findings), [("boot-environment", None)]);
    assert_eq!(findings[0].severity, Severity::Note);
    let report = common::only(bench.verify_with(
        card_audit::BaseReference::Absent("it is away"),
        None,
        vec![&card],
    ));
    assert_eq!(report.compared.reason.as_deref(), Some("it is away"));
}

#[test]
fn two_cards_of_one_node() {
    let bench = bench();
    let mut copy = bench.card("xu4-node2");
    copy.name = "copy".into();
    let report = bench.verify(vec![&bench.card("xu4-node2"), &copy, &bench.card("xu4-node3")]);
    let of = |index: usize| match &report.cards[index] {
        CardOutcome::Audited(card) => {
            card.findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>()
        }
        CardOutcome::Refused { error, .. } => panic!("{error}"),
    };
    assert_eq!(of(0), ["duplicate-node"]);
    assert_eq!(of(1), ["duplicate-node"]);
    assert_eq!(of(2), [""; 0]);
    let text = report.to_string();
    assert!(text.contains("this card and copy are both xu4-node2\n"), "{report}");
    assert!(text.contains("the same host name, address, machine id, host key"), "{report}");
    assert!(report.to_string().contains("3 cards: 1 as expected, 2 with differences"), "{report}");
}

#[test]
fn two_cards_with_one_of_something() {
    let bench = bench();
    let key = bench.keys.host("xu4-node1").unwrap();
    let second = bench.card("xu4-node2").edit(|files| {
        files.write("/etc/docker/key.json", "{\"kid\":\"one\"}");
        files.write("/var/lib/docker/swarm/certificates/swarm-node.crt", "one");
        files.write("/etc/ssh/ssh_host_ed25519_key.pub", key.public());
    });
    let first = bench.card("xu4-node1").edit(|files| {
        files.write("/etc/docker/key.json", "{\"kid\":\"one\"}");
        files.write("/var/lib/docker/swarm/certificates/swarm-node.crt", "one");
    });
    let report = bench.verify(vec![&first, &second]);
    let CardOutcome::Audited(first) = &report.cards[0] else { panic!("{report}") };
    let expected = ["duplicate-host-key", "duplicate-engine-id", "duplicate-swarm-node"];
    assert_eq!(first.findings.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), expected);
}

#[test]
fn a_card_is_known_by_what_most_speaks_for() {
    let bench = bench();
    let card = bench
        .card("xu4-node2")
        .edit(|files| files.write("/etc/hostname", "xu4-node1\n"))
        .replace("/etc/network/interfaces", "192.168.1.82", "192.168.1.81");
    let report = bench.audit(&card);
    assert_eq!(
        (report.node.as_str(), report.known_by),
        ("xu4-node2", vec!["host key", "machine id"])
    );
    let codes: Vec<_> = report.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["host-name", "address"]);
    assert!(report.findings[0].what.contains("xu4-node1"));
    // Whoever says which node it is meant to be is believed.
    let base = bench.base_card();
    let base = card_audit::BaseReference::Card(&base);
    let report = common::only(bench.verify_with(base, Some("xu4-node1"), vec![&card]));
    assert_eq!(report.node, "xu4-node1");
    assert!(
        report
            .findings
            .iter()
            .any(|f| f.code.as_str() == "host-key"
                && f.found.as_deref() == Some("xu4-node2's host key")),
        "{report}"
    );
}

#[test]
fn no_card_of_the_cluster() {
    let bench = bench();
    let card = Changed::over("other", bench.base.storage(), 64 << 20)
        .edit(|files| files.write("/etc/hostname", "somebody\n"));
    let report = bench.verify(vec![&card, &bench.card("xu4-node1")]);
    let CardOutcome::Refused { error, .. } = &report.cards[0] else { panic!("{report}") };
    assert_eq!(error.kind(), ErrorKind::Target);
    assert!(error.to_string().contains("no node has its host name (somebody)"), "{error}");
    // The others are still compared.
    assert!(
        matches!(&report.cards[1], CardOutcome::Audited(card) if card.matches_profile()),
        "{report}"
    );
    assert!(report.to_string().contains("1 refused"), "{report}");
    let report =
        bench.verify_with(card_audit::BaseReference::Absent(""), Some("xu4-node1"), vec![&card]);
    assert!(matches!(&report.cards[0], CardOutcome::Audited(card) if card.known_by.is_empty()));
}

fn open(path: &std::path::Path) -> AuditError {
    let cache = bench().path("target-cache");
    let options = BaseOptions {
        cache_dir: Some(&cache),
        sha256: None,
        limit: None,
        progress: &(),
        cancel: &Cancel::new(),
    };
    Card::open(path, None, options).map(|card| card.name().to_owned()).expect_err("no card")
}

#[test]
fn targets_that_are_no_cards() {
    let bench = bench();
    let file = |name: &str, contents: &[u8]| {
        let path = bench.path(name);
        fs::write(&path, contents).unwrap();
        path
    };
    let mut bare = vec![0; 1 << 20];
    bare[510..512].copy_from_slice(b"\x55\xaa");
    for (path, says) in [
        (bench.path("nowhere.img"), "does not exist"),
        (bench.path(""), "neither a file nor a block device"),
        (file("text.img", b"hello, it is text"), "it is text"),
        (file("empty.img", b""), "is empty"),
        (file("zero.img", &[0; 4096]), "is blank: it has no partition table"),
        (file("bare.img", &bare), "no partition"),
        (
            file("cut.img.xz", &fs::read(&bench.cluster.base.path).unwrap()[..50_000]),
            "is incomplete: it ends after",
        ),
    ] {
        let error = open(&path);
        assert_eq!(error.kind(), ErrorKind::Target, "{error}");
        let error = plain_text::with_causes(&error);
        assert!(error.contains(says), "{says}: {error}");
    }
}

/// A storage that counts what is read of it.
#[derive(Debug)]
struct Counting(FileStorage, AtomicU64);

impl ReadAt for Counting {
    fn size(&self) -> u64 {
        self.0.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, buf)
    }
}

#[test]
fn little_of_a_large_card_is_read() {
    let bench = bench();
    bench.build("large", 7 << 30, &["xu4-node1"]);
    let image = FileStorage::open(&bench.path("large/xu4-node1.img")).unwrap();
    let counting = Arc::new(Counting(image, AtomicU64::new(0)));
    let card = Card::from_storage("large".into(), counting.clone(), None);
    let base = bench.base_card();
    let options = card_audit::VerifyOptions {
        cluster: &bench.cluster,
        keys: &bench.keys,
        base: card_audit::BaseReference::Card(&base),
        node: None,
    };
    let report = card_audit::verify(&options, vec![("large".into(), card)]);
    assert!(report.matches_profile(), "{report}");
    let read = counting.1.load(Ordering::Relaxed);
    println!("{read} bytes of 7 GiB");
    assert!(read < 4 << 20, "{read} bytes");
}

/// Bytes of the root filesystem and of the partition table changed at random: whatever
/// comes of it, it is no panic.
#[test]
fn damage_is_reported_or_refused() {
    let bench = bench();
    let image: Arc<dyn ReadAt> =
        Arc::new(FileStorage::open(&bench.path("out/xu4-node2.img")).unwrap());
    let base = bench.base_card();
    let mut state = 42u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) % below
    };
    let rounds = if std::env::var_os("NODECARD_THOROUGH").is_some() { 5000 } else { 250 };
    let (mut refused, mut reported) = (0, 0);
    for round in 0..rounds {
        let layer = Arc::new(Layer::new(image.clone(), 64 << 20));
        for _ in 0..1 + random(40) {
            // The superblock, the descriptors, the inode table, the directories, or sector 0.
            let at = match round % 5 {
                0 => ROOT + 1024 + random(1024),
                1 => ROOT + 4096 + random(4096),
                2 => ROOT + random(1 << 20),
                3 => ROOT + random(8 << 20),
                _ => random(512),
            };
            layer.write_at(at, &[random(256) as u8]).unwrap();
        }
        let card = Card::from_storage("damaged".into(), layer, None);
        if let Ok(card) = &card {
            let _ = card_audit::inspect(card).map(|inspection| inspection.to_string());
        }
        let options = card_audit::VerifyOptions {
            cluster: &bench.cluster,
            keys: &bench.keys,
            base: card_audit::BaseReference::Card(&base),
            node: None,
        };
        let report = card_audit::verify(&options, vec![("damaged".into(), card)]);
        match &report.cards[0] {
            CardOutcome::Refused { .. } => refused += 1,
            CardOutcome::Audited(card) if !card.matches_profile() => reported += 1,
            CardOutcome::Audited(_) => {}
        }
        assert!(!report.to_string().is_empty());
    }
    assert!(refused > 10 && reported > 10, "{refused} refused, {reported} reported");
}

/// Watches the cache while a compressed card is decoded.
struct Watch(std::path::PathBuf, std::sync::Mutex<Vec<u32>>);

impl card_image::BuildProgress for Watch {
    fn begin(&self, _: card_image::BuildStage, _: u64) {}

    fn advance(&self, _: u64) {
        use std::os::unix::fs::PermissionsExt as _;
        let directories = fs::read_dir(&self.0).unwrap().map(|entry| entry.unwrap().path());
        for directory in directories.filter(|path| path.is_dir()) {
            let mode = |path: &std::path::Path| {
                Some(fs::metadata(path).ok()?.permissions().mode() & 0o777)
            };
            let mut modes = self.1.lock().unwrap();
            modes.extend(mode(&directory));
            for file in fs::read_dir(&directory).into_iter().flatten() {
                modes.extend(mode(&file.unwrap().path()));
            }
        }
    }

    fn end(&self) {}
}

/// A card holds private keys: what is decoded of it is nobody else's, and does not stay.
#[test]
fn a_compressed_card_leaves_nothing_behind() {
    let bench = bench();
    let cache = bench.path("private-cache");
    let image = bench.path("private.img");
    fs::copy(bench.path("out/xu4-node2.img"), &image).unwrap();
    run("zstd", "zstd", &["-q", image.to_str().unwrap()]);
    let watch = Watch(cache.clone(), std::sync::Mutex::default());
    // Left by a run that was killed.
    fs::create_dir_all(cache.join("1-0.private/x")).unwrap();
    let open = || {
        let cancel = Cancel::new();
        let options = BaseOptions {
            cache_dir: Some(&cache),
            sha256: None,
            limit: None,
            progress: &watch,
            cancel: &cancel,
        };
        Card::open(&bench.path("private.img.zst"), None, options).unwrap()
    };
    let (card, other) = (open(), open());
    let modes = watch.1.into_inner().unwrap();
    assert!(modes.contains(&0o700) && modes.contains(&0o600), "{modes:?}");
    assert!(modes.iter().all(|mode| mode & 0o077 == 0), "{modes:?}");
    let names: Vec<String> = fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, ["index.lock"]);
    assert!(inspect_name(&card) == "xu4-node2" && inspect_name(&other) == "xu4-node2");
}

fn inspect_name(card: &Card) -> String {
    String::from_utf8(card.files().read("/etc/hostname", 100).unwrap().unwrap())
        .unwrap()
        .trim()
        .to_owned()
}
