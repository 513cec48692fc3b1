//! Contents, permissions, owners, times and extended attributes of files.

use super::{FileKind, Files, read_contents, require_kind, require_linked};
use crate::{
    Error, Result,
    inode::{ENCRYPT, INLINE_DATA, Inode, Time, TimeField, VERITY},
    source::Source,
    xattr::Attributes,
};

/// Errors if the contents cannot be understood, or, to be edited, not be changed.
fn check_contents(inode: &Inode, operation: &'static str) -> Result<()> {
    for (flag, name) in [(ENCRYPT, "encrypt"), (VERITY, "verity")] {
        let harmless = flag == VERITY && operation == "read";
        if inode.has_flag(flag) && !harmless {
            return Err(Error::Flag { operation, inode: inode.number(), flag: name });
        }
    }
    Ok(())
}

impl Files {
    /// Fills `buf` from a regular file, from byte `offset` on; it must not reach
    /// beyond the file's end. What does reads as zeros.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], damage to what says where the contents
    /// are.
    pub fn read(&self, inode: u32, offset: u64, buf: &mut [u8]) -> Result<()> {
        let inode = self.volume.inode(inode)?;
        require_kind(&inode, FileKind::Regular)?;
        check_contents(&inode, "read")?;
        let inside = inode.i_size().saturating_sub(offset).min(buf.len() as u64) as usize;
        let (inside, beyond) = buf.split_at_mut(inside);
        beyond.fill(0);
        read_contents(&self.volume, &inode, offset, inside)
    }

    /// The target of a symlink.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], damage.
    pub fn read_link(&self, inode: u32) -> Result<Vec<u8>> {
        let inode = self.volume.inode(inode)?;
        require_kind(&inode, FileKind::Symlink)?;
        check_contents(&inode, "read")?;
        // The kernel reads no more than a block.
        if inode.i_size() > self.volume.fs().geometry.block_size.into() {
            let reason = "is where a symlink's target of more than a block begins";
            return Err(Error::Inode { inode: inode.number(), block: 0, reason });
        }
        let mut target = vec![0; inode.i_size() as usize];
        read_contents(&self.volume, &inode, 0, &mut target)?;
        Ok(target)
    }

    /// Writes to a regular file, from byte `offset` on. What it lacks up to there
    /// becomes a hole.
    ///
    /// # Errors
    /// [`Error::Kind`], [`Error::Flag`], [`Error::Full`], [`Error::Limit`]: the
    /// file is as it was then.
    pub fn write(&mut self, inode: u32, offset: u64, bytes: &[u8]) -> Result<()> {
        self.edit_contents(inode, |volume, inode| volume.write_contents(inode, offset, bytes))
    }

    /// Gives a regular file a size, in bytes: cuts it off, or lets a hole follow.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn resize(&mut self, inode: u32, size: u64) -> Result<()> {
        self.edit_contents(inode, |volume, inode| volume.resize_contents(inode, size))
    }

    /// Gives a regular file new contents, in the blocks it has as far as they go.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    pub fn replace(&mut self, inode: u32, contents: &[u8]) -> Result<()> {
        self.edit_contents(inode, |volume, inode| volume.replace_contents(inode, contents))
    }

    fn edit_contents(
        &mut self,
        inode: u32,
        edit: impl FnOnce(&mut super::Volume, &mut Inode) -> Result<()>,
    ) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut inode = volume.inode(inode)?;
            require_kind(&inode, FileKind::Regular)?;
            check_contents(&inode, "edit")?;
            edit(volume, &mut inode)?;
            inode.set_time(TimeField::Modification, now);
            inode.set_time(TimeField::Change, now);
            volume.put_inode(&mut inode)
        })
    }

    fn edit_inode(
        &mut self,
        inode: u32,
        edit: impl FnOnce(&mut super::Volume, &mut Inode) -> Result<()>,
    ) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut inode = volume.inode(inode)?;
            require_linked(&inode)?;
            let before = inode.clone();
            edit(volume, &mut inode)?;
            if inode != before {
                inode.set_time(TimeField::Change, now);
                volume.put_inode(&mut inode)?;
            }
            Ok(())
        })
    }

    /// Sets the permission bits (12) of a file.
    ///
    /// # Errors
    /// Damage to the inode.
    pub fn set_mode(&mut self, inode: u32, mode: u16) -> Result<()> {
        self.edit_inode(inode, |_, inode| {
            inode.set_i_mode(inode.kind() | mode & 0o7777);
            Ok(())
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

    /// Sets the time of the last change of contents, in seconds since 1970.
    ///
    /// # Errors
    /// Damage to the inode.
    pub fn set_mtime(&mut self, inode: u32, seconds: i64) -> Result<()> {
        self.edit_inode(inode, |_, inode| {
            inode.set_time(TimeField::Modification, Time { seconds, nanoseconds: 0 });
            Ok(())
        })
    }

    /// The extended attributes of a file by their full names, as they are on
    /// disk (for access control lists that is not what getfattr prints).
    ///
    /// # Errors
    /// [`Error::Attributes`] if they are damaged.
    pub fn xattrs(&self, inode: u32) -> Result<Vec<(String, Vec<u8>)>> {
        let inode = self.volume.inode(inode)?;
        Attributes::load(&self.volume, &inode)?.list(&self.volume)
    }

    /// Gives an extended attribute a value.
    ///
    /// # Errors
    /// [`Error::Limit`] if there is no room for it, or no such name can be;
    /// [`Error::Full`], [`Error::Attributes`].
    pub fn set_xattr(&mut self, inode: u32, name: &str, value: &[u8]) -> Result<()> {
        self.edit_inode(inode, |volume, inode| {
            Attributes::load(volume, inode)?.set(volume, inode, name, value)
        })
    }

    /// Removes an extended attribute. Answers whether there was one.
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

    /// Whether a file's contents are in its inode (`inline_data`).
    pub fn is_inline(&self, inode: u32) -> Result<bool> {
        Ok(self.volume.inode(inode)?.has_flag(INLINE_DATA))
    }
}
