//! Filesystems with one wrong field each: whatever e2fsck complains about is damage for `check`,
//! and nothing else.
#![allow(missing_docs)]

mod common;

use std::{collections::HashMap, fs};

use common::*;
use ext4_offline::check;

const OLD: &str = "-t ext4 -O ^metadata_csum,^64bit,uninit_bg";
const MODERN: &str = "-t ext4 -O metadata_csum,64bit";
const INLINE: &str = "-t ext4 -O inline_data,ea_inode,large_dir";
const CLUSTERS: &str = "-t ext4 -O bigalloc -C 8192";
const PLAIN: &str = "-t ext2 -O ^dir_index,^resize_inode";

/// Filesystems of 12 MiB with blocks of 1 KiB, each made once.
#[derive(Default)]
struct Bases(HashMap<&'static str, Image>);

impl Bases {
    /// Copies a filesystem, and changes the copy by requests for debugfs.
    fn copy(&mut self, arguments: &'static str, requests: &str) -> Image {
        let make = || Image::make(&format!("{arguments} -b 1024"), 12 * MIB);
        let base = self.0.entry(arguments).or_insert_with(make);
        let dir = scratch();
        let image = Image { path: dir.path().join("image"), dir };
        fs::copy(&base.path, &image.path).unwrap();
        let script = image.dir.path().join("script");
        fs::write(&script, requests.replace("; ", "\n")).unwrap();
        let said = run("debugfs", &["-w", "-f", script.to_str().unwrap(), image.path()]);
        let errors = String::from_utf8_lossy(&said.stderr);
        let errors: Vec<_> = errors.lines().filter(|line| !line.starts_with("debugfs ")).collect();
        assert!(errors.is_empty(), "{requests}: {errors:?}");
        image
    }
}

/// Compares the verdicts about filesystems with these changes, and panics unless as many are
/// accepted as expected.
fn compare(accepted: usize, cases: &[(&'static str, &[&str])]) {
    let mut bases = Bases::default();
    let (mut agreed, mut wrong) = (Vec::new(), Vec::new());
    for (arguments, changes) in cases {
        for requests in *changes {
            let what = format!("{arguments}: {requests}");
            let image = bases.copy(arguments, requests);
            match (check(&image.open()), e2fsck_complaint(&image.path, &[])) {
                (Ok(_), None) => agreed.push(what),
                (Err(error), Some(_)) => assert!(error.is_damage(), "{what}: {error}"),
                (Ok(_), Some(complaint)) => {
                    wrong.push(format!("{what}: accepted, but {complaint}"))
                }
                (Err(error), None) => wrong.push(format!("{what}: clean for e2fsck, but {error}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(agreed.len(), accepted, "{agreed:#?}");
}

#[test]
fn about_fields_of_inodes() {
    const FILE: &[&str] = &[
        "sif directory-1/file-3 mode 0",
        "sif directory-1/file-3 mode 0030644",
        "sif directory-1/file-3 dtime 5",
        "sif directory-1/file-3 faddr 1",
        "sif directory-1/file-3 extra_isize 0",
        "sif directory-1/file-3 extra_isize 2",
        "sif directory-1/file-3 extra_isize 4",
        "sif directory-1/file-3 extra_isize 30",
        "sif directory-1/file-3 extra_isize 124",
        "sif directory-1/file-3 extra_isize 128",
        "sif directory-1/file-3 extra_isize 132",
        "sif directory-1/file-3 flags 0x80010",
        "sif directory-1/file-3 flags 0x82000",
        "sif directory-1/file-3 flags 0x81000",
        "sif directory-1/file-3 flags 0x10080000",
        "sif directory-1/file-3 flags 0x40080000",
        "sif directory-1/file-3 flags 0xc0000",
        "sif directory-1 flags 0x40080000",
        "sif directory-1 flags 0x10080000",
        "sif directory-1/file-3 file_acl 0x100000000",
        "sif directory-1/file-3 file_acl 5000",
        "sif directory-1 size 0x100000400",
        "sif link flags 0x10",
        "sif link flags 0x20",
        "sif link flags 0x80000",
        "mknod pipe p; sif pipe size 1",
        "mknod pipe p; sif pipe flags 0x10",
        "mknod pipe p; sif pipe flags 0x80000",
        "mknod pipe p; sif pipe flags 0x10000000",
        "mknod pipe p; sif pipe block[4] 1",
        "mknod disk b 8 1; sif disk block[3] 1",
        "mknod disk b 8 1",
    ];
    let without_huge = [
        "sif directory-1/file-3 blocks 0x100000002",
        "sif sparse size 0x7fffffff",
        "sif sparse size 0x80000000",
        // HUGE_FILE_FL does not change the unit of the number of blocks.
        "sif directory-1/file-5 flags 0xc0000",
        "sif directory-1/file-5 flags 0xc0000; sif directory-1/file-5 blocks 70",
    ];
    compare(
        26,
        &[
            (OLD, FILE),
            (MODERN, FILE),
            (INLINE, FILE),
            ("-t ext4 -O ^huge_file,^large_file,^64bit", &without_huge),
            (PLAIN, &["sif directory-1/file-3 flags 0x80000", "sif directory-1 flags 0x1000"]),
        ],
    );
}

#[test]
fn about_contents() {
    const BOTH: &[&str] = &[
        "sif directory-1/file-5 blocks 138",
        "sif directory-1/file-5 blocks 142",
        "sif directory-1/file-5 size 69632",
        "sif directory-1/file-5 size 69631",
        "sif directory-1/file-5 size 69633",
        "sif directory-1/file-0 size 1",
        "sif directory-1 size 0",
        "sif directory-1 size 1000",
        "sif directory-1 size 2048",
        "sif link size 0",
        "sif link size 17",
        "sif link size 19",
        "sif link size 59",
        "sif link size 60",
        "sif link size 1025",
    ];
    let extents = [
        "sif sparse size 0x40000000000",
        "sif sparse size 0x40000000001",
        "fallocate directory-1/file-5 100 105",
        "fallocate directory-1/file-5 100 105; sif directory-1/file-5 size 107000",
    ];
    let indirect = ["sif sparse size 17247252480", "sif sparse size 17247252481"];
    let inline = [
        "sif directory-1/file-1 size 60",
        "sif directory-1/file-2 size 0",
        "sif directory-1 size 60",
        "sif directory-1 size 61",
        "sif directory-1/file-2 flags 0",
        "sif directory-1/file-1 size 61",
        "sif directory-1/file-1 size 5000",
        "sif directory-1/file-1 size 17247252480",
        "sif directory-1/file-1 size 17247252481",
        "symlink inside /0123456789/0123456789/0123456789/0123456789/0123456789/0123456789; sif inside size 67",
    ];
    let clusters = [
        "sif directory-1/file-3 blocks 2",
        "sif directory-1/file-3 blocks 16",
        "sif directory-1/file-3 blocks 32",
        "sif directory-1/file-3 flags 0",
        "sif directory-1/file-0 flags 0",
    ];
    compare(
        16,
        &[
            (MODERN, BOTH),
            (PLAIN, BOTH),
            (MODERN, &extents),
            (PLAIN, &indirect),
            (INLINE, &inline),
            (CLUSTERS, &clusters),
        ],
    );
}

#[test]
fn about_names() {
    const NAMES: &[&str] = &[
        "ln directory-1/file-3 again",
        "ln directory-1/file-3 again; sif again links_count 2",
        "ln directory-1/file-3 again; sif again links_count 3",
        "sif directory-1/file-3 links_count 2",
        "ln directory-1 directory-2/again",
        "ln directory-1 directory-2/again; sif directory-1 links_count 3",
        "ln <2> directory-2/root",
        "ln <7> directory-2/seven",
        "ln <8> directory-2/eight",
        "unlink directory-3",
        "unlink directory-3/file-3",
        "unlink directory-3/..",
        "unlink directory-3/.",
        "unlink directory-3/..; ln directory-4 directory-3/..",
        "unlink directory-3/..; ln directory-3/file-3 directory-3/..",
        "unlink directory-3/.; ln directory-4 directory-3/.",
        "ln directory-3 directory-3/self; unlink directory-3",
        "ln directory-3 directory-4/three; ln directory-4 directory-3/four; unlink directory-3; unlink directory-4",
        "sif directory-3 links_count 1",
        "sif directory-3 links_count 3",
        "sif <2> links_count 16",
        "sif <2> mode 0100755",
        "sif <2> links_count 0",
    ];
    compare(3, &[(MODERN, NAMES), (PLAIN, NAMES), (INLINE, &NAMES[..13])]);
}

#[test]
fn about_the_superblock_and_descriptors() {
    const BOTH: &[&str] = &[
        "ssv r_blocks_count 6144",
        "ssv r_blocks_count 6145",
        "ssv first_ino 10",
        "ssv first_ino 11",
        "ssv first_ino 100000",
        "ssv min_extra_isize 28",
        "ssv min_extra_isize 30",
        "ssv min_extra_isize 128",
        "ssv min_extra_isize 132",
        "ssv want_extra_isize 28",
        "ssv want_extra_isize 30",
        "ssv want_extra_isize 128",
        "ssv want_extra_isize 132",
        "ssv log_cluster_size 1",
        "ssv clusters_per_group 4096",
        "ssv rev_level 0",
        "ssv rev_level 2",
        "ssv journal_uuid 5f0f3a40-4d8c-4d3a-9d0c-3c1c7a8b9d10",
        "ssv usr_quota_inum 3",
        "ssv usr_quota_inum 4",
        "ssv usr_quota_inum 7",
        "ssv usr_quota_inum 500",
        "ssv usr_quota_inum 5000",
        "ssv grp_quota_inum 20",
        "ssv grp_quota_inum 0x1000000",
        "ssv prj_quota_inum 20",
        "ssv prj_quota_inum 500",
        "ssv orphan_file_inum 20",
        "ssv orphan_file_inum 1",
        "ssv orphan_file_inum 2",
        "ssv orphan_file_inum 7",
        "ssv orphan_file_inum 8",
        "ssv log_groups_per_flex 31",
        "ssv log_groups_per_flex 32",
        "ssv encoding 2",
        "feature casefold; ssv encoding 0",
        "feature casefold; ssv encoding 1",
        "feature casefold; ssv encoding 2",
        "ssv usr_quota_inum 11",
        "ssv usr_quota_inum 10",
        "ssv prj_quota_inum 12",
        "feature ^extent",
        "feature meta_bg",
        "feature ^resize_inode",
        "set_bg 1 flags 3",
        "set_bg 1 flags 2",
        "set_bg 0 flags 7",
    ];
    compare(
        41,
        &[
            (OLD, BOTH),
            (MODERN, BOTH),
            (PLAIN, &BOTH[..17]),
            (
                PLAIN,
                &[
                    "ssv prj_quota_inum 500",
                    "set_bg 0 flags 1",
                    "set_bg 0 flags 2",
                    "set_bg 0 itable_unused 5",
                    "set_bg 0 flags 4",
                    "ssv reserved_gdt_blocks 5",
                    "ssv journal_inum 8",
                    "ssv journal_inum 20",
                    "ssv journal_dev 5",
                    "ssv journal_uuid 5f0f3a40-4d8c-4d3a-9d0c-3c1c7a8b9d10",
                    "ssv orphan_file_inum 7",
                    "ssv log_groups_per_flex 32",
                ],
            ),
            ("-t ext2 -I 128", &["ssv min_extra_isize 28", "ssv want_extra_isize 30"]),
        ],
    );
}

#[test]
fn about_reserved_inodes() {
    const RESERVED: &[&str] = &[
        "sif <1> mode 0100600",
        "sif <1> links_count 1",
        "sif <1> file_acl 3000",
        "sif <3> mode 0100600",
        "sif <3> mode 0040600",
        "sif <3> links_count 1",
        "sif <4> blocks 2",
        "sif <4> block[0] 2000",
        "sif <4> block[3] 2000",
        "sif <4> block[4] 2000",
        "sif <5> mode 0100600",
        "sif <5> mode 0040600",
        "sif <5> links_count 1",
        "sif <6> mode 0100600",
        "sif <6> links_count 1",
        "sif <9> mode 0100600",
        "sif <10> mode 0100600",
        "sif <7> mode 0040600",
        "sif <7> links_count 0",
        "sif <7> links_count 2",
        "sif <7> dtime 5",
        "sif <7> block[0] 5",
        "sif <7> block[TIND] 5",
        "sif <7> block[DIND] 0",
        "sif <7> block[DIND] 1",
        "sif <7> block[DIND] 12288",
        "sif <7> blocks 2",
        "sif <8> mode 0",
        "sif <8> links_count 0",
        "sif <8> size 0",
    ];
    compare(27, &[(MODERN, RESERVED), (OLD, RESERVED), ("-t ext2", RESERVED)]);
}
