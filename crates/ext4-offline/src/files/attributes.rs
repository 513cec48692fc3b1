//! Contents, permissions, owners, times and extended attributes of files.

use super::{FilesMut, require_kind};
use crate::{
    Error, FileKind, FileTimes, Operation, Result,
    contents::read_contents,
    inode::{ENCRYPT, INLINE_DATA, Inode, TimeField, VERITY},
    source::{Files, Source},
    xattr::Attributes,
};

/// Returns an error if the contents cannot be read, or cannot be edited.
pub(super) fn check_contents(inode: &Inode, operation: Operation) -> Result<()> {
    for (bit, flag) in [(ENCRYPT, "encrypt"), (VERITY, "verity")] {
        let harmless = bit == VERITY && operation == Operation::Read;
        if inode.has_flag(bit) && !harmless {
            return Err(Error::Flag { operation, inode: inode.number(), flag });
        }
    }
    Ok(())
}

impl Files {
    /// Fills `buf` from a regular file, from byte `offset` on. Beyond the end of the file it
    /// reads zeros.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], damage to the file's mapping.
    pub fn read(&self, inode: u32, offset: u64, buf: &mut [u8]) -> Result<()> {
        let inode = self.inode(inode)?;
        require_kind(&inode, FileKind::Regular)?;
        check_contents(&inode, Operation::Read)?;
        let inside = inode.i_size().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (inside, beyond) = buf.split_at_mut(inside);
        beyond.fill(0);
        read_contents(self, &inode, offset, inside)
    }

    /// Returns the target of a symlink.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], damage.
    pub fn read_link(&self, inode: u32) -> Result<Vec<u8>> {
        let inode = self.inode(inode)?;
        require_kind(&inode, FileKind::Symlink)?;
        check_contents(&inode, Operation::Read)?;
        // The kernel reads no more than a block.
        if inode.i_size() > self.fs().geometry.block_size.into() {
            let (inode, field, value) = (inode.number(), "i_size", inode.i_size());
            let reason = "the target of a symlink is not longer than a block";
            return Err(Error::InodeField { inode, field, value, reason });
        }
        let mut target = vec![0; inode.i_size() as usize];
        read_contents(self, &inode, 0, &mut target)?;
        Ok(target)
    }

    /// Returns the extended attributes of a file with their full names. Values are as they
    /// are on disk; getfattr prints those of access control lists in another form.
    ///
    /// # Errors
    /// [`Error::Attributes`] if they are damaged.
    pub fn xattrs(&self, inode: u32) -> Result<Vec<(String, Vec<u8>)>> {
        let inode = self.inode(inode)?;
        Attributes::load(self, &inode)?.list(self)
    }

    /// Returns whether the contents of a file are in its inode (`inline_data`).
    ///
    /// # Errors
    /// [`Error::InodeNumber`], [`Error::InodeChecksum`].
    pub fn is_inline(&self, inode: u32) -> Result<bool> {
        Ok(self.inode(inode)?.has_flag(INLINE_DATA))
    }
}

impl FilesMut {
    /// Writes to a regular file, from byte `offset` on. If the file ends before `offset`, a
    /// hole fills the gap.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], [`Error::Full`], [`Error::Limit`]. The file is
    /// unchanged then.
    pub fn write(&mut self, inode: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        self.edit_contents(inode, |volume, inode| volume.write_contents(inode, offset, bytes))
    }

    /// Gives a regular file a size in bytes: cuts it off, or adds a hole at its end.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn resize(&mut self, inode: u32, size: u64) -> Result<()> {
        self.edit_contents(inode, |volume, inode| volume.resize_contents(inode, size))
    }

    /// Gives a regular file new contents, in the blocks that it already has where possible.
    ///
    /// # Errors
    /// As for [`write`](Self::write).
    pub fn replace(&mut self, inode: u32, contents: &[u8]) -> Result<()> {
        self.edit_contents(inode, |volume, inode| volume.replace_contents(inode, contents))
    }

    /// Sets the permission bits (12) of a file. An access control list gets them too, as with
    /// chmod.
    ///
    /// # Errors
    /// Damage to the inode or its extended attributes; as for [`set_xattr`](Self::set_xattr) if the
    /// list changes.
    pub fn set_mode(&mut self, inode: u32, mode: u16) -> Result<()> {
        self.edit_inode(inode, |volume, inode| {
            inode.set_i_mode(inode.kind() | mode & 0o7777);
            Attributes::load(volume, inode)?.set_mode(volume, inode, mode)
        })
    }

    /// Sets the owner of a file.
    ///
    /// # Errors
    /// Damage to the inode.
    pub fn set_owner(&mut self, inode: u32, uid: u32, gid: u32) -> Result<()> {
        self.edit_inode(inode, |_, inode| {
            inode.set_i_uid(uid);
            inode.set_i_gid(gid);
            Ok(())
        })
    }

    /// Sets the times of a file.
    ///
    /// # Errors
    /// Damage to the inode.
    pub fn set_times(&mut self, inode: u32, times: FileTimes) -> Result<()> {
        self.edit_inode(inode, |_, inode| {
            let fields =
                [(TimeField::Access, times.accessed), (TimeField::Modification, times.modified)];
            for (field, time) in fields {
                if let Some(time) = time {
                    inode.set_time(field, time);
                }
            }
            Ok(())
        })
    }

    /// Gives an extended attribute a value.
    ///
    /// # Errors
    /// [`Error::Limit`] if there is no room for it, or if no attribute can have this name;
    /// [`Error::Full`], [`Error::Attributes`].
    pub fn set_xattr(&mut self, inode: u32, name: &str, value: &[u8]) -> Result<()> {
        self.edit_inode(inode, |volume, inode| {
            Attributes::load(volume, inode)?.set(volume, inode, name, value)
        })
    }

    /// Removes an extended attribute. Returns whether there was one.
    ///
    /// # Errors
    /// [`Error::Attributes`] if they are damaged.
    pub fn remove_xattr(&mut self, inode: u32, name: &str) -> Result<bool> {
        let mut found = false;
        self.edit_inode(inode, |volume, inode| {
            found = Attributes::load(volume, inode)?.remove(volume, inode, name)?;
            Ok(())
        })?;
        Ok(found)
    }
}
