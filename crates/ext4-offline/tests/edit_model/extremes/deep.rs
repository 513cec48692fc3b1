//! Files whose mapping takes many blocks.

use ext4_offline::inodes::FilesMut;

use super::{Empty, create};
use crate::common::{KIB, MIB, Random, thorough};

/// A file and its expected contents.
struct Held {
    image: Empty,
    inode: u32,
    bytes: Vec<u8>,
}

impl Held {
    fn edit(&mut self, context: &str, edit: impl FnOnce(&mut FilesMut, u32, &mut Vec<u8>)) {
        let mut files = self.image.open();
        edit(&mut files, self.inode, &mut self.bytes);
        files.finish().unwrap();
        self.image.assert_clean(context);
        let files = self.image.read();
        let mut read = vec![0; files.stat(self.inode).unwrap().size as usize];
        files.read(self.inode, 0, &mut read).unwrap();
        assert!(read == self.bytes, "{context}: other contents");
    }
}

fn write(files: &mut FilesMut, inode: u32, bytes: &mut Vec<u8>, offset: usize, piece: &[u8]) {
    files.write(inode, offset as u64, piece).unwrap();
    bytes.resize(bytes.len().max(offset + piece.len()), 0);
    bytes[offset..offset + piece.len()].copy_from_slice(piece);
}

#[test]
fn a_file_with_every_other_block() {
    for (arguments, extents) in
        [("-t ext4 -b 1024", 30_000), ("-t ext4 -b 1024 -O ^metadata_csum,^64bit", 3000)]
    {
        let image = Empty::make(arguments, 96 * MIB);
        let mut files = image.open();
        let inode = create(&mut files, "deep");
        files.finish().unwrap();
        let mut held = Held { image, inode, bytes: Vec::new() };
        held.edit("every other block", |files, inode, bytes| {
            for number in 0..extents {
                write(files, inode, bytes, number * 2048, &[number as u8 | 1; 700]);
            }
        });
        let levels = if extents > 28_224 { "/ 3" } else { "/ 2" };
        let tree = held.image.debugfs(&format!("dump_extents <{inode}>"));
        assert!(tree.contains(levels), "not so deep:\n{}", &tree[..tree.len().min(500)]);
        let mut random = Random(extents as u64);
        held.edit("some gaps", |files, inode, bytes| {
            for _ in 0..100 {
                let gap = random.below(extents as u64 - 1) as usize * 2048 + 1024;
                write(files, inode, bytes, gap, &[0xee; 1024]);
            }
        });
        held.edit("a third of the gaps", |files, inode, bytes| {
            let from = extents * 2048 / 3;
            write(files, inode, bytes, from, &vec![0xdd; extents * 2048 / 3 + 300]);
        });
        for part in [9, 7, 5, 3, 1] {
            held.edit("cut off", |files, inode, bytes| {
                let size = extents * 2048 / 10 * part + 333;
                files.resize(inode, size as u64).unwrap();
                bytes.resize(size, 0);
            });
        }
        held.edit("all gaps", |files, inode, bytes| {
            let all = vec![0x77; bytes.len()];
            write(files, inode, bytes, 0, &all);
        });
        for size in [3000 * 1024, 5 * 1024, 0] {
            held.edit("cut off again", |files, inode, bytes| {
                files.resize(inode, size as u64).unwrap();
                bytes.resize(size, 0);
            });
        }
    }
}

/// Reaches the triple indirect blocks.
#[test]
fn a_file_with_indirect_blocks() {
    let image = Empty::make("-t ext2 -b 1024", 96 * MIB);
    let mut files = image.open();
    let inode = create(&mut files, "deep");
    files.finish().unwrap();
    let mut held = Held { image, inode, bytes: Vec::new() };
    let double = (12 + 256 + 256 * 256) * KIB as usize;
    held.edit("all three", |files, inode, bytes| {
        let piece = MIB as usize;
        for offset in (0..double + 2 * piece).step_by(piece) {
            write(files, inode, bytes, offset, &vec![(offset / piece) as u8; piece]);
        }
    });
    let single = (12 + 256) * KIB as usize;
    let some = if thorough() { 100 } else { 1 };
    let sizes = (0..some).flat_map(|n| {
        [double + 1024 + 1, double + 1, double, double - 1024 * n, single + 1024, single, 12_289]
    });
    for size in sizes.chain([12_288, 1]) {
        held.edit(&format!("cut off at {size}"), |files, inode, bytes| {
            if size < bytes.len() {
                files.resize(inode, size as u64).unwrap();
                bytes.resize(size, 0);
            }
        });
    }
    held.edit("holes", |files, inode, bytes| {
        for offset in [double + 5000, double - 300, single + 10, 11 * 1024] {
            write(files, inode, bytes, offset, &[0x99; 2000]);
        }
    });
    held.edit("holes cut off", |files, inode, bytes| {
        files.resize(inode, single as u64 + 3).unwrap();
        bytes.resize(single + 3, 0);
    });
}
