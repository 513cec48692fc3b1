//! The parts of a card that must be written: everything but the free blocks of its
//! filesystems.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, Layer, ReadAt, Window};

use crate::{Error, find_root::FsKind, layout::Layout};

/// Returns what must be written outside the root filesystem, which is the same for all nodes:
/// the partition table, the boot area and the other partitions.
///
/// Beyond `base_size`, the size of the base image, there is only what growing wrote.
pub(crate) fn outside_root(
    layer: &Arc<Layer>,
    layout: &Layout,
    base_size: u64,
) -> Result<Extents, Error> {
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
            FsKind::Fat { .. } => fat_offline::used_extents(&window)
                .ok()
                .map(|extents| UsedParts { extents, size: window.size() }),
            _ => None,
        };
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
    Ok(used)
}

/// The used parts of a filesystem other than the root filesystem.
struct UsedParts {
    extents: Extents,
    /// The size of the filesystem in bytes, which may be less than that of its partition.
    size: u64,
}

fn used_by_ext(window: &dyn ReadAt) -> Option<UsedParts> {
    let extents = ext4_offline::used_extents(window).ok()?;
    let size = ext4_offline::inspect(window).ok()?.size().min(window.size());
    Some(UsedParts { extents, size })
}

/// Returns what must be written of the root filesystem in `range` of a card.
pub(crate) fn of_root(layer: &Arc<Layer>, range: &Range<u64>) -> Result<Extents, Error> {
    let window = Window::new(layer.clone(), range.start, range.end - range.start)?;
    Ok(shift(&ext4_offline::used_extents(&window)?, range.start))
}

fn shift(extents: &Extents, by: u64) -> Extents {
    extents.iter().map(|range| range.start + by..range.end + by).collect()
}
