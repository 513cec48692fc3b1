//! The parts of a card that must be written: everything but the free blocks of its
//! filesystems.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, Layer, ReadAt, Window};
use plain_text::with_causes;

use crate::{BuildNote, Error, find_root::FsKind, layout::Layout};

/// What must be written outside the root filesystem.
#[derive(Debug, Default)]
pub(crate) struct OutsideRoot {
    /// The bytes on the card.
    pub used: Extents,
    /// Partitions that are copied whole because their free blocks are not known for certain.
    pub notes: Vec<BuildNote>,
}

/// Returns what must be written outside the root filesystem, which is the same for all nodes:
/// the partition table, the boot area and the other partitions.
///
/// Free blocks of a filesystem are left out only if the whole filesystem passes its check: what
/// a wrong bitmap or table marks as free may belong to a file. Beyond `base_size`, the size of
/// the base image, there is only what growing wrote.
pub(crate) fn outside_root(
    layer: &Arc<Layer>,
    layout: &Layout,
    base_size: u64,
) -> Result<OutsideRoot, Error> {
    let mut notes = Vec::new();
    // What cannot be inspected counts as used, as far as anything was written there.
    let mut written = Extents::from(0..base_size.min(layer.size()));
    written.extend(&layer.changed());

    let mut used = Extents::new();
    let mut at = 0;
    for part in &layout.partitions {
        let range = part.range.clone();
        for gap in written.within(at..range.start.max(at)) {
            used.insert(gap);
        }
        at = at.max(range.end);
        if part.number == layout.root {
            continue;
        }
        let window = Window::new(layer.clone(), range.start, range.end - range.start)?;
        let inside = match part.kind {
            FsKind::Ext { .. } => used_by_ext(&window),
            FsKind::Fat { .. } => used_by_fat(&window),
            _ => Ok(None),
        };
        let inside = inside.unwrap_or_else(|reason| {
            notes.push(BuildNote::CopiedWhole { partition: part.number, reason });
            None
        });
        match inside {
            Some(inside) => {
                used.extend(&shift(&inside.extents, range.start));
                // Nothing says whether the bytes behind the filesystem are used.
                for tail in written.within(range.start + inside.size..range.end) {
                    used.insert(tail);
                }
            }
            None => written.within(range).for_each(|part| used.insert(part)),
        }
    }
    for gap in written.within(at..layer.size().max(at)) {
        used.insert(gap);
    }
    Ok(OutsideRoot { used, notes })
}

/// The used parts of a filesystem other than the root filesystem.
struct UsedParts {
    extents: Extents,
    /// The size of the filesystem in bytes, which may be less than that of its partition.
    size: u64,
}

/// Returns the used parts of an ext filesystem, or why its bitmaps cannot be relied on.
fn used_by_ext(window: &dyn ReadAt) -> Result<Option<UsedParts>, String> {
    let read = || {
        let info = ext4_offline::inspect(window)?;
        // Without a journal, or with errors, only e2fsck can say which blocks are free.
        if !info.clean || info.errors {
            return Ok(Err("it was not unmounted before it was copied".to_owned()));
        }
        ext4_offline::check(window)?;
        let extents = ext4_offline::used_extents(window)?;
        Ok(Ok(UsedParts { extents, size: info.size().min(window.size()) }))
    };
    let parts: Result<_, ext4_offline::Error> = read();
    parts.map_err(|error| with_causes(&error))?.map(Some)
}

/// Returns the used parts of a FAT filesystem, or why its table cannot be relied on.
fn used_by_fat(window: &dyn ReadAt) -> Result<Option<UsedParts>, String> {
    let report = fat_offline::check(window).map_err(|error| with_causes(&error))?;
    if report.dirty {
        return Err("it was not unmounted before it was copied".to_owned());
    }
    let extents = fat_offline::used_extents(window).map_err(|error| with_causes(&error))?;
    Ok(Some(UsedParts { extents, size: window.size() }))
}

/// Returns what must be written of the root filesystem in `range` of a card.
pub(crate) fn of_root(layer: &Arc<Layer>, range: &Range<u64>) -> Result<Extents, Error> {
    let window = Window::new(layer.clone(), range.start, range.end - range.start)?;
    Ok(shift(&ext4_offline::used_extents(&window)?, range.start))
}

fn shift(extents: &Extents, by: u64) -> Extents {
    extents.iter().map(|range| range.start + by..range.end + by).collect()
}
