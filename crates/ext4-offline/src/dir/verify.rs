//! Checking the blocks of a directory completely.

use super::{Entry, Format, ReadBlocks, Reader, leaf::Leaf};
use crate::Result;

/// Calls `visitor` with each block and entry, `.` and `..` first, and checks the whole index: a
/// lookup finds every name.
///
/// # Errors
/// [`Error::Directory`](crate::Error::Directory), and the errors of `visitor`.
pub(crate) fn verify<B: ReadBlocks + ?Sized>(
    format: &Format,
    blocks: &B,
    indexed: bool,
    mut visitor: impl FnMut(u32, &Entry) -> Result<()>,
) -> Result<()> {
    let reader = Reader::new(format, blocks, indexed);
    if blocks.count() > 0 {
        check_terminated(format, &format.block(blocks, 0)?)?;
    }
    if !indexed {
        for index in 0..blocks.count() {
            let leaf = format.leaf(blocks, index)?;
            if index == 0 {
                check_dots(format, &leaf)?;
            }
            leaf.entries(format).try_for_each(|dirent| visitor(index, &Entry::of(&dirent)))?;
        }
        return Ok(());
    }
    let (root, leaves) = reader.tree()?;
    for dirent in root.dots(format)? {
        visitor(0, &Entry::of(&dirent))?;
    }
    for bounds in leaves {
        let leaf = format.leaf(blocks, bounds.index)?;
        for dirent in leaf.entries(format) {
            if !format.casefold && !bounds.hold(reader.hash(&root, dirent.name)?) {
                let reason = "it has a name that the index has elsewhere";
                return format.wrong(bounds.index, reason);
            }
            visitor(bounds.index, &Entry::of(&dirent))?;
        }
    }
    Ok(())
}

/// Checks that a zero follows the names `.` and `..`, as no other name.
fn check_terminated(format: &Format, raw: &[u8]) -> Result<()> {
    let byte = |at: usize| raw.get(at).copied().unwrap_or_default();
    let dotdot = usize::from(super::u16_at(raw, 4));
    match (byte(9), byte(dotdot + 10)) {
        (0, 0) => Ok(()),
        _ => format.wrong(0, "no zero follows the names . and .."),
    }
}

/// Checks that the first two records are `.` and `..`.
fn check_dots(format: &Format, leaf: &Leaf) -> Result<()> {
    let mut records = leaf.records(format);
    let dot = records.next().filter(|dot| dot.is_used() && dot.is_dot());
    let dotdot = records.next().filter(|dotdot| dotdot.is_used() && dotdot.is_dotdot());
    match (dot, dotdot) {
        // Otherwise another entry would fit between them.
        (Some(dot), Some(_)) if dot.rec_len < 24 => Ok(()),
        _ => format.wrong(0, "it does not begin with the entries . and .."),
    }
}
