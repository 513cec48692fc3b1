//! Choices among the layouts that users have.

use fs_signature::Signature;

use super::*;

const UUID: &str = "e139ce78-9841-40fe-8823-96a304a09859";

fn ext(number: u32, uuid: &str) -> Candidate {
    Candidate {
        number,
        kind: FsKind::Ext { version: 4, uuid: uuid.to_owned(), label: None },
        partuuid: Some(format!("3cedfd53-{number:02x}")),
        ..Candidate::default()
    }
}

fn system(number: u32, uuid: &str, fstab_root: &str) -> Candidate {
    Candidate {
        fstab: Some(format!("{fstab_root} / ext4 noatime 0 1\n")),
        has_init: true,
        has_os_release: true,
        ..ext(number, uuid)
    }
}

fn fat(number: u32, boot_file: &str, text: &str) -> Candidate {
    let file = BootFile { path: boot_file.to_owned(), text: text.to_owned() };
    Candidate {
        number,
        kind: FsKind::Fat { volume_id: Some(1), label: Some("BOOT".to_owned()) },
        boot_files: vec![file],
        ..Candidate::default()
    }
}

fn other(number: u32, signature: Signature) -> Candidate {
    Candidate { number, kind: FsKind::Other { signature, label: None }, ..Candidate::default() }
}

fn number(candidates: &[Candidate]) -> u32 {
    choose(candidates, None).unwrap().number
}

fn ambiguous(candidates: &[Candidate]) -> Vec<u32> {
    let error = choose(candidates, None).unwrap_err();
    assert!(error.fix().unwrap().contains("`root: NUMBER`"), "{error:?}");
    let ChooseError::Ambiguous { remaining, findings } = error else { panic!("{error}") };
    assert_eq!(findings.len(), candidates.len());
    remaining
}

#[test]
fn the_cards_of_the_mc1() {
    let boot = fat(1, "boot.ini", &format!("setenv b \"root=UUID={UUID} rootwait ro\"\n"));
    let root = system(2, UUID, &format!("UUID={UUID}"));
    let choice = choose(&[boot, root], None).unwrap();
    assert_eq!(
        choice.to_string(),
        format!(
            "partition 2: its own /etc/fstab names it as / (UUID={UUID}), boot.ini names it as \
             root (UUID={UUID}) and it holds /sbin/init and /etc/os-release"
        )
    );
}

#[test]
fn other_layouts() {
    // Armbian: one partition with everything.
    let mut armbian = system(1, UUID, &format!("UUID={UUID}"));
    let text = format!("rootdev=UUID={UUID}\n");
    armbian.boot_files = vec![BootFile { path: "boot/armbianEnv.txt".to_owned(), text }];
    assert_eq!(number(&[armbian]), 1);
    // Newer XU4 images: the boot partition is ext2.
    let mut boot = ext(1, "11111111-0000-0000-0000-000000000000");
    boot.boot_files = fat(1, "boot.ini", "root=/dev/mmcblk1p2").boot_files;
    assert_eq!(number(&[boot.clone(), system(2, UUID, "LABEL=gone")]), 2);
    // Its fstab names nothing on this card, and nothing else names it.
    assert_eq!(number(&[ext(1, "11"), system(2, UUID, "/dev/root")]), 2);
    // A separate /usr or data partition, before and behind.
    boot.boot_files = fat(1, "boot.ini", "root=/dev/mmcblk1p3").boot_files;
    let root = system(3, UUID, "PARTUUID=3cedfd53-03");
    assert_eq!(number(&[boot, ext(2, "22"), root, ext(4, "44")]), 3);
    // An old system beside it, whose fstab names the new one.
    let old = system(2, "22", &format!("UUID={UUID}"));
    assert_eq!(number(&[old, system(3, UUID, &format!("UUID={UUID}"))]), 3);
    // No fstab on either, but that of another partition names one.
    let mut plain = [system(2, "22", ""), system(3, "33", "")];
    assert_eq!(ambiguous(&plain), [2, 3]);
    plain[0].fstab = Some("UUID=33 / ext4\n".to_owned());
    assert_eq!(number(&plain), 3);
}

/// Of endless text only the beginning is read.
#[test]
fn hostile_text_is_bounded() {
    let line = |i: u32| format!("root=/dev/sda{i} /dev/sda{i} / x\n");
    let text: String = (1..100_000).map(line).collect();
    let fstab: String = (0..100_000).map(|_| "/dev/sda2 / x\n").collect();
    let mut root = system(2, UUID, "");
    root.fstab = Some(fstab);
    let choice = choose(&[fat(1, "boot.ini", &text), root], None);
    let choice = choice.unwrap();
    assert!(choice.number == 2 && choice.reasons.len() < 100, "{choice}");
}

#[test]
fn two_systems() {
    // Each names itself, so only the boot loader decides.
    let pair = [system(2, "22", "UUID=22"), system(3, "33", "UUID=33")];
    assert_eq!(ambiguous(&pair), [2, 3]);
    let [a, b] = pair;
    let boot = fat(1, "cmdline.txt", "root=PARTUUID=3cedfd53-03 rootwait");
    assert_eq!(number(&[boot.clone(), a.clone(), b.clone()]), 3);
    // It is ambiguous if boot files contradict each other or the fstab.
    let mut both = boot.clone();
    both.boot_files.extend(fat(1, "boot.ini", "root=/dev/mmcblk0p2").boot_files);
    assert_eq!(ambiguous(&[both, a.clone(), b]), [2, 3]);
    assert_eq!(ambiguous(&[boot, a, ext(3, "33")]), [2, 3]);
    // Clones share their UUID.
    let twins = [system(2, UUID, "UUID=x"), system(3, UUID, &format!("UUID={UUID}"))];
    assert_eq!(number(&twins), 3, "only one of the twins' own fstab names it");
    let root = format!("UUID={UUID}");
    assert_eq!(ambiguous(&[system(2, UUID, &root), system(3, UUID, &root)]), [2, 3]);
}

#[test]
fn lists_the_partitions_when_none_can_be_chosen() {
    let error = choose(&[fat(1, "x", ""), other(2, Signature::Btrfs)], None).unwrap_err();
    assert!(matches!(error, ChooseError::NoExt { .. }));
    assert_eq!(
        error.to_string(),
        "no partition holds an ext4 filesystem\n  \
         partition 1: FAT \"BOOT\" (UUID=0000-0001); nothing names it as the root filesystem\n  \
         partition 2: btrfs; nothing names it as the root filesystem"
    );
    let error = choose(&[], None).unwrap_err();
    assert!(error.to_string().ends_with("(the table lists no partitions)"), "{error}");

    // A single ext filesystem is not the root just because it is the only one.
    let error = choose(&[ext(1, "11"), other(2, Signature::Btrfs)], None).unwrap_err();
    assert!(matches!(error, ChooseError::NoSystem { .. }), "{error}");
    assert!(error.to_string().contains("partition 1: ext4 (UUID=11); nothing names"), "{error}");

    // The real root is one that cannot be edited.
    let boot = fat(1, "cmdline.txt", "root=/dev/mmcblk0p2");
    let squashed = [boot, other(2, Signature::Squashfs), system(3, "33", "UUID=33")];
    let error = choose(&squashed, None).unwrap_err();
    assert!(matches!(error, ChooseError::RootIsNotExt { named: 2, .. }), "{error}");
    assert!(error.to_string().contains("cmdline.txt names it as root"), "{error}");
    assert_eq!(choose(&squashed, Some(3)).unwrap().number, 3);
}

#[test]
fn the_user_overrides() {
    let pair = [fat(1, "x", ""), system(2, "22", "UUID=22"), system(3, "33", "UUID=33")];
    let choice = choose(&pair, Some(3)).unwrap();
    assert_eq!((choice.number, choice.reasons.first()), (3, Some(&Evidence::Wanted)));
    let error = choose(&pair, Some(1)).unwrap_err();
    assert!(matches!(error, ChooseError::NotExt { wanted: 1, .. }), "{error}");
    let error = choose(&pair, Some(9)).unwrap_err();
    assert!(matches!(error, ChooseError::NoSuchPartition { wanted: 9, .. }), "{error}");
    assert!(error.to_string().contains("\n  partition 3: ext4"), "{error}");
}
