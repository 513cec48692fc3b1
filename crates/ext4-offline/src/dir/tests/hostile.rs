//! Damaged blocks.

use super::*;

/// Tries all operations on a directory. None may panic or take long.
fn try_all(format: &Format, blocks: &Blocks, indexed: bool, names: &[Vec<u8>]) -> bool {
    let mut blocks = Blocks { limit: Some(blocks.blocks.len() + 4), ..blocks.clone() };
    blocks.reads.set(0);
    let mut intact = true;
    let reader = Reader::new(format, &blocks, indexed);
    intact &= reader.entries().is_ok();
    intact &= reader.is_empty().is_ok();
    for name in names {
        intact &= reader.lookup(name).is_ok();
    }
    // A leaf is read at most once for each of its names.
    let most = (names.len() + 2) * (blocks.blocks.len() * 3 + 4);
    assert!(blocks.reads.get() <= most);
    let mut directory = Directory::new(format, &mut blocks, indexed);
    for (number, name) in names.iter().enumerate() {
        intact &= match number % 3 {
            0 => directory.remove(name).is_ok(),
            1 => directory.replace(name, 99, FileType::FIFO).is_ok(),
            _ => true,
        };
        let mut long = name.clone();
        long.resize(250, b'+');
        match directory.insert(&long, 98, FileType::SYMLINK) {
            Err(Error::NoSpace { .. }) => {}
            result => intact &= result.is_ok(),
        }
    }
    let _ = directory.replace(b"..", 7, FileType::DIRECTORY);
    intact
}

/// A directory of many names, and some of these.
fn sample(format: &Format, count: usize) -> (Blocks, Vec<Vec<u8>>) {
    let mut random = Random(3);
    let mut blocks = Blocks::new(format);
    let mut directory = Directory::new(format, &mut blocks, false);
    let mut names = Vec::new();
    for number in 0..count {
        let name = random.name(number, 250);
        directory.insert(&name, 100, FileType::REGULAR).unwrap();
        if number % (count / 10) == 0 {
            names.push(name);
        }
    }
    (blocks, names)
}

#[test]
fn no_damage_makes_it_panic_or_hang() {
    let mut random = Random(11);
    for (block_size, count) in [(1024, 1500), (1024, 20), (4096, 300), (65536, 700)] {
        for checksum_seed in [None, Some(5)] {
            for may_index in [true, false] {
                let filetype = count != 20;
                let format = Format { checksum_seed, may_index, filetype, ..format(block_size) };
                let (good, names) = sample(&format, count);
                assert!(try_all(&format, &good, may_index, &names));
                for _ in 0..if block_size > 4096 { 20 } else { 150 } {
                    let mut bad = good.clone();
                    for _ in 0..1 + random.below(4) {
                        // The root and the beginnings of blocks are most interesting.
                        let index = random.below(2) * random.below(bad.blocks.len());
                        let block = &mut bad.blocks[index];
                        let length = [48, block.len()][random.below(2)];
                        let at = random.below(length);
                        block[at] = [0, 0xff, 1, 0x80, random.below(256) as u8][random.below(5)];
                    }
                    try_all(&format, &bad, may_index, &names);
                    // Without new checksums, most damage would not be reached.
                    if checksum_seed.is_some() {
                        reseal(&format, &mut bad);
                        try_all(&format, &bad, may_index, &names);
                    }
                    // The flag may be wrong as well.
                    try_all(&format, &bad, !may_index, &names);
                }
            }
        }
    }
}

/// Corrects all checksums, of leaves and of nodes.
fn reseal(format: &Format, blocks: &mut Blocks) {
    let Some(seed) = format.checksum_seed else { return };
    let size = format.block_size as usize;
    for block in &mut blocks.blocks {
        let end = size - 12;
        let list = if half(block, 4) == 12 { 32 } else { 8 };
        let (limit, count) = (half(block, list), half(block, list + 2));
        if block[end..end + 8] == [0, 0, 0, 0, 12, 0, 0, 0xde] {
            let crc = crc32c(seed, &block[..end]);
            block[end + 8..].copy_from_slice(&crc.to_le_bytes());
        } else if list + limit * 8 + 8 <= size && list + count * 8 <= size {
            let tail = list + limit * 8;
            let crc = crc32c(seed, &block[..list + count * 8]);
            let crc = crc32c(crc32c(crc, &block[tail..tail + 4]), &[0; 4]);
            block[tail + 4..tail + 8].copy_from_slice(&crc.to_le_bytes());
        }
    }
}

fn reason(result: Result<impl std::fmt::Debug>) -> (u32, &'static str) {
    match result {
        Err(Error::Directory { inode: OWN, index, reason }) => (index, reason),
        other => panic!("{other:?}"),
    }
}

/// Damages a directory of two levels, and returns the error.
fn damage(change: impl Fn(&mut Blocks)) -> (u32, &'static str) {
    let format = format(1024);
    let (mut blocks, names) = sample(&format, 1500);
    assert_eq!(blocks.blocks[0][30], 1);
    change(&mut blocks);
    reseal(&format, &mut blocks);
    let reader = Reader::new(&format, &blocks, true);
    let listing = reason(reader.entries());
    // A lookup that meets the damage reports it in the same way.
    for name in &names {
        if let Err(Error::Directory { reason, .. }) = reader.lookup(name) {
            let both = [reason, listing.1];
            assert!(reason == listing.1 || both.contains(&"the index leads to it twice"));
        }
    }
    listing
}

#[test]
fn unknown_and_damaged_indexes_are_reported() {
    let root = |at: usize, value: u8| damage(move |blocks| blocks.blocks[0][at] = value);
    for (at, value) in [(24, 1), (29, 12), (31, 1), (31, 2)] {
        assert_eq!(root(at, value), (0, "its index (dx_root) is of an unknown kind"));
    }
    for version in [3, 4, 5, 6, 255] {
        let text = "its index (dx_root) uses an unknown hash";
        assert_eq!(root(28, version), (0, text));
    }
    let text = "its index (dx_root) has more levels than are possible";
    assert_eq!(root(30, 2), (0, text));
    for value in [0, 200] {
        let text = "its index has an impossible count or limit";
        assert_eq!(root(32, value), (0, text));
        assert_eq!(root(34, value), (0, text));
    }
    let text = "its index leads to a block that does not exist";
    for block in [0, u32::MAX, 0x0fff_ffff] {
        let wrong = damage(|blocks| blocks.blocks[0][36..40].copy_from_slice(&block.to_le_bytes()));
        assert_eq!(wrong, (0, text));
    }
    let wrong = damage(|blocks| blocks.blocks[0].copy_within(44..48, 36));
    assert_eq!(wrong.1, "the index leads to it twice");
    // A leaf where a node should be.
    let wrong = damage(|blocks| {
        let last = blocks.blocks.len() as u32 - 1;
        let leaf = (1..=last).find(|&index| half(&blocks.blocks[index as usize], 4) != 1024);
        blocks.blocks[0][36..40].copy_from_slice(&leaf.unwrap().to_le_bytes());
    });
    assert_eq!(wrong.1, "it is not a node of the index (dx_node)");
    let wrong = damage(|blocks| {
        let block = first_block(&format(1024), 5, 5);
        blocks.blocks.push(block);
    });
    assert_eq!(wrong.1, "the index does not lead to it");
    let wrong = damage(|blocks| blocks.blocks[0][40..44].fill(0xff));
    assert!(matches!(wrong, (0, "its index is out of order")), "{wrong:?}");
}

#[test]
fn checksums_are_verified() {
    let format = format(1024);
    let (good, names) = sample(&format, 1500);
    for index in 0..good.blocks.len() {
        let mut bad = good.clone();
        // Bytes without structure: of a name, or of the tail of a node.
        let is_node = index == 0 || half(&bad.blocks[index], 4) == 1024;
        let at = if is_node { 1016 } else { 9 };
        bad.blocks[index][at] ^= 1;
        let reader = Reader::new(&format, &bad, true);
        let (wrong, text) = reason(reader.entries());
        assert_eq!(wrong as usize, index);
        assert!(text.contains("checksum"), "{text}");
    }
    // A lookup does not read other blocks.
    let reader = Reader::new(&format, &good, true);
    good.reads.set(0);
    assert!(reader.lookup(&names[4]).unwrap().is_some());
    assert_eq!(good.reads.get(), 3);
}

#[test]
fn directories_without_blocks_are_damaged() {
    let format = format(1024);
    let mut blocks = Blocks::default();
    for indexed in [true, false] {
        let mut directory = Directory::new(&format, &mut blocks, indexed);
        assert_eq!(reason(directory.insert(b"name", 13, FileType::REGULAR)).0, 0);
    }
    let short = Blocks { blocks: vec![vec![0; 512]], ..Default::default() };
    for indexed in [true, false] {
        let reader = Reader::new(&format, &short, indexed);
        assert_eq!(reason(reader.lookup(b"x")), (0, "it is too short"));
    }
}
