//! Inspections: what is on a card.

mod boot_loader;
mod first_boot;
mod show;
mod system;

use block_io::{Layer, ReadAt, Window};
use card_image::{FsKind, fat_free_bytes};
use plain_text::printable;
use serde::Serialize;

pub(crate) use self::{boot_loader::environment_sectors, system::fingerprint};
pub use self::{
    boot_loader::{BootLoader, BootPart},
    first_boot::{BootProgram, FirstBootReport},
    system::{ConfiguredInterface, HostKey, SystemReport, UserReport},
};
use crate::{AuditError, Card};

/// The largest boot area that is searched, in bytes.
const LARGEST_BOOT_AREA: u64 = 8 << 20;

/// A description of a card.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The target as given.
    pub target: String,
    /// Its size in bytes.
    pub size: u64,
    /// `MBR` or `GPT`.
    pub table: &'static str,
    /// The identifier of the disk in its partition table.
    pub disk_id: String,
    /// Its partitions, in the order of their first bytes.
    pub partitions: Vec<PartitionReport>,
    /// Why the root partition was chosen.
    pub root_reason: String,
    /// The boot loader before the first partition, if one was detected.
    pub boot_loader: Option<BootLoader>,
    /// The system in the root filesystem.
    pub system: Option<SystemReport>,
    /// What that system does when it boots.
    pub first_boot: Option<FirstBootReport>,
}

/// One partition.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PartitionReport {
    /// The number Linux gives it.
    pub number: u32,
    /// Its first byte.
    pub start: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its type in the partition table.
    pub kind: String,
    /// Its contents, as text for people.
    pub holds: String,
    /// Whether it is the root filesystem.
    pub root: bool,
    /// Its free space in bytes, if it is ext2, ext3, ext4 or FAT.
    pub free: Option<u64>,
    /// Details, if it is ext2, ext3 or ext4.
    pub filesystem: Option<FsReport>,
}

/// An ext2, ext3 or ext4 filesystem.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct FsReport {
    /// Its size in bytes.
    pub size: u64,
    /// Its free space in bytes, by its own counters.
    pub free: u64,
    /// All inodes.
    pub inodes: u32,
    /// Free inodes.
    pub free_inodes: u32,
    /// Bytes per block.
    pub block_size: u32,
    /// Its features, as tune2fs names them.
    pub features: Vec<String>,
    /// `clean`, or everything that is not.
    pub state: String,
    /// When it was last written to, in seconds since 1970.
    pub last_written: u64,
}

/// Describes a card.
///
/// # Errors
/// [`AuditError`] if the card cannot be read.
pub fn inspect(card: &Card) -> Result<Inspection, AuditError> {
    let layout = card.layout();
    let table = layout.table();
    let mut partitions = Vec::new();
    for part in &layout.partitions {
        let size = part.range.end - part.range.start;
        let window = Window::new(card.storage().clone(), part.range.start, size)
            .map_err(card.read_error())?;
        let entry = table.partition(part.number);
        let (filesystem, free) = match part.kind {
            FsKind::Ext { .. } => {
                let report = filesystem(window);
                let free = report.as_ref().map(|report| report.free);
                (report, free)
            }
            FsKind::Fat { .. } => (None, fat_free_bytes(&window)),
            _ => (None, None),
        };
        partitions.push(PartitionReport {
            number: part.number,
            start: part.range.start,
            size,
            kind: entry.map_or_else(String::new, |entry| entry.kind.to_string()),
            holds: printable(&part.kind.to_string()),
            root: part.number == layout.root,
            free,
            filesystem,
        });
    }
    let first = layout.partitions.iter().map(|part| part.range.start).min().unwrap_or(0);
    let area = card
        .storage()
        .read_vec(0, first.min(LARGEST_BOOT_AREA) as usize)
        .map_err(card.read_error())?;
    let system = system::detect(card.files()).map_err(card.files_error())?;
    let first_boot = match system {
        Some(_) => first_boot::read(card.files()).map_err(card.files_error())?,
        None => None,
    };
    Ok(Inspection {
        target: card.name().to_owned(),
        size: card.storage().size(),
        table: if table.is_gpt() { "GPT" } else { "MBR" },
        disk_id: table.disk_id().to_string(),
        partitions,
        root_reason: layout.root_reason.clone(),
        boot_loader: boot_loader::detect(&area),
        system,
        first_boot,
    })
}

/// Describes a filesystem: its state as it is on the card, and its counters after a replay of
/// the journal in memory.
fn filesystem(window: Window<std::sync::Arc<dyn ReadAt>>) -> Option<FsReport> {
    let before = ext4_offline::inspect(&window).ok()?;
    let size = window.size();
    let layer = std::sync::Arc::new(Layer::new(std::sync::Arc::new(window), size));
    let replayed = ext4_offline::replay_journal(&layer)
        .and_then(|_| ext4_offline::recount(&layer))
        .and_then(|_| ext4_offline::inspect(&layer));
    let info = if before.needs_recovery { replayed.ok() } else { None };
    let info = info.as_ref().unwrap_or(&before);
    let mut state = Vec::new();
    if before.errors {
        state.push("errors flagged by the kernel");
    }
    if before.needs_recovery {
        state.push("journal not replayed");
    } else if !before.clean {
        state.push("not unmounted");
    }
    if before.orphans {
        state.push("deleted files not yet freed");
    }
    if state.is_empty() {
        state.push("clean");
    }
    Some(FsReport {
        size: info.size(),
        free: info.free_blocks.saturating_mul(info.block_size.into()),
        inodes: info.inodes,
        free_inodes: info.free_inodes,
        block_size: info.block_size,
        features: info.features.names(),
        state: state.join(", "),
        last_written: info.last_written.unsigned_seconds(),
    })
}
