//! File edits, carried out.

use cluster_profile::{Attributes, Change, FileEdit};

use super::{FsError, FsResult, RootFs, copy::Source};

impl RootFs {
    /// Carries out edits one after the other.
    ///
    /// # Errors
    /// [`FsError`](super::FsError), naming the path; the edits before it have
    /// been done then, and the filesystem is consistent.
    pub fn apply(&mut self, edits: &[FileEdit]) -> FsResult<()> {
        edits.iter().try_for_each(|edit| self.apply_one(edit))
    }

    fn apply_one(&mut self, FileEdit { path, change, .. }: &FileEdit) -> FsResult<()> {
        match change {
            Change::Write { contents, attributes } => {
                let made = self.create(path, attributes.mode)?;
                // Writing what is there already would only move it to other blocks.
                if made || !self.holds(path, contents)? {
                    self.replace(path, contents)?;
                }
                self.own(path, attributes, made)
            }
            Change::Copy { source, size, sha256, attributes } => {
                let source = Source { path: source, size: *size, sha256 };
                let made = self.create(path, attributes.mode)?;
                if made || !self.holds_copy(path, &source)? {
                    self.copy_in(path, &source)?;
                }
                self.own(path, attributes, made)
            }
            Change::Directory { attributes } => {
                if attributes.enforce && self.read_link(path)?.is_some() {
                    return Err(FsError::WrongKind {
                        operation: "take for a directory of its own",
                        path: path.clone(),
                        found: "a symlink",
                    });
                }
                let made = self.mkdir(path, attributes.mode)?;
                self.own(path, attributes, made)
            }
            Change::Symlink { target } => {
                if self.read_link(path)?.as_deref() == Some(target.as_bytes()) {
                    return Ok(());
                }
                self.symlink(path, target)
            }
            Change::Remove => self.remove(path).map(drop),
            Change::Clear => self.clear(path),
            Change::Touch { mtime, attributes } => {
                let made = self.create(path, attributes.mode)?;
                self.own(path, attributes, made)?;
                self.set_mtime(path, *mtime)
            }
        }
    }

    fn holds(&self, path: &str, contents: &[u8]) -> FsResult<bool> {
        match self.read(path, contents.len() as u64) {
            Ok(found) => Ok(found.as_deref() == Some(contents)),
            Err(FsError::TooLarge { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Gives a file its mode and owner where it has none of its own yet, or is
    /// to have just these.
    fn own(&mut self, path: &str, attributes: &Attributes, made: bool) -> FsResult<()> {
        if made || attributes.enforce {
            self.set_owner(path, attributes.uid, attributes.gid)?;
            self.set_mode(path, attributes.mode)?;
        }
        Ok(())
    }
}
