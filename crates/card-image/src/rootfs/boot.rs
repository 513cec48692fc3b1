//! Files of boot partitions, which are FAT, among those of the root filesystem.
//!
//! A path below a mounted boot partition's mount point leads to that partition, as when the
//! system runs. Files there belong to root and have no permissions of their own.

use std::sync::Arc;

use block_io::{ReadAt, Window, WriteAt};
use cluster_profile::Change;
use ext4_offline::{FileKind, Metadata};
use fat_offline::{Editor, Entry, FatError, Reader};
use system_model::BootPartition;

use super::{FsError, FsResult, RootFs, RootFsEditor};
use crate::layout::Layout;

/// The largest file of this machine that is copied to a boot partition, in bytes.
const MAX_COPY: u64 = 512 << 20;

/// A boot partition's files, for reading.
#[derive(Debug, Clone)]
pub(super) struct BootFiles {
    partition: BootPartition,
    reader: Reader,
}

fn failed(path: &str) -> impl FnOnce(FatError) -> FsError + '_ {
    move |source| FsError::Boot { path: path.to_owned(), source }
}

impl BootFiles {
    fn metadata(&self, path: &str, relative: &str) -> FsResult<Option<Metadata>> {
        let entry = self.reader.entry(relative).map_err(failed(path))?;
        Ok(entry.map(|Entry { is_directory, size, .. }| {
            let kind = if is_directory { FileKind::Directory } else { FileKind::Regular };
            Metadata::without_inode(kind, 0o755, size.into())
        }))
    }
}

impl RootFs {
    /// Adds the boot partitions of `layout`, which are read from `storage`, the whole card.
    /// One that cannot be read stays out: its files do not exist then.
    ///
    /// # Errors
    /// [`FsError`] if the storage cannot be read.
    pub fn with_boot(mut self, storage: &Arc<dyn ReadAt>, layout: &Layout) -> FsResult<Self> {
        for partition in &layout.boot {
            let Some(range) = layout.range(partition.number) else { continue };
            let window = Window::new(storage.clone(), range.start, range.end - range.start);
            let window = window.map_err(|error| FsError::Filesystem(error.into()))?;
            match Reader::open(Arc::new(window)) {
                Ok(reader) => {
                    self.boot.push(BootFiles { partition: partition.clone(), reader });
                }
                Err(FatError::Storage(error)) => return Err(FsError::Filesystem(error.into())),
                Err(_) => {}
            }
        }
        Ok(self)
    }

    /// Returns the boot partition that a path leads to, and the path there.
    fn on_boot<'a>(&self, path: &'a str) -> Option<(&BootFiles, &'a str)> {
        let found = self.boot.iter();
        let found = found.filter_map(|boot| Some((boot, boot.partition.relative(path)?)));
        found.max_by_key(|(boot, _)| boot.partition.prefix.len())
    }

    /// Returns the metadata of a file on a boot partition; `None` if the path does not lead
    /// to one.
    pub(super) fn boot_metadata(&self, path: &str) -> Option<FsResult<Option<Metadata>>> {
        let (boot, relative) = self.on_boot(path)?;
        Some(boot.metadata(path, relative))
    }

    /// Returns the contents of a file on a boot partition; `None` if the path does not lead
    /// to one.
    pub(super) fn boot_read(&self, path: &str, limit: u64) -> Option<FsResult<Option<Vec<u8>>>> {
        let (boot, relative) = self.on_boot(path)?;
        Some(boot.reader.read(relative, limit).map_err(failed(path)))
    }

    /// Returns the names in a directory on a boot partition; `None` if the path does not lead
    /// to one.
    pub(super) fn boot_list(&self, path: &str) -> Option<FsResult<Option<Vec<Vec<u8>>>>> {
        let (boot, relative) = self.on_boot(path)?;
        let entries = boot.reader.list(relative).map_err(failed(path));
        Some(entries.map(|entries| {
            let names = entries?.into_iter().map(|entry| entry.name.into_bytes());
            let mut names: Vec<Vec<u8>> = names.collect();
            names.sort();
            Some(names)
        }))
    }

    /// Returns the boot partitions that can be read.
    pub(super) fn boot(&self) -> Vec<BootPartition> {
        self.boot.iter().map(|boot| boot.partition.clone()).collect()
    }
}

/// A boot partition for editing. It is checked and opened when the first edit needs it, so
/// that a damaged one only matters to cards whose files it is to hold.
#[derive(Debug)]
pub(super) struct BootEditor {
    partition: BootPartition,
    storage: Arc<dyn WriteAt>,
    now: i64,
    editor: Option<Editor>,
}

impl BootEditor {
    fn editor(&mut self) -> Result<&mut Editor, FatError> {
        match &mut self.editor {
            Some(editor) => Ok(editor),
            none => Ok(none.insert(Editor::open(self.storage.clone(), self.now)?)),
        }
    }

    fn apply(&mut self, path: &str, relative: &str, change: &Change) -> FsResult<()> {
        let unsupported = |what| Err(FsError::NotOnFat { path: path.to_owned(), what });
        let write = |editor: &mut Self, contents: &[u8]| {
            editor.editor()?.write(relative, contents).map(drop)
        };
        let done = match change {
            Change::Write { contents, .. } => write(self, contents),
            Change::Copy { source, size, sha256, .. } => {
                if *size > MAX_COPY {
                    return unsupported("a file of this size");
                }
                let source = super::copy::Source { path: source, size: *size, sha256 };
                write(self, &source.read_whole()?)
            }
            Change::Directory { .. } => {
                self.editor().and_then(|editor| editor.create_dir_all(relative)).map(drop)
            }
            Change::Symlink { .. } => return unsupported("a symlink"),
            Change::Remove => self.editor().and_then(|editor| editor.remove(relative)).map(drop),
            Change::Clear => self.editor().and_then(|editor| {
                for entry in editor.list(relative)?.unwrap_or_default() {
                    editor.remove(&format!("{relative}/{}", entry.name))?;
                }
                Ok(())
            }),
            Change::Touch { .. } => {
                self.editor().and_then(|editor| match editor.read(relative, u64::MAX)? {
                    Some(_) => Ok(()),
                    None => editor.write(relative, b"").map(drop),
                })
            }
        };
        done.map_err(failed(path))
    }
}

impl RootFsEditor {
    /// Adds the boot partitions of `layout`, which are read from and written to `storage`, the
    /// whole card.
    ///
    /// # Errors
    /// [`FsError`] if the storage cannot be read.
    pub fn with_boot(mut self, storage: &Arc<dyn WriteAt>, layout: &Layout) -> FsResult<Self> {
        let readable: Arc<dyn ReadAt> = Arc::new(storage.clone());
        self.files = self.files.with_boot(&readable, layout)?;
        for partition in &layout.boot {
            let Some(range) = layout.range(partition.number) else { continue };
            let window = Window::new(storage.clone(), range.start, range.end - range.start);
            let window = window.map_err(|error| FsError::Filesystem(error.into()))?;
            self.boot.push(BootEditor {
                partition: partition.clone(),
                storage: Arc::new(window),
                now: self.now,
                editor: None,
            });
        }
        Ok(self)
    }

    /// Applies a change to a boot partition; `None` if the path does not lead to one.
    pub(super) fn apply_to_boot(&mut self, path: &str, change: &Change) -> Option<FsResult<()>> {
        let found = self.boot.iter_mut();
        let found = found.filter(|boot| boot.partition.relative(path).is_some());
        // One may be mounted below another: /boot and /boot/efi.
        let boot = found.max_by_key(|boot| boot.partition.prefix.len())?;
        let relative = boot.partition.relative(path)?.to_owned();
        Some(boot.apply(path, &relative, change))
    }
}
