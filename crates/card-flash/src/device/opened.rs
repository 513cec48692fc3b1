//! A device or file that is open for writing.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use platform::{Access, FileInfo, PositionedFile as _, access, devices, rights, sparse};

use super::{storage::OpenedStorage, system::HostSystem, target::DeviceIdentity};
use crate::{Medium, Presence};

/// A device or file that is open for writing, exclusively.
#[derive(Debug)]
pub struct OpenedTarget {
    file: File,
    /// Other devices with the same contents, opened exclusively so that nobody mounts them.
    _claims: Vec<File>,
    path: PathBuf,
    identity: DeviceIdentity,
    system: HostSystem,
    /// Whether reads and writes bypass the page cache.
    direct: AtomicBool,
}

/// That other users could read a file which is to hold a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// They cannot any more.
    Ended,
    /// They still can: the file belongs to somebody else, or its filesystem has no owners.
    Remains,
}

impl OpenedTarget {
    pub(super) fn new(
        file: File,
        claims: Vec<File>,
        path: PathBuf,
        identity: DeviceIdentity,
        system: HostSystem,
        direct: bool,
    ) -> Self {
        let direct = AtomicBool::new(direct);
        OpenedTarget { file, _claims: claims, path, identity, system, direct }
    }

    /// Returns the path as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes a file away from everybody but its owner, as suits private keys. Returns `None` if
    /// it was private before, or is a device.
    pub fn make_private(&self) -> Option<Exposure> {
        if self.is_device().unwrap_or(true) || !Access::of(&self.file).ok()?.is_exposed() {
            return None;
        }
        // Some filesystems accept the change and ignore it.
        let ended = access::make_private(&self.file).is_ok()
            && Access::of(&self.file).is_ok_and(|access| !access.is_exposed());
        Some(if ended { Exposure::Ended } else { Exposure::Remains })
    }

    /// Turns it into a storage for small changes of any length.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn into_storage(self) -> io::Result<OpenedStorage> {
        OpenedStorage::new(self)
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Makes all further reads and writes use the page cache.
    pub(super) fn use_page_cache(&self) -> io::Result<()> {
        self.direct.store(false, Ordering::Relaxed);
        devices::use_page_cache(&self.file)
    }

    fn is_device(&self) -> io::Result<bool> {
        Ok(FileInfo::of(&self.file)?.is_block_device())
    }

    /// Does an operation, and does it again through the page cache if O_DIRECT refuses it:
    /// some filesystems refuse only here, and the end of a card may not be a multiple of a
    /// disk's sector size.
    fn direct_or_not(&self, mut operation: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        let was_direct = self.direct.load(Ordering::Relaxed);
        match operation() {
            Err(error) if was_direct && error.kind() == io::ErrorKind::InvalidInput => {
                self.use_page_cache()?;
                operation()
            }
            other => other,
        }
    }
}

impl Medium for OpenedTarget {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn size(&self) -> u64 {
        self.identity.size
    }

    fn write_at(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.direct_or_not(|| self.file.write_all_at(data, offset))
    }

    fn read_back(&self, offset: u64, buf: &mut [u8]) -> io::Result<()> {
        self.direct_or_not(|| {
            if !self.direct.load(Ordering::Relaxed) {
                // What was flushed before is clean, and is dropped from the cache here.
                sparse::drop_cached(&self.file, offset, buf.len() as u64)?;
            }
            self.file.read_exact_at(buf, offset)
        })
    }

    fn flush(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn discard(&self) -> io::Result<()> {
        if self.is_device()? {
            return devices::discard(&self.file, self.identity.size);
        }
        sparse::punch_hole(&self.file, 0..self.identity.size)
    }

    fn reread_table(&self) -> io::Result<()> {
        if !self.is_device()? {
            return Ok(());
        }
        let reread = || devices::reread_partition_table(&self.file);
        match rights::with_root(reread).unwrap_or_else(reread) {
            // The kernel does not look for partitions on this device.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            other => other,
        }
    }

    fn presence(&self) -> Presence {
        match DeviceIdentity::of(&self.system, &self.path) {
            None => Presence::Gone,
            Some(now) if now == self.identity => Presence::Same,
            Some(_) => Presence::Other,
        }
    }
}
