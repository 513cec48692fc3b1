//! What is refused, by name, because the library would read or write it wrongly,
//! or would refuse it by number only.

use ext4_offline::{FEATURES, Info};

use super::{FsError, FsResult};

/// Features whose files cannot be read.
const UNREADABLE: [(&str, &str); 4] = [
    ("dirdata", "use a base image without it"),
    ("encrypt", "use a base image without it"),
    ("casefold", "use a base image without it"),
    ("mmp", "another machine may have the filesystem mounted; `tune2fs -O ^mmp` removes it"),
];

/// Features that a change to a file would have to respect, and does not.
const UNWRITABLE: [(&str, &str); 6] = [
    ("bigalloc", "use a base image without it"),
    ("quota", "`tune2fs -O ^quota` removes it"),
    ("project", "`tune2fs -O ^project` removes it"),
    ("verity", "use a base image without it"),
    ("read-only", "`tune2fs -O ^read-only` removes it"),
    ("shared_blocks", "use a base image without it"),
];

/// # Errors
/// [`FsError::Feature`] unless the files of this filesystem can be read.
pub(super) fn check_readable(info: &Info) -> FsResult<()> {
    for name in info.features.names() {
        let known = FEATURES.iter().find(|feature| feature.name == name);
        let help = match known {
            None => Some("it is unknown; use a base image without it"),
            Some(feature) if !feature.can_map() => Some("no current kernel knows it either"),
            Some(_) => find(&UNREADABLE, &name),
        };
        if let Some(help) = help {
            return Err(FsError::Feature { operation: "read", feature: name, help });
        }
    }
    Ok(())
}

/// # Errors
/// [`FsError::Feature`] or [`FsError::Unwritable`] unless the files of this
/// filesystem can be changed, too.
pub(super) fn check_writable(info: &Info) -> FsResult<()> {
    check_readable(info)?;
    for name in info.features.names() {
        if let Some(help) = find(&UNWRITABLE, &name) {
            return Err(FsError::Feature { operation: "edit", feature: name, help });
        }
    }
    if info.block_size == 2048 && info.has_feature("metadata_csum") {
        let what = "2 KiB blocks together with the feature metadata_csum";
        return Err(FsError::Unwritable { what });
    }
    Ok(())
}

/// # Errors
/// [`FsError::Feature`] if deleted files wait for their removal.
pub(super) fn check_no_orphans(info: &Info) -> FsResult<()> {
    if !info.features.orphan_present() {
        return Ok(());
    }
    Err(FsError::Feature {
        operation: "edit",
        feature: "orphan_present".to_owned(),
        help: "mount the filesystem once, or run e2fsck on it",
    })
}

fn find(list: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter().find(|(listed, _)| *listed == name).map(|(_, help)| *help)
}
