//! Files with several names (hard links).

use cluster_profile::Attributes;
use ext4_offline::{FileKind, Metadata, inodes::NewFile};

use super::{FsResult, RootFsEditor, read::optional};

/// How much is copied at once, in bytes.
const PIECE: usize = 1 << 20;

impl RootFsEditor {
    /// Returns the metadata of the regular file that `path` leads to if it has further names, and
    /// an edit would change what they show: by its contents or times, or by the owner and mode
    /// that it enforces.
    pub(super) fn shared(
        &self,
        path: &str,
        attributes: &Attributes,
        changes: impl FnOnce(&Metadata) -> bool,
    ) -> FsResult<Option<Metadata>> {
        let found = optional(self.reader().metadata(path))?;
        Ok(found.filter(|found| {
            let other = (found.uid, found.gid, found.mode)
                != (attributes.uid, attributes.gid, attributes.mode);
            found.is_file() && found.links > 1 && (changes(found) || attributes.enforce && other)
        }))
    }

    /// Gives the name that `path` leads to an empty file of its own, with the owner, mode and
    /// extended attributes of the one that it shared.
    pub(super) fn separate(&mut self, path: &str, shared: &Metadata) -> FsResult<()> {
        let name = self.without_symlink(path)?;
        let attributes = self.reader().xattrs(&name)?;
        self.editor().remove_file(&name)?;
        self.editor().ensure(&name, NewFile::Regular, shared.mode)?;
        self.editor().chown(&name, shared.uid, shared.gid)?;
        for (attribute, value) in attributes {
            self.editor().set_xattr(&name, &attribute, value)?;
        }
        // A change of the owner may have taken some bits.
        Ok(self.editor().set_permissions(&name, shared.mode)?)
    }

    /// Adds the contents that a file shared before [`separate`](Self::separate). The file is
    /// still there, under its other names.
    pub(super) fn copy_shared(&mut self, path: &str, shared: &Metadata) -> FsResult<()> {
        let mut piece = vec![0; PIECE];
        let mut offset = 0;
        while offset < shared.size {
            let count = (shared.size - offset).min(PIECE as u64);
            let bytes = piece.get_mut(..count as usize).unwrap_or_default();
            self.reader().inodes().read(shared.inode, offset, bytes)?;
            self.editor().append(path, &*bytes)?;
            offset += count;
        }
        Ok(())
    }

    /// Returns a path of the file that `path` leads to which does not end in a symlink. The file
    /// exists, so there is no loop.
    fn without_symlink(&self, path: &str) -> FsResult<Vec<u8>> {
        let mut path = path.as_bytes().to_vec();
        while self.reader().symlink_metadata(&path)?.kind == FileKind::Symlink {
            let target = self.reader().read_link(&path)?;
            path = beside(&path, target);
        }
        Ok(path)
    }
}

/// Returns the path that `target` is for a symlink at `link`.
fn beside(mut link: &[u8], target: Vec<u8>) -> Vec<u8> {
    if target.starts_with(b"/") {
        return target;
    }
    while let Some(shorter) = link.strip_suffix(b"/").or(link.strip_suffix(b"/.")) {
        link = shorter;
    }
    let end = link.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
    [link.get(..end).unwrap_or_default(), &target].concat()
}
