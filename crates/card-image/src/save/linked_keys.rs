//! Private keys that have more names than the one that is removed (hard links). A key is gone
//! only with its last name.

use std::collections::{BTreeMap, BTreeSet};

use cluster_profile::{Change, FileEdit, IdentityPart, RemovedPart, part_of};
use ext4_offline::{Metadata, inodes::ROOT_INODE};
use system_model::sshd::is_private_key;

use crate::rootfs::{FsResult, RootFs, RootFsEditor};

/// No private key is larger, in bytes.
const LARGEST_KEY: u64 = 1 << 20;

/// All names of the private keys that edits remove, if a key has several.
pub(super) struct LinkedKeys {
    /// An inode, the part of the identity that it belongs to, and a path.
    names: Vec<(u32, IdentityPart, Vec<u8>)>,
}

impl LinkedKeys {
    /// Looks for the names. All directories are read, but only if there is such a key.
    pub fn find(files: &RootFs, edits: &[FileEdit]) -> FsResult<Self> {
        let mut keys = BTreeMap::new();
        for FileEdit { path, change, purpose } in edits {
            let (Change::Remove, Some(part)) = (change, part_of(purpose)) else { continue };
            if files.boot_path(path, false)?.is_some() {
                continue;
            }
            let mut ahead: Vec<(Vec<u8>, Option<Metadata>)> =
                vec![(path.as_bytes().to_vec(), files.metadata(path)?)];
            while let Some((path, found)) = ahead.pop() {
                let Some(found) = found else { continue };
                if found.is_dir() {
                    for entry in files.reader().inodes().entries(found.inode)? {
                        let inner = files.reader().inodes().stat(entry.inode)?;
                        ahead.push(([&path, b"/".as_slice(), &entry.name].concat(), Some(inner)));
                    }
                } else if found.is_file() && found.links > 1 && found.size <= LARGEST_KEY {
                    let contents = files.reader().read_up_to(&path, LARGEST_KEY)?;
                    if is_private_key(&contents) {
                        keys.insert(found.inode, part);
                    }
                }
            }
        }
        let mut names = Vec::new();
        let mut seen = BTreeSet::from([ROOT_INODE]);
        let mut ahead = if keys.is_empty() { Vec::new() } else { vec![(ROOT_INODE, Vec::new())] };
        let inodes = files.reader().inodes();
        while let Some((directory, path)) = ahead.pop() {
            for entry in inodes.entries(directory)? {
                let path = [path.as_slice(), b"/", &entry.name].concat();
                if let Some(&part) = keys.get(&entry.inode) {
                    names.push((entry.inode, part, path));
                } else if inodes.stat(entry.inode)?.is_dir() && seen.insert(entry.inode) {
                    ahead.push((entry.inode, path));
                }
            }
        }
        Ok(LinkedKeys { names })
    }

    /// Removes the names that are left after the edits, and lists them.
    pub fn remove(self, files: &mut RootFsEditor, removed: &mut [RemovedPart]) -> FsResult<()> {
        for (inode, part, path) in self.names {
            match files.reader().symlink_metadata(&path) {
                Ok(found) if found.inode == inode => files.editor().remove_file(&path)?,
                Ok(_) => continue,
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(error.into()),
            }
            if let Some(of_part) = removed.iter_mut().find(|removed| removed.part == part) {
                of_part.paths.push(String::from_utf8_lossy(&path).into_owned());
            }
        }
        Ok(())
    }
}
