//! The kernel, which mounts the filesystem. Needs root and loop devices.

use std::{
    ffi::CString,
    fs,
    os::unix::{
        ffi::{OsStrExt, OsStringExt},
        fs::MetadataExt,
    },
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    common::mount::try_mount,
    tree::{Entry, Kind, Tree, Xattrs},
};

pub fn read(image: &Path) -> Tree {
    let mounted = match try_mount(image, "ro") {
        Ok(mounted) => mounted,
        Err(text) => panic!("the kernel does not mount it: {text}"),
    };
    let root = &mounted.0;
    let mut tree = Tree::new();
    let mut left = vec![(Vec::new(), root.to_owned())];
    while let Some((path, at)) = left.pop() {
        let metadata = fs::symlink_metadata(&at).unwrap();
        let kind = metadata.file_type();
        let kind = if kind.is_dir() {
            for entry in fs::read_dir(&at).unwrap() {
                let name = entry.unwrap().file_name().into_vec();
                let below = at.join(PathBuf::from(std::ffi::OsString::from_vec(name.clone())));
                left.push(([&path, b"/".as_slice(), &name].concat(), below));
            }
            Kind::Directory
        } else if kind.is_symlink() {
            Kind::Symlink(fs::read_link(&at).unwrap().into_os_string().into_vec())
        } else if kind.is_file() {
            Kind::File(Arc::new(fs::read(&at).unwrap()))
        } else {
            Kind::Special
        };
        let user = matches!(kind, Kind::File(_) | Kind::Directory);
        let entry = Entry {
            xattrs: Some(xattrs(&at, user)),
            kind,
            mode: (metadata.mode() & 0o7777) as u16,
            uid: metadata.uid(),
            gid: metadata.gid(),
            mtime: metadata.mtime(),
            links: Some(metadata.nlink() as u32),
            inode: Some(metadata.ino() as u32),
        };
        tree.insert(path, entry);
    }
    tree
}

/// Extended attributes. `user` says whether those with this prefix are available.
fn xattrs(path: &Path, user: bool) -> Xattrs {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let mut names = vec![0; 1 << 16];
    let length = rustix::fs::llistxattr(&path, &mut names).unwrap();
    let mut found = Xattrs::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        if name.starts_with(b"user.") && !user {
            continue;
        }
        let mut value = vec![0; 1 << 16];
        let name = CString::new(name).unwrap();
        let length = rustix::fs::lgetxattr(&path, &name, &mut value).unwrap();
        value.truncate(length);
        found.insert(name.into_string().unwrap(), value);
    }
    found
}

/// The part of a tree that the kernel shows: only files and directories have `user.` attributes.
pub fn visible(tree: &Tree) -> Tree {
    let mut tree = tree.clone();
    for entry in tree.values_mut() {
        if matches!(entry.kind, Kind::Symlink(_) | Kind::Special)
            && let Some(xattrs) = &mut entry.xattrs
        {
            xattrs.retain(|name, _| !name.starts_with("user."));
        }
    }
    tree
}
