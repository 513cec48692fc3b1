//! What of a card must be written: everything but the free blocks of its
//! filesystems.

use std::{ops::Range, sync::Arc};

use block_io::{Extents, Layer, ReadAt, Window};

use crate::{Error, fat, find_root::FsKind, layout::Layout};

/// What must be written outside the root filesystem, which is the same for all
/// nodes: the partition table, the boot area, the other partitions.
///
/// `base_size` is how far the base image reaches; beyond it there is only what
/// growing wrote.
pub(crate) fn outside_root(
    layer: &Arc<Layer>,
    layout: &Layout,
    base_size: u64,
) -> Result<Extents, Error> {
    // What cannot be looked into counts as used as far as there is anything.
    let mut written = Extents::from(0..base_size.min(layer.size()));
    written.extend(&layer.changed());

    let mut used = Extents::new();
    let mut at = 0;
    for part in &layout.parts {
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
            FsKind::Ext { .. } => ext4_offline::used_extents(&window).ok(),
            FsKind::Fat { .. } => fat::used_extents(&window).ok(),
            _ => None,
        };
        match inside {
            Some(inside) => used.extend(&shift(&inside, range.start)),
            None => written.within(range).for_each(|part| used.insert(part)),
        }
    }
    for gap in written.within(at..layer.size().max(at)) {
        used.insert(gap);
    }
    Ok(used)
}

/// What must be written of the root filesystem in `range` of a card.
pub(crate) fn of_root(layer: &Arc<Layer>, range: &Range<u64>) -> Result<Extents, Error> {
    let window = Window::new(layer.clone(), range.start, range.end - range.start)?;
    Ok(shift(&ext4_offline::used_extents(&window)?, range.start))
}

fn shift(extents: &Extents, by: u64) -> Extents {
    extents.iter().map(|range| range.start + by..range.end + by).collect()
}
