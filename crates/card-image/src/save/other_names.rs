//! Further names (hard links) of what is removed from a card. A file is gone only with its last
//! name.

use std::collections::{BTreeMap, BTreeSet};

use cluster_profile::{Change, FileEdit, IdentityPart, RemovedPart, part_of};
use ext4_offline::{Metadata, inodes::ROOT_INODE};
use system_model::sshd::is_private_key;

use crate::rootfs::{FsResult, RootFs, RootFsEditor};

/// No private key is larger, in bytes.
const LARGEST_KEY: u64 = 1 << 20;

/// All names of the files that edits remove, if a file has several: of those that edits name, and
/// of private keys in directories that they remove.
pub(super) struct OtherNames {
    /// An inode, the part of the identity that it belongs to, and a path.
    names: Vec<(u32, IdentityPart, Vec<u8>)>,
}

impl OtherNames {
    /// Looks for the names. All directories are read, but only if there is such a file.
    pub fn find(files: &RootFs, edits: &[FileEdit]) -> FsResult<Self> {
        let mut found = BTreeMap::new();
        for FileEdit { path, change, purpose } in edits {
            let (Change::Remove | Change::Clear | Change::Symlink { .. }, Some(part)) =
                (change, part_of(purpose))
            else {
                continue;
            };
            if files.boot_path(path, false)?.is_some() {
                continue;
            }
            let mut ahead: Vec<(Vec<u8>, bool, Option<Metadata>)> =
                vec![(path.as_bytes().to_vec(), true, files.metadata(path)?)];
            while let Some((path, is_named, file)) = ahead.pop() {
                let Some(file) = file else { continue };
                if file.is_dir() {
                    for entry in files.reader().inodes().entries(file.inode)? {
                        let inner = files.reader().inodes().stat(entry.inode)?;
                        let path = [&path, b"/".as_slice(), &entry.name].concat();
                        ahead.push((path, false, Some(inner)));
                    }
                } else if file.is_file() && file.links > 1 {
                    let is_removed = is_named || file.size <= LARGEST_KEY && is_key(files, &path)?;
                    if is_removed {
                        found.insert(file.inode, part);
                    }
                }
            }
        }
        let mut names = Vec::new();
        let mut seen = BTreeSet::from([ROOT_INODE]);
        let mut ahead = if found.is_empty() { Vec::new() } else { vec![(ROOT_INODE, Vec::new())] };
        let inodes = files.reader().inodes();
        while let Some((directory, path)) = ahead.pop() {
            for entry in inodes.entries(directory)? {
                let path = [path.as_slice(), b"/", &entry.name].concat();
                if let Some(&part) = found.get(&entry.inode) {
                    names.push((entry.inode, part, path));
                } else if inodes.stat(entry.inode)?.is_dir() && seen.insert(entry.inode) {
                    ahead.push((entry.inode, path));
                }
            }
        }
        Ok(OtherNames { names })
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

fn is_key(files: &RootFs, path: &[u8]) -> FsResult<bool> {
    Ok(is_private_key(&files.reader().read_up_to(path, LARGEST_KEY)?))
}
