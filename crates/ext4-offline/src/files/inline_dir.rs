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
    xattr::{self, Attributes},
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

/// Gives the parent and every entry the inode that `number` returns for its inode.
pub(super) fn renumber(inode: &mut Inode, number: impl Fn(u32) -> u32) -> Result<()> {
    let own = inode.number();
    let mut i_block = inode.i_block();
    let (parent, first) = i_block.split_at_mut(4);
    renumber_word(parent, 0, &number);
    renumber_area(own, first, &number)?;
    inode.set_i_block(&i_block);
    xattr::edit_inline_value(inode, |value| renumber_area(own, value, &number))
}

/// Replaces the number at an offset.
fn renumber_word(bytes: &mut [u8], at: usize, number: impl Fn(u32) -> u32) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        let before = u32::from_le_bytes(*place);
        *place = if before == 0 { 0 } else { number(before) }.to_le_bytes();
    }
}

fn renumber_area(inode: u32, area: &mut [u8], number: impl Fn(u32) -> u32) -> Result<()> {
    let mut at = 0;
    while let Some([_, _, _, _, r0, r1, _, _]) = area.get(at..).and_then(|rest| rest.first_chunk())
    {
        let length = usize::from(u16::from_le_bytes([*r0, *r1]));
        if length < ENTRY || at + length > area.len() {
            let reason = "an entry reaches beyond the end";
            return Err(Error::Directory { inode, index: 0, reason });
        }
        renumber_word(area, at, &number);
        at += length;
    }
    Ok(())
}
