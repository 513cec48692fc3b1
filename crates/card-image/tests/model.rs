//! Random edits by path: the tree must be what a model in memory says, as debugfs
//! reads it, and e2fsck must have nothing to say. The editor below, and all kinds
//! of filesystems, are tested in ext4-offline.

mod common;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use card_image::{FsError, RootFsEditor};
use common::*;
use ext4_offline::PathErrorKind;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Directory,
    File(Vec<u8>),
    Symlink(String),
}

type Tree = BTreeMap<String, Item>;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % limit
    }

    /// One of a few dozen paths, at most three levels deep.
    fn path(&mut self) -> String {
        let depth = self.below(3) + 1;
        (0..depth).map(|_| format!("/n{}", self.below(7))).collect()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = match self.below(4) {
            0 => self.below(60),
            1 => self.below(5000),
            2 => 4096,
            _ => self.below(120_000),
        };
        let seed = self.below(251);
        (0..length).map(|i| (i * 7 + seed) as u8).collect()
    }
}

/// One random edit on the filesystem; where it was done, on the model too.
fn step(files: &mut RootFsEditor, tree: &mut Tree, random: &mut Random) -> Result<(), FsError> {
    let path = random.path();
    // Below a file or a symlink there is nothing to be made: those have their
    // own tests.
    let above = |at: &str| path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
    if tree.iter().any(|(at, item)| above(at) && *item != Item::Directory) {
        return Ok(());
    }
    let make_parents = |tree: &mut Tree| {
        for (at, _) in path.match_indices('/').skip(1) {
            tree.insert(path[..at].to_owned(), Item::Directory);
        }
    };
    match (random.below(8), tree.get(&path).cloned()) {
        (0..3, None | Some(Item::File(_))) => {
            let bytes = random.bytes();
            files.create(&path, 0o644)?;
            files.editor().write(&path, &bytes)?;
            make_parents(tree);
            tree.insert(path, Item::File(bytes));
        }
        (3, Some(Item::File(mut contents))) => {
            let more = random.bytes();
            files.editor().append(&path, &more)?;
            contents.extend(more);
            tree.insert(path, Item::File(contents));
        }
        (4, None | Some(Item::Directory)) => {
            files.create_dir(&path, 0o755)?;
            make_parents(tree);
            tree.insert(path, Item::Directory);
        }
        (5, None | Some(Item::File(_) | Item::Symlink(_))) => {
            // Short ones are in the inode, long ones in a block.
            let target = "t".repeat(random.below(120) + 1);
            files.replace_with_symlink(&path, &target)?;
            make_parents(tree);
            tree.insert(path, Item::Symlink(target));
        }
        (6, _) => {
            files.remove(&path)?;
            let below = format!("{path}/");
            tree.retain(|at, _| *at != path && !at.starts_with(&below));
        }
        (7, Some(Item::File(_) | Item::Directory)) => {
            files.editor().set_permissions(&path, 0o600 | random.below(0o200) as u16)?;
            files.editor().chown(
                &path,
                random.below(70_000) as u32,
                random.below(70_000) as u32,
            )?;
        }
        _ => {}
    }
    Ok(())
}

/// The tree as debugfs reads it, what was there from the start left out.
fn read_by_debugfs(sample: &Sample) -> Tree {
    let dump = tempfile::tempdir().unwrap();
    sample.debugfs(&format!("rdump / {}", dump.path().display()));
    let mut tree = Tree::new();
    let mut directories = vec![dump.path().to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            let name = format!("/{}", relative(&entry.path(), dump.path()));
            if !name.starts_with("/n") {
                continue;
            }
            let kind = entry.file_type().unwrap();
            let item = if kind.is_dir() {
                directories.push(entry.path());
                Item::Directory
            } else if kind.is_symlink() {
                let target = fs::read_link(entry.path()).unwrap();
                Item::Symlink(target.to_str().unwrap().to_owned())
            } else {
                Item::File(fs::read(entry.path()).unwrap())
            };
            tree.insert(name, item);
        }
    }
    tree
}

fn relative(path: &Path, root: &Path) -> String {
    let path: PathBuf = path.strip_prefix(root).unwrap().to_owned();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_tree_is_what_the_model_says() {
    for (features, block_size) in [(LEGACY, "1024"), (MODERN, "4096")] {
        for seed in 0..2 {
            let context = format!("{features}, blocks of {block_size}, seed {seed}");
            let sample = Sample::new(features, block_size);
            let mut tree = Tree::new();
            let mut random = Random(seed);
            let mut files = sample.open();
            for number in 0..250 {
                step(&mut files, &mut tree, &mut random)
                    .unwrap_or_else(|error| panic!("{context}, step {number}: {error}"));
            }
            files.close().unwrap();
            sample.check();
            let found = read_by_debugfs(&sample);
            let paths = |tree: &Tree| tree.keys().cloned().collect::<Vec<_>>();
            assert_eq!(paths(&found), paths(&tree), "{context}");
            let wrong: Vec<_> = tree.keys().filter(|path| found[*path] != tree[*path]).collect();
            assert!(wrong.is_empty(), "{context}: {wrong:?}");
        }
    }
}

/// With next to no room left, edits fail, and that by name; the filesystem stays
/// still clean.
#[test]
fn a_full_filesystem_stays_clean() {
    let sample = Sample::new(MODERN, "1024");
    let mut files = sample.open();
    files.create("/fill", 0o600).unwrap();
    // As much as there is, in smaller and smaller pieces.
    let mut piece = 8 << 20;
    while piece > 512 {
        match files.editor().append("/fill", vec![7; piece]) {
            Ok(()) => {}
            Err(error) if matches!(error.kind, PathErrorKind::Full { .. }) => piece /= 2,
            Err(error) => panic!("{error}"),
        }
    }
    let (mut tree, mut random) = (Tree::new(), Random(1));
    let mut full = 0;
    for number in 0..150 {
        match step(&mut files, &mut tree, &mut random) {
            Ok(()) => {}
            Err(error) if error.is_full() => full += 1,
            // What failed half-way is not in the model.
            Err(error) if error.is_wrong_kind() || error.is_not_found() => {}
            Err(error) => panic!("step {number}: {error}"),
        }
    }
    assert!(full > 10, "{full} of 150 steps met a full filesystem");
    files.close().unwrap();
    sample.check();
}
