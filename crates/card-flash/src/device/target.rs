//! A device or file that the user named as a target.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use block_io::FileStorage;
use platform::{
    FileId, FileInfo, FileKind,
    devices::{self, Opening},
};

use super::{
    block_device::{Device, RelatedDevice},
    contents::DeviceContents,
    host::{Place, split},
    opened::OpenedTarget,
    refusal::{Refusal, TargetLimits, refusals_of_contents, shared},
    system::HostSystem,
};

/// A device or file that may be overwritten, as it was when it was inspected.
///
/// Nothing is locked yet. The user is asked between [`inspect`](Self::inspect) and
/// [`open`](Self::open), which makes sure that it is still the same.
#[derive(Debug, Clone)]
pub struct Target {
    path: PathBuf,
    identity: DeviceIdentity,
    device: Option<Device>,
    /// Loop devices over a file. A device has its own list.
    pub(super) over_file: Vec<RelatedDevice>,
    /// Why a file is in use.
    pub(super) file_uses: Vec<Refusal>,
    contents: DeviceContents,
}

/// What distinguishes one card in a reader from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// The number of a device, or the numbers of a file's filesystem and inode.
    pub(super) place: (u64, u64),
    /// In bytes.
    pub(super) size: u64,
    pub(super) diskseq: Option<u64>,
    pub(super) serial: Option<String>,
}

/// A target that must not be written to, and why.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be {}: {}", .path.display(), .access.participle(), list(.refusals))]
pub struct TargetError {
    /// The path that the user gave.
    pub path: PathBuf,
    /// What was to be done to it.
    pub access: TargetAccess,
    /// All reasons, the most important first.
    pub refusals: Vec<Refusal>,
}

/// What is done to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TargetAccess {
    /// It is replaced by a new card.
    #[default]
    Overwrite,
    /// The card that it holds is changed in place.
    Change,
}

impl TargetAccess {
    /// Returns the word that completes "it cannot be …".
    fn participle(self) -> &'static str {
        match self {
            TargetAccess::Overwrite => "overwritten",
            TargetAccess::Change => "changed",
        }
    }
}

fn list(refusals: &[Refusal]) -> String {
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl TargetError {
    /// Makes an error with one reason not to overwrite a target.
    pub fn new(path: &Path, refusal: Refusal) -> Self {
        let access = TargetAccess::Overwrite;
        TargetError { path: path.to_owned(), access, refusals: vec![refusal] }
    }

    /// Returns the error for another access: what refuses one refuses the other.
    pub fn for_access(self, access: TargetAccess) -> Self {
        TargetError { access, ..self }
    }

    /// Returns an error for each reason, the most important first.
    pub fn split(&self) -> impl Iterator<Item = TargetError> {
        self.refusals
            .iter()
            .map(|refusal| TargetError::new(&self.path, refusal.clone()).for_access(self.access))
    }

    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let mut fixes: Vec<String> = Vec::new();
        for fix in self.refusals.iter().filter_map(Refusal::fix) {
            if !fixes.contains(&fix) {
                fixes.push(fix);
            }
        }
        (!fixes.is_empty()).then(|| fixes.join("; "))
    }
}

impl Target {
    /// Inspects the device or file at `path`, without changing or locking it. `base` is the
    /// base image, which must not be overwritten.
    ///
    /// # Errors
    /// [`TargetError`] with every reason not to write to it.
    pub fn inspect(
        system: &HostSystem,
        path: &Path,
        base: &Path,
        limits: &TargetLimits,
    ) -> Result<Self, TargetError> {
        let refuse = |refusals| {
            let access = TargetAccess::Overwrite;
            Err(TargetError { path: path.to_owned(), access, refusals })
        };
        let found = look(system, path).map_err(|refusal| TargetError::new(path, refusal))?;
        let mut refusals = Vec::new();
        if is_same_file(path, base) {
            refusals.push(Refusal::IsBase);
        }
        if let Some(device) = &found.device {
            if let Ok(base) = FileInfo::at(base) {
                if found.places().contains(&place_of(&base)) && refusals.is_empty() {
                    refusals.push(Refusal::IsBase);
                }
                if device.has(split(base.id.device)) {
                    refusals.push(Refusal::HoldsBase);
                }
            }
        } else if found.identity.size == 0 {
            refusals.push(Refusal::EmptyFile { path: path.to_owned() });
        }
        refusals.extend(found.uses(limits));
        if !refusals.is_empty() {
            return refuse(refusals);
        }
        found.claim_related(system).map_err(|refusal| TargetError::new(path, refusal))?;
        let storage = FileStorage::open(path).map_err(|error| {
            let refusal = match error {
                block_io::Error::Open { source, .. } => refusal(&source),
                other => Refusal::Io(other.to_string()),
            };
            TargetError::new(path, refusal)
        })?;
        let contents = DeviceContents::look(&storage);
        let name = found.device.as_ref().map(|device| device.name.as_str());
        refusals.extend(refusals_of_contents(&contents, path, name));
        if !refusals.is_empty() {
            return refuse(refusals);
        }
        Ok(Target { contents, ..found })
    }

    /// Opens it exclusively, and makes sure that it is still what
    /// [`inspect`](Self::inspect) found.
    ///
    /// # Errors
    /// [`TargetError`].
    pub fn open(
        &self,
        system: &HostSystem,
        limits: &TargetLimits,
    ) -> Result<OpenedTarget, TargetError> {
        self.open_checked(system, limits).map_err(|refusal| TargetError::new(&self.path, refusal))
    }

    fn open_checked(
        &self,
        system: &HostSystem,
        limits: &TargetLimits,
    ) -> Result<OpenedTarget, Refusal> {
        // O_EXCL keeps away mounts and other programs that ask for it.
        let exclusive = self.device.is_some();
        let opening = Opening { writable: true, exclusive, direct: true, at_once: false };
        let (file, direct) = match opening.open(&self.path) {
            // The tmpfs of older kernels and some network filesystems have no O_DIRECT.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
                (Opening { direct: false, ..opening }.open(&self.path), false)
            }
            other => (other, true),
        };
        let file = file.map_err(|error| refusal(&error))?;
        // udev leaves locked devices alone, and so does a second run of this program.
        file.try_lock().map_err(|_| Refusal::Busy)?;
        let now = look(system, &self.path)?;
        let opened = FileInfo::of(&file).map_err(|error| refusal(&error))?;
        if now.identity != self.identity || place(&opened) != self.identity.place {
            return Err(Refusal::Changed);
        }
        if let Some(refusal) = now.uses(limits).into_iter().next() {
            return Err(refusal);
        }
        if now.device.is_some() {
            check_device(&file, self.identity.size)?;
        }
        let claims = now.claim_related(system)?;
        let (path, identity) = (self.path.clone(), self.identity.clone());
        Ok(OpenedTarget::new(file, claims, path, identity, system.clone(), direct))
    }

    /// Returns why it must not be overwritten, whatever its contents.
    fn uses(&self, limits: &TargetLimits) -> Vec<Refusal> {
        match &self.device {
            Some(device) => device.refusals(limits),
            None => {
                let over = shared(&self.over_file, limits);
                self.file_uses.iter().cloned().chain(over).collect()
            }
        }
    }

    /// Opens all other devices with the same contents exclusively: a mount that this process
    /// cannot see refuses that, and none can be made as long as they are open.
    pub(super) fn claim_related(&self, system: &HostSystem) -> Result<Vec<File>, Refusal> {
        let related = self.device.as_ref().map_or(&self.over_file, |device| &device.related);
        let mut claims = Vec::new();
        for RelatedDevice { relation, device } in related {
            let claim = system.claim(device);
            claims.extend(claim.map_err(|_| Refusal::Busy.of(*relation, &device.name))?);
        }
        Ok(claims)
    }

    /// Returns whether writing one of them changes the other: both are the same device or
    /// file, whatever their names, or loop devices over it.
    pub fn is_same_place(&self, other: &Target) -> bool {
        let others = other.places();
        self.places().iter().any(|place| others.contains(place))
    }

    /// Returns everything that changes when it is written.
    pub(super) fn places(&self) -> Vec<Place> {
        match &self.device {
            Some(device) => device.places(),
            None => {
                let (device, inode) = self.identity.place;
                vec![Place::File(FileId { device, inode })]
            }
        }
    }

    /// Returns the path as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the size in bytes that the device or file claims.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// Returns what distinguishes it from the next card in the same reader.
    pub fn identity(&self) -> &DeviceIdentity {
        &self.identity
    }

    /// Returns the device, or `None` for a file.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Returns what is on it now.
    pub fn contents(&self) -> &DeviceContents {
        &self.contents
    }

    /// Returns what the user types to confirm that it is overwritten: the kernel's name of a
    /// device, or the file's name.
    pub fn name(&self) -> String {
        match &self.device {
            Some(device) => device.name.clone(),
            None => self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

impl Target {
    /// Returns whether a user means this target by a name: the kernel's name of a device or
    /// its path in `/dev`, and the name of a file or the path by which it was given.
    pub fn is_named(&self, name: &str) -> bool {
        let path = self.device.as_ref().map_or_else(|| self.path.clone(), Device::path);
        name == self.name() || Path::new(name) == path
    }
}

impl DeviceIdentity {
    /// Returns what is at `path` now, or `None` for nothing and for an empty reader.
    pub fn of(system: &HostSystem, path: &Path) -> Option<DeviceIdentity> {
        look(system, path).ok().map(|target| target.identity).filter(|found| found.size > 0)
    }
}

/// Inspects what a path leads to, except for its contents.
pub(super) fn look(system: &HostSystem, path: &Path) -> Result<Target, Refusal> {
    if devices::is_foreign_path(path) {
        return Err(Refusal::UnsupportedDevice);
    }
    let found = FileInfo::at(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::NotFound(path.to_owned()),
        _ => refusal(&error),
    })?;
    let mut identity =
        DeviceIdentity { place: place(&found), size: found.size, diskseq: None, serial: None };
    if found.kind == FileKind::Directory {
        return Err(Refusal::NotATarget("a directory"));
    }
    if found.is_file() {
        let uses = system.file_uses(path, found.id);
        let (file_uses, over_file) = uses.map_err(|error| Refusal::Io(error.to_string()))?;
        let (path, contents) = (path.to_owned(), DeviceContents::default());
        return Ok(Target { path, identity, device: None, over_file, file_uses, contents });
    }
    let Some(number) = found.device.map(split) else {
        return Err(Refusal::NotATarget("neither a block device nor a file"));
    };
    let device = system.find(number).map_err(|error| Refusal::Io(error.to_string()))?;
    let device = device.ok_or(Refusal::NotATarget("a device that this system does not list"))?;
    if device.has_partition(number) {
        return Err(Refusal::Partition { disk: device.path() });
    }
    identity.size = device.size;
    identity.diskseq = device.diskseq;
    identity.serial = device.serial.clone();
    Ok(Target {
        path: path.to_owned(),
        identity,
        device: Some(device),
        over_file: Vec::new(),
        file_uses: Vec::new(),
        contents: DeviceContents::default(),
    })
}

/// Compares what sysfs states with what the device itself reports.
fn check_device(file: &File, size: u64) -> Result<(), Refusal> {
    use std::io::{Seek as _, SeekFrom};
    let end = (&*file).seek(SeekFrom::End(0)).map_err(|error| refusal(&error))?;
    let sector = devices::sector_size(file).map_err(|error| refusal(&error))?;
    check_reported(end, sector, size)
}

fn check_reported(end: u64, sector: u32, size: u64) -> Result<(), Refusal> {
    match (end == size, sector) {
        (false, _) => Err(Refusal::Changed),
        (true, ..=4096) => Ok(()),
        (true, _) => Err(Refusal::SectorSize(sector)),
    }
}

fn place(found: &FileInfo) -> (u64, u64) {
    found.device.map_or((found.id.device, found.id.inode), |number| (number, 0))
}

pub(super) fn place_of(found: &FileInfo) -> Place {
    found.device.map_or(Place::File(found.id), |number| Place::Device(split(number)))
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (FileInfo::at(a), FileInfo::at(b)) {
        (Ok(a), Ok(b)) => place(&a) == place(&b),
        _ => false,
    }
}

/// Returns the refusal for an error of opening.
fn refusal(error: &io::Error) -> Refusal {
    match error.kind() {
        _ if devices::has_no_medium(error) => Refusal::NoMedium,
        io::ErrorKind::ResourceBusy => Refusal::Busy,
        io::ErrorKind::ReadOnlyFilesystem => Refusal::ReadOnly,
        io::ErrorKind::PermissionDenied => Refusal::NoPermission,
        _ => Refusal::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_opening_have_their_reasons() {
        // Linux's ENOMEDIUM, EBUSY, EROFS and EACCES.
        for (number, reason) in [
            (123, Refusal::NoMedium),
            (16, Refusal::Busy),
            (30, Refusal::ReadOnly),
            (13, Refusal::NoPermission),
        ] {
            assert_eq!(refusal(&io::Error::from_raw_os_error(number)), reason);
        }
        assert!(matches!(refusal(&io::Error::other("failed")), Refusal::Io(_)));
    }

    #[test]
    fn a_device_has_the_size_that_was_listed_and_sectors_of_a_card() {
        for sector in [512, 4096] {
            assert_eq!(check_reported(8192, sector, 8192), Ok(()));
        }
        assert_eq!(check_reported(8192, 8192, 8192), Err(Refusal::SectorSize(8192)));
        for size in [0, 4096, 8191, 8193] {
            assert_eq!(check_reported(8192, 512, size), Err(Refusal::Changed), "{size}");
        }
    }
}
