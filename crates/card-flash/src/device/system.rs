//! The block devices of this computer, from sysfs and procfs.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::mounts::{Mount, mounts, number, swaps};

/// A computer's block devices, as its kernel lists them in sysfs and procfs.
#[derive(Debug, Clone)]
pub struct HostSystem {
    root: PathBuf,
}

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
    /// The device and partitions that are in use as swap space.
    pub swap: Vec<String>,
    /// Devices that are made of it, such as those of LVM, RAID or dm-crypt.
    pub holders: Vec<String>,
    /// A mount point of the running system that is on it.
    pub system: Option<PathBuf>,
    /// Major and minor number.
    pub(super) number: (u32, u32),
    /// Numbers and names of its partitions.
    pub(super) partitions: Vec<((u32, u32), String)>,
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

/// The mount points that make up the running system.
const SYSTEM_MOUNTS: [&str; 7] =
    ["/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home"];

impl HostSystem {
    /// This computer.
    pub fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// A computer whose `sys` and `proc` are in this directory, for tests.
    pub fn at(root: &Path) -> Self {
        HostSystem { root: root.to_owned() }
    }

    /// Returns all block devices, in the order of their names.
    ///
    /// # Errors
    /// Those of reading `/sys/block`, and `/proc/self/mountinfo`, without which no device is
    /// safe.
    pub fn devices(&self) -> io::Result<Vec<Device>> {
        let mounts = mounts(&fs::read_to_string(self.root.join("proc/self/mountinfo"))?);
        // A kernel without swap has no such file.
        let swaps = swaps(&fs::read_to_string(self.root.join("proc/swaps")).unwrap_or_default());
        let mut devices = Vec::new();
        for entry in fs::read_dir(self.root.join("sys/block"))? {
            devices.extend(self.device(&entry?.path(), &mounts, &swaps));
        }
        for mount in mounts.iter().filter(|mount| is_system(mount)) {
            for name in self.below(&devices, mount) {
                let device = devices.iter_mut().find(|device| device.name == name);
                if let Some(device) = device {
                    device.system.get_or_insert(mount.point.clone());
                }
            }
        }
        devices.sort_by_key(|device| natural(&device.name));
        Ok(devices)
    }

    /// Returns the device that has this number, or a partition with this number.
    ///
    /// # Errors
    /// As [`devices`](Self::devices).
    pub(super) fn find(&self, number: (u32, u32)) -> io::Result<Option<Device>> {
        let has = |device: &Device| device.number == number || device.has_partition(number);
        Ok(self.devices()?.into_iter().find(has))
    }

    fn device(&self, link: &Path, mounts: &[Mount], swaps: &[PathBuf]) -> Option<Device> {
        // The link leads through the buses that the device is attached to.
        let dir = fs::canonicalize(link).ok()?;
        let name = link.file_name()?.to_str()?.replace('!', "/");
        let number = number(&text(&dir, "dev")?)?;
        let flag = |file| text(&dir, file).is_some_and(|text| text != "0");
        let mut partitions = Vec::new();
        let mut holders = list(&dir.join("holders"));
        for part in list(&dir) {
            let part_dir = dir.join(&part);
            if let (true, Some(number)) =
                (part_dir.join("partition").exists(), device_number(&part_dir))
            {
                holders.extend(list(&part_dir.join("holders")));
                partitions.push((number, part));
            }
        }
        let kind = DeviceKind::of(&name, &dir);
        let (model, serial) = names(&dir);
        let mut device = Device {
            kind,
            size: text(&dir, "size")?.parse::<u64>().ok()?.saturating_mul(512),
            removable: flag("removable"),
            read_only: flag("ro"),
            model,
            serial,
            diskseq: text(&dir, "diskseq").and_then(|text| text.parse().ok()),
            backing_file: text(&dir, "loop/backing_file").map(PathBuf::from),
            mounted: Vec::new(),
            swap: Vec::new(),
            holders,
            system: None,
            name,
            number,
            partitions,
        };
        for mount in mounts {
            if let Some(name) = device.mounted_part(mount) {
                device.mounted.push((name.to_owned(), mount.point.clone()));
            }
        }
        let swap = swaps.iter().filter_map(|path| device.part_at(path)).map(str::to_owned);
        device.swap = swap.collect();
        Some(device)
    }

    /// Returns the names of all devices that a mounted filesystem lies on, through any layers
    /// of LVM, RAID or dm-crypt.
    fn below(&self, devices: &[Device], mount: &Mount) -> Vec<String> {
        let on = devices.iter().filter(|device| device.mounted_part(mount).is_some());
        let mut names: Vec<String> = on.map(|device| device.name.clone()).collect();
        let mut next = 0;
        while let Some(name) = names.get(next) {
            let slaves = list(&self.root.join("sys/block").join(name).join("slaves"));
            for slave in slaves {
                let whole = devices.iter().find(|device| {
                    device.name == slave || device.partitions.iter().any(|(_, part)| *part == slave)
                });
                let name = whole.map(|device| device.name.clone());
                names.extend(name.filter(|name| !names.contains(name)));
            }
            next += 1;
        }
        names
    }
}

impl Device {
    /// Returns its path, such as `/dev/sdb`.
    pub fn path(&self) -> PathBuf {
        Path::new("/dev").join(&self.name)
    }

    pub(super) fn has_partition(&self, number: (u32, u32)) -> bool {
        self.partitions.iter().any(|(other, _)| *other == number)
    }

    /// Returns the name of the device or partition that is mounted there.
    fn mounted_part(&self, mount: &Mount) -> Option<&str> {
        let part = self.partitions.iter().find(|(number, _)| *number == mount.number);
        match part {
            _ if self.number == mount.number => Some(&self.name),
            Some((_, name)) => Some(name),
            None => self.part_at(&mount.source),
        }
    }

    /// Returns the name of the device or partition that has this path.
    fn part_at(&self, path: &Path) -> Option<&str> {
        let name = path.strip_prefix("/dev").ok()?.to_str()?;
        let names = self.partitions.iter().map(|(_, name)| name).chain([&self.name]);
        names.map(String::as_str).find(|own| *own == name)
    }
}

impl DeviceKind {
    fn of(name: &str, dir: &Path) -> DeviceKind {
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

/// Returns the model and serial number of a device.
fn names(dir: &Path) -> (Option<String>, Option<String>) {
    let scsi = [text(dir, "device/vendor"), text(dir, "device/model")];
    let join = |words: [Option<String>; 2]| {
        let words: Vec<String> = words.into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(" "))
    };
    // An SD card has a name. The vendor of a virtual disk is a meaningless number.
    let named = text(dir, "device/name").filter(|_| dir.join("device/cid").exists());
    let scsi = join(scsi).filter(|name| !name.starts_with("0x"));
    let serial = text(dir, "device/serial").or_else(|| text(dir, "serial"));
    // A USB device has its own names in the directory that holds its ids.
    let usb = dir.ancestors().find(|dir| dir.join("idVendor").exists());
    let usb_model = usb.and_then(|usb| join([text(usb, "manufacturer"), text(usb, "product")]));
    let usb_serial = usb.and_then(|usb| text(usb, "serial"));
    (named.or(scsi).or(usb_model), serial.or(usb_serial))
}

fn is_system(mount: &Mount) -> bool {
    SYSTEM_MOUNTS.iter().any(|point| mount.point == Path::new(point))
}

fn device_number(dir: &Path) -> Option<(u32, u32)> {
    number(&text(dir, "dev")?)
}

/// Returns the contents of a small file without blanks around them, if there are any.
fn text(dir: &Path, file: &str) -> Option<String> {
    let bytes = fs::read(dir.join(file)).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    (!text.is_empty()).then(|| text.to_owned())
}

/// Returns the names in a directory, or none if it does not exist.
fn list(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<String> =
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect();
    names.sort();
    names
}

/// Returns a key that sorts `loop2` before `loop10`, and `sdz` before `sdaa`.
fn natural(name: &str) -> (String, usize, String) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let kind: String = stem.chars().take(2).collect();
    (kind, name.len(), name.to_owned())
}
