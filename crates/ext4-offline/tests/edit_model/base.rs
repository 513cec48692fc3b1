//! Filesystems to edit, with everything in them that only mke2fs and the kernel create.

use std::{
    fs,
    os::unix::fs::{FileExt, symlink},
    path::{Path, PathBuf},
    sync::Arc,
};

use block_io::{FileStorage, ReadAt};
use ext4_offline::internals::{Geometry, Superblock};
use rustix::fs::{FallocateFlags, FileType, Mode, XattrFlags};

use crate::{
    common::{
        MIB, assert_clean,
        mount::{is_root, try_mount},
        output_of, run, scratch,
    },
    features::Set,
    model::{Limits, Model},
    readers::{debugfs, own},
    tree::difference,
};

pub struct Base {
    pub set: &'static Set,
    _dir: tempfile::TempDir,
    pub path: PathBuf,
    pub storage: Arc<dyn ReadAt>,
    pub model: Model,
    pub free_bytes: u64,
    pub cluster: u64,
    pub features: Vec<String>,
}

impl Base {
    pub fn make(set: &'static Set) -> Base {
        let dir = scratch();
        let tree = dir.path().join("tree");
        populate(&tree);
        let path = dir.path().join("image");
        fs::File::create(&path).unwrap().set_len(set.mib * MIB).unwrap();
        let mut arguments: Vec<&str> = set.arguments.split_whitespace().collect();
        let image = path.to_str().unwrap();
        arguments.extend(["-q", "-F", "-d", tree.to_str().unwrap(), image]);
        output_of("mke2fs", &arguments);
        if is_root() {
            match (try_mount(&path, "rw"), set.kernel) {
                (Ok(mounted), true) => populate_by_kernel(&mounted.0),
                (Err(_), false) => populate_by_debugfs(image),
                (Ok(_), false) => panic!("{}: the kernel does mount it", set.name),
                (Err(text), true) => panic!("{}: {text}", set.name),
            }
        } else {
            populate_by_debugfs(image);
        }
        // Gives large directories an index.
        run("e2fsck", &["-f", "-y", "-D", image]);
        assert_clean(&path, &[], set.name);

        let storage = Arc::new(FileStorage::open_writable(&path).unwrap());
        let superblock = Superblock::read(&storage).unwrap();
        let geometry = Geometry::of(&superblock).unwrap();
        let features = superblock.features().names();
        let has = |name: &str| features.iter().any(|feature| feature == name);
        let limits = Limits {
            block_size: geometry.block_size as usize,
            inode_room: geometry.inode_size as usize - 128,
            xattr_block: has("ext_attr"),
            short_times: geometry.inode_size == 128,
            inline: has("inline_data"),
        };
        let model = Model::of(&own::read(&path), limits);
        let wrong = difference(&debugfs::read(&path, &model).tree, &model.tree());
        assert_eq!(wrong, None, "{}, before any edit", set.name);
        let block_size = u64::from(geometry.block_size);
        let free_bytes = superblock.s_free_blocks_count() * block_size;
        let cluster = block_size * u64::from(geometry.cluster_blocks);
        Base { set, _dir: dir, path, storage, model, free_bytes, cluster, features }
    }
}

/// The tree that mke2fs copies into a new filesystem.
fn populate(tree: &Path) {
    fs::create_dir_all(tree.join("deep/er/est")).unwrap();
    fs::create_dir_all(tree.join("many")).unwrap();
    fs::create_dir_all(tree.join("small")).unwrap();
    fs::write(tree.join("one"), "one").unwrap();
    // Names that fill several blocks, all of one file.
    for number in 0..70 {
        let name = format!("{}-{number}", "long".repeat(50));
        fs::hard_link(tree.join("one"), tree.join("many").join(name)).unwrap();
    }
    for (number, size) in [0, 1, 59, 61, 120, 1000, 5000, 70_000].into_iter().enumerate() {
        let bytes: Vec<u8> = (0..size).map(|i| (i * (number + 7) % 251) as u8).collect();
        fs::write(tree.join(format!("file-{number}")), bytes).unwrap();
    }
    for name in ["a", "bb", "ccc"] {
        fs::write(tree.join("small").join(name), name).unwrap();
    }
    let sparse = fs::File::create(tree.join("sparse")).unwrap();
    sparse.write_all_at(b"begin", 0).unwrap();
    sparse.write_all_at(&[7; 9000], 200_000).unwrap();
    sparse.set_len(400_000).unwrap();
    symlink("nowhere", tree.join("short-link")).unwrap();
    symlink("n".repeat(100), tree.join("long-link")).unwrap();
}

fn populate_by_kernel(root: &Path) {
    let xattr = |name: &str, xattr: &str, value: &[u8]| {
        let set = rustix::fs::lsetxattr(root.join(name), xattr, value, XattrFlags::empty());
        // Small enough for filesystems where only inodes can hold them.
        set.is_ok()
    };
    let create = |name: &str| {
        let options = fs::OpenOptions::new().read(true).write(true).create_new(true).clone();
        options.open(root.join(name)).unwrap()
    };
    // The same values, so that the kernel shares a block.
    for name in ["shared-1", "shared-2", "shared-3"] {
        fs::write(root.join(name), name).unwrap();
        xattr(name, "user.shared", &[b's'; 500]);
        xattr(name, "trusted.shared", b"t");
    }
    // Larger than a block, if that is possible.
    for name in ["huge-1", "huge-2"] {
        fs::write(root.join(name), name).unwrap();
        xattr(name, "user.huge", &[b'h'; 6000]);
        xattr(name, "user.filler", &[b'f'; 300]);
    }
    xattr("deep", "user.small", b"in the inode");
    for (name, flags) in
        [("unwritten", FallocateFlags::empty()), ("beyond", FallocateFlags::KEEP_SIZE)]
    {
        let file = create(name);
        if rustix::fs::fallocate(&file, flags, 0, 150_000).is_ok() {
            file.write_all_at(&[b'w'; 3000], 50_000).unwrap();
        }
    }
    let holes = create("holes");
    for number in 0..60 {
        holes.write_all_at(&[number as u8; 700], number * 8192).unwrap();
    }
    fs::create_dir(root.join("by-kernel")).unwrap();
    fs::write(root.join("by-kernel/tiny"), "tiny").unwrap();
    for number in 0..40 {
        let name = format!("by-kernel/{}-{number}", "name".repeat(40));
        fs::hard_link(root.join("by-kernel/tiny"), root.join(name)).unwrap();
    }
    for (name, kind) in [
        ("pipe", FileType::Fifo),
        ("socket", FileType::Socket),
        ("null", FileType::CharacterDevice),
        ("disk", FileType::BlockDevice),
    ] {
        let device = rustix::fs::makedev(1, 3);
        rustix::fs::mknodat(rustix::fs::CWD, root.join(name), kind, Mode::RUSR, device).unwrap();
    }
}

fn populate_by_debugfs(image: &str) {
    for command in [
        "mknod pipe p",
        "mknod null c 1 3",
        "ea_set file-1 user.small inside",
        &format!("ea_set file-2 user.large {}", "x".repeat(400)),
        "fallocate file-3 10 20",
    ] {
        output_of("debugfs", &["-w", "-R", command, image]);
    }
}
