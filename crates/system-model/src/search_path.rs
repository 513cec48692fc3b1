//! Search paths of directories, of which the first that has a name decides.

use std::collections::BTreeMap;

use crate::{SystemError, SystemFiles};

/// Returns the entries of directories whose names end with `suffix`, by name: of entries with
/// one name, the path in the first directory that has it. Hidden ones are left out, as systemd
/// and udev do. Directories need not exist.
///
/// # Errors
/// [`SystemError`] if a directory cannot be read.
pub(crate) fn by_name(
    files: &dyn SystemFiles,
    directories: &[impl AsRef<str>],
    suffix: &str,
) -> Result<BTreeMap<String, String>, SystemError> {
    let mut names = BTreeMap::new();
    for directory in directories {
        let directory = directory.as_ref();
        for name in files.list(directory)?.unwrap_or_default() {
            if name.ends_with(suffix) && !name.starts_with('.') {
                let path = format!("{directory}/{name}");
                names.entry(name).or_insert(path);
            }
        }
    }
    Ok(names)
}

/// The same, without names whose first entry is a link to /dev/null, which masks the others.
///
/// # Errors
/// [`SystemError`] if a directory or a link cannot be read.
pub(crate) fn unmasked(
    files: &dyn SystemFiles,
    directories: &[impl AsRef<str>],
    suffix: &str,
) -> Result<BTreeMap<String, String>, SystemError> {
    let mut names = BTreeMap::new();
    for (name, path) in by_name(files, directories, suffix)? {
        if files.read_link(&path)?.as_deref() != Some("/dev/null") {
            names.insert(name, path);
        }
    }
    Ok(names)
}
