//! The search for private keys in the whole image, where one is wanted that is in none of the
//! usual places.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    image_keys::{ImageKey, MAX_KEY_SIZE, key_at},
    private_key,
};
use crate::{SystemError, SystemFiles, WantedFiles};

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
    let sizes = WantedFiles { sizes: MIN_KEY_SIZE..=MAX_KEY_SIZE, most: START };
    let mut directories = VecDeque::from([(String::new(), 0)]);
    let mut seen = 0;
    while let Some((directory, depth)) = directories.pop_front() {
        let path = |name: &str| format!("{directory}/{name}");
        let skips = |name: &str| is_no_key(name) || SKIPPED.contains(&path(name).as_str());
        let found = match files.starts(&directory_of(&directory), &sizes, &skips) {
            Ok(found) => found,
            Err(error) if depth == 0 => return Err(error),
            Err(_) => continue,
        };
        seen += found.files.len() + found.directories.len();
        for (name, start) in &found.files {
            if !private_key::begins_with_private_key(start) {
                continue;
            }
            let path = path(name);
            let Some(key) = key_at(files, &path) else { continue };
            if key.public.as_deref().is_some_and(|public| wanted.remove(public)) {
                keys.insert(path, key);
            }
        }
        if wanted.is_empty() || seen > MAX_SEEN {
            return Ok(());
        }
        if depth < MAX_DEPTH {
            directories.extend(found.directories.iter().map(|name| (path(name), depth + 1)));
        }
    }
    Ok(())
}

/// Returns the path of a directory, of which that of the root directory is empty.
fn directory_of(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

fn is_no_key(name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending))
}
