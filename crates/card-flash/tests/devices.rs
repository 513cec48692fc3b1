//! Which devices are cards, on a made-up computer with one of each kind.

mod machine;

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use card_flash::device::{Device, DeviceKind, HostSystem, Refusal, Relation, TargetLimits};
use machine::{GB, Machine, mounted, partition, shared, write};

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

/// Built-in readers often claim that their card cannot be removed.
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
    assert_eq!(refusal(&device).to_string(), "it holds this computer's root filesystem");
    // btrfs has a number of its own, so the source has to be compared.
    machine.mounts.clear();
    machine.mount("0:44", "/dev/nvme0n1p2", "/boot");
    let boot = refusal(&machine.only());
    assert_eq!(boot, Refusal::RunningSystem { mount: "/boot".into() });
    assert_eq!(boot.to_string(), "it holds this computer's /boot filesystem");
}

/// The root filesystem is on a logical volume on dm-crypt on a stick, which no mount names.
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
    // The same, with another filesystem mounted.
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
fn mounted_filesystems_and_swap_space() {
    let mut machine = Machine::new();
    let dir = usb_reader(&mut machine, 8 * GB);
    partition(&dir, "sdb1", "8:17");
    partition(&dir, "sdb2", "8:18");
    machine.mount("8:17", "/dev/sdb1", "/media/me/BOOT\\040DISK");
    let mounted = refusal(&machine.only());
    assert_eq!(mounted.to_string(), "sdb1 is mounted at /media/me/BOOT DISK");
    assert_eq!(mounted.fix().as_deref(), Some("umount /dev/sdb1"));
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
    assert!(protected.fix().unwrap().contains("LOCK"), "{protected}");
    write(&dir, &[("ro", "0"), ("size", "0")]);
    assert_eq!(refusal(&machine.only()), Refusal::NoMedium);
}

/// A refusal says which limit it is about, and lifting that limit lifts the refusal.
#[test]
fn limits_that_the_user_may_lift() {
    let mut machine = Machine::new();
    usb_reader(&mut machine, 2000 * GB);
    let device = machine.only();
    let large = refusal(&device);
    assert_eq!(large.to_string(), "it is too large for a card: 2.0 TB, the limit is 134.0 GB");
    assert_eq!(large.fix().as_deref(), Some("if it is a card, raise the limit"));
    assert_eq!(
        device.refusals(&TargetLimits { max_size: 2000 * GB, ..TargetLimits::default() }),
        []
    );

    let mut machine = Machine::new();
    machine.device(SATA, "8:0", 64 * GB, &[("removable", "0")]);
    let device = machine.only();
    let fixed = refusal(&device);
    assert_eq!(fixed, Refusal::FixedDisk);
    assert!(fixed.fix().unwrap().contains("allow fixed disks"));
    assert_eq!(device.refusals(&TargetLimits { allow_fixed: true, ..TargetLimits::default() }), []);
}

/// Only the directory of a bus is a reason to take a disk for a card.
#[test]
fn a_disk_beside_something_that_is_called_usb() {
    for place in ["platform/usb/ata1/block/sda", "platform/usbdrd3/ata1/block/sda"] {
        let mut machine = Machine::new();
        machine.device(place, "8:0", 64 * GB, &[]);
        assert_eq!(refusal(&machine.only()), Refusal::FixedDisk, "{place}");
    }
}

#[test]
fn devices_that_are_never_cards() {
    let mut machine = Machine::new();
    for (name, number) in [
        ("zram0", "252:0"),
        ("ram0", "1:0"),
        ("md0", "9:0"),
        ("bcache0", "254:0"),
        ("nbd0", "43:0"),
        ("rbd0", "251:0"),
        ("drbd0", "147:0"),
        ("sr0", "11:0"),
    ] {
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

#[test]
fn a_loop_device_over_a_mounted_device() {
    let mut machine = Machine::new();
    let dir = usb_reader(&mut machine, 8 * GB);
    partition(&dir, "sdb1", "8:17");
    machine.loop_over(0, "/dev/sdb1");
    machine.loop_over(1, "/dev/sdb");
    machine.loop_over(2, "/dev/loop1");
    // As long as nobody uses the card, the loop devices may be written as it may be.
    for name in ["sdb", "loop0", "loop1", "loop2"] {
        assert_eq!(machine.refusals(name), [], "{name}");
    }
    machine.mount("8:17", "/dev/sdb1", "/media/card");
    let behind = shared(Relation::Behind, "sdb", mounted("sdb1", "/media/card"));
    for name in ["loop0", "loop1", "loop2"] {
        let refusals = machine.refusals(name);
        assert_eq!(refusals, behind, "{name}");
        let text = "it shows the contents of sdb, and sdb1 is mounted at /media/card";
        assert_eq!(refusals[0].to_string(), text);
        assert_eq!(refusals[0].fix().as_deref(), Some("umount /dev/sdb1"));
    }
}

#[test]
fn a_loop_device_over_the_systems_disk() {
    let mut machine = Machine::new();
    let dir = machine.device(SATA, "8:0", 64 * GB, &[("removable", "0")]);
    partition(&dir, "sda1", "8:1");
    partition(&dir, "sda2", "8:2");
    machine.loop_over(0, "/dev/sda2");
    let behind = |reason| shared(Relation::Behind, "sda", reason);
    assert_eq!(machine.refusals("loop0"), behind(Refusal::FixedDisk));
    machine.mount("8:1", "/dev/sda1", "/");
    let system = Refusal::RunningSystem { mount: "/".into() };
    assert_eq!(machine.refusals("loop0"), behind(system));
}

#[test]
fn several_loop_devices_over_one_file() {
    let mut machine = Machine::new();
    let card = machine.file("/home/me/card.img");
    let other = machine.file("/home/me/other.img");
    symlink(&card, card.with_file_name("link.img")).unwrap();
    fs::hard_link(&card, card.with_file_name("hard.img")).unwrap();
    for (number, file) in ["card.img", "link.img", "hard.img", "other.img"].iter().enumerate() {
        machine.loop_over(number as u32, &format!("/home/me/{file}"));
    }
    machine.loop_over(4, "/dev/loop1");
    assert_eq!(machine.file_refusals(&card), []);
    machine.mount("7:33", "/dev/loop4p1", "/mnt");
    let use_of = |relation| shared(relation, "loop4", mounted("loop4p1", "/mnt"));
    assert_eq!(machine.refusals("loop4"), [mounted("loop4p1", "/mnt")]);
    assert_eq!(machine.refusals("loop1"), use_of(Relation::Over));
    for name in ["loop0", "loop2"] {
        assert_eq!(machine.refusals(name), use_of(Relation::Beside), "{name}");
    }
    for file in ["card.img", "link.img", "hard.img"] {
        let refusals = machine.file_refusals(&card.with_file_name(file));
        assert_eq!(refusals, use_of(Relation::Over), "{file}");
        let text = "its contents are also shown by loop4, and loop4p1 is mounted at /mnt";
        assert_eq!(refusals[0].to_string(), text);
    }
    // Another file, and the loop device over it, have nothing to do with that.
    assert_eq!(machine.file_refusals(&other), []);
    assert_eq!(machine.refusals("loop3"), []);
}

/// What shows a file need not be a card itself.
#[test]
fn a_read_only_loop_device_over_a_file_is_no_use_of_it() {
    let mut machine = Machine::new();
    let card = machine.file("/card.img");
    let dir = machine.loop_over(0, "/card.img");
    machine.loop_over(1, "/card.img");
    write(&dir, &[("ro", "1")]);
    assert_eq!(machine.refusals("loop0"), [Refusal::ReadOnly]);
    assert_eq!(machine.refusals("loop1"), []);
    assert_eq!(machine.file_refusals(&card), []);
}

/// A loop device shows its file even if the file's name is gone or hidden.
#[test]
fn loop_devices_over_a_file_without_a_name() {
    let mut machine = Machine::new();
    machine.loop_over(0, "/gone.img (deleted)");
    machine.loop_over(1, "/gone.img (deleted)");
    machine.loop_over(2, "/other.img (deleted)");
    machine.mount("7:1", "/dev/loop0p1", "/mnt");
    let beside = shared(Relation::Beside, "loop0", mounted("loop0p1", "/mnt"));
    assert_eq!(machine.refusals("loop1"), beside);
    assert_eq!(machine.refusals("loop2"), []);
}

#[test]
fn swap_space_and_volumes_on_another_loop_device() {
    let mut machine = Machine::new();
    let card = machine.file("/card.img");
    machine.loop_over(0, "/card.img");
    machine.loop_over(1, "/card.img");
    machine.swaps += "/dev/loop0p1 partition 1 0 -2\n";
    let swap = Refusal::Swap { part: "loop0p1".into() };
    assert_eq!(machine.file_refusals(&card), shared(Relation::Over, "loop0", swap.clone()));
    assert_eq!(machine.refusals("loop1"), shared(Relation::Beside, "loop0", swap));
    machine.swaps.clear();
    // Only the other device's list of slaves names it.
    machine.device("virtual/block/dm-0", "253:0", GB, &[("slaves/loop0p1", "")]);
    let held = Refusal::InUseBy { holder: "dm-0".into() };
    assert_eq!(machine.refusals("loop0"), std::slice::from_ref(&held));
    assert_eq!(machine.file_refusals(&card), shared(Relation::Over, "loop0", held));
}

#[test]
fn files_that_are_in_use_without_a_loop_device() {
    let mut machine = Machine::new();
    let file = machine.file("/home/me/swap file");
    machine.swaps += "/home/me/swap\\040file file 1 0 -2\n";
    let refusals = machine.file_refusals(&file);
    assert!(matches!(&refusals[..], [Refusal::SwapFile { .. }]), "{refusals:?}");
    assert!(refusals[0].fix().unwrap().starts_with("swapoff '/"), "{refusals:?}");
    machine.swaps.clear();
    assert_eq!(machine.file_refusals(&file), []);
    // FUSE has no device number, and names the file as its source.
    machine.mount("0:51", "/home/me/swap\\040file", "/mnt");
    assert_eq!(machine.file_refusals(&file), [Refusal::MountedFile { point: "/mnt".into() }]);
}

#[test]
fn files_that_hold_volumes() {
    let mut machine = Machine::new();
    machine.mount("8:1", "/dev/sda1", "/");
    let file = machine.file("/home/me/my card.img");
    fs::write(&file, [b"LUKS\xba\xbe".as_slice(), &[0; 1 << 20]].concat()).unwrap();
    let refusals = machine.file_refusals(&file);
    assert!(matches!(&refusals[..], [Refusal::VolumeInFile { .. }]), "{refusals:?}");
    assert_eq!(refusals[0].to_string(), "it holds an encrypted volume (LUKS)");
    assert!(refusals[0].fix().unwrap().contains("rm '"), "{refusals:?}");
}

/// The mount of a btrfs on two disks names only one of them.
#[test]
fn every_device_of_a_mounted_btrfs() {
    let mut machine = Machine::new();
    usb_reader(&mut machine, 8 * GB);
    machine.device(SATA, "8:0", 8 * GB, &[("removable", "1")]);
    for device in ["sda", "sdb"] {
        write(machine.temp.path(), &[(&format!("sys/fs/btrfs/1234/devices/{device}"), "")]);
    }
    machine.mount("0:44", "/dev/sda", "/data");
    // Another one does not matter.
    let other = "pci0000:00/0000:00:14.0/usb1/1-3/1-3:1.0/host7/target7:0:0/7:0:0:0/block/sdc";
    machine.device(other, "8:32", 8 * GB, &[]);
    write(machine.temp.path(), &[("sys/fs/btrfs/5678/devices/sdc", "")]);
    machine.mount("0:45", "/dev/sdc", "/other");
    assert_eq!(machine.refusals("sdc"), [mounted("sdc", "/other")]);
    assert_eq!(machine.refusals("sda"), [mounted("sda", "/data")]);
    assert_eq!(machine.refusals("sdb"), [mounted("sdb", "/data")]);
}
