//! A computer's block devices, mounts and swap space at one moment, and what they say about
//! each other.
//!
//! Everything here follows from the description alone: nothing is opened or read.

use std::path::{Path, PathBuf};

use platform::{FileId, devices::split_number};

use super::{
    block_device::{Device, RelatedDevice, Relation},
    mounts::Mount,
    refusal::Refusal,
};

/// The major and minor number of a device.
pub(super) type DeviceNumber = (u32, u32);

/// A device or file that a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Device(DeviceNumber),
    File(FileId),
}

/// What is behind a loop device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Backing {
    /// The path by which the kernel knows it. The file may be gone, or be hidden by another
    /// mount.
    pub path: PathBuf,
    /// What it is, if that is known.
    pub place: Option<Place>,
}

/// A device or file in use as swap space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SwapSpace {
    pub path: PathBuf,
    pub place: Option<Place>,
}

/// A computer's block devices, mounts and swap space at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct HostState {
    /// The devices as sysfs lists them. What follows from other devices is still missing.
    pub devices: Vec<Device>,
    pub mounts: Vec<Mount>,
    pub swaps: Vec<SwapSpace>,
    /// The names of the devices of each mounted btrfs: its mount names only one of them.
    pub btrfs: Vec<Vec<String>>,
}

/// The mount points that make up the running system.
const SYSTEM_MOUNTS: [&str; 7] =
    ["/", "/boot", "/boot/efi", "/boot/firmware", "/usr", "/var", "/home"];

impl HostState {
    /// Returns the devices in the order of their names, each with everything that uses it.
    pub fn into_devices(mut self) -> Vec<Device> {
        self.add_uses();
        let related: Vec<_> = self.devices.iter().map(|device| self.related(device)).collect();
        for (device, related) in self.devices.iter_mut().zip(related) {
            device.related = related;
        }
        self.devices.sort_by_key(|device| natural(&device.name));
        self.devices
    }

    /// Returns why a file must not be overwritten, given its path and identity, and the loop
    /// devices over it.
    pub fn file_uses(mut self, path: &Path, id: FileId) -> (Vec<Refusal>, Vec<RelatedDevice>) {
        self.add_uses();
        let name = path.display().to_string();
        let place = Some(Place::File(id));
        let mut refusals = Vec::new();
        // FUSE and EROFS mount a file without a loop device.
        for mount in self.mounts.iter().filter(|mount| mount.place == place) {
            refusals.push(Refusal::MountedFile { point: mount.point.clone() });
        }
        if self.swaps.iter().any(|swap| swap.place == place) {
            refusals.push(Refusal::SwapFile { file: name });
        }
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let backing = Backing { path: full, place };
        let related = self.over(Vec::new(), vec![(backing, Relation::Over)]);
        (refusals, related)
    }

    /// Adds to each device who uses it: mounts, swap space, and devices made of it.
    fn add_uses(&mut self) {
        let (mounts, swaps) = (&self.mounts, &self.swaps);
        let mut holders = vec![Vec::new(); self.devices.len()];
        for (device, holders) in self.devices.iter().zip(&mut holders) {
            let is_made_of_it =
                |other: &&Device| other.slaves.iter().any(|slave| device.has_name(slave));
            holders.extend(self.devices.iter().filter(is_made_of_it).map(|it| it.name.clone()));
        }
        for (device, more) in self.devices.iter_mut().zip(holders) {
            device.holders.extend(more);
            let mut seen = Vec::new();
            device.holders.retain(|holder| {
                let is_new = !seen.contains(holder);
                seen.push(holder.clone());
                is_new
            });
            for mount in mounts {
                let parts = mounted_parts(device, mount, &self.btrfs);
                if mount.read_only && !parts.is_empty() {
                    device.read_only_mounts.push(mount.point.clone());
                }
                device.mounted.extend(parts.into_iter().map(|part| (part, mount.point.clone())));
            }
            let part = |swap: &SwapSpace| match swap.place {
                Some(Place::Device(number)) => device.part_with(number),
                _ => device.part_at(&swap.path),
            };
            let swap: Vec<String> = swaps.iter().filter_map(part).map(str::to_owned).collect();
            device.swap = swap;
        }
        for mount in self.mounts.iter().filter(|mount| is_system(mount)) {
            for index in self.below(mount) {
                if let Some(device) = self.devices.get_mut(index) {
                    device.system.get_or_insert(mount.point.clone());
                }
            }
        }
    }

    /// Returns the indexes of all devices that a mounted filesystem lies on, through any
    /// layers of LVM, RAID, dm-crypt and loop devices.
    fn below(&self, mount: &Mount) -> Vec<usize> {
        let is_on = |device: &Device| !mounted_parts(device, mount, &self.btrfs).is_empty();
        let mut found: Vec<usize> =
            (0..self.devices.len()).filter(|&index| is_on(&self.devices[index])).collect();
        let mut next = 0;
        while let Some(&index) = found.get(next) {
            let upper = &self.devices[index];
            for (lower, device) in self.devices.iter().enumerate() {
                let is_slave = upper.slaves.iter().any(|slave| device.has_name(slave));
                let holds_backing = upper.backing.as_ref().is_some_and(|backing| {
                    let filesystem = match backing.place {
                        Some(Place::File(file)) => Some(split(file.device)),
                        _ => None,
                    };
                    backing.is(device) || filesystem.is_some_and(|number| device.has(number))
                });
                if (is_slave || holds_backing) && !found.contains(&lower) {
                    found.push(lower);
                }
            }
            next += 1;
        }
        found
    }

    /// Returns the devices that share their contents with `device`.
    fn related(&self, device: &Device) -> Vec<RelatedDevice> {
        let mut behind: Vec<&Device> = Vec::new();
        let mut beside = Vec::new();
        let mut last = device;
        while let Some(backing) = &last.backing {
            beside.push((backing.clone(), Relation::Beside));
            match self.devices.iter().find(|other| backing.is(other)) {
                Some(lower) if lower.name != device.name && !behind.contains(&lower) => {
                    behind.push(lower);
                    last = lower;
                }
                _ => break,
            }
        }
        let mut known = vec![(device, Relation::Over)];
        known.extend(behind.iter().map(|lower| (*lower, Relation::Beside)));
        let over = self.over(known, beside);
        let behind = behind
            .into_iter()
            .map(|lower| RelatedDevice { relation: Relation::Behind, device: lower.clone() });
        behind.chain(over).collect()
    }

    /// Returns all loop devices over these devices and files, over those loop devices, and so
    /// on. Each device and file states the relation of what is over it.
    fn over(
        &self,
        devices: Vec<(&Device, Relation)>,
        files: Vec<(Backing, Relation)>,
    ) -> Vec<RelatedDevice> {
        let mut known = devices;
        let mut found = Vec::new();
        loop {
            let next = self.devices.iter().find_map(|device| {
                if known.iter().any(|(other, _)| other.name == device.name) {
                    return None;
                }
                let backing = device.backing.as_ref()?;
                let device_below = known.iter().find(|(lower, _)| backing.is(lower));
                let file_below = files
                    .iter()
                    .find(|(file, _)| backing.is_same(file) || self.is_layer(backing, file));
                let relation =
                    device_below.map(|below| below.1).or(file_below.map(|below| below.1))?;
                Some((device, relation))
            });
            let Some((device, relation)) = next else { return found };
            known.push((device, relation));
            found.push(RelatedDevice { relation, device: device.clone() });
        }
    }

    /// Returns whether one of these is probably the other in a layer of an overlay: an overlay
    /// gives its files the inode numbers that they have in their layers, but not the device
    /// numbers.
    fn is_layer(&self, a: &Backing, b: &Backing) -> bool {
        let (Some(Place::File(one)), Some(Place::File(other))) = (a.place, b.place) else {
            return false;
        };
        one.inode == other.inode && (self.is_on_overlay(&a.path) || self.is_on_overlay(&b.path))
    }

    fn is_on_overlay(&self, path: &Path) -> bool {
        let above = self.mounts.iter().filter(|mount| path.starts_with(&mount.point));
        // The last one of several on the same directory is the one that is seen.
        let mount = above.max_by_key(|mount| mount.point.as_os_str().len());
        mount.is_some_and(|mount| mount.is_overlay)
    }
}

impl Backing {
    /// Returns whether this is the device or a partition of it.
    fn is(&self, device: &Device) -> bool {
        match self.place {
            Some(Place::Device(number)) => device.has(number),
            Some(Place::File(_)) => false,
            None => device.part_at(&self.path).is_some(),
        }
    }

    /// Returns whether both are the same file or device. Without their identities, their paths
    /// decide.
    fn is_same(&self, other: &Backing) -> bool {
        match (self.place, other.place) {
            (Some(a), Some(b)) => a == b,
            _ => self.path == other.path,
        }
    }
}

impl Device {
    /// Returns the identity of all that changes when it is written: its own number, and what
    /// is behind it.
    pub(super) fn places(&self) -> Vec<Place> {
        let behind = self.related.iter().filter(|other| other.relation == Relation::Behind);
        let devices = behind.map(|other| &other.device).chain([self]);
        let places = |device: &Device| {
            let backing = device.backing.as_ref().and_then(|backing| backing.place);
            [Some(Place::Device(device.number)), backing]
        };
        devices.flat_map(places).flatten().collect()
    }
}

/// Returns the names of the device and of its partitions that a mounted filesystem lies on.
fn mounted_parts(device: &Device, mount: &Mount, btrfs: &[Vec<String>]) -> Vec<String> {
    let source = match mount.place {
        Some(Place::Device(number)) => device.part_with(number),
        _ => None,
    };
    let named = device.part_at(&mount.source);
    if let Some(part) = device.part_with(mount.number).or(source).or(named) {
        return vec![part.to_owned()];
    }
    let Some(source) = mount.source.file_name().and_then(|name| name.to_str()) else {
        return Vec::new();
    };
    let members = btrfs.iter().filter(|members| members.iter().any(|member| member == source));
    members.flatten().filter(|member| device.has_name(member)).cloned().collect()
}

fn is_system(mount: &Mount) -> bool {
    SYSTEM_MOUNTS.iter().any(|point| mount.point == Path::new(point))
}

/// Returns the major and minor number of a device number as stat(2) reports it.
pub(super) fn split(device: u64) -> DeviceNumber {
    split_number(device)
}

/// Returns a key that sorts `loop2` before `loop10`, and `sdz` before `sdaa`.
fn natural(name: &str) -> (String, usize, String) {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let kind: String = stem.chars().take(2).collect();
    (kind, name.len(), name.to_owned())
}

#[cfg(test)]
mod tests;
