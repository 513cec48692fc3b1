//! Random changes, compared with a map of names.

use super::*;

fn compare(format: &Format, blocks: &Blocks, indexed: bool, model: &Model, parent: u32) {
    let (found, _) = verify(format, blocks, indexed);
    assert_eq!(&found, model);
    let reader = Reader::new(format, blocks, indexed);
    let mut entries = reader.entries().unwrap();
    assert!(entries[0].name == b"." && entries[0].inode == OWN);
    assert!(entries[1].name == b".." && entries[1].inode == parent);
    assert!(entries[..2].iter().all(Entry::is_dots));
    assert_eq!(reader.is_empty().unwrap(), model.is_empty());
    let listed: Model =
        entries.drain(2..).map(|entry| (entry.name, (entry.inode, entry.file_type.0))).collect();
    assert_eq!(&listed, model);
}

fn run_model(format: &Format, steps: usize, longest: usize, seed: u64) {
    let mut random = Random(seed);
    let mut blocks = Blocks::new(format);
    let mut model = Model::new();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut indexed = false;
    let mut parent = PARENT;
    let kind = |number: usize| if format.filetype { (1 + number % 7) as u8 } else { 0 };
    let plain = |entry: Option<Entry>| entry.map(|entry| (entry.inode, entry.file_type.0));
    for step in 0..steps {
        // Grow, shrink to nothing, and grow again.
        let growing = step < steps / 2 || step > steps * 4 / 5;
        let mut directory = Directory::new(format, &mut blocks, indexed);
        let (choice, number) = (random.below(10), 1 + random.below(1 << 30));
        let target = (number as u32, kind(number));
        let file_type = FileType(target.1);
        if choice < if growing { 6 } else { 1 } || names.is_empty() {
            let name = random.name(step, longest);
            assert_eq!(directory.reader().lookup(&name).unwrap(), None);
            directory.insert(&name, target.0, file_type).unwrap();
            model.insert(name.clone(), target);
            names.push(name);
        } else if choice < 8 {
            let name = names.swap_remove(random.below(names.len()));
            let old = directory.remove(&name).unwrap();
            assert_eq!(plain(old), model.remove(&name));
            assert!(directory.remove(&name).unwrap().is_none());
            assert!(directory.replace(&name, target.0, file_type).unwrap().is_none());
        } else if choice < 9 {
            let name = &names[random.below(names.len())];
            let old = directory.replace(name, target.0, file_type).unwrap();
            assert_eq!(plain(old), model.insert(name.clone(), target));
            let new = directory.reader().lookup(name).unwrap();
            assert_eq!(plain(new).unwrap(), target);
        } else {
            let old = directory.replace(b"..", target.0, FileType::DIRECTORY).unwrap();
            assert_eq!(old.unwrap().inode, parent);
            parent = target.0;
            assert_eq!(directory.reader().lookup(b"..").unwrap().unwrap().inode, parent);
            assert_eq!(directory.reader().lookup(b".").unwrap().unwrap().inode, OWN);
        }
        assert!(directory.indexed() || !indexed);
        indexed = directory.indexed();
        if step % (steps / 7) == 0 || model.is_empty() && step % 50 == 0 {
            compare(format, &blocks, indexed, &model, parent);
        }
    }
    assert_eq!(indexed, format.may_index && blocks.count() > 1);
    for (name, target) in &model {
        let reader = Reader::new(format, &blocks, indexed);
        assert_eq!(plain(reader.lookup(name).unwrap()), Some(*target));
    }
    for name in names.drain(..) {
        Directory::new(format, &mut blocks, indexed).remove(&name).unwrap().unwrap();
    }
    compare(format, &blocks, indexed, &Model::new(), parent);
}

#[test]
fn random_changes_give_the_same_names_as_a_map() {
    for (number, block_size) in [1024, 2048, 4096, 65536].into_iter().enumerate() {
        for variant in 0..8_u8 {
            let format = Format {
                filetype: variant & 1 != 0,
                checksum_seed: (variant & 2 != 0).then_some(77),
                may_index: variant & 4 != 0,
                hash_version: variant % 6,
                ..format(block_size)
            };
            let steps = if block_size == 65536 { 9000 } else { 3000 };
            for longest in [20, 255] {
                run_model(&format, steps, longest, number as u64 * 100 + u64::from(variant));
            }
        }
    }
}

#[test]
fn impossible_names_are_refused() {
    let format = format(1024);
    let mut blocks = Blocks::new(&format);
    let mut directory = Directory::new(&format, &mut blocks, false);
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0b", &[b'x'; 256]] {
        let result = directory.insert(name, 13, FileType::REGULAR);
        assert!(matches!(result, Err(Error::FileName { .. })), "{name:?}");
        assert!(matches!(directory.remove(name), Err(Error::FileName { .. })));
    }
    assert!(directory.reader().lookup(&[b'x'; 300]).unwrap().is_none());
    assert!(directory.reader().is_empty().unwrap());
}

#[test]
fn removed_names_leave_no_trace() {
    let format = format(1024);
    let mut blocks = Blocks::new(&format);
    let before = blocks.blocks.clone();
    let mut directory = Directory::new(&format, &mut blocks, false);
    for name in [&b"secret"[..], b"another", b"a third one"] {
        directory.insert(name, 13, FileType::REGULAR).unwrap();
    }
    for name in [&b"another"[..], b"a third one", b"secret"] {
        directory.remove(name).unwrap().unwrap();
    }
    assert_eq!(blocks.blocks, before);
}
