//! Private keys anywhere on a card, by what the files hold.

use std::collections::BTreeSet;

use ext4_offline::{Metadata, inodes::ROOT_INODE};
use system_model::{Secret, SecretKind, sshd::begins_with_private_key};

use crate::rootfs::{FsResult, RootFs};

/// What is not looked through: programs and their documentation, what is empty at boot, and the
/// contents of images for containers.
const PASSED_OVER: [&str; 15] = [
    "/bin",
    "/boot",
    "/dev",
    "/lib",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/sys",
    "/usr/bin",
    "/usr/lib",
    "/usr/share",
    "/usr/src",
    "/var/lib/containerd",
    "/var/lib/docker/overlay2",
];
/// How much is read of a file, in bytes: the text before a key may be certificates.
const START: usize = 16 << 10;
/// How far a hole, or zeros, at the start of a file are followed, in bytes.
const ZEROS: u64 = 1 << 20;
/// In bytes.
const BLOCK: usize = 4096;

/// Returns the private keys that files begin with or keep as an extended attribute.
pub(super) fn find(files: &RootFs) -> FsResult<Vec<Secret>> {
    let inodes = files.reader().inodes();
    let mut found = Vec::new();
    let mut seen = BTreeSet::from([ROOT_INODE]);
    let mut ahead = vec![(ROOT_INODE, Vec::new())];
    while let Some((directory, path)) = ahead.pop() {
        for entry in inodes.entries(directory)? {
            let path = [path.as_slice(), b"/", &entry.name].concat();
            if PASSED_OVER.iter().any(|over| over.as_bytes() == path) {
                continue;
            }
            let inode = inodes.stat(entry.inode)?;
            let is_attribute = || -> FsResult<bool> {
                let attributes = inodes.xattrs(entry.inode)?;
                Ok(attributes.iter().any(|(_, value)| begins_with_private_key(value)))
            };
            if is_attribute()? || inode.is_file() && begins(files, &inode)? {
                let path = String::from_utf8_lossy(&path).into_owned();
                found.push(Secret { kind: SecretKind::PrivateKey, path, users: Vec::new() });
            }
            if inode.is_dir() && seen.insert(entry.inode) {
                ahead.push((entry.inode, path));
            }
        }
    }
    Ok(found)
}

/// Returns whether a file begins with a private key, perhaps behind zeros.
fn begins(files: &RootFs, file: &Metadata) -> FsResult<bool> {
    let read = |offset: u64, length: usize| -> FsResult<Vec<u8>> {
        let length = file.size.saturating_sub(offset).min(length as u64) as usize;
        let mut bytes = vec![0; length];
        files.reader().inodes().read(file.inode, offset, &mut bytes)?;
        Ok(bytes)
    };
    let mut offset = 0;
    while offset < file.size.min(ZEROS) {
        let block = read(offset, BLOCK)?;
        let Some(at) = block.iter().position(|&byte| byte != 0) else {
            offset += BLOCK as u64;
            continue;
        };
        // dropbear's keys begin with a length, of which the first three bytes are zero.
        let is_key = |bytes: &[u8]| {
            let from = |at: usize| bytes.get(at..).unwrap_or_default();
            begins_with_private_key(from(at)) || begins_with_private_key(from(at.saturating_sub(3)))
        };
        // Certificates may come first.
        let has_more = || block.windows(6).any(|word| word == b"-BEGIN");
        return Ok(is_key(&block) || has_more() && is_key(&read(offset, START)?));
    }
    Ok(false)
}
