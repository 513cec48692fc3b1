//! One block device, and what is known about it.

use std::path::{Path, PathBuf};

use super::{
    host::{Backing, DeviceNumber},
    system::text,
};

/// A block device other than a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The kernel's name, such as `sdb`.
    pub name: String,
    /// What it is.
    pub kind: DeviceKind,
    /// The size in bytes; 0 without a medium.
    pub size: u64,
    /// Whether its medium can be taken out. Many built-in readers say no.
    pub removable: bool,
    /// Whether it cannot be written.
    pub read_only: bool,
    /// Its maker and model, if they are known. For a card in a USB reader they are the
    /// reader's.
    pub model: Option<String>,
    /// The serial number of the card, or of its reader.
    pub serial: Option<String>,
    /// A number that increases whenever a medium is put in. Kernels before 5.15 have none.
    pub diskseq: Option<u64>,
    /// The file behind a loop device.
    pub backing_file: Option<PathBuf>,
    /// The mounted filesystems: the name of the device or partition, and the mount point.
    pub mounted: Vec<(String, PathBuf)>,
    /// Those of the mount points whose filesystem is read-only.
    pub read_only_mounts: Vec<PathBuf>,
    /// The device and partitions that are in use as swap space.
    pub swap: Vec<String>,
    /// Devices that are made of it, such as those of LVM, RAID or dm-crypt.
    pub holders: Vec<String>,
    /// Other devices that show the same contents: what is behind a loop device, and the loop
    /// devices over it or over the same file.
    pub related: Vec<RelatedDevice>,
    /// A mount point of the running system that is on it.
    pub system: Option<PathBuf>,
    /// Major and minor number.
    pub(super) number: DeviceNumber,
    /// What is behind a loop device.
    pub(super) backing: Option<Backing>,
    /// Devices that it is made of.
    pub(super) slaves: Vec<String>,
    /// Numbers and names of its partitions.
    pub(super) partitions: Vec<(DeviceNumber, String)>,
}

/// A kind of block device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeviceKind {
    /// A card reader, stick or disk on USB.
    Usb,
    /// An SD card in a built-in slot.
    Sd,
    /// A soldered or plugged eMMC.
    Emmc,
    /// A boot or RPMB partition of an eMMC.
    EmmcBoot,
    /// A loop device.
    Loop,
    /// A disk in memory.
    Ram,
    /// Made of other devices: LVM, RAID, dm-crypt.
    Mapped,
    /// A CD drive.
    Optical,
    /// A network disk.
    Network,
    /// Any other disk.
    Disk,
}

/// A device that shares its contents with another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RelatedDevice {
    /// How they share them.
    pub relation: Relation,
    /// The device, without devices that are related to it in turn.
    pub device: Device,
}

/// How a device shares its contents with a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The target is a loop device over this device.
    Behind,
    /// This is a loop device over the target.
    Over,
    /// This is a loop device over what the target is a loop device over.
    Beside,
}

impl Device {
    /// Returns its path, such as `/dev/sdb`.
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    /// Returns whether the number is that of a partition of it.
    pub(super) fn has_partition(&self, number: DeviceNumber) -> bool {
        self.partitions.iter().any(|(other, _)| *other == number)
    }

    /// Returns whether the number is that of the device or of a partition of it.
    pub(super) fn has(&self, number: DeviceNumber) -> bool {
        self.number == number || self.has_partition(number)
    }

    /// Returns whether the name is that of the device or of a partition of it.
    pub(super) fn has_name(&self, name: &str) -> bool {
        self.name == name || self.partitions.iter().any(|(_, part)| part == name)
    }

    /// Returns the name of the device or partition that has this number.
    pub(super) fn part_with(&self, number: DeviceNumber) -> Option<&str> {
        if self.number == number {
            return Some(&self.name);
        }
        let part = self.partitions.iter().find(|(other, _)| *other == number);
        part.map(|(_, name)| name.as_str())
    }

    /// Returns the name of the device or partition that has this path.
    pub(super) fn part_at(&self, path: &Path) -> Option<&str> {
        let name = path.strip_prefix("/dev").ok()?.to_str()?;
        let names = self.partitions.iter().map(|(_, name)| name).chain([&self.name]);
        names.map(String::as_str).find(|own| *own == name)
    }
}

impl DeviceKind {
    pub(super) fn of(name: &str, dir: &Path) -> DeviceKind {
        let digit_after = |prefix: &str| {
            name.strip_prefix(prefix)
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let on_usb = || {
            dir.components().any(|component| {
                let bus = component.as_os_str().to_str().and_then(|name| name.strip_prefix("usb"));
                bus.is_some_and(|bus| !bus.is_empty() && bus.bytes().all(|c| c.is_ascii_digit()))
            })
        };
        match name {
            _ if digit_after("loop") => DeviceKind::Loop,
            _ if digit_after("ram") || digit_after("zram") => DeviceKind::Ram,
            _ if digit_after("dm-") || digit_after("md") || digit_after("bcache") => {
                DeviceKind::Mapped
            }
            _ if digit_after("sr") => DeviceKind::Optical,
            _ if digit_after("nbd") || digit_after("rbd") || digit_after("drbd") => {
                DeviceKind::Network
            }
            _ if digit_after("mmcblk") => match text(dir, "device/type").as_deref() {
                _ if name.contains("boot") || name.contains("rpmb") => DeviceKind::EmmcBoot,
                Some("SD") => DeviceKind::Sd,
                _ => DeviceKind::Emmc,
            },
            _ if on_usb() => DeviceKind::Usb,
            _ => DeviceKind::Disk,
        }
    }
}
