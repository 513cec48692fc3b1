//! The kinds of filesystems that are edited.

/// A kind of filesystem.
#[derive(Debug)]
pub struct Set {
    pub name: &'static str,
    /// The options of mke2fs.
    pub arguments: &'static str,
    pub mib: u64,
    /// Whether a kernel with its usual options mounts it.
    pub kernel: bool,
    /// The error of ext4-view, if it refuses the filesystem.
    pub ext4_view_refuses: Option<&'static str>,
}

const fn set(name: &'static str, arguments: &'static str, mib: u64) -> Set {
    Set { name, arguments, mib, kernel: true, ext4_view_refuses: None }
}

const fn unviewed(set: Set, feature: &'static str) -> Set {
    Set { ext4_view_refuses: Some(feature), ..set }
}

const fn unmounted(set: Set) -> Set {
    Set { kernel: false, ..set }
}

const UBUNTU: &str = "-t ext4 -O none,has_journal,ext_attr,resize_inode,dir_index,filetype,\
                      extent,flex_bg,sparse_super,large_file,huge_file,uninit_bg,dir_nlink,\
                      extra_isize -J size=4";

pub static SETS: &[Set] = &[
    set("Ubuntu 16.04", UBUNTU, 24),
    set("modern", "-t ext4 -b 4096 -O metadata_csum_seed,orphan_file -J size=4", 24),
    set("modern, 1 KiB blocks", "-t ext4 -b 1024 -O metadata_csum_seed,orphan_file", 16),
    set("modern, 2 KiB blocks", "-t ext4 -b 2048 -O metadata_csum_seed,orphan_file", 20),
    set("ext2", "-t ext2 -b 1024", 12),
    set("ext2, 4 KiB blocks", "-t ext2 -b 4096", 16),
    set("ext3", "-t ext3 -b 1024 -J size=1", 14),
    set("ext3, 4 KiB blocks", "-t ext3 -b 4096 -J size=4", 20),
    set("no journal", "-t ext4 -b 1024 -O ^has_journal", 12),
    unviewed(set("128-byte inodes", "-t ext4 -b 1024 -I 128 -J size=1", 14), "truncated: size=128"),
    set(
        "128-byte inodes, gdt_csum",
        "-t ext4 -b 1024 -I 128 -O ^metadata_csum,uninit_bg -J size=1",
        14,
    ),
    set("512-byte inodes", "-t ext4 -b 4096 -I 512 -J size=4", 24),
    unviewed(set("inline_data", "-t ext4 -b 1024 -O inline_data -J size=1", 14), "DATA_IN_INODE"),
    unviewed(
        set("inline_data, large inodes", "-t ext4 -b 4096 -I 1024 -O inline_data -J size=4", 24),
        "DATA_IN_INODE",
    ),
    unviewed(set("ea_inode", "-t ext4 -b 1024 -O ea_inode -J size=1", 14), "LARGE_EXTENDED"),
    unviewed(set("large_dir", "-t ext4 -b 1024 -O large_dir -J size=1", 14), "LARGE_DIRECTORIES"),
    unviewed(
        set("meta_bg", "-t ext4 -b 1024 -O meta_bg,^resize_inode -J size=1 -g 1024", 14),
        "META_BLOCK_GROUPS",
    ),
    set("no flex_bg", "-t ext4 -b 1024 -O ^flex_bg -J size=1 -g 2048", 14),
    set("sparse_super2", "-t ext4 -b 1024 -O sparse_super2,^resize_inode -J size=1", 14),
    set("bigalloc, 16 KiB", "-t ext4 -b 4096 -C 16384 -O bigalloc -J size=4", 40),
    set("bigalloc, 64 KiB", "-t ext4 -b 4096 -C 65536 -O bigalloc -J size=4", 80),
    set("bigalloc, 1 KiB blocks", "-t ext4 -b 1024 -C 8192 -O bigalloc -J size=1", 24),
    set("no extents", "-t ext4 -b 1024 -O ^extent,^64bit,metadata_csum -J size=1", 14),
    unviewed(
        set("no filetype", "-t ext4 -b 1024 -O ^filetype -J size=1", 14),
        "FILE_TYPE_IN_DIR_ENTRY",
    ),
    set("no dir_index", "-t ext4 -b 1024 -O ^dir_index -J size=1", 14),
    set("no extra_isize", "-t ext4 -b 1024 -O ^extra_isize -J size=1", 14),
    set("no large_file", "-t ext4 -b 1024 -O ^large_file,^huge_file,^dir_nlink -J size=1", 14),
    set("no ext_attr", "-t ext4 -b 1024 -O ^ext_attr -J size=1", 14),
    unmounted(set("64 KiB blocks", "-t ext4 -b 65536 -O ^has_journal", 96)),
    unmounted(set("64 KiB blocks, ext2", "-t ext2 -b 65536", 96)),
    unviewed(set("revision 0", "-r 0 -b 1024", 12), "FILE_TYPE_IN_DIR_ENTRY"),
    set("encrypt, unused", "-t ext4 -b 1024 -O encrypt -J size=1", 14),
    unmounted(unviewed(
        set("casefold, unused", "-t ext4 -b 1024 -O casefold -J size=1", 14),
        "0x20000",
    )),
    set("verity, unused", "-t ext4 -b 1024 -O verity -J size=1", 14),
    set("few inodes", "-t ext4 -b 1024 -N 64 -J size=1", 14),
];
