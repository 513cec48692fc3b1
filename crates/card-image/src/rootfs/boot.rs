//! Files of boot partitions, which are FAT, among those of the root filesystem.
//!
//! A path below a mounted boot partition's mount point leads to that partition, as when the
//! system runs. Files there belong to root and have no permissions of their own.

use std::sync::Arc;

use block_io::{ReadAt, Window, WriteAt};
use cluster_profile::{Change, FileEdit};
use ext4_offline::{FileKind, Metadata};
use fat_offline::{Editor, Entry, FatError, Reader};
use system_model::BootPartition;

use super::{FsError, FsResult, RootFs, RootFsEditor, read::optional};
use crate::layout::Layout;

/// The largest file of this machine that is copied to a boot partition, in bytes.
const MAX_COPY: u64 = 512 << 20;

/// As many symlinks as Linux follows (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

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

    /// Returns where a path leads if that is a boot partition: below its mount point, or
    /// through symlinks of the root filesystem (`/boot/cmdline.txt` to
    /// `firmware/cmdline.txt`). A symlink at the path itself is followed if `follow` says so.
    /// There are no symlinks on FAT.
    ///
    /// # Errors
    /// [`FsError`] if the root filesystem is damaged.
    pub fn boot_path(&self, path: &str, follow: bool) -> FsResult<Option<String>> {
        if self.boot.is_empty() {
            return Ok(None);
        }
        if !path.starts_with('/') {
            return Ok(self.on_boot(path).map(|_| path.to_owned()));
        }
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let (mut place, mut links) = (String::new(), 0);
        while let Some(name) = ahead.pop() {
            match name.as_str() {
                "" | "." => continue,
                ".." => {
                    place.truncate(place.rfind('/').unwrap_or(0));
                    continue;
                }
                name => {
                    place.push('/');
                    place.push_str(name);
                }
            }
            let is_last = ahead.iter().all(|name| name.is_empty());
            if self.on_boot(&place).is_some() || (is_last && !follow) {
                continue;
            }
            let Some(target) = self.link_on_root(&place)? else { continue };
            links += 1;
            if links > MAX_LINKS {
                // The caller meets the loop too.
                return Ok(None);
            }
            let parent = place.rfind('/').unwrap_or(0);
            place.truncate(if target.starts_with('/') { 0 } else { parent });
            ahead.extend(target.rsplit('/').map(str::to_owned));
        }
        Ok(self.on_boot(&place).is_some().then_some(place))
    }

    /// Returns the target of a symlink of the root filesystem, if there is one that is text.
    fn link_on_root(&self, path: &str) -> FsResult<Option<String>> {
        let found = optional(self.reader().symlink_metadata(path));
        match found {
            Ok(Some(found)) if found.kind == FileKind::Symlink => {
                let target = optional(self.reader().read_link(path))?;
                Ok(target.and_then(|target| String::from_utf8(target).ok()))
            }
            // A file is where a directory would be: no path of a boot partition.
            Err(error) if error.is_wrong_kind() || error.is_symlink_loop() => Ok(None),
            other => other.map(|_| None),
        }
    }

    /// Returns the boot partition that a path leads to, and the path there.
    fn on_boot<'a>(&self, path: &'a str) -> Option<(&BootFiles, &'a str)> {
        let found = self.boot.iter();
        let found = found.filter_map(|boot| Some((boot, boot.partition.relative(path)?)));
        found.max_by_key(|(boot, _)| boot.partition.prefix.len())
    }

    /// Returns the metadata of a file on a boot partition; `None` if the path does not lead
    /// to one.
    pub(super) fn boot_metadata(
        &self,
        path: &str,
        follow: bool,
    ) -> FsResult<Option<Option<Metadata>>> {
        self.at_boot(path, follow, |boot, relative| boot.metadata(path, relative))
    }

    /// Looks at a path on a boot partition; returns `None` if the path does not lead to one.
    fn at_boot<T>(
        &self,
        path: &str,
        follow: bool,
        look: impl FnOnce(&BootFiles, &str) -> FsResult<T>,
    ) -> FsResult<Option<T>> {
        let place = self.boot_path(path, follow)?;
        let found = place.as_deref().and_then(|place| self.on_boot(place));
        found.map(|(boot, relative)| look(boot, relative)).transpose()
    }

    /// Returns the contents of a file on a boot partition; `None` if the path does not lead
    /// to one.
    pub(super) fn boot_read(&self, path: &str, limit: u64) -> FsResult<Option<Option<Vec<u8>>>> {
        self.at_boot(path, true, |boot, relative| {
            boot.reader.read(relative, limit).map_err(failed(path))
        })
    }

    /// Returns the names in a directory on a boot partition; `None` if the path does not lead
    /// to one.
    pub(super) fn boot_list(&self, path: &str) -> FsResult<Option<Option<Vec<Vec<u8>>>>> {
        self.at_boot(path, true, |boot, relative| {
            let entries = boot.reader.list(relative).map_err(failed(path))?;
            Ok(entries.map(|entries| {
                let mut names: Vec<Vec<u8>> =
                    entries.into_iter().map(|entry| entry.name.into_bytes()).collect();
                names.sort();
                names
            }))
        })
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
    /// Whether the card is in use, so that edits may be cut off.
    in_place: bool,
    editor: Option<Editor>,
}

impl BootEditor {
    fn editor(&mut self) -> Result<&mut Editor, FatError> {
        match &mut self.editor {
            Some(editor) => Ok(editor),
            none => {
                let open = if self.in_place { Editor::open_in_place } else { Editor::open };
                Ok(none.insert(open(self.storage.clone(), self.now)?))
            }
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
    pub fn with_boot(self, storage: &Arc<dyn WriteAt>, layout: &Layout) -> FsResult<Self> {
        self.with_boot_editors(storage, layout, false)
    }

    /// As [`with_boot`](Self::with_boot), for a card in use: edits of boot partitions need the
    /// room that they need on the card, and what an edit that was cut off left is put in order.
    ///
    /// # Errors
    /// As [`with_boot`](Self::with_boot).
    pub fn with_boot_in_place(self, storage: &Arc<dyn WriteAt>, layout: &Layout) -> FsResult<Self> {
        self.with_boot_editors(storage, layout, true)
    }

    fn with_boot_editors(
        mut self,
        storage: &Arc<dyn WriteAt>,
        layout: &Layout,
        in_place: bool,
    ) -> FsResult<Self> {
        let readable: Arc<dyn ReadAt> = Arc::new(storage.clone());
        self.files = self.files.with_boot(&readable, layout)?;
        self.boot = boot_editors(storage, layout, self.now, in_place)?;
        Ok(self)
    }

    /// Applies a change to a boot partition. Returns whether the path leads to one.
    pub(super) fn apply_to_boot(&mut self, path: &str, change: &Change) -> FsResult<bool> {
        let Some(place) = self.boot_path(path, follows_symlink(change))? else { return Ok(false) };
        apply_to(&mut self.boot, path, &place, change)
    }
}

/// Returns whether a change of a file goes to where a symlink at its path leads.
fn follows_symlink(change: &Change) -> bool {
    match change {
        Change::Write { .. } | Change::Copy { .. } | Change::Touch { .. } => true,
        Change::Directory { attributes } => !attributes.enforce,
        Change::Symlink { .. } | Change::Remove | Change::Clear => false,
    }
}

/// Applies a change to the boot partition that `place` leads to. Returns whether there is one.
fn apply_to(boot: &mut [BootEditor], path: &str, place: &str, change: &Change) -> FsResult<bool> {
    let found = boot.iter_mut().filter(|boot| boot.partition.relative(place).is_some());
    // One may be mounted below another: /boot and /boot/efi.
    let Some(boot) = found.max_by_key(|boot| boot.partition.prefix.len()) else {
        return Ok(false);
    };
    let relative = boot.partition.relative(place).unwrap_or_default().to_owned();
    boot.apply(path, &relative, change)?;
    Ok(true)
}

fn boot_editors(
    storage: &Arc<dyn WriteAt>,
    layout: &Layout,
    now: i64,
    in_place: bool,
) -> FsResult<Vec<BootEditor>> {
    let mut editors = Vec::new();
    for partition in &layout.boot {
        let Some(range) = layout.range(partition.number) else { continue };
        let window = Window::new(storage.clone(), range.start, range.end - range.start);
        let window = window.map_err(|error| FsError::Filesystem(error.into()))?;
        let (partition, storage) = (partition.clone(), Arc::new(window));
        editors.push(BootEditor { partition, storage, now, in_place, editor: None });
    }
    Ok(editors)
}

/// A change of a file of a boot partition.
#[derive(Debug, Clone)]
pub struct BootEdit {
    /// Its path, which leads to the boot partition without symlinks.
    path: String,
    change: Change,
}

impl BootEdit {
    /// Returns the change that `edit` makes to a boot partition of `files`; `None` if it makes
    /// none.
    ///
    /// # Errors
    /// [`FsError`] if the root filesystem is damaged.
    pub fn of(edit: &FileEdit, files: &RootFs) -> FsResult<Option<Self>> {
        let place = files.boot_path(&edit.path, follows_symlink(&edit.change))?;
        Ok(place.map(|path| BootEdit { path, change: edit.change.clone() }))
    }
}

/// Makes changes to the boot partitions of `storage`, a whole card in use. Each file is the old
/// one or the new one, whenever this is cut off. `now` is in seconds since 1970.
///
/// # Errors
/// [`FsError`].
pub fn edit_boot_in_place(
    storage: &Arc<dyn WriteAt>,
    layout: &Layout,
    now: u64,
    edits: &[BootEdit],
) -> FsResult<()> {
    let now = i64::try_from(now).unwrap_or(i64::MAX);
    let mut editors = boot_editors(storage, layout, now, true)?;
    edits.iter().try_for_each(|BootEdit { path, change }| {
        apply_to(&mut editors, path, path, change).map(drop)
    })
}
