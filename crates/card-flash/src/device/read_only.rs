//! A device or file that is only read, as when a card is saved.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
};

use block_io::{FileStorage, ReadAt};
use platform::{FileInfo, devices::Opening};

use super::{
    block_device::{Device, RelatedDevice, Relation},
    host::split,
    refusal::{Refusal, only_system},
    system::HostSystem,
    target::{DeviceIdentity, Target, look, place_of},
};
use crate::Presence;

/// A device or file that is open for reading, and that nobody else changes.
#[derive(Debug)]
pub struct ReadOnlyTarget {
    storage: FileStorage,
    path: PathBuf,
    identity: DeviceIdentity,
    device: Option<Device>,
    system: HostSystem,
    /// Other devices with the same contents, opened exclusively so that nobody mounts them.
    _claims: Vec<fs::File>,
}

/// A device or file cannot be read, or should not be because it can change meanwhile.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It can change, or is not a card.
    #[error("{} cannot be saved: {}", path.display(), list(refusals))]
    Refused {
        /// The path that the user gave.
        path: PathBuf,
        /// All reasons, the most important first.
        refusals: Vec<Refusal>,
    },
    /// It cannot be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The path that the user gave.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
}

fn list(refusals: &[Refusal]) -> String {
    let texts: Vec<String> = refusals.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

impl ReadError {
    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let ReadError::Refused { refusals, .. } = self else { return None };
        let mut fixes: Vec<String> = refusals.iter().filter_map(fix).collect();
        fixes.dedup();
        (!fixes.is_empty()).then(|| fixes.join("; "))
    }
}

fn fix(refusal: &Refusal) -> Option<String> {
    match refusal {
        // What helps where something is to be overwritten does not help here.
        Refusal::NotFound(_) => Some("check the path".to_owned()),
        Refusal::EmptyFile { .. } => None,
        other => other.fix(),
    }
}

impl ReadOnlyTarget {
    /// Opens the device or file at `path` for reading. A device is opened exclusively, so that
    /// nobody mounts it meanwhile. Filesystems that are mounted read-only are accepted. `output`
    /// is the file that will be written, which must not be on it.
    ///
    /// # Errors
    /// [`ReadError`] with every reason.
    pub fn open(system: &HostSystem, path: &Path, output: &Path) -> Result<Self, ReadError> {
        let refused = |refusals| ReadError::Refused { path: path.to_owned(), refusals };
        let found = look(system, path).map_err(|refusal| refused(vec![refusal]))?;
        let mut refusals = Vec::new();
        if found.identity().size == 0 {
            refusals.push(match found.device() {
                Some(_) => Refusal::NoMedium,
                None => Refusal::EmptyFile { path: path.to_owned() },
            });
        }
        refusals.extend(output_on(&found, output));
        refusals.extend(writers(&found));
        if !refusals.is_empty() {
            return Err(refused(only_system(refusals)));
        }
        let mounted = found.device().is_some_and(|device| !device.mounted.is_empty());
        let related_mounted = related(&found).iter().any(|other| !other.device.mounted.is_empty());
        let claims = if related_mounted {
            Vec::new()
        } else {
            found.claim_related(system).map_err(|refusal| refused(vec![refusal]))?
        };
        let exclusive = found.device().is_some() && !mounted;
        let opening = Opening { exclusive, at_once: true, ..Opening::default() };
        let file = opening.open(path).map_err(|source| match source.kind() {
            io::ErrorKind::ResourceBusy => refused(vec![Refusal::Busy]),
            _ => ReadError::Open { path: path.to_owned(), source },
        })?;
        let storage = FileStorage::from_file(file, path.to_owned()).map_err(|error| {
            ReadError::Open { path: path.to_owned(), source: io::Error::other(error) }
        })?;
        let identity = found.identity().clone();
        if look(system, path).is_ok_and(|now| *now.identity() != identity) {
            return Err(refused(vec![Refusal::Changed]));
        }
        let device = found.device().cloned();
        let (path, system) = (path.to_owned(), system.clone());
        Ok(ReadOnlyTarget { storage, path, identity, device, system, _claims: claims })
    }

    /// Returns the device, or `None` for a file.
    pub fn device(&self) -> Option<&Device> {
        self.device.as_ref()
    }

    /// Returns whether the card that was opened is still there.
    pub fn presence(&self) -> Presence {
        match DeviceIdentity::of(&self.system, &self.path) {
            None => Presence::Gone,
            Some(now) if now == self.identity => Presence::Same,
            Some(_) => Presence::Other,
        }
    }
}

impl ReadAt for ReadOnlyTarget {
    fn size(&self) -> u64 {
        self.storage.size()
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> block_io::Result<()> {
        self.storage.read_at(offset, buf)
    }

    fn next_data(&self, from: u64) -> block_io::Result<Option<Range<u64>>> {
        self.storage.next_data(from)
    }
}

fn related(found: &Target) -> &[RelatedDevice] {
    found.device().map_or(&found.over_file, |device| &device.related)
}

/// Returns who may change it while it is read.
fn writers(found: &Target) -> Vec<Refusal> {
    let own = found.device().map(Device::writers).unwrap_or_default();
    let others = related(found).iter().flat_map(|RelatedDevice { relation, device }| {
        device.writers().into_iter().map(|reason| reason.of(*relation, &device.name))
    });
    found.file_uses.iter().cloned().chain(own).chain(others).collect()
}

/// Returns the reason if the output would be on the card, or is the card itself.
fn output_on(found: &Target, output: &Path) -> Option<Refusal> {
    if let Ok(output) = FileInfo::at(output)
        && found.places().contains(&place_of(&output))
    {
        return Some(Refusal::IsOutput);
    }
    let directory = output.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    // A directory that does not exist yet is made in the nearest one that does.
    let above = directory.ancestors().find_map(|above| FileInfo::at(above).ok())?;
    let filesystem = split(above.id.device);
    // The disk behind a loop device may well hold both.
    let others = related(found).iter().filter(|other| other.relation != Relation::Behind);
    let mut devices = found.device().into_iter().chain(others.map(|other| &other.device));
    devices.any(|device| device.has(filesystem)).then_some(Refusal::HoldsOutput)
}
