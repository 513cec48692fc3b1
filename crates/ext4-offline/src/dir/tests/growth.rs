//! Large directories, and their limits.

use std::time::Instant;

use super::*;

/// Inserts names until one fails.
fn fill(format: &Format, blocks: &mut Blocks, name: impl Fn(u32) -> Vec<u8>, most: u32) -> Model {
    let mut model = Model::new();
    let mut directory = Directory::new(format, blocks, false);
    for number in 0..most {
        let (name, target) = (name(number), (100 + number, 1));
        match directory.insert(&name, target.0, FileType::REGULAR) {
            Ok(()) => {}
            Err(Error::DirectoryFull { inode: OWN } | Error::NoSpace { .. }) => break,
            Err(error) => panic!("{error}"),
        }
        model.insert(name, target);
    }
    assert!(directory.indexed());
    model
}

fn long_name(number: u32) -> Vec<u8> {
    format!("{number:0>255}").into_bytes()
}

#[test]
fn trees_grow_to_three_levels() {
    let format = Format { large_dir: true, ..format(1024) };
    let mut blocks = Blocks::new(&format);
    let model = fill(&format, &mut blocks, long_name, 50_000);
    assert_eq!(model.len(), 50_000);
    let (found, levels) = verify(&format, &blocks, true);
    assert!(found == model && levels == 2, "{levels}");
    let reader = Reader::new(&format, &blocks, true);
    assert_eq!(reader.entries().unwrap().len(), model.len() + 2);
    blocks.reads.set(0);
    for name in model.keys().step_by(100) {
        assert!(reader.lookup(name).unwrap().is_some());
    }
    assert_eq!(blocks.reads.get(), 4 * model.len() / 100);
}

#[test]
fn full_trees_are_reported_and_stay_intact() {
    let format = format(1024);
    let mut blocks = Blocks::new(&format);
    let model = fill(&format, &mut blocks, long_name, 50_000);
    assert!((20_000..50_000).contains(&model.len()), "{}", model.len());
    assert!(verify(&format, &blocks, true) == (model, 1));
    let mut directory = Directory::new(&format, &mut blocks, true);
    let error = (50_000..)
        .find_map(|number| directory.insert(&long_name(number), 13, FileType::REGULAR).err());
    let error = error.unwrap();
    assert!(matches!(error, Error::DirectoryFull { inode: 12 }), "{error}");
    assert!(error.fix().unwrap().contains("large_dir"));
}

#[test]
fn a_failed_append_keeps_all_names() {
    for may_index in [true, false] {
        for limit in (1..40).chain([124, 125, 126, 127, 200]) {
            let format = Format { may_index, ..format(1024) };
            let mut blocks = Blocks { limit: Some(limit), ..Blocks::new(&format) };
            let mut model = Model::new();
            let mut directory = Directory::new(&format, &mut blocks, false);
            for number in 0.. {
                let name = long_name(number);
                match directory.insert(&name, 13, FileType::REGULAR) {
                    Ok(()) => model.insert(name, (13, 1)),
                    Err(Error::NoSpace { .. }) => break,
                    Err(error) => panic!("{error}"),
                };
            }
            let indexed = directory.indexed();
            let (found, _) = verify(&format, &blocks, indexed);
            assert!(found == model, "{limit}");
        }
    }
}

/// Names of 96 bytes with the same TEA hash: TEA uses 16 bytes at a time as a key, and changing the
/// topmost bits of two words of a key together has no effect.
fn colliding(count: u32) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|number| {
        let mut name = vec![b'x'; 96];
        for bit in 0..12 {
            let flip = (number >> bit & 1) as u8 * 0x80;
            name[bit * 8] ^= flip;
            name[bit * 8 + 4] ^= flip;
        }
        name
    })
}

#[test]
fn names_of_the_same_hash_are_found_across_leaves() {
    for hash_version in [2, 5] {
        for large_dir in [false, true] {
            let format = Format { hash_version, large_dir, ..format(1024) };
            let version = Version::new(hash_version).unwrap();
            let hash = |name: &[u8]| version.hash(name, &format.hash_seed);
            let mut random = Random(9);
            let mut names: Vec<Vec<u8>> = (0..2000).map(|n| random.name(n, 200)).collect();
            names.extend(colliding(2000));
            assert_eq!(hash(&names[2000]), hash(&names[3999]));
            for last in (1..names.len()).rev() {
                names.swap(last, random.below(last + 1));
            }
            let mut blocks = Blocks::new(&format);
            let mut directory = Directory::new(&format, &mut blocks, false);
            for (number, name) in names.iter().enumerate() {
                directory.insert(name, 100 + number as u32, FileType::REGULAR).unwrap();
            }
            for (number, name) in names.iter().enumerate() {
                let entry = directory.reader().lookup(name).unwrap().unwrap();
                assert_eq!(entry.inode, 100 + number as u32);
            }
            for name in colliding(2010).skip(2000) {
                assert!(directory.reader().lookup(&name).unwrap().is_none());
            }
            assert_eq!(verify(&format, &blocks, true).0.len(), names.len());
            for name in &names {
                let mut directory = Directory::new(&format, &mut blocks, true);
                directory.remove(name).unwrap().unwrap();
            }
            assert!(verify(&format, &blocks, true).0.is_empty());
        }
    }
}

#[test]
fn the_time_for_large_directories_grows_in_proportion() {
    let mut random = Random(5);
    let names: Vec<Vec<u8>> = (0..100_000).map(|number| random.name(number, 40)).collect();
    for (block_size, levels) in [(4096, 1), (1024, 1)] {
        let format = format(block_size);
        let mut blocks = Blocks::new(&format);
        let start = Instant::now();
        let mut directory = Directory::new(&format, &mut blocks, false);
        for (number, name) in names.iter().enumerate() {
            directory.insert(name, 100 + number as u32, FileType::REGULAR).unwrap();
        }
        let inserted = start.elapsed();
        let reads = directory.blocks.reads.replace(0);
        // After a split, the path to a leaf is read again.
        assert!(reads < names.len() * 4, "{reads} reads");
        for name in &names {
            assert!(directory.reader().lookup(name).unwrap().is_some());
        }
        let found = start.elapsed() - inserted;
        println!("{block_size}: inserted in {inserted:?}, found in {found:?}");
        let (found, found_levels) = verify(&format, &blocks, true);
        assert_eq!((found.len(), found_levels), (names.len(), levels));
    }
    // Without an index, searching all blocks takes time, but finding one with room does not.
    let format = Format { may_index: false, ..format(4096) };
    let mut blocks = Blocks::new(&format);
    let start = Instant::now();
    let mut directory = Directory::new(&format, &mut blocks, false);
    for (number, name) in names.iter().enumerate() {
        directory.insert(name, 100 + number as u32, FileType::REGULAR).unwrap();
    }
    println!("without index: inserted in {:?}", start.elapsed());
    assert_eq!(verify(&format, &blocks, false).0.len(), names.len());
}
