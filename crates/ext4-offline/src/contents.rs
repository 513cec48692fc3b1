//! Reading the contents of files: blocks, or what is in the inode itself.

use crate::{
    Result,
    inode::{INLINE_DATA, Inode},
    map::Mapping,
    source::Source,
    xattr::Attributes,
};

/// Reads from an inode's contents, from byte `offset` on; `buf` must not reach
/// beyond its end. Holes and unwritten blocks read as zeros.
///
/// # Errors
/// Damage to the inode's mapping, [`Error::Storage`].
pub(crate) fn read_contents(
    source: &dyn Source,
    inode: &Inode,
    offset: u64,
    buf: &mut [u8],
) -> Result<()> {
    buf.fill(0);
    if !inode.has_blocks() {
        let whole = inline_contents(source, inode)?;
        let rest = whole.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default();
        buf.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
        return Ok(());
    }
    let block_size = u64::from(source.fs().geometry.block_size);
    let end = offset + buf.len() as u64;
    for run in Mapping::load(source, inode)?.runs.iter().filter(|run| !run.unwritten) {
        let from = (run.logical * block_size).max(offset);
        let to = (run.end() * block_size).min(end);
        if from < to
            && let Some(part) = buf.get_mut((from - offset) as usize..(to - offset) as usize)
        {
            source.data(run.physical * block_size + (from - run.logical * block_size), part)?;
        }
    }
    Ok(())
}

/// The contents that are in the inode, up to `i_size` bytes.
pub(crate) fn inline_contents(source: &dyn Source, inode: &Inode) -> Result<Vec<u8>> {
    let mut contents = inode.i_block().to_vec();
    if inode.has_flag(INLINE_DATA) {
        contents.extend(Attributes::load(source, inode)?.inline_data());
    }
    contents.truncate(usize::try_from(inode.i_size()).unwrap_or(usize::MAX));
    Ok(contents)
}
