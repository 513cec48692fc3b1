//! Directories whose entries are in the inode (`inline_data`).
//!
//! `i_block` begins with the number of the parent instead of entries for `.` and `..`. The rest of
//! it and the attribute `system.data` hold a list of entries each. Source: the kernel's
//! `Documentation/filesystems/ext4/inlinedata.rst`.

use crate::{
    Error, Result,
    dir::{Entry, FileType},
    inode::Inode,
    source::Source,
    xattr::Attributes,
};

/// The size of an entry without its name, in bytes.
const ENTRY: usize = 8;

/// All entries, with `.` and `..`.
pub(super) fn entries(source: &dyn Source, inode: &Inode) -> Result<Vec<Entry>> {
    let i_block = inode.i_block();
    let (parent, first) = i_block.split_at(4);
    let parent = parent.first_chunk().map_or(0, |parent| u32::from_le_bytes(*parent));
    let dots =
        |name: &[u8], inode| Entry { inode, file_type: FileType::DIRECTORY, name: name.to_vec() };
    let mut entries = vec![dots(b".", inode.number()), dots(b"..", parent)];
    let attributes = Attributes::load(source, inode)?;
    for area in [first, attributes.inline_data()] {
        parse(inode.number(), area, &mut entries)?;
    }
    Ok(entries)
}

fn parse(inode: u32, area: &[u8], entries: &mut Vec<Entry>) -> Result<()> {
    let wrong = |reason| Err(Error::Directory { inode, index: 0, reason });
    let mut rest = area;
    while let Some((header, after)) = rest.split_first_chunk::<ENTRY>() {
        let [i0, i1, i2, i3, r0, r1, name_length, file_type] = *header;
        let length = usize::from(u16::from_le_bytes([r0, r1]));
        let Some(next) = rest.get(length..).filter(|_| length >= ENTRY) else {
            return wrong("an entry reaches beyond the end");
        };
        let number = u32::from_le_bytes([i0, i1, i2, i3]);
        if number != 0 {
            let name = after.get(..name_length.into());
            let Some(name) = name.filter(|name| !name.is_empty() && name.len() + ENTRY <= length)
            else {
                return wrong("a name reaches beyond its entry");
            };
            let file_type = FileType(file_type);
            entries.push(Entry { inode: number, file_type, name: name.to_vec() });
        }
        rest = next;
    }
    Ok(())
}
