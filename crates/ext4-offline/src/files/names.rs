//! Creating, linking, renaming and removing files.

use super::{FilesMut, directory, refuse_journal, require_kind, require_linked};
use crate::{
    Error, FileKind, Result, Timestamp,
    attributes::release_inode,
    dir::{FileType, check_name},
    features::flag,
    inode::{EXTRA_SIZE, INDEX, Inode, ROOT, S_IFDIR, S_IFLNK, S_IFREG, TimeField},
    source::Source,
    volume::Volume,
};

/// The largest number of links of an inode (`EXT4_LINK_MAX`). A directory with an index and more
/// subdirectories has a count of one (`dir_nlink`).
const MAX_LINKS: u16 = 65000;
/// The largest number of directories in a path (`PATH_MAX` / 2).
const MAX_DEPTH: usize = 2048;

/// The kind of a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewFile<'a> {
    /// An empty regular file.
    Regular,
    /// An empty directory.
    Directory,
    /// A symlink with this target, which has at least 1 byte and fewer than a block.
    Symlink(&'a [u8]),
}

impl FilesMut {
    /// Creates a file that belongs to root, and returns its inode. `mode` has its permission bits
    /// (12); a symlink always gets 0777.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::FileName`], [`Error::Full`], [`Error::Limit`]. As
    /// after any error, nothing has changed.
    pub fn create(&mut self, dir: u32, name: &[u8], new: NewFile<'_>, mode: u16) -> Result<u32> {
        let (now, generation) = (self.now, self.generation);
        let number = self.edit(|volume| {
            let mut parent = volume.inode(dir)?;
            refuse_existing(volume, &parent, name)?;
            let mut inode = volume.allocate_inode(dir, new == NewFile::Directory)?;
            if volume.fs().geometry.inode_size >= 128 + u32::from(EXTRA_SIZE) {
                inode.set_i_extra_isize(EXTRA_SIZE);
            }
            for field in [TimeField::Access, TimeField::Change, TimeField::Modification] {
                inode.set_time(field, now);
            }
            inode.set_time(TimeField::Creation, now);
            inode.set_i_generation(generation);
            let (kind, links, permissions) = match new {
                NewFile::Regular => (S_IFREG, 1, mode),
                NewFile::Directory => (S_IFDIR, 2, mode),
                NewFile::Symlink(_) => (S_IFLNK, 1, 0o777),
            };
            inode.set_i_mode(kind | permissions & 0o7777);
            inode.set_i_links_count(links);
            volume.fill_new(&mut inode, new, dir)?;
            volume.put_inode(&mut inode)?;
            volume.insert(&mut parent, name, inode.number(), FileType::of_mode(kind))?;
            if new == NewFile::Directory {
                add_subdirectory(volume, &mut parent)?;
            }
            touch(&mut parent, now);
            volume.put_inode(&mut parent)?;
            Ok(inode.number())
        })?;
        self.generation = self.generation.wrapping_add(1);
        Ok(number)
    }

    /// Gives a file another name. It must not be a directory.
    ///
    /// # Errors
    /// [`Error::Exists`], [`Error::FileName`], [`Error::Kind`], [`Error::Limit`],
    /// [`Error::Full`].
    pub fn link(&mut self, inode: u32, dir: u32, name: &[u8]) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut parent = volume.inode(dir)?;
            refuse_existing(volume, &parent, name)?;
            let mut inode = volume.inode(inode)?;
            require_linked(&inode)?;
            refuse_journal(volume, &inode)?;
            if inode.is_dir() {
                let (found, wanted) =
                    (FileKind::Directory.name(), "a file that can have several names");
                return Err(Error::Kind { inode: inode.number(), found, wanted });
            }
            let links = inode.i_links_count();
            if links >= MAX_LINKS {
                return Err(Error::Limit { inode: inode.number(), what: "more links" });
            }
            inode.set_i_links_count(links + 1);
            inode.set_time(TimeField::Change, now);
            volume.put_inode(&mut inode)?;
            let file_type = FileType::of_mode(inode.i_mode());
            volume.insert(&mut parent, name, inode.number(), file_type)?;
            touch(&mut parent, now);
            volume.put_inode(&mut parent)
        })
    }

    /// Removes a name of a file, and the file with its last name. It must not be a directory.
    ///
    /// # Errors
    /// [`Error::NoEntry`], [`Error::Kind`] for a directory.
    pub fn unlink(&mut self, dir: u32, name: &[u8]) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut parent = volume.inode(dir)?;
            let inode = entry(volume, &parent, name)?;
            refuse_journal(volume, &inode)?;
            if inode.is_dir() {
                let (found, wanted) = (FileKind::Directory.name(), "a file");
                return Err(Error::Kind { inode: inode.number(), found, wanted });
            }
            volume.remove(&mut parent, name)?;
            touch(&mut parent, now);
            volume.put_inode(&mut parent)?;
            drop_link(volume, inode, now)
        })
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// [`Error::NoEntry`], [`Error::Kind`], [`Error::NotEmpty`].
    pub fn rmdir(&mut self, dir: u32, name: &[u8]) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut parent = volume.inode(dir)?;
            let inode = entry(volume, &parent, name)?;
            require_empty(volume, &inode)?;
            volume.remove(&mut parent, name)?;
            remove_subdirectory(&mut parent);
            touch(&mut parent, now);
            volume.put_inode(&mut parent)?;
            release_inode(volume, inode)
        })
    }

    /// Renames a file, or moves it to another directory. If the new name exists, it is replaced: an
    /// empty directory if the file is a directory, otherwise anything but a directory.
    ///
    /// # Errors
    /// [`Error::NoEntry`], [`Error::FileName`], [`Error::Kind`],
    /// [`Error::NotEmpty`], [`Error::Full`]; [`Error::Loop`] if a directory would
    /// be below itself.
    pub fn rename(&mut self, from_dir: u32, from: &[u8], to_dir: u32, to: &[u8]) -> Result<()> {
        let now = self.now;
        self.edit(|volume| {
            let mut source = volume.inode(from_dir)?;
            let inode = entry(volume, &source, from)?;
            refuse_journal(volume, &inode)?;
            check_name(to)?;
            let target = directory::look_up(volume, &volume.inode(to_dir)?, to)?;
            if target.as_ref().is_some_and(|target| target.inode == inode.number()) {
                // Both names belong to one file: POSIX says that nothing happens.
                return Ok(());
            }
            if inode.is_dir() {
                refuse_loop(volume, inode.number(), to_dir)?;
            }
            let file_type = FileType::of_mode(inode.i_mode());
            // Add the new name first, so that the file always has a name.
            let mut destination = volume.inode(to_dir)?;
            match target {
                Some(target) => {
                    let replaced = volume.inode(target.inode)?;
                    refuse_journal(volume, &replaced)?;
                    volume.replace(&mut destination, to, inode.number(), file_type)?;
                    if replaced.is_dir() {
                        require_kind(&inode, FileKind::Directory)?;
                        require_empty(volume, &replaced)?;
                        remove_subdirectory(&mut destination);
                        release_inode(volume, replaced)?;
                    } else if inode.is_dir() {
                        let found = replaced.file_kind().name();
                        let wanted = FileKind::Directory.name();
                        return Err(Error::Kind { inode: replaced.number(), found, wanted });
                    } else {
                        drop_link(volume, replaced, now)?;
                    }
                }
                None => volume.insert(&mut destination, to, inode.number(), file_type)?,
            }
            if inode.is_dir() && from_dir != to_dir {
                add_subdirectory(volume, &mut destination)?;
            }
            touch(&mut destination, now);
            volume.put_inode(&mut destination)?;

            if from_dir == to_dir {
                source = destination;
            }
            volume.remove(&mut source, from)?;
            if inode.is_dir() && from_dir != to_dir {
                remove_subdirectory(&mut source);
            }
            touch(&mut source, now);
            volume.put_inode(&mut source)?;

            let mut inode = volume.inode(inode.number())?;
            if inode.is_dir() && from_dir != to_dir {
                volume.replace(&mut inode, b"..", to_dir, FileType::DIRECTORY)?;
            }
            inode.set_time(TimeField::Change, now);
            volume.put_inode(&mut inode)
        })
    }
}

impl Volume {
    /// Gives a new file its first contents.
    fn fill_new(&mut self, inode: &mut Inode, new: NewFile<'_>, parent: u32) -> Result<()> {
        match new {
            NewFile::Regular => self.empty_mapping(inode),
            NewFile::Directory => {
                self.empty_mapping(inode)?;
                self.start_directory(inode, parent)
            }
            NewFile::Symlink(target) => {
                let block_size = self.fs().geometry.block_size as usize;
                if target.is_empty() || target.len() >= block_size || target.contains(&0) {
                    let what = "a symlink with a target of this length";
                    return Err(Error::Limit { inode: inode.number(), what });
                }
                let mut i_block = [0; 60];
                if let Some(place) = i_block.get_mut(..target.len())
                    && target.len() < 60
                {
                    place.copy_from_slice(target);
                    inode.set_i_block(&i_block);
                    inode.set_i_size(target.len() as u64);
                    return Ok(());
                }
                self.empty_mapping(inode)?;
                self.write_contents(inode, 0, target)
            }
        }
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

/// Returns an error unless a directory can get this name.
fn refuse_existing(volume: &Volume, dir: &Inode, name: &[u8]) -> Result<()> {
    check_name(name)?;
    match directory::look_up(volume, dir, name)? {
        None => Ok(()),
        Some(_) => Err(Error::Exists { dir: dir.number(), name: shown(name) }),
    }
}

/// The inode of a name in a directory.
fn entry(volume: &Volume, dir: &Inode, name: &[u8]) -> Result<Inode> {
    match directory::look_up(volume, dir, name)? {
        Some(entry) if !entry.is_dots() => volume.inode(entry.inode),
        _ => Err(Error::NoEntry { dir: dir.number(), name: shown(name) }),
    }
}

fn require_empty(volume: &Volume, inode: &Inode) -> Result<()> {
    require_kind(inode, FileKind::Directory)?;
    if directory::is_empty(volume, inode)? {
        Ok(())
    } else {
        Err(Error::NotEmpty { inode: inode.number() })
    }
}

/// Returns an error if `dir` is the directory `moved`, or below it.
fn refuse_loop(volume: &Volume, moved: u32, dir: u32) -> Result<()> {
    let mut here = dir;
    for _ in 0..MAX_DEPTH {
        if here == moved {
            return Err(Error::Loop { inode: moved });
        }
        if here == ROOT {
            return Ok(());
        }
        let parent = directory::look_up(volume, &volume.inode(here)?, b"..")?;
        here = parent.map_or(ROOT, |entry| entry.inode);
    }
    Err(Error::Loop { inode: moved })
}

fn touch(dir: &mut Inode, now: Timestamp) {
    dir.set_time(TimeField::Modification, now);
    dir.set_time(TimeField::Change, now);
}

/// Counts a new subdirectory, whose `..` is a link to the directory.
fn add_subdirectory(volume: &Volume, dir: &mut Inode) -> Result<()> {
    let links = dir.i_links_count();
    // e2fsck checks the count of every directory without an index.
    let uncounted = volume.fs().superblock.features().has(flag::DIR_NLINK) && dir.has_flag(INDEX);
    let links = match links {
        1 => 1,
        _ if links < MAX_LINKS => links + 1,
        _ if uncounted => 1,
        _ => return Err(Error::Limit { inode: dir.number(), what: "more subdirectories" }),
    };
    dir.set_i_links_count(links);
    Ok(())
}

fn remove_subdirectory(dir: &mut Inode) {
    let links = dir.i_links_count();
    dir.set_i_links_count(if links > 2 { links - 1 } else { links });
}

/// Drops a link, and frees the file with the last one.
fn drop_link(volume: &mut Volume, mut inode: Inode, now: Timestamp) -> Result<()> {
    match inode.i_links_count() {
        0 | 1 => release_inode(volume, inode),
        links => {
            inode.set_i_links_count(links - 1);
            inode.set_time(TimeField::Change, now);
            volume.put_inode(&mut inode)
        }
    }
}
