//! Why a device must not be overwritten.

use std::path::{Path, PathBuf};

use fs_signature::Signature;
use plain_text::{decimal_size, shell_word, two_sizes};

use super::{
    block_device::{Device, DeviceKind, RelatedDevice, Relation},
    contents::DeviceContents,
};

/// No Linux system fits on a smaller card, in bytes.
const SMALLEST_CARD: u64 = 16 << 20;

/// A reason not to write to a device. Its text completes "it cannot be overwritten: …"
/// and "it cannot be changed: …".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is nothing at that path.
    #[error("there is no such device or file")]
    NotFound(PathBuf),
    /// The user is not allowed to open it.
    #[error("you have no permission to write to it")]
    NoPermission,
    /// The path leads to something that cannot hold a card.
    #[error("it is {0}")]
    NotATarget(&'static str),
    /// It is a device, and this system does not show which of its devices are cards.
    #[error("nodecard writes devices on Linux only")]
    UnsupportedDevice,
    /// It is a part of a device.
    #[error("it is only a partition")]
    Partition {
        /// The whole device.
        disk: PathBuf,
    },
    /// A file without any size.
    #[error("the file is empty")]
    EmptyFile {
        /// The file.
        path: PathBuf,
    },
    /// The reader is empty.
    #[error("no card is inserted")]
    NoMedium,
    /// It is write-protected.
    #[error("it is write-protected")]
    ReadOnly,
    /// The running system is on it.
    #[error("it holds this computer's {} filesystem", system_name(.mount))]
    RunningSystem {
        /// The mount point of the system that is on it.
        mount: PathBuf,
    },
    /// A filesystem on it is mounted.
    #[error("{part} is mounted at {}", .point.display())]
    Mounted {
        /// The name of the device or its partition.
        part: String,
        /// Where it is mounted.
        point: PathBuf,
    },
    /// The file itself is mounted, as by FUSE.
    #[error("it is mounted at {}", .point.display())]
    MountedFile {
        /// Where it is mounted.
        point: PathBuf,
    },
    /// The file is used as swap space.
    #[error("it is in use as swap space")]
    SwapFile {
        /// The path of the file.
        file: String,
    },
    /// Another device has the same contents, and must not be overwritten.
    #[error("{} {other}, and {reason}", .relation.text())]
    Shared {
        /// How they share them.
        relation: Relation,
        /// The name of the other device.
        other: String,
        /// Why the other device must not be overwritten.
        reason: Box<Refusal>,
    },
    /// It is used as swap space.
    #[error("{part} is in use as swap space")]
    Swap {
        /// The name of the device or its partition.
        part: String,
    },
    /// Another device is made of it.
    #[error("it is in use by {holder} (LVM, RAID or dm-crypt)")]
    InUseBy {
        /// The name of the other device.
        holder: String,
    },
    /// Another program has opened it exclusively.
    #[error("another program is using it")]
    Busy,
    /// It is an eMMC.
    #[error("it is a built-in eMMC, not an SD card")]
    Emmc,
    /// It cannot be a card at all.
    #[error("it is {0}, not a card")]
    NotACard(&'static str),
    /// It is neither removable, nor on USB, nor in an SD slot.
    /// [`TargetLimits::allow_fixed`] allows it.
    #[error("it is a fixed disk: not removable, not on USB and not in an SD slot")]
    FixedDisk,
    /// It is larger than a card is expected to be. [`TargetLimits::max_size`] allows more.
    #[error(
        "it is too large for a card: {}, the limit is {}",
        decimal_size(*.size), decimal_size(*.limit)
    )]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The contents of the base image do not fit.
    #[error("{}", too_small(*size, *needed))]
    TooSmall {
        /// Its size in bytes.
        size: u64,
        /// The size of the smallest card that they fit on, in bytes.
        needed: u64,
        /// The file, if it is not a device.
        file: Option<PathBuf>,
    },
    /// The image that is to be written is larger.
    #[error("{}", smaller_than_image(*size, *image))]
    SmallerThanImage {
        /// Its size in bytes.
        size: u64,
        /// The size of the image in bytes.
        image: u64,
        /// The file, if it is not a device.
        file: Option<PathBuf>,
    },
    /// It is part of a volume that may be in use elsewhere.
    #[error("{part} holds {what}")]
    Volume {
        /// What was detected.
        what: &'static str,
        /// The name of the device or its partition.
        part: String,
    },
    /// A file holds part of a volume that may be in use elsewhere.
    #[error("{} holds {what}", part_of_file(*.number))]
    VolumeInFile {
        /// What was detected.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The number of its partition, or `None` for the whole file.
        number: Option<u32>,
    },
    /// It is the base image.
    #[error("it is the base image itself")]
    IsBase,
    /// The base image is stored on it.
    #[error("the base image is stored on it")]
    HoldsBase,
    /// It is the image that is to be written.
    #[error("it is the image itself")]
    IsImage,
    /// The image that is to be written is stored on it.
    #[error("the image is stored on it")]
    HoldsImage,
    /// It is saved, and is the file that the image would be written to.
    #[error("the image would overwrite it")]
    IsOutput,
    /// It is saved, and the image would be written to it.
    #[error("the image would be written to it")]
    HoldsOutput,
    /// Another node's card is to be written to it too.
    #[error("it was also given for {0}")]
    GivenTwice(String),
    /// It is not what it was when the user was asked.
    #[error("the device or card has been exchanged since it was checked")]
    Changed,
    /// Its sectors are larger than those of any card.
    #[error("it has sectors of {0} bytes; cards have 512 or 4096")]
    SectorSize(u32),
    /// The operating system reports an error.
    #[error("it cannot be used: {0}")]
    Io(String),
}

impl Refusal {
    /// Returns what the user can do about it.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            Refusal::NotFound(path) if path.starts_with("/dev") => "check the device's name",
            Refusal::NotFound(path) => {
                let path = shell_word(&path.to_string_lossy());
                return Some(format!("make a file of the card's size: truncate -s 7600M {path}"));
            }
            Refusal::NoPermission => "run the command as a user with write permission",
            Refusal::UnsupportedDevice => {
                return Some(format!(
                    "write an image of the card with another program: {}",
                    platform::devices::other_programs()
                ));
            }
            Refusal::NotATarget(_) => "give a whole device such as /dev/sdb, or a file",
            Refusal::Partition { disk } => {
                return Some(format!("give the whole device, {}", disk.display()));
            }
            Refusal::EmptyFile { path } => {
                let path = shell_word(&path.to_string_lossy());
                return Some(format!("give it the size of a card: truncate -s 7600M {path}"));
            }
            Refusal::NoMedium => "put a card into the reader",
            Refusal::ReadOnly => {
                "slide the switch on the edge of the card, or of its adapter, away from LOCK"
            }
            Refusal::Mounted { part, .. } => return Some(format!("umount /dev/{part}")),
            Refusal::MountedFile { point } => {
                return Some(format!("umount {}", shell_word(&point.to_string_lossy())));
            }
            Refusal::SwapFile { file } => return Some(format!("swapoff {}", shell_word(file))),
            Refusal::Shared { reason, .. } => return reason.fix(),
            Refusal::Swap { part } => return Some(format!("swapoff /dev/{part}")),
            Refusal::InUseBy { holder } => return Some(format!("deactivate /dev/{holder} first")),
            Refusal::Busy => "unmount its filesystems, or wait until the other program is done",
            Refusal::FixedDisk => "if it is a card, allow fixed disks",
            Refusal::TooLarge { .. } => "if it is a card, raise the limit",
            Refusal::TooSmall { size, needed, file: Some(file) }
            | Refusal::SmallerThanImage { size, image: needed, file: Some(file) } => {
                // A file that is far too small was meant for something else.
                if *size < SMALLEST_CARD {
                    return Some(
                        "give a device such as /dev/sdb, or a file of a card's size".into(),
                    );
                }
                let file = shell_word(&file.to_string_lossy());
                return Some(format!(
                    "use a larger card, or enlarge the file: truncate -s {needed} {file}"
                ));
            }
            Refusal::TooSmall { file: None, .. } | Refusal::SmallerThanImage { file: None, .. } => {
                "use a larger card"
            }
            Refusal::Volume { part, .. } => {
                return Some(format!(
                    "if it is not needed any more, remove it: wipefs -a /dev/{part}"
                ));
            }
            Refusal::VolumeInFile { path, .. } => {
                return Some(format!(
                    "if it is not needed any more, remove the file: rm {}",
                    shell_word(&path.to_string_lossy())
                ));
            }
            Refusal::HoldsBase => "copy the base image to another disk first",
            Refusal::HoldsImage => "copy the image to another disk first",
            Refusal::IsImage => "give the device of a card after the image",
            Refusal::IsOutput => "choose another file for the image",
            Refusal::HoldsOutput => "write the image to another disk",
            Refusal::GivenTwice(_) => "give each node a card of its own",
            Refusal::Changed => "run the command again",
            Refusal::RunningSystem { .. }
            | Refusal::Emmc
            | Refusal::NotACard(_)
            | Refusal::IsBase
            | Refusal::SectorSize(_)
            | Refusal::Io(_) => return None,
        };
        Some(fix.to_owned())
    }
}

fn too_small(size: u64, needed: u64) -> String {
    let [size, needed] = two_sizes(size, needed);
    format!("it holds {size}, but the contents of the base image need {needed}")
}

fn smaller_than_image(size: u64, image: u64) -> String {
    let [size, image] = two_sizes(size, image);
    format!("it holds {size}, but the image is {image}")
}

fn part_of_file(number: Option<u32>) -> String {
    number.map_or("it".to_owned(), |number| format!("its partition {number}"))
}

fn system_name(mount: &Path) -> String {
    if mount == Path::new("/") { "root".to_owned() } else { mount.display().to_string() }
}

/// Limits that the user can lift.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetLimits {
    /// The size in bytes above which a device is not taken for a card.
    pub max_size: u64,
    /// Whether disks that look built in are accepted.
    pub allow_fixed: bool,
}

impl Default for TargetLimits {
    /// Accepts cards that are sold as 128 GB or less, and no fixed disks. Some cards are a little
    /// larger than they are called.
    fn default() -> Self {
        TargetLimits { max_size: 134_000_000_000, allow_fixed: false }
    }
}

impl Device {
    /// Returns all reasons not to write to it, the most important first. The list is empty for a
    /// device that may be a card.
    pub fn refusals(&self, limits: &TargetLimits) -> Vec<Refusal> {
        let mut reasons = self.own_refusals(limits);
        reasons.extend(shared(&self.related, limits));
        only_system(reasons)
    }

    /// Returns the reasons that do not depend on other devices with the same contents.
    fn own_refusals(&self, limits: &TargetLimits) -> Vec<Refusal> {
        let mut reasons = Vec::new();
        let system = self.system.clone();
        reasons.extend(system.map(|mount| Refusal::RunningSystem { mount }));
        reasons.extend(match self.kind {
            DeviceKind::Emmc | DeviceKind::EmmcBoot => Some(Refusal::Emmc),
            DeviceKind::Ram => Some(Refusal::NotACard("a disk in memory")),
            DeviceKind::Mapped => {
                Some(Refusal::NotACard("made of other devices (LVM, RAID, dm-crypt)"))
            }
            DeviceKind::Optical => Some(Refusal::NotACard("a CD drive")),
            DeviceKind::Network => Some(Refusal::NotACard("a network disk")),
            DeviceKind::Disk if !self.removable && !limits.allow_fixed => Some(Refusal::FixedDisk),
            DeviceKind::Disk | DeviceKind::Usb | DeviceKind::Sd | DeviceKind::Loop => None,
        });
        if self.size == 0 {
            reasons.push(Refusal::NoMedium);
        }
        if self.size > limits.max_size {
            reasons.push(Refusal::TooLarge { size: self.size, limit: limits.max_size });
        }
        if self.read_only {
            reasons.push(Refusal::ReadOnly);
        }
        reasons.extend(self.uses());
        reasons
    }

    /// Returns who may change it while it is read.
    pub(super) fn writers(&self) -> Vec<Refusal> {
        let mut writers = self.uses();
        writers.retain(|reason| match reason {
            Refusal::Mounted { point, .. } => !self.read_only_mounts.contains(point),
            _ => true,
        });
        match self.system.clone().filter(|_| !writers.is_empty()) {
            // Nobody unmounts the running system.
            Some(mount) => vec![Refusal::RunningSystem { mount }],
            None => writers,
        }
    }

    /// Returns who uses it.
    fn uses(&self) -> Vec<Refusal> {
        let mut reasons = Vec::new();
        reasons.extend(self.mounted.iter().map(|(part, point)| {
            let (part, point) = (part.clone(), point.clone());
            Refusal::Mounted { part, point }
        }));
        reasons.extend(self.swap.iter().map(|part| Refusal::Swap { part: part.clone() }));
        reasons
            .extend(self.holders.iter().map(|holder| Refusal::InUseBy { holder: holder.clone() }));
        reasons
    }
}

/// Returns the reasons that devices with the same contents give.
pub(super) fn shared(related: &[RelatedDevice], limits: &TargetLimits) -> Vec<Refusal> {
    let mut reasons = Vec::new();
    for RelatedDevice { relation, device } in related {
        let mut others = device.own_refusals(limits);
        match relation {
            // The loop device states these for itself.
            Relation::Behind => {
                others.retain(|other| !matches!(other, Refusal::NoMedium | Refusal::ReadOnly));
            }
            // Whatever shows the same contents need not be a card, as long as nobody uses it.
            Relation::Over | Relation::Beside => others.retain(Refusal::is_use),
        }
        reasons.extend(others.into_iter().map(|reason| reason.of(*relation, &device.name)));
    }
    only_system(reasons)
}

/// Drops all reasons but that of the running system, if that is among them: nobody should
/// follow advice about the others.
pub(super) fn only_system(mut reasons: Vec<Refusal>) -> Vec<Refusal> {
    if let Some(at) = reasons.iter().position(Refusal::is_system) {
        return vec![reasons.swap_remove(at)];
    }
    reasons
}

impl Refusal {
    fn is_system(&self) -> bool {
        match self {
            Refusal::RunningSystem { .. } => true,
            Refusal::Shared { reason, .. } => reason.is_system(),
            _ => false,
        }
    }

    /// Returns whether somebody uses the device.
    fn is_use(&self) -> bool {
        use Refusal::{Busy, InUseBy, Mounted, RunningSystem, Swap};
        matches!(self, RunningSystem { .. } | Mounted { .. } | Swap { .. } | InUseBy { .. } | Busy)
    }

    /// Makes it a reason for a device or file with the same contents.
    pub(super) fn of(self, relation: Relation, other: &str) -> Refusal {
        Refusal::Shared { relation, other: other.to_owned(), reason: Box::new(self) }
    }
}

impl Relation {
    fn text(self) -> &'static str {
        match self {
            Relation::Behind => "it shows the contents of",
            Relation::Over => "its contents are also shown by",
            Relation::Beside => "the same contents are shown by",
        }
    }
}

/// Returns the reasons that the contents of a device or file give. `device` is the name of a
/// device.
pub(super) fn refusals_of_contents(
    contents: &DeviceContents,
    path: &Path,
    device: Option<&str>,
) -> Vec<Refusal> {
    let volume = |(signature, number): (Signature, Option<u32>)| {
        let what = signature.name();
        match (device, number) {
            (Some(name), number) => {
                // The kernel separates two numbers by a letter.
                let separator = if name.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
                let part = |number: u32| format!("{name}{separator}{number}");
                Refusal::Volume { what, part: number.map_or(name.to_owned(), part) }
            }
            (None, number) => Refusal::VolumeInFile { what, path: path.to_owned(), number },
        }
    };
    contents.volumes().map(volume).collect()
}
