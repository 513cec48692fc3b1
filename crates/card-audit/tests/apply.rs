//! Correcting a card in place: what it does, what it leaves alone, and what it refuses
//! before the first write.

mod common;

use std::{fs, sync::Arc};

use block_io::{Layer, Memory, ReadAt, Window, WriteAt};
use card_audit::{
    Applied, ApplyError, AuditError, BaseReference, ChangePlan, ErrorKind, apply, rehearse,
};
use common::{Changed, ROOT, bench, cards::*, run};
use part_table::PartitionTable;
use test_support::{FaultInjector, Recorder};

/// Applies, as a user who agrees to all that is shown.
fn corrected(card: &Arc<Layer>, grow: bool) -> Applied {
    let bench = bench();
    let base = bench.base_card();
    let options = options(bench, BaseReference::Card(&base), grow);
    let rehearsed = rehearse(&options, "card", card.clone()).unwrap();
    let target: Arc<dyn WriteAt> = card.clone();
    let applied = apply(&options, "card", &target, &rehearsed.plan).unwrap();
    assert_eq!(applied.plan, rehearsed.plan);
    assert_eq!((applied.table, applied.committed), (rehearsed.table, rehearsed.committed));
    applied
}

/// The error of a card that is refused, by a rehearsal as by the real thing.
#[track_caller]
fn refused(card: &Arc<dyn ReadAt>, grow: bool) -> ApplyError {
    let bench = bench();
    let options = options(bench, BaseReference::Absent("for a test"), grow);
    let error = rehearse(&options, "card", card.clone()).unwrap_err();
    let recorder = Arc::new(Recorder::new(Layer::new(card.clone(), card.size())));
    let target: Arc<dyn WriteAt> = recorder.clone();
    let plan: ChangePlan = rehearse(&options, "card", broken().layer).unwrap().plan;
    let again = apply(&options, "card", &target, &plan).unwrap_err();
    assert_eq!(again.to_string(), error.to_string());
    assert!(!again.may_have_written());
    assert_eq!(recorder.events(), []);
    error
}

fn check(card: &dyn ReadAt, name: &str) {
    let image = bench().path(name);
    fs::write(&image, bytes_of(card)).unwrap();
    assert_clean(&image, root_of(card).start, name);
}

#[test]
fn fixes_what_is_wrong_and_leaves_the_rest() {
    let card = broken();
    let before = tree(&card.layer);
    let applied = corrected(&card.layer, false);
    assert_eq!(applied.left, []);
    let committed = applied.committed.unwrap();
    assert!(committed.logged > 0 && committed.logged < 40, "{committed:?}");
    check(&card.layer, "fixed.img");
    let after = tree(&card.layer);
    let mut differ: Vec<&str> = before
        .keys()
        .chain(after.keys())
        .filter(|path| before.get(*path) != after.get(*path))
        .map(String::as_str)
        .collect();
    differ.dedup();
    differ.sort_unstable();
    differ.dedup();
    assert_eq!(
        differ,
        ["/etc/hostname", "/etc/hosts", "/etc/network/interfaces", "/root/.ssh/id_ed25519"]
    );
    assert!(after["/etc/hosts"].contains("192.168.1.50 printer"));
    assert_eq!(bench().findings(&card), []);
    // Outside the root partition nothing changed, and a second time nothing at all.
    let recorder = Arc::new(Recorder::new(card.layer.clone()));
    let target: Arc<dyn WriteAt> = recorder.clone();
    let bench = bench();
    let options = options(bench, BaseReference::Absent("for a test"), false);
    let again = rehearse(&options, "card", card.layer.clone()).unwrap();
    assert!(again.is_nothing());
    apply(&options, "card", &target, &again.plan).unwrap();
    assert_eq!(recorder.events(), []);
}

#[test]
fn only_what_was_agreed_to_is_done() {
    let bench = bench();
    let options = options(bench, BaseReference::Absent("for a test"), false);
    let card = broken();
    let plan = rehearse(&options, "card", card.layer.clone()).unwrap().plan;
    let card = card.edit(|files| files.write("/etc/hostname", "another\n"));
    let recorder = Arc::new(Recorder::new(card.layer.clone()));
    let target: Arc<dyn WriteAt> = recorder.clone();
    let error = apply(&options, "card", &target, &plan).unwrap_err();
    assert!(matches!(error, ApplyError::Changed { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Target);
    assert_eq!(recorder.events(), []);
}

/// Returns text without its line breaks, as notes are wrapped.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The plan names the node that the card is, and says that the base was not there.
#[test]
fn what_the_user_should_know_is_in_the_plan() {
    let bench = bench();
    let absent = options(bench, BaseReference::Absent("the base is not there"), false);
    let card = bench.card("xu4-node1");
    let plan = rehearse(&absent, "card", card.layer.clone()).unwrap().plan.to_string();
    let plan = one_line(&plan);
    for part in [
        "the card belongs to xu4-node1, by its host key",
        "not detected, and stay on the card: the base is not",
    ] {
        assert!(plan.contains(part), "{part}: {plan}");
    }
    let base = bench.base_card();
    let with = options(bench, BaseReference::Card(&base), false);
    let plan = rehearse(&with, "card", card.layer.clone()).unwrap().plan.to_string();
    assert!(!one_line(&plan).contains("not detected"), "{plan}");
}

#[test]
fn no_journal() {
    debugfs(&broken().layer, "no-journal.img", "feature ^has_journal\n");
    let image = bench().path("no-journal.img");
    let target = format!("{}?offset={ROOT}", image.display());
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let mut fsck = std::process::Command::new("e2fsck");
    fsck.args(["-fy", &target]).env("PATH", path).output().unwrap();
    let card: Arc<dyn ReadAt> = Arc::new(Memory::new(fs::read(&image).unwrap()));
    let error = refused(&card, false);
    assert!(error.fix().unwrap().contains("tune2fs -j"), "{error}");
    // So verifying does not name what would be refused.
    let findings = bench().findings(&Changed::over("card", card, 64 << 20));
    assert!(findings.iter().any(|finding| finding.code.as_str() == "host-name"));
    assert!(
        findings.iter().all(|finding| !finding.fix.to_string().contains("apply")),
        "{findings:#?}"
    );
}

/// The layer would not fit into the log: a large file of the profile that differs in
/// blocks that are in use.
#[test]
fn a_journal_that_is_too_small() {
    let bench = bench();
    let mut cluster = bench.cluster.clone();
    let file = cluster.files.iter_mut().find(|file| file.path == "/etc/motd").unwrap();
    file.contents = vec![b'm'; 6 << 20];
    let card = bench
        .card(NODE)
        .edit(|files| {
            files.0.create("/etc/motd", 0o644).unwrap();
            files.0.editor().write("/etc/motd", vec![b'o'; 6 << 20]).unwrap();
        })
        .superblock(0x30, |written| *written = (NOW as u32 - 1).to_le_bytes());
    let mut options = options(bench, BaseReference::Absent("for a test"), false);
    options.verify.cluster = &cluster;
    let error = rehearse(&options, "card", card.layer.clone()).unwrap_err();
    let text = plain_text::with_causes(&error);
    assert_eq!(error.kind(), ErrorKind::Target);
    let ApplyError::Filesystem { source, .. } = &error else { panic!("{error}") };
    let ext4_offline::Error::JournalTooSmall { needed, available, larger } = **source else {
        panic!("{error}")
    };
    assert!(needed > 1536 && available < needed && larger >= 6, "{needed} {available} {larger}");
    for part in ["card", &needed.to_string(), &available.to_string()] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The suggested fix helps.
    let fix = match &error {
        ApplyError::Filesystem { source, .. } => source.fix().unwrap(),
        error => panic!("{error}"),
    };
    assert!(fix.contains(&format!("-J size={larger}")), "{fix}");
    let image = bench.path("larger.img");
    let root = card.root();
    fs::write(&image, bytes_of(&root)).unwrap();
    let image_text = image.to_str().unwrap();
    run("e2fsprogs", "tune2fs", &["-O", "^has_journal", image_text]);
    run("e2fsprogs", "tune2fs", &["-J", &format!("size={larger}"), image_text]);
    root.write_at(0, &fs::read(&image).unwrap()).unwrap();
    let plan = rehearse(&options, "card", card.layer.clone()).unwrap().plan;
    let target: Arc<dyn WriteAt> = card.layer.clone();
    apply(&options, "card", &target, &plan).unwrap();
    check(&card.layer, "larger-card.img");
    assert!(tree(&card.layer)["/etc/motd"].ends_with(&"m".repeat(6 << 20)));
}

#[test]
fn a_filesystem_in_no_state_to_be_changed() {
    let error = refused(&into(broken().superblock(0x3a, |state| state[0] |= 2)), false);
    assert!(error.fix().unwrap().contains("e2fsck"), "{error}");
    let error = refused(&(Arc::new(Memory::new(vec![0; 1 << 20])) as Arc<dyn ReadAt>), true);
    assert!(matches!(error, ApplyError::Audit(AuditError::Table { .. })), "{error}");
    // Marked as used, but nobody's: what the bitmap says cannot be relied on.
    let card = debugfs(&broken().layer, "bitmap.img", "setb 9000 3\n");
    let error = refused(&card, false);
    assert!(plain_text::with_causes(&error).contains("bitmap"), "{error}");
}

fn into(card: Changed) -> Arc<dyn ReadAt> {
    card.layer
}

/// The node's card with a partition table of its own, for two partitions or three.
fn partitioned(root_end: u64, third: Option<u64>, size: u64) -> Arc<Layer> {
    let card = enlarged(&broken().layer, size);
    let layer = Arc::new(Layer::new(card, size));
    let entry = |slot: u64| 446 + 16 * slot;
    let sectors = (root_end - ROOT) / 512;
    layer.write_at(entry(1) + 12, &(sectors as u32).to_le_bytes()).unwrap();
    if let Some(start) = third {
        let mut bytes = [0; 16];
        bytes[4] = 0x83;
        bytes[8..12].copy_from_slice(&((start / 512) as u32).to_le_bytes());
        bytes[12..].copy_from_slice(&2048u32.to_le_bytes());
        layer.write_at(entry(2), &bytes).unwrap();
    }
    layer
}

/// Another partition behind the root: its filesystem may fill what it has.
#[test]
fn grows_as_far_as_there_is_room() {
    let card = partitioned(80 * MIB, Some(80 * MIB), 100 * MIB);
    let findings = bench().findings(&Changed { name: "card".into(), layer: card.clone() });
    let finding = findings.iter().find(|f| f.code.as_str() == "filesystem-not-grown").unwrap();
    assert!(finding.fix.to_string().contains(" xu4-node2=card --base base --grow"), "{finding:?}");
    let applied = corrected(&card, true);
    assert!(!applied.table && applied.committed.is_some(), "{applied:?}");
    let text = one_line(&applied.plan.to_string());
    assert!(text.contains("does not grow, because partition 3 follows it"), "{text}");
    assert!(text.contains("its filesystem grows from 53.5 MiB to 70.5 MiB"), "{text}");
    check(&card, "behind.img");

    // Filled already.
    assert!(corrected(&card, true).is_nothing());

    // The partition grows as far as the next one.
    let card = partitioned(80 * MIB, Some(95 * MIB), 100 * MIB);
    let applied = corrected(&card, true);
    assert!(applied.table && applied.committed.is_some(), "{applied:?}");
    let text = one_line(&applied.plan.to_string());
    assert!(text.contains("grows by only 15.0 MiB, up to partition 3"), "{text}");
    assert_eq!(root_of(&card).end, 95 * MIB);
    check(&card, "between.img");
    assert!(corrected(&card, true).is_nothing());
}

/// A partition that grows by less than a block group with its tables.
#[test]
fn only_the_partition_table_changes() {
    let bench = bench();
    bench.build("table", 139 * MIB, &[NODE]);
    let image = block_io::FileStorage::open(&bench.path("table/xu4-node2.img")).unwrap();
    let card = Arc::new(Layer::new(enlarged(&image, 140 * MIB), 140 * MIB));
    let applied = corrected(&card, true);
    assert!(applied.table && applied.committed.is_none(), "{applied:?}");
    let text = applied.plan.to_string();
    assert!(text.contains("grows from 128.5 MiB to 129.5 MiB"), "{text}");
    assert!(text.contains("its filesystem stays at"), "{text}");
    check(&card, "table.img");
    assert_eq!(root_of(&card).end, 139 * MIB);
    assert!(corrected(&card, true).is_nothing());
}

#[test]
fn a_card_that_fails_is_named() {
    let bench = bench();
    let options = options(bench, BaseReference::Absent("for a test"), true);
    let before = enlarged(&broken().layer, 90 * MIB);
    let plan = rehearse(&options, "/dev/fake", before.clone()).unwrap().plan;
    let table = PartitionTable::read(&before).unwrap();
    for number in 0.. {
        let layer = Layer::new(before.clone(), before.size());
        let target: Arc<dyn WriteAt> = Arc::new(FaultInjector::new(layer, u64::MAX, number));
        let error = match apply(&options, "/dev/fake", &target, &plan) {
            Ok(applied) => {
                assert!(number > 20 && applied.left.is_empty());
                break;
            }
            Err(error) => error,
        };
        assert!(error.may_have_written() && error.kind() == ErrorKind::Io, "{error}");
        assert!(error.to_string().contains("/dev/fake"), "{error}");
        let now = PartitionTable::read(&target).unwrap();
        assert_eq!(now == table, number == 0, "{number}");
    }
    for number in (0..400).step_by(7) {
        let layer = Layer::new(before.clone(), before.size());
        let target: Arc<dyn WriteAt> = Arc::new(FaultInjector::new(layer, number, u64::MAX));
        if let Err(error) = apply(&options, "/dev/fake", &target, &plan) {
            assert_eq!(error.kind(), ErrorKind::Io, "{number}: {error}");
            assert!(error.to_string().contains("/dev/fake"), "{error}");
        }
    }
}

/// verify names apply exactly where apply helps.
#[test]
fn verifying_names_apply_where_it_helps() {
    let bench = bench();
    let command = format!("nodecard apply {} xu4-node2=xu4-node2", bench.cluster.path.display());
    let card = broken().edit(|files| files.mode("/etc/ssh/ssh_host_ed25519_key", 0o644));
    let base = bench.base_card();
    let report = bench.verify_with(BaseReference::Card(&base), None, vec![&card]);
    let findings = common::only(report).findings;
    assert!(findings.len() > 3);
    for finding in &findings {
        assert!(finding.fix.to_string().contains(&command), "{finding:#?}");
        assert!(!finding.fix.to_string().contains("--grow"), "{finding:#?}");
    }
    corrected(&card.layer, false);
    assert_eq!(bench.findings(&card), []);

    // apply fixes none of these.
    let card = bench.card(NODE).superblock(0x3a, |state| state[0] |= 2);
    card.layer.write_at(100, b"X").unwrap();
    let findings = bench.findings(&card);
    assert_eq!(findings.len(), 2, "{findings:#?}");
    assert!(
        findings.iter().all(|finding| !finding.fix.to_string().contains("apply")),
        "{findings:#?}"
    );

    let small = Changed::over(NODE, bench.base.storage(), 64 << 20);
    let report = bench.verify_with(BaseReference::Absent("for a test"), Some(NODE), vec![&small]);
    let findings = common::only(report).findings;
    let grow =
        findings.iter().find(|finding| finding.code.as_str() == "partition-not-grown").unwrap();
    assert!(
        grow.fix.to_string().starts_with(&format!("{command} --grow, or on the node: ")),
        "{grow:?}"
    );
}

#[test]
fn orphans_are_removed_with_the_change() {
    let card = dirty(&broken().layer, "orphans.img");
    let layer = Arc::new(Layer::new(card.clone(), card.size()));
    let root = root_of(&card);
    let window = || Window::new(layer.clone(), root.start, root.end - root.start).unwrap();
    let before = ext4_offline::inspect(&window()).unwrap();
    assert!(before.needs_recovery && before.orphans);
    assert_eq!(corrected(&layer, false).left, []);
    let after = ext4_offline::inspect(&window()).unwrap();
    assert!(!after.needs_recovery && !after.orphans);
    check(&layer, "no-orphans.img");
    assert!(tree(&layer)["/home/odroid/diary"].contains("a journalle"));
}
