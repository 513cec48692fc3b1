//! Names of partitions in `/etc/fstab` and on the kernel's command line.

use super::{Candidate, FsKind};

/// Returns the numbers of the candidates that `spec` may mean: several if they share a label or
/// an identifier, none if it names something that is not on this card.
pub(super) fn resolve(candidates: &[Candidate], spec: &str) -> Vec<u32> {
    let spec = unescape(spec.trim_matches(['"', '\'']));
    let by_link = [
        ("/dev/disk/by-uuid/", "UUID"),
        ("/dev/disk/by-label/", "LABEL"),
        ("/dev/disk/by-partuuid/", "PARTUUID"),
        ("/dev/disk/by-partlabel/", "PARTLABEL"),
    ];
    let linked = by_link.iter().find_map(|(path, key)| Some((*key, spec.strip_prefix(path)?)));
    let matches: Box<dyn Fn(&Candidate) -> bool> = match linked.or_else(|| spec.split_once('=')) {
        Some((key, value)) => {
            let value = value.trim_matches(['"', '\'']).to_owned();
            // The kernel accepts an offset behind it, which means another partition.
            match key {
                "UUID" => Box::new(move |c| same(c.kind.uuid(), &value)),
                "PARTUUID" => Box::new(move |c| same(c.partuuid.clone(), &value)),
                "LABEL" => Box::new(move |c| c.kind.label() == Some(value.as_str())),
                "PARTLABEL" => Box::new(move |c| c.name.as_deref() == Some(value.as_str())),
                _ => return Vec::new(),
            }
        }
        None => match device_partition(&spec) {
            Some((_, number)) => Box::new(move |c| c.number == number),
            None => return Vec::new(),
        },
    };
    candidates.iter().filter(|c| matches(c)).map(|c| c.number).collect()
}

fn same(own: Option<String>, wanted: &str) -> bool {
    own.is_some_and(|own| own.eq_ignore_ascii_case(wanted))
}

/// Returns the disk and the partition number in a device's name. Which disk the name means is only
/// known when the card is in its board.
fn device_partition(path: &str) -> Option<(&str, u32)> {
    let name = path.strip_prefix("/dev/")?;
    let disk = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = name.get(disk.len()..)?.parse().ok()?;
    let letters = |prefix| {
        let rest: Option<&str> = disk.strip_prefix(prefix);
        rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_lowercase()))
    };
    let numbered = ["mmcblk", "nvme", "loop"].iter().any(|prefix| disk.starts_with(prefix));
    let is_partition = if numbered {
        disk.strip_suffix('p').is_some_and(|disk| disk.ends_with(|c: char| c.is_ascii_digit()))
    } else {
        ["sd", "hd", "vd", "xvd"].into_iter().any(letters)
    };
    is_partition.then_some((disk, number))
}

/// Resolves the `\040` that `/etc/fstab` has for a space, and similar escapes.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let octal = part.get(..3).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal.filter(u8::is_ascii) {
            Some(byte) => {
                plain.push(byte.into());
                plain.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                plain.push('\\');
                plain.push_str(part);
            }
        }
    }
    plain
}

/// The most root lines that are read from an `/etc/fstab`, which should have one.
const MAX_ROOTS: usize = 8;

/// Returns what an `/etc/fstab` mounts at `/`.
pub(super) fn fstab_roots(fstab: &str) -> impl Iterator<Item = &str> {
    let roots = fstab.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let spec = fields.next().filter(|spec| !spec.starts_with('#'))?;
        (fields.next() == Some("/")).then_some(spec)
    });
    roots.take(MAX_ROOTS)
}

/// Returns whether a name in an `/etc/fstab` may mean a partition of this card: a device's name
/// only of an SD card's kind, or of the disk that the root filesystem is on. `/dev/sda1` is a disk
/// on USB where the root is named otherwise.
fn may_be_on_card(spec: &str, fstab: &str) -> bool {
    let Some((disk, _)) = device_partition(spec) else { return true };
    let roots = fstab_roots(fstab).filter_map(device_partition);
    disk.starts_with("mmcblk") || roots.into_iter().any(|(root, _)| root == disk)
}

/// Returns whether a type in an `/etc/fstab` may be that of a FAT filesystem; several are
/// separated by commas.
fn may_be_fat(kind: &str) -> bool {
    kind.split(',').any(|kind| matches!(kind, "vfat" | "msdos" | "auto"))
}

/// Returns the number of a partition and where it is mounted, for each FAT partition of
/// `candidates`: `None` for one that the root filesystem's `/etc/fstab` does not mount at boot.
pub(super) fn fat_mounts(candidates: &[Candidate], fstab: &str) -> Vec<(u32, Option<String>)> {
    let mut mounts: Vec<(u32, Option<String>)> = candidates
        .iter()
        .filter(|candidate| matches!(candidate.kind, FsKind::Fat { .. }))
        .map(|candidate| (candidate.number, None))
        .collect();
    for line in fstab.lines() {
        let mut fields = line.split_whitespace();
        let Some(spec) = fields.next().filter(|spec| !spec.starts_with('#')) else { continue };
        let Some(directory) = fields.next().map(unescape) else { continue };
        let kind = fields.next().unwrap_or_default();
        let options = fields.next().unwrap_or_default();
        let is_mounted = options.split(',').all(|option| option != "noauto")
            || options.split(',').any(|option| option == "x-systemd.automount");
        if !directory.starts_with('/') || directory == "/" || !is_mounted {
            continue;
        }
        if !may_be_fat(kind) || !may_be_on_card(spec, fstab) {
            continue;
        }
        if let [number] = resolve(candidates, spec)[..]
            && let Some((_, mounted)) = mounts.iter_mut().find(|(other, _)| *other == number)
        {
            *mounted = Some(directory.trim_end_matches('/').to_owned());
        }
    }
    mounts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolves_every_way_to_name_a_partition() {
        let candidates = [
            Candidate {
                number: 1,
                kind: FsKind::Fat { volume_id: Some(0xcafe_0123), label: Some("BOOT".into()) },
                partuuid: Some("3cedfd53-01".into()),
                ..Candidate::default()
            },
            Candidate {
                number: 2,
                kind: FsKind::Ext {
                    version: 4,
                    uuid: "e139ce78-9841-40fe-8823-96a304a09859".into(),
                    label: Some("my root".into()),
                },
                partuuid: Some("3cedfd53-02".into()),
                name: Some("system".into()),
                ..Candidate::default()
            },
        ];
        for spec in [
            "UUID=E139CE78-9841-40fe-8823-96a304a09859",
            "UUID=\"e139ce78-9841-40fe-8823-96a304a09859\"",
            "/dev/disk/by-uuid/e139ce78-9841-40fe-8823-96a304a09859",
            "LABEL=my\\040root",
            "PARTUUID=3CEDFD53-02",
            "/dev/disk/by-partuuid/3cedfd53-02",
            "PARTLABEL=system",
            "/dev/mmcblk0p2",
            "/dev/mmcblk1p2",
            "/dev/sda2",
            "/dev/sdab2",
            "/dev/vda2",
            "/dev/nvme0n1p2",
        ] {
            assert_eq!(resolve(&candidates, spec), [2], "{spec}");
        }
        assert_eq!(resolve(&candidates, "UUID=CAFE-0123"), [1]);
        assert_eq!(resolve(&candidates, "LABEL=BOOT"), [1]);
        for spec in [
            "",
            "/dev/mmcblk0p",
            "/dev/mmcblk2",
            "/dev/sda",
            "/dev/ram2",
            "/dev/root",
            "/dev/nfs",
            "/dev/sda99999999999999",
            "/dev/mapper/vg2",
            "UUID=",
            "LABEL=root",
            "PARTUUID=3cedfd53-02/PARTNROFF=1",
            "ID=2",
        ] {
            assert_eq!(resolve(&candidates, spec), [0; 0], "{spec}");
        }
    }

    #[test]
    fn reads_the_root_line_of_an_fstab() {
        let fstab = "# UUID=no / ext4\n\nproc /proc proc defaults 0 0\n\
            UUID=e139\t/\text4\terrors=remount-ro,noatime 0 1\nLABEL=b /boot vfat defaults 0 1\n";
        assert_eq!(fstab_roots(fstab).collect::<Vec<_>>(), ["UUID=e139"]);
    }

    #[test]
    fn finds_where_fat_partitions_are_mounted() {
        let fat = |number, id| Candidate {
            number,
            kind: FsKind::Fat { volume_id: Some(id), label: None },
            ..Candidate::default()
        };
        let candidates = [fat(1, 0xcafe_0123), fat(3, 0xbeef_0001), fat(4, 1)];
        let fstab = "proc /proc proc defaults 0 0\n\
                     UUID=CAFE-0123\t/boot/firmware/ vfat defaults 0 2\n\
                     # UUID=BEEF-0001 /old vfat\n\
                     /dev/mmcblk0p3 /media/my\\040card vfat noauto,x-systemd.automount 0 0\n\
                     /dev/mmcblk0p4 /data vfat noauto 0 0\n";
        let mounts = fat_mounts(&candidates, fstab);
        let firmware = Some("/boot/firmware".to_owned());
        let card = Some("/media/my card".to_owned());
        assert_eq!(mounts, [(1, firmware), (3, card), (4, None)]);
    }

    #[test]
    fn disks_beside_the_card_are_not_its_boot_partition() {
        let fat = Candidate {
            number: 1,
            kind: FsKind::Fat { volume_id: Some(1), label: None },
            ..Candidate::default()
        };
        let mounted = |fstab: &str| fat_mounts(std::slice::from_ref(&fat), fstab)[0].1.clone();
        for (root, line, is_card) in [
            ("LABEL=rootfs", "/dev/sda1 /home vfat", false),
            ("LABEL=rootfs", "/dev/sda1 /home ext4", false),
            ("LABEL=rootfs", "/dev/nvme0n1p1 /home auto", false),
            ("/dev/mmcblk0p2", "/dev/sda1 /home vfat", false),
            ("/dev/sdb2", "/dev/sda1 /boot vfat", false),
            ("/dev/sda2", "/dev/sda1 /boot vfat", true),
            ("/dev/mmcblk0p2", "/dev/mmcblk0p1 /boot ext4", false),
            ("LABEL=rootfs", "/dev/mmcblk1p1 /boot auto", true),
            ("LABEL=rootfs", "UUID=0000-0001 /boot ext2,vfat", true),
            ("LABEL=rootfs", "UUID=0000-0001 /boot ext4", false),
        ] {
            let fstab = format!("{root} / ext4 defaults 0 1\n{line} defaults 0 2\n");
            assert_eq!(mounted(&fstab).is_some(), is_card, "{fstab}");
        }
    }
}
