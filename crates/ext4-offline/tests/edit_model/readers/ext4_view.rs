//! ext4-view, a reader that shares no code with this crate. It does not support extended
//! attributes, inode numbers and counts of links.

use std::{path::Path, sync::Arc};

use ext4_view::{DirEntryName, Ext4, Ext4Error, PathBuf};

use crate::tree::{Entry, Kind, Tree};

/// The tree that it found.
#[derive(Default)]
pub struct Found {
    pub tree: Tree,
    /// Paths that it refuses, and why.
    pub refused: Vec<(Vec<u8>, String)>,
}

/// Reads the tree, or returns why it refuses the filesystem.
pub fn read(image: &Path) -> Result<Found, String> {
    let filesystem = Ext4::load_from_path(image).map_err(|error| error.to_string())?;
    let mut found = Found::default();
    let mut left = vec![Vec::new()];
    while let Some(path) = left.pop() {
        match entry(&filesystem, &path, &mut left) {
            Ok(entry) => {
                found.tree.insert(path, entry);
            }
            Err(error) if path.is_empty() => return Err(error.to_string()),
            Err(error) => found.refused.push((path, error.to_string())),
        }
    }
    Ok(found)
}

/// Reads the file at a path, and adds the names below it to those that are left.
fn entry(filesystem: &Ext4, path: &[u8], left: &mut Vec<Vec<u8>>) -> Result<Entry, Ext4Error> {
    let at = PathBuf::new(if path.is_empty() { b"/".as_slice() } else { path });
    let metadata = filesystem.symlink_metadata(&at)?;
    let file_type = metadata.file_type();
    let kind = if file_type.is_dir() {
        for entry in filesystem.read_dir(&at)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = <DirEntryName<'_> as AsRef<[u8]>>::as_ref(&name);
            if !matches!(name, b"." | b"..") {
                left.push([path, b"/", name].concat());
            }
        }
        Kind::Directory
    } else if file_type.is_symlink() {
        Kind::Symlink(AsRef::<[u8]>::as_ref(&filesystem.read_link(&at)?).to_vec())
    } else if file_type.is_regular_file() {
        Kind::File(Arc::new(filesystem.read(&at)?))
    } else {
        Kind::Special
    };
    Ok(Entry {
        kind,
        mode: metadata.mode(),
        uid: metadata.uid(),
        gid: metadata.gid(),
        mtime: metadata.modified().seconds(),
        links: None,
        inode: None,
        xattrs: None,
    })
}
