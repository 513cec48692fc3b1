//! Which devices are cards: a made-up machine with one of each kind.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use card_flash::device::{Device, DeviceKind, HostSystem, Refusal, TargetLimits};

const GB: u64 = 1_000_000_000;

/// A machine in a temporary directory.
struct Machine {
    temp: tempfile::TempDir,
    mounts: String,
    swaps: String,
}

impl Machine {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir_all(temp.path().join("sys/block")).unwrap();
        Machine { temp, mounts: String::new(), swaps: "Filename Type\n".into() }
    }

    /// A device at a place below /sys/devices, with these files.
    fn device(&mut self, place: &str, number: &str, size: u64, files: &[(&str, &str)]) -> PathBuf {
        let name = place.rsplit('/').next().unwrap();
        let dir = self.temp.path().join("sys/devices").join(place);
        symlink(Path::new("../devices").join(place), self.temp.path().join("sys/block").join(name))
            .unwrap();
        write(&dir, &[("dev", number), ("size", &(size / 512).to_string()), ("ro", "0")]);
        write(&dir, files);
        dir
    }

    fn mount(&mut self, number: &str, source: &str, point: &str) {
        self.mounts += &format!("30 1 {number} / {point} rw - ext4 {source} rw\n");
    }

    fn devices(&self) -> Vec<Device> {
        write(self.temp.path(), &[("proc/self/mountinfo", &self.mounts)]);
        write(self.temp.path(), &[("proc/swaps", &self.swaps)]);
        HostSystem::at(self.temp.path()).devices().unwrap()
    }

    fn only(&self) -> Device {
        let mut devices = self.devices();
        assert_eq!(devices.len(), 1, "{devices:?}");
        devices.remove(0)
    }
}

fn write(dir: &Path, files: &[(&str, &str)]) {
    for (name, contents) in files {
        let path = dir.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{contents}\n")).unwrap();
    }
}

fn partition(disk: &Path, name: &str, number: &str) {
    write(&disk.join(name), &[("dev", number), ("partition", "1"), ("size", "2048")]);
}

#[track_caller]
fn refusal(device: &Device) -> Refusal {
    let mut refusals = device.refusals(&TargetLimits::default());
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    refusals.remove(0)
}

const USB: &str = "pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/host6/target6:0:0/6:0:0:0/block/sdb";
const SLOT: &str = "pci0000:00/0000:00:1c.0/0000:02:00.0/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0";
const SATA: &str = "pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda";

fn usb_reader(machine: &mut Machine, size: u64) -> PathBuf {
    let dir = machine.device(USB, "8:16", size, &[("removable", "1"), ("diskseq", "17")]);
    write(&dir.join("../.."), &[("vendor", "Generic "), ("model", "STORAGE DEVICE  ")]);
    symlink("../..", dir.join("device")).unwrap();
    let usb = dir.ancestors().find(|dir| dir.ends_with("1-2")).unwrap();
    write(usb, &[("idVendor", "05e3"), ("serial", "000000001539"), ("product", "USB Storage")]);
    dir
}

#[test]
fn a_card_in_a_usb_reader() {
    let mut machine = Machine::new();
    let dir = usb_reader(&mut machine, 8 * GB);
    partition(&dir, "sdb1", "8:17");
    let device = machine.only();
    assert_eq!(device.kind, DeviceKind::Usb);
    assert_eq!((device.size, device.diskseq), (8 * GB, Some(17)));
    assert_eq!(device.model.as_deref(), Some("Generic STORAGE DEVICE"));
    assert_eq!(device.serial.as_deref(), Some("000000001539"));
    assert_eq!(device.path(), Path::new("/dev/sdb"));
    assert_eq!(device.refusals(&TargetLimits::default()), []);
}

/// Built-in readers often say that their card cannot be removed.
#[test]
fn a_card_in_a_built_in_slot() {
    let mut machine = Machine::new();
    let files = [("removable", "0"), ("device/type", "SD"), ("device/name", "SC16G")];
    let dir = machine.device(SLOT, "179:0", 16 * GB, &files);
    write(&dir, &[("device/cid", "0353"), ("device/serial", "0x1234abcd")]);
    let device = machine.only();
    assert_eq!(device.kind, DeviceKind::Sd);
    assert_eq!(device.model.as_deref(), Some("SC16G"));
    assert_eq!(device.serial.as_deref(), Some("0x1234abcd"));
    assert_eq!(device.refusals(&TargetLimits::default()), []);
}

#[test]
fn an_emmc_and_its_boot_partitions() {
    let mut machine = Machine::new();
    machine.device(SLOT, "179:0", 16 * GB, &[("device/type", "MMC")]);
    machine.device(&format!("{SLOT}boot0"), "179:8", 4 << 20, &[("device/type", "MMC")]);
    for device in machine.devices() {
        assert_eq!(refusal(&device), Refusal::Emmc, "{}", device.name);
    }
    assert_eq!(machine.devices()[1].kind, DeviceKind::EmmcBoot);
}

#[test]
fn the_disk_that_the_system_runs_from() {
    let mut machine = Machine::new();
    let place = "pci0000:00/0000:00:1d.0/0000:03:00.0/nvme/nvme0/nvme0n1";
    let dir = machine.device(place, "259:0", 100 * GB, &[]);
    partition(&dir, "nvme0n1p2", "259:2");
    machine.mount("259:2", "/dev/nvme0n1p2", "/");
    let device = machine.only();
    assert_eq!(refusal(&device), Refusal::RunningSystem { mount: "/".into() });
    // btrfs has a made-up number; the source tells.
    machine.mounts.clear();
    machine.mount("0:44", "/dev/nvme0n1p2", "/boot");
    assert_eq!(refusal(&machine.only()), Refusal::RunningSystem { mount: "/boot".into() });
}

/// / is on a logical volume on dm-crypt on a stick: no mount names the stick.
#[test]
fn a_disk_below_the_system_through_lvm_and_dm_crypt() {
    let mut machine = Machine::new();
    let dir = usb_reader(&mut machine, 64 * GB);
    partition(&dir, "sdb1", "8:17");
    write(&dir.join("sdb1/holders"), &[("dm-0", "")]);
    let crypt = machine.device("virtual/block/dm-0", "253:0", 60 * GB, &[("slaves/sdb1", "")]);
    write(&crypt.join("holders"), &[("dm-1", "")]);
    machine.device("virtual/block/dm-1", "253:1", 50 * GB, &[("slaves/dm-0", "")]);
    machine.mount("253:1", "/dev/mapper/vg-root", "/");
    let devices = machine.devices();
    let stick = devices.iter().find(|device| device.name == "sdb").unwrap();
    assert_eq!(refusal(stick), Refusal::RunningSystem { mount: "/".into() });
    // The same, of which something else is mounted.
    machine.mounts.clear();
    machine.mount("253:1", "/dev/mapper/vg-data", "/data");
    let devices = machine.devices();
    let stick = devices.iter().find(|device| device.name == "sdb").unwrap();
    assert_eq!(refusal(stick), Refusal::InUseBy { holder: "dm-0".into() });
    for device in devices.iter().filter(|device| device.name.starts_with("dm-")) {
        let refusals = device.refusals(&TargetLimits::default());
        assert!(matches!(refusals[0], Refusal::NotACard(_)), "{refusals:?}");
    }
}

#[test]
fn what_is_mounted_or_swap() {
    let mut machine = Machine::new();
    let dir = usb_reader(&mut machine, 8 * GB);
    partition(&dir, "sdb1", "8:17");
    partition(&dir, "sdb2", "8:18");
    machine.mount("8:17", "/dev/sdb1", "/media/me/BOOT\\040DISK");
    let text = refusal(&machine.only()).to_string();
    assert!(text.contains("umount /dev/sdb1") && text.contains("/media/me/BOOT DISK"), "{text}");
    machine.mounts.clear();
    machine.swaps += "/dev/sdb2 partition 1 0 -2\n";
    assert_eq!(refusal(&machine.only()), Refusal::Swap { part: "sdb2".into() });
}

#[test]
fn a_write_protected_card_and_an_empty_reader() {
    let mut machine = Machine::new();
    let dir = usb_reader(&mut machine, 8 * GB);
    write(&dir, &[("ro", "1")]);
    let protected = refusal(&machine.only());
    assert_eq!(protected, Refusal::ReadOnly);
    assert!(protected.to_string().contains("LOCK"), "{protected}");
    write(&dir, &[("ro", "0"), ("size", "0")]);
    assert_eq!(refusal(&machine.only()), Refusal::NoMedium);
}

/// A refusal names the option that lifts it, and the option does.
#[test]
fn what_the_user_may_allow() {
    let mut machine = Machine::new();
    usb_reader(&mut machine, 2000 * GB);
    let device = machine.only();
    let text = refusal(&device).to_string();
    assert!(text.contains("2000 GB") && text.contains("--max-size"), "{text}");
    assert_eq!(
        device.refusals(&TargetLimits { max_size: 2000 * GB, ..TargetLimits::default() }),
        []
    );

    let mut machine = Machine::new();
    machine.device(SATA, "8:0", 64 * GB, &[("removable", "0")]);
    let device = machine.only();
    let fixed = refusal(&device);
    assert_eq!(fixed, Refusal::FixedDisk);
    assert!(fixed.to_string().contains("--allow-fixed"));
    assert_eq!(device.refusals(&TargetLimits { allow_fixed: true, ..TargetLimits::default() }), []);
}

#[test]
fn what_is_no_card_at_all() {
    let mut machine = Machine::new();
    for (name, number) in
        [("zram0", "252:0"), ("ram0", "1:0"), ("md0", "9:0"), ("nbd0", "43:0"), ("sr0", "11:0")]
    {
        machine.device(&format!("virtual/block/{name}"), number, GB, &[("removable", "1")]);
    }
    for device in machine.devices() {
        assert!(matches!(refusal(&device), Refusal::NotACard(_)), "{}", device.name);
    }
    machine.swaps += "/dev/zram0 partition 1 0 100\n";
    let zram = machine.devices().into_iter().find(|device| device.name == "zram0").unwrap();
    assert_eq!(zram.refusals(&TargetLimits::default()).len(), 2);
}

#[test]
fn a_loop_device() {
    let mut machine = Machine::new();
    let files = [("removable", "0"), ("loop/backing_file", "/home/me/card.img")];
    machine.device("virtual/block/loop3", "7:3", GB, &files);
    let device = machine.only();
    assert_eq!(device.kind, DeviceKind::Loop);
    assert_eq!(device.backing_file.as_deref(), Some(Path::new("/home/me/card.img")));
    assert_eq!(device.refusals(&TargetLimits::default()), []);
}

#[test]
fn without_the_mount_table_no_device_is_safe() {
    let machine = Machine::new();
    assert!(HostSystem::at(machine.temp.path()).devices().is_err());
}

#[test]
fn names_are_in_natural_order() {
    let mut machine = Machine::new();
    for name in ["sdaa", "loop10", "sdb", "loop2", "mmcblk0", "sda"] {
        machine.device(&format!("virtual/block/{name}"), "7:3", GB, &[]);
    }
    let names: Vec<_> = machine.devices().into_iter().map(|device| device.name).collect();
    assert_eq!(names, ["loop2", "loop10", "mmcblk0", "sda", "sdb", "sdaa"]);
}
