//! A device or file that the user named as a target.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use block_io::FileStorage;
use rustix::{
    fs::{FlockOperation, OFlags},
    io::Errno,
};

use super::{
    contents::DeviceContents,
    opened::OpenedTarget,
    refusal::{Refusal, TargetLimits},
    system::{Device, HostSystem},
};

/// A device or file that may be written, as it was found.
///
/// Nothing is locked yet: between [`inspect`](Self::inspect) and
/// [`open`](Self::open), which makes sure that it is still the same, the user is
/// asked.
#[derive(Debug, Clone)]
pub struct Target {
    path: PathBuf,
    identity: DeviceIdentity,
    device: Option<Device>,
    contents: DeviceContents,
}

/// What tells one card in a reader from the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceIdentity {
    /// Device number of a device, or of a file's filesystem and its inode.
    pub(super) place: (u64, u64),
    /// In bytes.
    pub(super) size: u64,
    pub(super) diskseq: Option<u64>,
    pub(super) serial: Option<String>,
}

/// A target that must not be written, and why.
#[derive(Debug, thiserror::Error)]
#[error("{}: {}", .path.display(), list(.refusals))]
pub struct TargetError {
    /// The path that the user gave.
    pub path: PathBuf,
    /// All reasons, the most telling first.
    pub refusals: Vec<Refusal>,
}

fn list(refusals: &[Refusal]) -> String {
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    texts.join(". Also, ")
}

impl TargetError {
    /// One reason.
    pub fn new(path: &Path, refusal: Refusal) -> Self {
        TargetError { path: path.to_owned(), refusals: vec![refusal] }
    }
}

impl Target {
    /// Looks at what `path` names, without changing or locking it.
    ///
    /// `base` is the base image, which is to stay.
    ///
    /// # Errors
    /// [`TargetError`] with every reason not to write to it.
    pub fn inspect(
        system: &HostSystem,
        path: &Path,
        base: &Path,
        limits: &TargetLimits,
    ) -> Result<Self, TargetError> {
        let refuse = |refusals| Err(TargetError { path: path.to_owned(), refusals });
        let found = look(system, path).map_err(|refusal| TargetError::new(path, refusal))?;
        let mut refusals = Vec::new();
        if is_same_file(path, base) {
            refusals.push(Refusal::IsBase);
        }
        if let Some(device) = &found.device {
            if device.backing_file.as_ref().is_some_and(|file| is_same_file(file, base)) {
                refusals.push(Refusal::IsBase);
            }
            if fs::metadata(base).is_ok_and(|base| device.has(number(base.dev()))) {
                refusals.push(Refusal::HoldsBase);
            }
            refusals.extend(device.refusals(limits));
        } else if found.identity.size == 0 {
            refusals.push(Refusal::EmptyFile);
        }
        if !refusals.is_empty() {
            return refuse(refusals);
        }
        let storage = FileStorage::open(path).map_err(|error| {
            let refusal = match error {
                block_io::Error::Open { source, .. } => refusal(&source),
                other => Refusal::Io(other.to_string()),
            };
            TargetError::new(path, refusal)
        })?;
        let contents = DeviceContents::look(&storage);
        if let Some(device) = &found.device {
            refusals.extend(device.refusals_of(&contents));
        }
        if !refusals.is_empty() {
            return refuse(refusals);
        }
        Ok(Target { path: path.to_owned(), contents, ..found })
    }

    /// Opens it for nobody else, and makes sure that it still is what
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
        // O_EXCL keeps mounts and other programs that ask for it away.
        let excl = if self.device.is_some() { OFlags::EXCL } else { OFlags::empty() };
        let open = |flags: OFlags| {
            OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(flags.bits() as i32)
                .open(&self.path)
        };
        let (file, direct) = match open(excl | OFlags::DIRECT) {
            // tmpfs of older kernels and some network filesystems.
            Err(error) if is(&error, Errno::INVAL) => (open(excl), false),
            other => (other, true),
        };
        let file = file.map_err(|error| refusal(&error))?;
        // udev leaves alone what is locked so; a second run of ours as well.
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Refusal::Busy)?;
        let now = look(system, &self.path)?;
        let metadata = file.metadata().map_err(|error| refusal(&error))?;
        if now.identity != self.identity || place(&metadata) != self.identity.place {
            return Err(Refusal::Changed);
        }
        if let Some(device) = &now.device {
            if let Some(refusal) = device.refusals(limits).into_iter().next() {
                return Err(refusal);
            }
            check_device(&file, self.identity.size)?;
        }
        let path = self.path.clone();
        Ok(OpenedTarget::new(file, path, self.identity.clone(), system.clone(), direct))
    }

    /// Whether both are one device, or one file, by whatever names.
    pub fn is_same_place(&self, other: &Target) -> bool {
        self.identity.place == other.identity.place
    }

    /// The path as the user gave it.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The size in bytes, as the device or file claims it.
    pub fn size(&self) -> u64 {
        self.identity.size
    }

    /// What tells it from the next card in the same reader.
    pub fn identity(&self) -> &DeviceIdentity {
        &self.identity
    }

    /// The device; `None` for a file.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// What is on it now.
    pub fn contents(&self) -> &DeviceContents {
        &self.contents
    }

    /// What the user types to agree to losing what is on it: the kernel's name
    /// of a device, or the file's name.
    pub fn name(&self) -> String {
        match &self.device {
            Some(device) => device.name.clone(),
            None => self.path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        }
    }
}

impl DeviceIdentity {
    /// What `path` is now; `None` if there is nothing, or an empty reader.
    pub fn of(system: &HostSystem, path: &Path) -> Option<DeviceIdentity> {
        look(system, path).ok().map(|target| target.identity).filter(|found| found.size > 0)
    }
}

impl Device {
    /// Whether the number is that of the device or a partition of it.
    fn has(&self, number: (u32, u32)) -> bool {
        self.number == number || self.has_partition(number)
    }
}

/// What a path leads to, without its contents.
fn look(system: &HostSystem, path: &Path) -> Result<Target, Refusal> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Refusal::NotFound(path.to_owned()),
        _ => refusal(&error),
    })?;
    let kind = metadata.file_type();
    let mut identity = DeviceIdentity {
        place: place(&metadata),
        size: metadata.len(),
        diskseq: None,
        serial: None,
    };
    if kind.is_dir() {
        return Err(Refusal::NotATarget("a directory"));
    }
    if kind.is_file() {
        let (path, contents) = (path.to_owned(), DeviceContents::default());
        return Ok(Target { path, identity, device: None, contents });
    }
    if !kind.is_block_device() {
        return Err(Refusal::NotATarget("neither a block device nor a file"));
    }
    let number = number(metadata.rdev());
    let device = system.find(number).map_err(|error| Refusal::Io(error.to_string()))?;
    let device = device.ok_or(Refusal::NotATarget("a device that this system does not know"))?;
    if device.has_partition(number) {
        return Err(Refusal::Partition { disk: device.path() });
    }
    identity.size = device.size;
    identity.diskseq = device.diskseq;
    identity.serial = device.serial.clone();
    let (path, contents) = (path.to_owned(), DeviceContents::default());
    Ok(Target { path, identity, device: Some(device), contents })
}

/// What the device itself says, which sysfs might say otherwise.
fn check_device(file: &File, size: u64) -> Result<(), Refusal> {
    use std::io::{Seek as _, SeekFrom};
    let end = (&*file).seek(SeekFrom::End(0)).map_err(|error| refusal(&error))?;
    if end != size {
        return Err(Refusal::Changed);
    }
    let sector = rustix::fs::ioctl_blksszget(file).map_err(|errno| refusal(&errno.into()))?;
    if sector > 4096 { Err(Refusal::SectorSize(sector)) } else { Ok(()) }
}

fn place(metadata: &fs::Metadata) -> (u64, u64) {
    match metadata.file_type().is_block_device() {
        true => (metadata.rdev(), 0),
        false => (metadata.dev(), metadata.ino()),
    }
}

fn number(device: u64) -> (u32, u32) {
    (rustix::fs::major(device), rustix::fs::minor(device))
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a), Ok(b)) => place(&a) == place(&b),
        _ => false,
    }
}

fn is(error: &io::Error, errno: Errno) -> bool {
    error.raw_os_error() == Some(errno.raw_os_error())
}

/// What an error of opening says.
fn refusal(error: &io::Error) -> Refusal {
    match error {
        _ if is(error, Errno::BUSY) => Refusal::Busy,
        _ if is(error, Errno::ROFS) => Refusal::ReadOnly,
        _ if is(error, Errno::NOMEDIUM) || is(error, Errno::NXIO) => Refusal::NoMedium,
        _ if is(error, Errno::ACCESS) || is(error, Errno::PERM) => Refusal::NoPermission,
        _ => Refusal::Io(error.to_string()),
    }
}
