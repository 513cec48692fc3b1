//! Why a device is no target.

use std::path::PathBuf;

use super::{
    contents::DeviceContents,
    system::{Device, DeviceKind},
};

/// A reason not to write to a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// There is nothing at that path.
    #[error("there is no such device or file{}", hint_for(.0))]
    NotFound(PathBuf),
    /// The user may not open it.
    #[error("you may not write to it; try with sudo")]
    NoPermission,
    /// The path leads to something that cannot hold a card.
    #[error("it is {0}; give a whole device such as /dev/sdb, or a file")]
    NotATarget(&'static str),
    /// It is a part of a device.
    #[error("it is a partition; give the whole device, {}", .disk.display())]
    Partition {
        /// The whole device.
        disk: PathBuf,
    },
    /// A file without any size.
    #[error("the file is empty; give it the size of a card: truncate -s 7600M FILE")]
    EmptyFile,
    /// The reader is empty.
    #[error("there is no card in it")]
    NoMedium,
    /// It is write-protected.
    #[error(
        "it is write-protected; slide the switch on the edge of the card, or of its adapter, away \
         from LOCK"
    )]
    ReadOnly,
    /// The running system is on it.
    #[error("this computer's own system is on it ({} is)", .mount.display())]
    RunningSystem {
        /// What of the system is there.
        mount: PathBuf,
    },
    /// A filesystem on it is mounted.
    #[error("{part} is mounted on {}; unmount it: umount /dev/{part}", .point.display())]
    Mounted {
        /// The device or its partition.
        part: String,
        /// Where it is mounted.
        point: PathBuf,
    },
    /// It is used as swap space.
    #[error("{part} is swap space in use; stop that: swapoff /dev/{part}")]
    Swap {
        /// The device or its partition.
        part: String,
    },
    /// Another device is made of it.
    #[error("it is in use by {holder} (LVM, RAID or dm-crypt); stop that first")]
    InUseBy {
        /// The other device.
        holder: String,
    },
    /// Somebody has it open for themselves.
    #[error("another program is using it; unmount what is on it, or wait until that is done")]
    Busy,
    /// It is an eMMC.
    #[error("it is an eMMC, which belongs to this computer, and no SD card")]
    Emmc,
    /// It cannot be a card at all.
    #[error("it is {0}, and no card")]
    NotACard(&'static str),
    /// It is neither removable, nor USB, nor in an SD slot.
    #[error(
        "it is a fixed disk: neither removable nor on USB nor in an SD slot. If it is a card all \
         the same, add --allow-fixed"
    )]
    FixedDisk,
    /// It is larger than a card is expected to be.
    #[error(
        "it is larger than a card is likely to be ({} GB, the limit is {} GB). If it is a card, \
         raise the limit with --max-size", .size / 1_000_000_000, .limit / 1_000_000_000
    )]
    TooLarge {
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The base image does not fit.
    #[error("it has {size} bytes, fewer than the base image ({needed} bytes); use a larger card")]
    TooSmall {
        /// Its size in bytes.
        size: u64,
        /// The size of the base image in bytes.
        needed: u64,
    },
    /// It is part of a volume that may be in use elsewhere.
    #[error(
        "it holds {what}. If that is not needed any more, remove it first: wipefs -a /dev/{part}"
    )]
    Volume {
        /// What was found.
        what: &'static str,
        /// The device or its partition.
        part: String,
    },
    /// It is the base image.
    #[error("it is the base image itself")]
    IsBase,
    /// The base image is stored on it.
    #[error("the base image is stored on it")]
    HoldsBase,
    /// Another node is to be written to it too.
    #[error("it is given twice, for {0} as well")]
    GivenTwice(String),
    /// It is not what it was when the user was asked.
    #[error("it is another device or card than a moment ago; begin again")]
    Changed,
    /// Its sectors are larger than anything here.
    #[error("it has sectors of {0} bytes; cards have 512 or 4096")]
    SectorSize(u32),
    /// The operating system says no.
    #[error("it cannot be used: {0}")]
    Io(String),
}

fn hint_for(path: &std::path::Path) -> &'static str {
    match path.starts_with("/dev") {
        true => "; `nodecard devices` lists those that are there",
        false => "; a file must have the size of a card: truncate -s 7600M FILE",
    }
}

/// What the user can allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TargetLimits {
    /// The largest device that is taken for a card, in bytes.
    pub max_size: u64,
    /// Whether disks that look built in are taken too.
    pub allow_fixed: bool,
}

impl Default for TargetLimits {
    /// Cards of up to 128 GiB; no fixed disks.
    fn default() -> Self {
        TargetLimits { max_size: 128 << 30, allow_fixed: false }
    }
}

impl Device {
    /// All reasons not to write to it, the most telling first; none for what may
    /// be a card.
    pub fn refusals(&self, limits: &TargetLimits) -> Vec<Refusal> {
        let mut reasons = Vec::new();
        if let Some(mount) = self.system.clone() {
            // Enough: how to go about the others is no advice to give.
            return vec![Refusal::RunningSystem { mount }];
        }
        reasons.extend(match self.kind {
            DeviceKind::Emmc | DeviceKind::EmmcBoot => Some(Refusal::Emmc),
            DeviceKind::Ram => Some(Refusal::NotACard("a disk in memory")),
            DeviceKind::Mapped => {
                Some(Refusal::NotACard("made of other devices (LVM, RAID, dm-crypt)"))
            }
            DeviceKind::Optical => Some(Refusal::NotACard("a drive for CDs")),
            DeviceKind::Network => Some(Refusal::NotACard("a disk in a network")),
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
        reasons.extend(self.mounted.iter().map(|(part, point)| {
            let (part, point) = (part.clone(), point.clone());
            Refusal::Mounted { part, point }
        }));
        reasons.extend(self.swap.iter().map(|part| Refusal::Swap { part: part.clone() }));
        reasons
            .extend(self.holders.iter().map(|holder| Refusal::InUseBy { holder: holder.clone() }));
        reasons
    }

    /// Reasons in what is on it.
    pub(super) fn refusals_of(&self, contents: &DeviceContents) -> Vec<Refusal> {
        let volume = |(what, number): (&'static str, Option<u32>)| {
            let part = |number: u32| match self.name.ends_with(|c: char| c.is_ascii_digit()) {
                true => format!("{}p{number}", self.name),
                false => format!("{}{number}", self.name),
            };
            Refusal::Volume { what, part: number.map_or(self.name.clone(), part) }
        };
        contents.volumes().map(volume).collect()
    }
}
