//! Applying file edits.

use cluster_profile::{Attributes, Change, FileEdit};
use ext4_offline::{FileKind, FileTimes, Metadata, Timestamp, inodes::NewFile};

use super::{FsError, FsResult, RootFsEditor, copy::Source};

impl RootFsEditor {
    /// Applies edits one after the other.
    ///
    /// # Errors
    /// [`FsError`](super::FsError), which names the path. The edits before it have been applied
    /// then, and the filesystem is consistent.
    pub fn apply(&mut self, edits: &[FileEdit]) -> FsResult<()> {
        edits.iter().try_for_each(|edit| self.apply_one(edit))
    }

    /// Applies edits that take something out of files: no further name of a file that is written
    /// keeps the old contents.
    ///
    /// # Errors
    /// As for [`apply`](Self::apply).
    pub fn apply_to_all_names(&mut self, edits: &[FileEdit]) -> FsResult<()> {
        self.keeps_names = true;
        let result = self.apply(edits);
        self.keeps_names = false;
        result
    }

    fn apply_one(&mut self, FileEdit { path, change, .. }: &FileEdit) -> FsResult<()> {
        if self.apply_to_boot(path, change)? {
            return Ok(());
        }
        match change {
            Change::Write { contents, attributes } => {
                self.cut_link_of_user(path, attributes)?;
                let created = self.create(path, attributes.mode)?;
                // Writing the same contents again would only move them to other blocks.
                let is_new = created || !self.holds(path, contents)?;
                if self.part(path, attributes, |_| is_new)?.is_some() || is_new {
                    self.editor().write(path, contents)?;
                }
                self.own(path, attributes, created)
            }
            Change::Copy { source, size, sha256, attributes } => {
                self.cut_link_of_user(path, attributes)?;
                let source = Source { path: source, size: *size, sha256 };
                let created = self.create(path, attributes.mode)?;
                let is_new = created || !self.holds_copy(path, &source)?;
                if self.part(path, attributes, |_| is_new)?.is_some() || is_new {
                    self.copy_in(path, &source)?;
                }
                self.own(path, attributes, created)
            }
            Change::Directory { attributes } => {
                if attributes.enforce && self.read_link(path)?.is_some() {
                    // Owner and mode would go to whatever the symlink points to.
                    let found = self.metadata_followed(path)?;
                    let is_own =
                        found.is_some_and(|found| found.is_dir() && found.uid == attributes.uid);
                    if !is_own {
                        return Err(FsError::NotOwnDirectory { path: path.clone() });
                    }
                }
                let created = self.create_dir(path, attributes.mode)?;
                self.own(path, attributes, created)
            }
            Change::Symlink { target } => {
                if self.read_link(path)?.as_deref() == Some(target.as_bytes()) {
                    return Ok(());
                }
                self.replace_with_symlink(path, target)
            }
            Change::Remove => self.remove(path).map(drop),
            Change::Clear => self.clear(path),
            Change::Touch { mtime, attributes } => {
                self.cut_link_of_user(path, attributes)?;
                let created = self.create(path, attributes.mode)?;
                let mtime = Timestamp::saturating(*mtime);
                let is_other = |found: &Metadata| found.modified != mtime;
                if let Some(shared) = self.part(path, attributes, is_other)? {
                    self.copy_shared(path, &shared)?;
                }
                self.own(path, attributes, created)?;
                let times = FileTimes::new().set_modified(mtime);
                Ok(self.editor().set_times(path, times)?)
            }
        }
    }

    /// Creates an empty regular file, owned by root, and its missing parent directories, unless
    /// it exists. Returns whether it was created.
    ///
    /// # Errors
    /// [`FsError`](super::FsError): a file of another kind is in the way, or there is no room.
    pub fn create(&mut self, path: &str, mode: u16) -> FsResult<bool> {
        Ok(self.editor().ensure(path, NewFile::Regular, mode)?)
    }

    /// Creates a directory, owned by root, and its missing parents, unless it exists. Returns
    /// whether it was created.
    ///
    /// # Errors
    /// As for [`create`](Self::create).
    pub fn create_dir(&mut self, path: &str, mode: u16) -> FsResult<bool> {
        Ok(self.editor().ensure(path, NewFile::Directory, mode)?)
    }

    /// Creates a symlink and its missing parent directories. A file or symlink that is there is
    /// replaced.
    ///
    /// # Errors
    /// [`FsError`](super::FsError): a directory is at the path, or there is no room.
    pub fn replace_with_symlink(&mut self, path: &str, target: &str) -> FsResult<()> {
        if self.metadata(path)?.is_some() {
            self.editor().remove_file(path)?;
        }
        self.editor().ensure(path, NewFile::Symlink(target.as_bytes()), 0o777)?;
        Ok(())
    }

    /// Removes the file or symlink at `path`, or the directory with everything below it.
    /// Returns whether there was one.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the filesystem is damaged.
    pub fn remove(&mut self, path: &str) -> FsResult<bool> {
        match self.metadata(path)? {
            None => return Ok(false),
            Some(found) if found.is_dir() => self.editor().remove_dir_all(path)?,
            Some(_) => self.editor().remove_file(path)?,
        }
        Ok(true)
    }

    /// Removes everything in the directory at `path`, if there is one. A symlink to a directory
    /// is left alone, as are the files that it leads to.
    ///
    /// # Errors
    /// [`FsError`](super::FsError) if the filesystem is damaged.
    pub fn clear(&mut self, path: &str) -> FsResult<()> {
        if self.metadata(path)?.is_some_and(|found| found.kind == FileKind::Directory) {
            self.editor().remove_dir_contents(path)?;
        }
        Ok(())
    }

    fn holds(&self, path: &str, contents: &[u8]) -> FsResult<bool> {
        match self.read(path, contents.len() as u64) {
            Ok(found) => Ok(found.as_deref() == Some(contents)),
            Err(error) if error.is_too_large() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Removes a symlink where an ordinary user's file is to be. The user may have made it, and
    /// contents, owner and mode would go to what it points to, perhaps one of root's files.
    fn cut_link_of_user(&mut self, path: &str, attributes: &Attributes) -> FsResult<()> {
        if attributes.uid != 0 && self.read_link(path)?.is_some() {
            self.editor().remove_file(path)?;
        }
        Ok(())
    }

    /// Gives a file that has further names an empty one of its own if an edit would change what
    /// they show. They may be names of quite another file, such as that of another user. Returns
    /// what the file was.
    fn part(
        &mut self,
        path: &str,
        attributes: &Attributes,
        changes: impl FnOnce(&Metadata) -> bool,
    ) -> FsResult<Option<Metadata>> {
        if self.keeps_names {
            return Ok(None);
        }
        let shared = self.shared(path, attributes, changes)?;
        if let Some(shared) = &shared {
            self.separate(path, shared)?;
        }
        Ok(shared)
    }

    /// Gives a file its mode and owner if it is new, or if the attributes are enforced.
    fn own(&mut self, path: &str, attributes: &Attributes, created: bool) -> FsResult<()> {
        if created || attributes.enforce {
            self.editor().chown(path, attributes.uid, attributes.gid)?;
            self.editor().set_permissions(path, attributes.mode)?;
        }
        Ok(())
    }
}
