//! The mode of a file in its access control list.
//!
//! Source: the kernel's `fs/ext4/acl.h`, and acl(5) for the correspondence.

use crate::{
    Result,
    inode::Inode,
    source::Source,
    volume::Volume,
    xattr::{Attributes, damaged},
};

/// The attribute that holds the list.
const ACCESS: &str = "system.posix_acl_access";
/// The version of the format that begins every list.
const VERSION: [u8; 4] = [1, 0, 0, 0];

/// The kinds of entries that correspond to permission bits. Named users and groups are the others.
const OWNER: u16 = 0x1;
const OWNING_GROUP: u16 = 0x4;
const MASK: u16 = 0x10;
const OTHERS: u16 = 0x20;

impl Attributes {
    /// Gives the access control list, if there is one, the permissions of a new mode, as chmod
    /// does: those of the group limit named users and groups too (the mask).
    ///
    /// # Errors
    /// [`Error::Attributes`](crate::Error::Attributes) if the list is damaged; as for
    /// [`set`](Self::set).
    pub fn set_mode(&mut self, volume: &mut Volume, inode: &mut Inode, mode: u16) -> Result<()> {
        let Some(list) = self.access_list(volume)? else { return Ok(()) };
        match with_mode(&list, mode) {
            Some(changed) if changed == list => Ok(()),
            Some(changed) => self.set(volume, inode, ACCESS, &changed),
            None => damaged(inode.number(), "its access control list has an impossible entry"),
        }
    }

    fn access_list(&self, source: &dyn Source) -> Result<Option<Vec<u8>>> {
        let found = self.list(source)?.into_iter().find(|(name, _)| name == ACCESS);
        Ok(found.map(|(_, value)| value))
    }
}

/// The list with the permissions of `mode`; `None` if it is damaged.
fn with_mode(list: &[u8], mode: u16) -> Option<Vec<u8>> {
    let mut changed = list.strip_prefix(&VERSION)?.to_vec();
    let kinds = entries(&changed)?;
    // Without a mask, the permissions of the group are those of the owning group.
    let group = if kinds.iter().any(|(_, kind)| *kind == MASK) { MASK } else { OWNING_GROUP };
    for (at, kind) in kinds {
        let shift = match kind {
            OWNER => 6,
            OTHERS => 0,
            kind if kind == group => 3,
            _ => continue,
        };
        let permissions = mode >> shift & 7;
        changed.get_mut(at + 2..at + 4)?.copy_from_slice(&permissions.to_le_bytes());
    }
    Some([&VERSION, changed.as_slice()].concat())
}

/// The entries' places and kinds. An entry has 4 bytes: kind and permissions; that of a named user
/// or group has 8, with its number.
fn entries(list: &[u8]) -> Option<Vec<(usize, u16)>> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < list.len() {
        let kind = u16::from_le_bytes(*list.get(at..)?.first_chunk()?);
        let size = match kind {
            OWNER | OWNING_GROUP | MASK | OTHERS => 4,
            0x2 | 0x8 => 8,
            _ => return None,
        };
        list.get(at..at + size)?;
        found.push((at, kind));
        at += size;
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&[u8]]) -> Vec<u8> {
        [&VERSION, entries.concat().as_slice()].concat()
    }

    #[test]
    fn the_mask_takes_the_permissions_of_the_group() {
        let (owner, user, group): (&[u8], &[u8], &[u8]) =
            (&[1, 0, 6, 0], &[2, 0, 7, 0, 232, 3, 0, 0], &[4, 0, 5, 0]);
        let before = list(&[owner, user, group, &[16, 0, 7, 0], &[32, 0, 4, 0]]);
        let after = list(&[&[1, 0, 7, 0], user, group, &[16, 0, 4, 0], &[32, 0, 0, 0]]);
        assert_eq!(with_mode(&before, 0o740), Some(after));
        let before = list(&[owner, group, &[32, 0, 4, 0]]);
        let after = list(&[owner, &[4, 0, 0, 0], &[32, 0, 0, 0]]);
        assert_eq!(with_mode(&before, 0o600), Some(after));
    }

    #[test]
    fn damaged_lists_are_detected() {
        let good = list(&[&[1, 0, 6, 0], &[2, 0, 7, 0, 232, 3, 0, 0]]);
        assert!(with_mode(&good, 0o644).is_some());
        for bad in [&good[..good.len() - 1], &good[..3], &list(&[&[3, 0, 0, 0]])] {
            assert_eq!(with_mode(bad, 0o644), None);
        }
    }
}
