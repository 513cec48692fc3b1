//! Lists of attributes, in an inode or in a block.
//!
//! Entries follow each other from the beginning of the area, their values from
//! its end.

use std::ops::Range;

use super::{Attribute, Value, damaged};
use crate::Result;

/// The size of an entry without its name, in bytes.
const ENTRY: usize = 16;
/// The size of the end mark after the entries, in bytes.
const END: usize = 4;

fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

impl Attribute {
    fn value_size(&self) -> usize {
        match &self.value {
            Value::Bytes(bytes) => bytes.len(),
            Value::Inode { .. } => 0,
        }
    }

    fn entry_size(&self) -> usize {
        ENTRY + padded(self.name.len())
    }

    /// `e_hash`, of name and value.
    pub(super) fn hash(&self) -> u32 {
        let value = match &self.value {
            Value::Bytes(bytes) => bytes,
            Value::Inode { hash, .. } => return *hash,
        };
        with_value(self.name_hash(false), value)
    }

    fn name_hash(&self, signed: bool) -> u32 {
        self.name.iter().fold(0u32, |hash, &byte| {
            let word = if signed { i32::from(byte as i8) as u32 } else { byte.into() };
            hash.rotate_left(5) ^ word
        })
    }

    /// Returns whether this is its hash. On some machines the bytes of names are signed.
    pub(super) fn has_hash(&self, hash: u32) -> bool {
        let Value::Bytes(value) = &self.value else { return false };
        [false, true].into_iter().any(|signed| with_value(self.name_hash(signed), value) == hash)
    }

    /// Returns whether its hash is right for a value in another inode with the hash `value`.
    pub fn has_value_hash(&self, value: u32) -> bool {
        let Value::Inode { hash, .. } = self.value else { return false };
        let value = value.to_le_bytes();
        [false, true].into_iter().any(|signed| with_value(self.name_hash(signed), &value) == hash)
    }
}

/// The hash of a name and a value.
fn with_value(named: u32, value: &[u8]) -> u32 {
    value.chunks(4).fold(named, |hash, chunk| {
        let mut word = [0; 4];
        word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
        hash.rotate_left(16) ^ u32::from_le_bytes(word)
    })
}

/// The entries of an area that was parsed: their offsets and their bytes.
fn raw_entries(area: &[u8]) -> impl Iterator<Item = (usize, &[u8; ENTRY])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let entry = area.get(at..)?.first_chunk::<ENTRY>()?;
        let start = at;
        at += ENTRY + padded(entry[0].into());
        (entry[..END] != [0; END]).then_some((start, entry))
    })
}

/// The offsets of all entries of an area that was parsed.
pub(super) fn offsets(area: &[u8]) -> Vec<usize> {
    raw_entries(area).map(|(at, _)| at).collect()
}

/// Where the value of an attribute is in an area that was parsed and whose offsets count from its
/// beginning.
pub(super) fn value_range(area: &[u8], (index, name): (u8, &[u8])) -> Option<Range<usize>> {
    let (_, entry) = raw_entries(area).find(|(at, entry)| {
        let start = at + ENTRY;
        entry[1] == index && area.get(start..start + usize::from(entry[0])) == Some(name)
    })?;
    let [_, _, o0, o1, i0, i1, i2, i3, s0, s1, s2, s3, ..] = *entry;
    let start = usize::from(u16::from_le_bytes([o0, o1]));
    let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
    ([i0, i1, i2, i3] == [0; 4]).then(|| start..start.saturating_add(size))
}

/// `e_hash` of all entries of an area that was parsed.
pub(super) fn hashes(area: &[u8]) -> Vec<u32> {
    raw_entries(area).map(|(_, e)| u32::from_le_bytes([e[12], e[13], e[14], e[15]])).collect()
}

/// Checks that no two entries or values overlap in an area that was parsed.
pub(super) fn check_room(inode: u32, area: &[u8], before: usize) -> Result<()> {
    let mut ranges = Vec::new();
    let mut end = 0;
    for (start, entry) in raw_entries(area) {
        end = start + ENTRY + padded(entry[0].into());
        let [_, _, o0, o1, i0, i1, i2, i3, s0, s1, s2, s3, ..] = *entry;
        let size = u32::from_le_bytes([s0, s1, s2, s3]) as usize;
        if size > 0 && u32::from_le_bytes([i0, i1, i2, i3]) == 0 {
            let start = usize::from(u16::from_le_bytes([o0, o1])).saturating_sub(before);
            ranges.push(start..start.saturating_add(padded(size)));
        }
    }
    ranges.push(0..end + END);
    ranges.sort_unstable_by_key(|range| range.start);
    let overlap = ranges.windows(2).any(|pair| matches!(pair, [a, b] if a.end > b.start));
    if overlap || ranges.last().is_some_and(|last| last.end > area.len()) {
        damaged(inode, "two entries or values overlap")
    } else {
        Ok(())
    }
}

/// Returns how many bytes an area must have to hold these attributes.
pub(crate) fn size(attributes: &[Attribute]) -> usize {
    let one = |attribute: &Attribute| attribute.entry_size() + padded(attribute.value_size());
    attributes.iter().map(one).sum::<usize>() + END
}

/// Reads the attributes in an area. The offsets of values count from `before` bytes before the
/// area.
pub(super) fn parse(inode: u32, area: &[u8], before: usize) -> Result<Vec<Attribute>> {
    let mut attributes = Vec::new();
    let mut rest = area;
    // If there is no room for four bytes of zeros, the area itself ends the list.
    while let Some((end, _)) = rest.split_first_chunk::<END>()
        && *end != [0; END]
    {
        let Some((entry, after)) = rest.split_first_chunk::<ENTRY>() else {
            return damaged(inode, "an entry reaches beyond the end");
        };
        let [name_length, index, o0, o1, i0, i1, i2, i3, s0, s1, s2, s3, h0, h1, h2, h3] = *entry;
        let Some(name) = after.get(..name_length.into()) else {
            return damaged(inode, "a name reaches beyond the end");
        };
        let (number, size) =
            (u32::from_le_bytes([i0, i1, i2, i3]), u32::from_le_bytes([s0, s1, s2, s3]));
        let value = if number != 0 {
            Value::Inode { number, size, hash: u32::from_le_bytes([h0, h1, h2, h3]) }
        } else if size == 0 {
            Value::Bytes(Vec::new())
        } else {
            let start = usize::from(u16::from_le_bytes([o0, o1])).checked_sub(before);
            let value = start
                .and_then(|start| area.get(start..start.checked_add(usize::try_from(size).ok()?)?));
            match value {
                Some(value) => Value::Bytes(value.to_vec()),
                None => return damaged(inode, "a value reaches beyond the end"),
            }
        };
        attributes.push(Attribute { index, name: name.to_vec(), value });
        rest = after.get(padded(name_length.into())..).unwrap_or_default();
    }
    Ok(attributes)
}

/// Writes attributes, which must fit, into an area of this size in bytes.
pub(super) fn build(attributes: &[Attribute], bytes: usize, before: usize) -> Vec<u8> {
    let mut area = vec![0; bytes];
    let (mut at, mut end) = (0, bytes - bytes % 4);
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(place) = area.get_mut(at..at + bytes.len()) {
            place.copy_from_slice(bytes);
        }
    };
    for attribute in attributes {
        let (number, size, offset) = match &attribute.value {
            Value::Inode { number, size, .. } => (*number, *size, 0),
            Value::Bytes(value) if value.is_empty() => (0, 0, 0),
            Value::Bytes(value) => {
                end = end.saturating_sub(padded(value.len()));
                put(end, value);
                (0, value.len() as u32, end + before)
            }
        };
        put(at, &[attribute.name.len() as u8, attribute.index]);
        put(at + 2, &(offset as u16).to_le_bytes());
        put(at + 4, &number.to_le_bytes());
        put(at + 8, &size.to_le_bytes());
        put(at + 12, &attribute.hash().to_le_bytes());
        put(at + ENTRY, &attribute.name);
        at += attribute.entry_size();
    }
    area
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_built_is_read_back() {
        let attributes: Vec<_> = (1..6)
            .map(|number: usize| Attribute {
                index: number as u8,
                name: vec![b'a' + number as u8; number],
                value: match number {
                    5 => Value::Inode { number: 77, size: 100_000, hash: 3 },
                    _ => Value::Bytes(vec![number as u8; number * 3]),
                },
            })
            .collect();
        let size = size(&attributes);
        for before in [0, 32] {
            let area = build(&attributes, size, before);
            assert_eq!(parse(12, &area, before).unwrap(), attributes);
            for cut in 0..size {
                let _ = parse(12, &area[..cut], before);
            }
        }
    }
}
