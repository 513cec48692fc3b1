//! The search for private keys in the whole image, where one is wanted that is in none of the
//! usual places.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    image_keys::{ImageKey, MAX_KEY_SIZE, key_at},
    private_key,
};
use crate::{FileKind, SystemError, SystemFiles};

/// Directories that are not looked through: what packages own alone, is of no system that runs, or
/// is made by nodecard itself.
const SKIPPED: [&str; 29] = [
    "/bin",
    "/boot",
    "/dev",
    "/etc/nodecard",
    "/lib",
    "/lib32",
    "/lib64",
    "/lost+found",
    "/proc",
    "/run",
    "/sbin",
    "/snap",
    "/sys",
    "/usr/bin",
    "/usr/games",
    "/usr/include",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share/i18n",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/zoneinfo",
    "/var/lib/apt/lists",
    "/var/lib/docker",
    "/var/lib/dpkg",
    "/var/lib/nodecard",
];

/// Endings of files that are no keys of ssh.
const ENDINGS: [&str; 28] = [
    "c", "conf", "crt", "css", "deb", "gif", "gz", "h", "html", "jar", "jpg", "js", "json", "list",
    "log", "md", "mo", "pl", "pm", "png", "pub", "py", "pyc", "so", "svg", "ttf", "xz", "zip",
];

/// Files and directories that are looked at. A base image for boards has some ten thousand.
const MAX_SEEN: usize = 200_000;
/// Directories within directories.
const MAX_DEPTH: usize = 24;
/// As much of a file shows whether it may be a key, in bytes.
const START: usize = 1024;
/// No private key is smaller, in bytes.
const MIN_KEY_SIZE: u64 = 64;

/// Adds the private halves of `wanted` (public halves in base64) that are in the image. It ends
/// when all of them are found.
///
/// # Errors
/// [`SystemError`] if the root directory cannot be read. Others that cannot be read have no keys.
pub(super) fn search(
    files: &dyn SystemFiles,
    mut wanted: BTreeSet<&str>,
    keys: &mut BTreeMap<String, ImageKey>,
) -> Result<(), SystemError> {
    let mut directories = VecDeque::from([(String::new(), 0)]);
    let mut names = files.list("/")?.unwrap_or_default();
    let mut seen = 0;
    while let Some((directory, depth)) = directories.pop_front() {
        if depth > 0 {
            names = files.list(&directory).ok().flatten().unwrap_or_default();
        }
        for name in std::mem::take(&mut names) {
            seen += 1;
            if wanted.is_empty() || seen > MAX_SEEN {
                return Ok(());
            }
            let path = format!("{directory}/{name}");
            if is_no_key(&name) && depth > 0 || SKIPPED.contains(&path.as_str()) {
                continue;
            }
            let Ok(Some(found)) = files.metadata(&path) else { continue };
            match found.kind {
                // What a symlink leads to has a name of its own.
                FileKind::Directory
                    if depth < MAX_DEPTH && !matches!(files.read_link(&path), Ok(Some(_))) =>
                {
                    directories.push_back((path, depth + 1));
                }
                FileKind::Regular if (MIN_KEY_SIZE..=MAX_KEY_SIZE).contains(&found.size) => {
                    let Ok(Some(start)) = files.read_start(&path, START) else { continue };
                    if !private_key::begins_with_private_key(&start) {
                        continue;
                    }
                    let Some(key) = key_at(files, &path) else { continue };
                    if key.public.as_deref().is_some_and(|public| wanted.remove(public)) {
                        keys.insert(path, key);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn is_no_key(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}
