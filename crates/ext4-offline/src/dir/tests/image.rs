//! Directories in filesystems that mke2fs made, judged by e2fsck.
//!
//! Nothing is allocated here: a file with as many blocks as the directory needs is turned into a
//! directory, and its names are links to a few files.

use std::{fs, path::Path};

use block_io::{FileStorage, WriteAt};

use super::{
    tools::{e2fsck_complaint, run},
    *,
};
use crate::{
    Operation,
    filesystem::Filesystem,
    inode::{INDEX, Inode, ROOT, S_IFDIR},
    map::Mapping,
    source::{Source, Stored, place_of},
};

/// A filesystem that is changed in place.
struct Image<'a> {
    fs: &'a Filesystem,
    storage: &'a FileStorage,
}

impl Image<'_> {
    fn source(&self) -> Stored<'_> {
        Stored { fs: self.fs, storage: self.storage }
    }

    fn inode(&self, number: u32) -> Inode {
        self.source().inode(number).unwrap()
    }

    fn write_inode(&self, mut inode: Inode) {
        inode.update_checksum(self.fs.checksums.seed());
        let place = place_of(self.fs, inode.number()).unwrap();
        let offset = self.fs.geometry.offset(place.block) + place.offset as u64;
        self.storage.write_at(offset, inode.as_bytes()).unwrap();
    }

    /// Returns where the blocks of a file are.
    fn offsets(&self, inode: &Inode) -> Vec<u64> {
        let mapping = Mapping::load(&self.source(), inode).unwrap();
        let blocks = mapping.runs.iter().flat_map(|run| run.blocks());
        blocks.map(|block| self.fs.geometry.offset(block)).collect()
    }

    fn read(&self, inode: &Inode) -> Blocks {
        let size = self.fs.geometry.block_size as usize;
        let read = |offset| block_io::ReadAt::read_vec(self.storage, offset, size).unwrap();
        let blocks: Vec<_> = self.offsets(inode).into_iter().map(read).collect();
        Blocks { limit: Some(blocks.len()), blocks, ..Default::default() }
    }

    fn write(&self, inode: &Inode, blocks: &Blocks) {
        let offsets = self.offsets(inode);
        assert_eq!(offsets.len(), blocks.blocks.len());
        for (offset, block) in offsets.into_iter().zip(&blocks.blocks) {
            self.storage.write_at(offset, block).unwrap();
        }
    }

    fn format(&self, inode: &Inode) -> Format {
        let (raw, features) = (self.fs.superblock.as_bytes(), self.fs.superblock.features());
        let unsigned = word(raw, 0x160) & 2 != 0;
        Format {
            block_size: self.fs.geometry.block_size,
            filetype: features.names().contains(&"filetype".to_owned()),
            checksum_seed: inode.checksum_seed(self.fs.checksums.seed()),
            hash_seed: [0xec, 0xf0, 0xf4, 0xf8].map(|at| word(raw, at)),
            hash_version: raw[0xfc] + if unsigned { 3 } else { 0 },
            may_index: features.names().contains(&"dir_index".to_owned()),
            large_dir: features.names().contains(&"large_dir".to_owned()),
            casefold: false,
            inode: inode.number(),
        }
    }
}

fn assert_clean(image: &Path, context: &str) {
    if let Some(text) = e2fsck_complaint(image, &[]) {
        let start: String = text.lines().take(30).collect::<Vec<_>>().join("\n");
        panic!("{context}: e2fsck:\n{start}");
    }
}

/// Creates a directory with `count` names in a filesystem that mke2fs makes with these options and
/// debugfs changes. Returns the levels of the tree and the hash.
fn check(options: &str, change: &str, count: usize, longest: usize) -> (u8, u8) {
    let context = format!("mke2fs {options}, {count} names");
    let block_size: usize =
        options.split_once("-b ").unwrap().1.split(' ').next().unwrap().parse().unwrap();
    let mut random = Random(count as u64);
    let name = |random: &mut Random, number| match longest {
        255 => long_name(number),
        _ => random.name(number, longest),
    };
    let names: Vec<Vec<u8>> = (0..count).map(|number| name(&mut random, number)).collect();
    let room: usize = names.iter().map(|name| entry::size(name.len())).sum();
    // After a split, a block of 1 KiB holds two of the longest names.
    let k = room / block_size * if longest == 255 { 12 } else { 8 } / 5 + 3;

    let dir = tempfile::TempDir::with_prefix("ext4-offline-dir-").unwrap();
    let (tree, path) = (dir.path().join("tree"), dir.path().join("image"));
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("dir"), vec![0xff; k * block_size]).unwrap();
    for target in 0..4 {
        fs::write(tree.join(format!("target-{target}")), b"x").unwrap();
    }
    let size = (k * block_size * 5 / 4 + (16 << 20)).max(block_size * 1024);
    fs::File::create(&path).unwrap().set_len(size as u64).unwrap();
    let mut arguments: Vec<&str> = options.split(' ').collect();
    let image = path.to_str().unwrap();
    arguments.extend(["-q", "-F", "-d", tree.to_str().unwrap(), image]);
    assert!(run("mke2fs", &arguments).status.success(), "{context}");
    if change.starts_with("hash_alg") {
        assert!(run("tune2fs", &["-E", change, image]).status.success());
    } else if !change.is_empty() {
        assert!(run("debugfs", &["-w", "-R", change, image]).status.success());
    }
    assert_clean(&path, &context);

    let storage = FileStorage::open_writable(&path).unwrap();
    let filesystem = Filesystem::open(&storage, Operation::Count).unwrap();
    let image = Image { fs: &filesystem, storage: &storage };

    // The root directory that mke2fs made.
    let mut root = image.inode(ROOT);
    let mut blocks = image.read(&root);
    let format = image.format(&root);
    let mut directory = Directory::new(&format, &mut blocks, root.has_flag(INDEX));
    let own = directory.reader().lookup(b"dir").unwrap().unwrap().inode;
    let targets = [0, 1, 2, 3].map(|target| {
        let name = format!("target-{target}");
        directory.reader().lookup(name.as_bytes()).unwrap().unwrap().inode
    });
    directory.replace(b"dir", own, FileType::DIRECTORY).unwrap().unwrap();
    image.write(&root, &blocks);
    root.set_i_links_count(root.i_links_count() + 1);
    image.write_inode(root);

    // The new directory.
    let mut inode = image.inode(own);
    let format = image.format(&inode);
    let mut blocks = Blocks {
        blocks: vec![first_block(&format, own, ROOT)],
        limit: Some(k),
        ..Blocks::default()
    };
    let mut directory = Directory::new(&format, &mut blocks, false);
    let mut model = Model::new();
    let file_type = if format.filetype { 1 } else { 0 };
    for (number, name) in names.iter().enumerate() {
        let target = targets[number % 4];
        directory.insert(name, target, FileType::REGULAR).unwrap();
        model.insert(name.clone(), (target, file_type));
    }
    // Add names until all blocks are in use, and remove them again.
    let mut more = Vec::new();
    loop {
        let name = [b"more-", long_name(more.len()).split_at(30).1].concat();
        match directory.insert(&name, targets[0], FileType::REGULAR) {
            Ok(()) => more.push(name),
            Err(Error::NoSpace { .. }) => break,
            Err(error) => panic!("{context}: {error}"),
        }
    }
    for name in more {
        directory.remove(&name).unwrap().unwrap();
    }
    // Remove some names, rename others.
    for (number, name) in names.iter().enumerate() {
        if number % 5 == 0 {
            directory.remove(name).unwrap().unwrap();
            model.remove(name);
        }
        if number % 15 == 0 {
            let name = random.name(number, longest.min(name.len()));
            if model.contains_key(&name) {
                continue;
            }
            match directory.insert(&name, targets[1], FileType::SYMLINK) {
                Err(Error::NoSpace { .. }) => continue,
                result => result.unwrap(),
            }
            directory.replace(&name, targets[2], FileType::REGULAR).unwrap().unwrap();
            model.insert(name, (targets[2], file_type));
        }
    }
    let indexed = directory.indexed();
    assert_eq!(indexed, format.may_index);
    let mut entries = directory.reader().entries().unwrap();
    assert_eq!(entries.split_off(2).len(), model.len());
    image.write(&inode, &blocks);
    inode.set_i_mode(S_IFDIR | 0o755);
    inode.set_i_links_count(2);
    inode.set_flag(INDEX, indexed);
    image.write_inode(inode);
    for target in targets {
        let links = model.values().filter(|(inode, _)| *inode == target).count();
        let mut inode = image.inode(target);
        inode.set_i_links_count((1 + links).try_into().unwrap());
        image.write_inode(inode);
    }
    let group = place_of(&filesystem, own).unwrap().group;
    let mut descriptors = filesystem.descriptors.clone();
    let mut descriptor = descriptors.get(group);
    descriptor.set_bg_used_dirs_count(descriptor.bg_used_dirs_count() + 1);
    descriptor.update_checksum(group, &filesystem.checksums);
    descriptors.set(group, &descriptor);
    let geometry = &filesystem.geometry;
    let index = group * geometry.descriptor_size / geometry.block_size;
    let offset = geometry.offset(geometry.descriptor_block(index));
    storage.write_at(offset, &descriptors.block(index, geometry)).unwrap();
    drop(storage);

    assert_clean(&path, &context);
    // e2fsck -D makes trees that are packed more tightly. They can be read …
    let output = run("e2fsck", &["-f", "-y", "-D", path.to_str().unwrap()]);
    assert!(output.status.code().is_some_and(|code| code <= 1), "{context}");
    let storage = FileStorage::open_writable(&path).unwrap();
    let filesystem = Filesystem::open(&storage, Operation::Count).unwrap();
    let image = Image { fs: &filesystem, storage: &storage };
    let mut inode = image.inode(own);
    let indexed = inode.has_flag(INDEX);
    let mut packed = image.read(&inode);
    let mut directory = Directory::new(&format, &mut packed, indexed);
    assert_eq!(directory.reader().entries().unwrap().len(), model.len() + 2);
    for (number, (name, (target, _))) in model.iter().enumerate() {
        assert_eq!(directory.reader().lookup(name).unwrap().unwrap().inode, *target);
        // … and changed.
        if number % 3 == 0 {
            directory.remove(name).unwrap().unwrap();
            let name = [&name[..name.len() - 1], b"\xff"].concat();
            if directory.reader().lookup(&name).unwrap().is_none() {
                match directory.insert(&name, *target, FileType::REGULAR) {
                    Ok(()) => continue,
                    Err(Error::NoSpace { .. }) => {}
                    Err(error) => panic!("{context}: {error}"),
                }
            }
            let mut file = image.inode(*target);
            file.set_i_links_count(file.i_links_count() - 1);
            image.write_inode(file);
        }
    }
    inode.set_flag(INDEX, directory.indexed());
    image.write(&inode, &packed);
    image.write_inode(inode);
    drop(storage);
    assert_clean(&path, &format!("{context}, after e2fsck -D"));
    (if format.may_index { blocks.blocks[0][30] } else { 0 }, format.hash_version)
}

fn long_name(number: usize) -> Vec<u8> {
    format!("{number:0>255}").into_bytes()
}

#[test]
fn e2fsck_agrees_with_hash_trees() {
    let levels = [
        check("-t ext4 -b 4096", "", 100_000, 60),
        check("-t ext4 -b 4096 -O ^metadata_csum", "", 20_000, 60),
        check("-t ext4 -b 1024 -O metadata_csum", "", 20_000, 60),
        check("-t ext4 -b 2048 -O metadata_csum", "hash_alg=tea", 20_000, 90),
        check("-t ext2 -b 1024 -O dir_index", "hash_alg=legacy", 20_000, 60),
        check("-t ext3 -b 1024 -O ^filetype", "set_super_value flags 2", 20_000, 60),
        check("-t ext4 -b 65536", "set_super_value flags 2", 20_000, 60),
        check("-t ext4 -b 65536 -O ^metadata_csum", "", 20_000, 60),
    ];
    assert_eq!(levels, [(1, 1), (0, 1), (1, 1), (1, 2), (1, 0), (1, 4), (0, 4), (0, 1)]);
}

#[test]
fn e2fsck_agrees_with_three_levels() {
    assert_eq!(check("-t ext4 -b 1024 -O large_dir", "", 40_000, 255).0, 2);
    assert_eq!(
        check("-t ext4 -b 1024 -O large_dir,^metadata_csum,^filetype", "", 40_000, 255).0,
        2
    );
}

#[test]
fn e2fsck_agrees_with_lists() {
    check("-t ext4 -b 1024 -O ^dir_index", "", 20_000, 60);
    check("-t ext2 -b 4096 -O ^dir_index,^filetype", "", 20_000, 60);
}
