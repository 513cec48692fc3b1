//! Reading the block devices of this computer from sysfs and procfs.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use platform::{
    FileId, FileInfo,
    devices::{self, Opening},
};

use super::{
    block_device::{Device, DeviceKind, RelatedDevice},
    host::{Backing, DeviceNumber, HostState, Place, SwapSpace, split},
    mounts::{Mount, mounts, number, swaps},
    refusal::Refusal,
};

/// A computer's block devices, as its kernel lists them in sysfs and procfs.
#[derive(Debug, Clone)]
pub struct HostSystem {
    root: PathBuf,
}

impl HostSystem {
    /// This computer.
    pub fn this() -> Self {
        Self::at(Path::new("/"))
    }

    /// A computer whose `sys`, `proc` and `dev` are in this directory, for tests.
    pub fn at(root: &Path) -> Self {
        HostSystem { root: root.to_owned() }
    }

    /// Returns all block devices, in the order of their names.
    ///
    /// # Errors
    /// Those of reading `/sys/block`, and `/proc/self/mountinfo`, without which no device is
    /// safe. [`Unsupported`](io::ErrorKind::Unsupported) on a system other than Linux.
    pub fn devices(&self) -> io::Result<Vec<Device>> {
        if !devices::ARE_LISTED {
            let text = "nodecard knows the devices of Linux only";
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        Ok(self.state(fs::read_dir(self.root.join("sys/block"))?)?.into_devices())
    }

    /// Returns the device that has this number, or a partition with this number.
    ///
    /// # Errors
    /// As [`devices`](Self::devices).
    pub(super) fn find(&self, number: DeviceNumber) -> io::Result<Option<Device>> {
        Ok(self.devices()?.into_iter().find(|device| device.has(number)))
    }

    /// Returns why a file is in use, and the loop devices over it.
    ///
    /// # Errors
    /// Those of reading `/sys/block` and `/proc/self/mountinfo`.
    pub(super) fn file_uses(
        &self,
        path: &Path,
        id: FileId,
    ) -> io::Result<(Vec<Refusal>, Vec<RelatedDevice>)> {
        let state = match fs::read_dir(self.root.join("sys/block")) {
            _ if !devices::ARE_LISTED => HostState::default(),
            Ok(entries) => self.state(entries)?,
            // In many containers there are no devices at all.
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.state([])?,
            Err(error) => return Err(error),
        };
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        Ok(state.file_uses(&path, id))
    }

    /// Opens a device that shares its contents with a target, exclusively: nothing else can
    /// mount it until the returned file is dropped. Returns `None` if it cannot be opened for
    /// another reason than its use, such as missing permission.
    ///
    /// # Errors
    /// Returns an error if it is in use, as by a mount that this process does not see.
    pub(super) fn claim(&self, device: &Device) -> io::Result<Option<File>> {
        let path = self.rooted(&device.path());
        let opening = Opening { exclusive: true, at_once: true, ..Opening::default() };
        match opening.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Err(error),
            other => Ok(other.ok()),
        }
    }

    fn state(
        &self,
        entries: impl IntoIterator<Item = io::Result<fs::DirEntry>>,
    ) -> io::Result<HostState> {
        let mountinfo = fs::read_to_string(self.root.join("proc/self/mountinfo"))?;
        // A kernel without swap has no such file.
        let swap = fs::read_to_string(self.root.join("proc/swaps")).unwrap_or_default();
        let mut state = HostState {
            mounts: mounts(&mountinfo),
            swaps: swaps(&swap)
                .into_iter()
                .map(|path| SwapSpace { place: self.place(&path), path })
                .collect(),
            btrfs: self.btrfs(),
            devices: Vec::new(),
        };
        // The number of a mount is that of its device, unless its filesystem makes one up.
        let is_made_up = |mount: &&mut Mount| mount.number.0 == 0 && mount.source.is_absolute();
        for mount in state.mounts.iter_mut().filter(is_made_up) {
            mount.place = self.place(&mount.source);
        }
        for entry in entries {
            state.devices.extend(self.device(&entry?.path()));
        }
        Ok(state)
    }

    fn device(&self, link: &Path) -> Option<Device> {
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
        let backing = self.backing(&dir, &name, number);
        Some(Device {
            kind,
            size: text(&dir, "size")?.parse::<u64>().ok()?.saturating_mul(512),
            removable: flag("removable"),
            read_only: flag("ro"),
            model,
            serial,
            diskseq: text(&dir, "diskseq").and_then(|text| text.parse().ok()),
            backing_file: backing.as_ref().map(|backing| backing.path.clone()),
            mounted: Vec::new(),
            read_only_mounts: Vec::new(),
            swap: Vec::new(),
            holders,
            related: Vec::new(),
            system: None,
            name,
            number,
            backing,
            slaves: list(&dir.join("slaves")),
            partitions,
        })
    }

    /// Returns what is behind a loop device.
    fn backing(&self, dir: &Path, name: &str, number: DeviceNumber) -> Option<Backing> {
        let mut bytes = fs::read(dir.join("loop/backing_file")).ok()?;
        if bytes.ends_with(b"\n") {
            bytes.pop();
        }
        let path = devices::path_of(bytes);
        // The path may be hidden, or deleted, or in another namespace: the kernel knows the
        // file itself.
        let place = self.backing_place(name, number).or_else(|| self.place(&path));
        Some(Backing { path, place })
    }

    fn backing_place(&self, name: &str, number: DeviceNumber) -> Option<Place> {
        let path = self.root.join("dev").join(name);
        let file = Opening { at_once: true, ..Opening::default() }.open(&path).ok()?;
        if FileInfo::of(&file).ok()?.device.map(split) != Some(number) {
            return None;
        }
        let status = devices::loop_status(&file).ok()?;
        Some(match status.rdevice {
            0 => Place::File(FileId { device: status.device, inode: status.inode }),
            rdevice => Place::Device(split(rdevice)),
        })
    }

    /// Returns what a path leads to now.
    fn place(&self, path: &Path) -> Option<Place> {
        let found = FileInfo::at(&self.rooted(path)).ok()?;
        match found.device {
            Some(number) => Some(Place::Device(split(number))),
            None => found.is_file().then_some(Place::File(found.id)),
        }
    }

    /// Returns the names of the devices of each mounted btrfs.
    fn btrfs(&self) -> Vec<Vec<String>> {
        let dir = self.root.join("sys/fs/btrfs");
        let devices = list(&dir).into_iter().map(|id| list(&dir.join(id).join("devices")));
        devices.filter(|devices| !devices.is_empty()).collect()
    }

    fn rooted(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
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

fn device_number(dir: &Path) -> Option<DeviceNumber> {
    number(&text(dir, "dev")?)
}

/// Returns the contents of a small file without blanks around them, if there are any.
pub(super) fn text(dir: &Path, file: &str) -> Option<String> {
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
