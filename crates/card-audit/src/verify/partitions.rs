//! Partition table and root filesystem: their sizes and their state.

use card_image::END_RESERVE;
use cluster_profile::Cluster;
use part_table::{ALIGNMENT, GptBackup};

use crate::{Card, Finding, text::size};

/// What is wrong with them. `apply` is the command that corrects the card in place.
pub(super) fn check(card: &Card, cluster: &Cluster, apply: Option<&str>) -> Vec<Finding> {
    let grow = apply.map(|apply| format!("{apply} --grow"));
    let mut findings = Vec::new();
    findings.extend(partition(card, cluster, grow.as_deref()));
    findings.extend(filesystem(card, grow.as_deref()));
    findings.extend(state(card));
    if let Some(GptBackup::Damaged { reason }) = card.layout().table().gpt_backup() {
        let what = format!("the second copy of the partition table is of no use: {reason}");
        findings.push(Finding::warning("gpt-backup", what, "on the node: sgdisk -e /dev/mmcblk0"));
    }
    findings
}

/// Whether the root partition fills the card. Cards of one size differ by some percent,
/// so one that fills the size in the profile is right too.
fn partition(card: &Card, cluster: &Cluster, grow: Option<&str>) -> Option<Finding> {
    let layout = card.layout();
    let root = layout.table().partition(layout.root)?;
    // Another's partition behind it leaves no room to grow into.
    if layout.partitions.iter().any(|part| part.range.start > root.bytes().start) {
        return None;
    }
    let whole = card.storage().size().min(cluster.card.bytes());
    let wanted = whole.saturating_sub(END_RESERVE) / ALIGNMENT * ALIGNMENT;
    let end = root.bytes().end;
    if end >= wanted {
        return None;
    }
    let what = format!("the root partition leaves {} of the card unused", size(wanted - end));
    let mend = format!(
        "{}, or on the node: growpart /dev/mmcblk0 {1}, then resize2fs /dev/mmcblk0p{1}",
        grow.unwrap_or("make the card again"),
        layout.root
    );
    let finding = Finding::error("partition-not-grown", what, mend).on(layout.root);
    let ends = |end: u64| format!("ends at {} (sector {})", size(end), end / 512);
    Some(finding.expected(ends(wanted)).found(ends(end)))
}

/// Whether the root filesystem fills its partition: what is left may be too small for
/// a block group with its tables, but no larger.
fn filesystem(card: &Card, grow: Option<&str>) -> Option<Finding> {
    let root = &card.root();
    let range = card.layout().root_range();
    let (partition, filesystem) = (range.end - range.start, root.size());
    let number = card.layout().root;
    if filesystem > partition {
        let what = format!(
            "the root filesystem was cut off: it is {} larger than its partition",
            size(filesystem - partition)
        );
        let mend = "do not boot it: make the card again, or give the partition its size back";
        let finding = Finding::error("filesystem-cut-off", what, mend).on(number);
        return Some(finding.expected(size(partition)).found(size(filesystem)));
    }
    let left = partition - filesystem;
    if left <= root.group_overhead() {
        return None;
    }
    let what = format!("the root filesystem leaves {} of its partition unused", size(left));
    let mut mend = format!("on the node: resize2fs /dev/mmcblk0p{number}");
    if let Some(grow) = grow {
        mend += &format!("; or with the card in a reader: {grow}");
    }
    let finding = Finding::error("filesystem-not-grown", what, mend).on(number);
    Some(finding.expected(size(partition)).found(size(filesystem)))
}

fn state(card: &Card) -> Vec<Finding> {
    let root = &card.root();
    let number = card.layout().root;
    let fsck = || format!("with the card in a reader: e2fsck -f /dev/sdX{number}");
    let mut findings = Vec::new();
    if root.errors {
        let what = "the kernel found errors in the root filesystem";
        findings.push(Finding::error("filesystem-errors", what, fsck()).on(number));
    }
    if root.needs_recovery {
        let what = "the journal has not been replayed: the card was pulled while the node ran, or \
                    is in use; it was replayed in memory to be looked at";
        let mend = "shut the node down before its card is taken out; the next boot replays it";
        findings.push(Finding::warning("filesystem-dirty", what, mend).on(number));
    } else if !root.clean {
        let what = "the root filesystem was not unmounted";
        findings.push(Finding::warning("filesystem-dirty", what, fsck()).on(number));
    } else if root.orphans {
        let what = "deleted files wait for their removal";
        let mend = "the next boot removes them";
        findings.push(Finding::note("filesystem-orphans", what, mend).on(number));
    }
    findings
}
