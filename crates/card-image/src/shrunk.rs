//! The base shrunk to a card that is smaller than it.

use std::sync::Arc;

use block_io::{Layer, ReadAt, Window, WriteAt};
use ext4_offline::{ShrinkPlan, Timestamp};
use part_table::{ALIGNMENT, SECTOR_SIZE};

use crate::{BaseStorage, Error, grown::END_RESERVE, layout::Layout, rootfs::RootFsEditor};

/// Returns the base shrunk to a card of `card` bytes, as a layer of that size, and the layout on
/// it.
///
/// Everything before the root partition stays byte for byte, apart from the partition table. The
/// root filesystem fits its partition, but need not fill it.
///
/// # Errors
/// [`Error::DoesNotFit`]; otherwise those of the partition table and the filesystem.
pub(crate) fn shrink(
    base: &Arc<BaseStorage>,
    layout: &Layout,
    card: u64,
    now: u64,
) -> Result<(Arc<Layer>, Layout), Error> {
    let range = layout.root_range();
    let end = layout.table().end_on_smaller_card(layout.root, card, END_RESERVE)? * SECTOR_SIZE;
    let whole = Arc::new(Layer::new(base.clone(), base.size()));
    if end < range.end {
        let root = recovered_root(&whole, layout, now)?;
        let source: Arc<dyn ReadAt> = Arc::new(root.clone());
        let room = end.saturating_sub(range.start);
        let plan = ShrinkPlan::to_size(&source, room, Timestamp::saturating(now));
        let plan = plan.map_err(|source| match source {
            ext4_offline::Error::DoesNotFit { minimum, .. } => {
                let needed = smallest_card_for(layout, minimum);
                Error::DoesNotFit { card, base: base.size(), needed, source }
            }
            other => other.into(),
        })?;
        plan.apply(&root)?;
    }
    layout.table().shrink(&whole, layout.root, card, END_RESERVE)?;
    let shrunk = Arc::new(Layer::new(base.clone(), card));
    for range in whole.changed().within(0..card) {
        // In pieces, because moved contents are already in memory once.
        for start in range.clone().step_by(ALIGNMENT as usize) {
            let length = (range.end - start).min(ALIGNMENT);
            shrunk.write_at(start, &whole.read_vec(start, length as usize)?)?;
        }
    }
    let layout = layout.reread(&shrunk)?;
    Ok((shrunk, layout))
}

/// Returns the size in bytes of the smallest card that the contents of the base fit on.
///
/// # Errors
/// Those of the filesystem.
pub(crate) fn smallest_card(
    base: &Arc<BaseStorage>,
    layout: &Layout,
    now: u64,
) -> Result<u64, Error> {
    let whole = Arc::new(Layer::new(base.clone(), base.size()));
    let source: Arc<dyn ReadAt> = Arc::new(recovered_root(&whole, layout, now)?);
    let plan = ShrinkPlan::to_minimum(&source, Timestamp::saturating(now))?;
    Ok(smallest_card_for(layout, plan.size()).min(base.size()))
}

/// Returns the size of a card with a root filesystem of this size, both in bytes.
fn smallest_card_for(layout: &Layout, filesystem: u64) -> u64 {
    (layout.root_range().start + filesystem).next_multiple_of(ALIGNMENT) + END_RESERVE
}

/// The root filesystem of the base, after what mounting it would do first.
fn recovered_root(
    whole: &Arc<Layer>,
    layout: &Layout,
    now: u64,
) -> Result<Arc<dyn WriteAt>, Error> {
    let range = layout.root_range();
    let window = Window::new(whole.clone(), range.start, range.end - range.start)?;
    let root: Arc<dyn WriteAt> = Arc::new(window);
    RootFsEditor::open(root.clone(), now)?.close()?;
    Ok(root)
}
