//! Filesystems made by their own programs, and volumes made by hand where a program would
//! need a device.

use block_io::{FileStorage, Memory};
use fs_signature::{FsKind, Signature, UNFINISHED_CARD, find_volume};
use test_support::{TestImage, run};

const UUID: &str = "e139ce78-9841-40fe-8823-96a304a09859";
const MIB: u64 = 1 << 20;

fn kind(image: &TestImage) -> FsKind {
    FsKind::read(&FileStorage::open(image.path()).unwrap()).unwrap()
}

fn volume(image: &TestImage) -> Option<Signature> {
    find_volume(&FileStorage::open(image.path()).unwrap()).unwrap()
}

fn made(mib: u64, package: &str, program: &str, arguments: &[&str]) -> FsKind {
    let image = TestImage::with_filesystem(mib * MIB, package, program, arguments);
    assert_eq!(volume(&image), None, "{program} {arguments:?}");
    kind(&image)
}

fn other(signature: Signature, label: Option<&str>) -> FsKind {
    FsKind::Other { signature, label: label.map(str::to_owned) }
}

#[test]
fn ext() {
    for version in [2, 3, 4] {
        let name = format!("ext{version}");
        let made =
            made(16, "e2fsprogs", "mke2fs", &["-q", "-t", &name, "-U", UUID, "-L", "my root"]);
        let (uuid, label) = (UUID.to_owned(), Some("my root".to_owned()));
        assert_eq!(made, FsKind::Ext { version, uuid, label });
        assert_eq!(made.to_string(), format!("ext{version} \"my root\" (UUID={UUID})"));
    }
    // As Ubuntu 16.04 made them.
    let options = ["-q", "-t", "ext4", "-O", "^64bit,^metadata_csum,uninit_bg", "-U", UUID];
    let made_16_04 = made(16, "e2fsprogs", "mke2fs", &options);
    assert!(matches!(made_16_04, FsKind::Ext { version: 4, label: None, .. }), "{made_16_04}");
    let journal = made(16, "e2fsprogs", "mke2fs", &["-q", "-O", "journal_dev"]);
    assert_eq!(journal, other(Signature::ExtJournal, None));
}

#[test]
fn fat() {
    for bits in ["12", "16", "32"] {
        let mib = if bits == "12" { 4 } else { 40 };
        let options = ["-F", bits, "-i", "cafe0123", "-n", "B"];
        let made = made(mib, "dosfstools", "mkfs.vfat", &options);
        assert_eq!(made, FsKind::Fat { volume_id: Some(0xcafe_0123), label: Some("B".into()) });
        assert_eq!(made.to_string(), "FAT \"B\" (UUID=CAFE-0123)");
    }
}

/// mkfs.vfat leaves most of its reserved sectors as they are, and with them an old ext
/// superblock. It is a FAT, whatever else can be found there.
#[test]
fn a_fat_that_still_carries_an_ext_superblock() {
    let image = TestImage::new(64 * MIB);
    image.run("e2fsprogs", "mke2fs", &["-q", "-t", "ext4", "-L", "old"]);
    image.run("dosfstools", "mkfs.vfat", &["-F", "32", "-R", "32", "-n", "BOOT"]);
    // Some versions of mkfs.vfat wipe it.
    image.write(0x438, &[0x53, 0xef]);
    let FsKind::Fat { label, .. } = kind(&image) else { panic!("{}", kind(&image)) };
    assert_eq!(label.as_deref(), Some("BOOT"));
    // On the other hand, an old boot sector does not make an ext filesystem a FAT.
    let boot_sector = image.read(0, 512);
    image.run("e2fsprogs", "mke2fs", &["-q", "-F", "-t", "ext4", "-L", "new"]);
    assert_eq!(kind(&image).label(), Some("new"));
    image.write(0x52, &boot_sector[0x52..0x5a]);
    assert_eq!(kind(&image).label(), Some("new"));
}

#[test]
fn a_fat_that_was_cut_off() {
    let options = ["-F", "32", "-n", "BOOT"];
    let image = TestImage::with_filesystem(40 * MIB, "dosfstools", "mkfs.vfat", &options);
    image.resize(20 * MIB);
    assert_eq!(kind(&image), other(Signature::DamagedFat, None));
}

#[test]
fn other_filesystems() {
    let cases: [(u64, &str, &str, &[&str], FsKind); 8] = [
        (320, "xfsprogs", "mkfs.xfs", &["-q", "-L", "data"], other(Signature::Xfs, Some("data"))),
        (
            160,
            "btrfs-progs",
            "mkfs.btrfs",
            &["-q", "-L", "my data"],
            other(Signature::Btrfs, Some("my data")),
        ),
        (64, "f2fs-tools", "mkfs.f2fs", &["-q"], other(Signature::F2fs, None)),
        (16, "exfatprogs", "mkfs.exfat", &[], other(Signature::ExFat, None)),
        (16, "ntfs-3g", "mkfs.ntfs", &["-F", "-q"], other(Signature::Ntfs, None)),
        (1, "util-linux", "mkswap", &[], other(Signature::Swap, None)),
        (1, "util-linux", "mkswap", &["-p", "16384"], other(Signature::Swap, None)),
        (1, "util-linux", "mkswap", &["-p", "65536"], other(Signature::Swap, None)),
    ];
    for (mib, package, program, arguments, expected) in cases {
        assert_eq!(made(mib, package, program, arguments), expected, "{program}");
    }
}

/// Filesystems that are made from a directory of files.
#[test]
fn packed_filesystems() {
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("file"), "contents").unwrap();
    let tree = tree.path().to_str().unwrap();
    for (package, program, before, expected) in [
        ("squashfs-tools", "mksquashfs", &[tree, "IMAGE", "-quiet"][..], Signature::Squashfs),
        ("erofs-utils", "mkfs.erofs", &["IMAGE", tree], Signature::Erofs),
        ("genisoimage", "genisoimage", &["-quiet", "-o", "IMAGE", tree], Signature::Iso9660),
    ] {
        let image = TestImage::new(0);
        // mksquashfs would add to a file that exists.
        std::fs::remove_file(image.path()).unwrap();
        let arguments: Vec<_> =
            before.iter().map(|argument| argument.replace("IMAGE", image.path_str())).collect();
        run(package, program, &arguments);
        assert_eq!(kind(&image), other(expected, None), "{program}");
    }
}

#[test]
fn luks() {
    let key = TestImage::with_bytes(b"a key");
    for version in ["luks1", "luks2"] {
        let image = TestImage::new(32 * MIB);
        let options = ["-q", "--type", version, "--pbkdf", "pbkdf2", "--pbkdf-force-iterations"];
        let rest = ["1000", "--key-file", key.path_str()];
        let options = [&["luksFormat"], &options[..], &rest].concat();
        image.run("cryptsetup-bin", "cryptsetup", &options);
        assert_eq!(volume(&image), Some(Signature::Luks), "{version}");
        assert_eq!(kind(&image).to_string(), "an encrypted volume (LUKS)");
    }
}

fn with(signatures: &[(usize, &[u8])]) -> Memory {
    let mut bytes = vec![0; 1 << 20];
    for (offset, magic) in signatures {
        bytes[*offset..offset + magic.len()].copy_from_slice(magic);
    }
    Memory::new(bytes)
}

#[test]
fn volumes() {
    const RAID: &[u8] = &[0xfc, 0x4e, 0x2b, 0xa9];
    for (signatures, expected) in [
        (&[(0, &b"LUKS\xba\xbe"[..])][..], Signature::Luks),
        (&[(3, b"-FVE-FS-")], Signature::BitLocker),
        (&[(512, b"LABELONE"), (536, b"LVM2 001")], Signature::Lvm),
        (&[(0, b"LABELONE"), (24, b"LVM2 001")], Signature::Lvm),
        (&[(0, RAID)], Signature::Raid),
        (&[(4096, RAID)], Signature::Raid),
        (&[((1 << 20) - 8192, RAID)], Signature::Raid),
        (&[((1 << 20) - 65536, RAID)], Signature::Raid),
    ] {
        assert_eq!(find_volume(&with(signatures)).unwrap(), Some(expected));
        assert!(expected.is_volume());
    }
    assert_eq!(find_volume(&with(&[])).unwrap(), None);
    assert_eq!(find_volume(&with(&[(512, b"LABELONE")])).unwrap(), None);
    // A half of a RAID 1 of version 1.0 begins like the filesystem in it.
    let image = TestImage::with_filesystem(MIB, "e2fsprogs", "mke2fs", &["-q", "-t", "ext4"]);
    image.write(MIB - 8192, RAID);
    assert_eq!(volume(&image), Some(Signature::Raid));
    assert!(matches!(kind(&image), FsKind::Ext { version: 4, .. }));
}

#[test]
fn signatures_and_nothing_else() {
    let kind = |signatures: &[(usize, &[u8])]| FsKind::read(&with(signatures)).unwrap();
    let unfinished = format!("{UNFINISHED_CARD}; write it again. 0\n");
    let unfinished = kind(&[(0, unfinished.as_bytes())]);
    assert_eq!(unfinished, other(Signature::UnfinishedCard, None));
    assert_eq!(kind(&[(0, b"ANDROID!")]), other(Signature::AndroidBoot, None));
    assert_eq!(kind(&[(4086, b"SWAP-SPACE")]), other(Signature::Swap, None));
    assert!(matches!(kind(&[(1080, &[0x53, 0xef])]), FsKind::Ext { version: 2, .. }));
    assert_eq!(kind(&[(5, b"x")]), FsKind::Unknown);
    assert_eq!(FsKind::Unknown.to_string(), "nothing recognized");
    for size in [0, 1, 511, 512, 1100, 2047, 4096] {
        let zeros = Memory::new(vec![0; size]);
        assert_eq!(FsKind::read(&zeros).unwrap(), FsKind::Unknown);
        assert_eq!(find_volume(&zeros).unwrap(), None);
    }
}
