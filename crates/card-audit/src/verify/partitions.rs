//! Partition table and root filesystem: their sizes and their state.

use card_image::END_RESERVE;
use cluster_profile::Cluster;
use part_table::{GptBackup, SECTOR_SIZE};
use plain_text::size;

use crate::{ApplyCommand, Card, Finding, FindingCode, FixAction};

/// Returns what is wrong with them. `apply` corrects the card in place.
pub(super) fn check(card: &Card, cluster: &Cluster, apply: Option<&ApplyCommand>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(partition(card, cluster));
    findings.extend(filesystem(card));
    for finding in &mut findings {
        if let FixAction::GrowPartition { .. } | FixAction::GrowFilesystem { .. } =
            finding.fix.action
        {
            finding.fix.apply = apply.map(|apply| ApplyCommand { grow: true, ..apply.clone() });
        }
    }
    findings.extend(state(card));
    if let Some(GptBackup::Damaged { reason }) = card.layout().table().gpt_backup() {
        let what = format!("the second copy of the partition table is damaged: {reason}");
        let fix = FixAction::OnNode("sgdisk -e /dev/mmcblk0".to_owned());
        findings.push(Finding::warning(FindingCode::GptBackup, what, fix));
    }
    findings
}

/// Checks whether the root partition fills the card, or the room up to the next partition.
/// Cards of one size differ by some percent, so one that fills the size in the profile is right
/// too.
fn partition(card: &Card, cluster: &Cluster) -> Option<Finding> {
    let layout = card.layout();
    let end = layout.root_range().end;
    let card_size = card.storage().size();
    let whole = cluster.card.map_or(card_size, |card| card_size.min(card.bytes()));
    // A card that has no room for its partitions cannot grow either.
    let growth = layout.table().growth(layout.root, whole, END_RESERVE).ok()?;
    let expected = growth.end.saturating_mul(SECTOR_SIZE);
    if end >= expected {
        return None;
    }
    let unused = size(expected - end);
    let what = match cluster.card {
        Some(card) if card.bytes() < card_size => format!(
            "the root partition does not use {unused} of the profile's `card`; the card itself is \
             larger"
        ),
        _ => format!("{unused} of the card are not used by the root partition"),
    };
    let fix = FixAction::GrowPartition { partition: layout.root };
    let finding = Finding::error(FindingCode::PartitionNotGrown, what, fix).on(layout.root);
    let ends = |end: u64| format!("ends at {} (sector {})", size(end), end / 512);
    Some(finding.expected(ends(expected)).found(ends(end)))
}

/// Checks whether the root filesystem fills its partition: what is left may be too small
/// for a block group with its tables, but no larger.
fn filesystem(card: &Card) -> Option<Finding> {
    let root = &card.root();
    let range = card.layout().root_range();
    let (partition, filesystem) = (range.end - range.start, root.size());
    let number = card.layout().root;
    let sizes =
        |finding: Finding| finding.on(number).expected(size(partition)).found(size(filesystem));
    if filesystem > partition {
        let what = format!(
            "the root filesystem was cut off: it is {} larger than its partition",
            size(filesystem - partition)
        );
        let fix = FixAction::RestorePartition;
        return Some(sizes(Finding::error(FindingCode::FilesystemCutOff, what, fix)));
    }
    let left = partition - filesystem;
    if left <= root.group_overhead() {
        return None;
    }
    let what = format!("{} of the root partition are not used by its filesystem", size(left));
    let fix = FixAction::GrowFilesystem { partition: number };
    Some(sizes(Finding::error(FindingCode::FilesystemNotGrown, what, fix)))
}

fn state(card: &Card) -> Vec<Finding> {
    let root = &card.root();
    let number = card.layout().root;
    let check = || FixAction::CheckFilesystem { partition: number };
    let mut findings = Vec::new();
    if root.errors {
        let what = "the kernel found errors in the root filesystem";
        findings.push(Finding::error(FindingCode::FilesystemErrors, what, check()).on(number));
    }
    if root.needs_recovery {
        let what = "the journal has not been replayed: the card was removed while the node ran, \
                    or is in use; it was replayed in memory to look at the files";
        let fix = FixAction::NextBootReplays;
        findings.push(Finding::warning(FindingCode::FilesystemDirty, what, fix).on(number));
    } else if !root.clean {
        let what = "the root filesystem was not unmounted";
        findings.push(Finding::warning(FindingCode::FilesystemDirty, what, check()).on(number));
    } else if root.orphans {
        let what = "deleted files wait to be removed";
        let fix = FixAction::NextBootRemoves;
        findings.push(Finding::note(FindingCode::FilesystemOrphans, what, fix).on(number));
    }
    findings
}
