//! Text and paths as the Windows API takes them.

use std::{
    io,
    os::windows::ffi::OsStrExt as _,
    path::{Component, Path, Prefix},
};

/// Paths that are as long as this, in units of UTF-16, have to be marked as long.
const LONG: usize = 240;

/// Returns a path in UTF-16, ended by zero.
pub(super) fn wide_path(path: &Path) -> io::Result<Vec<u16>> {
    let whole = std::path::absolute(path)?;
    let is_on_drive = matches!(
        whole.components().next(),
        Some(Component::Prefix(prefix)) if matches!(prefix.kind(), Prefix::Disk(_))
    );
    let mut wide: Vec<u16> = Vec::new();
    if is_on_drive && whole.as_os_str().len() >= LONG {
        wide.extend(r"\\?\".encode_utf16());
    }
    wide.extend(whole.as_os_str().encode_wide());
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a path with a zero byte"));
    }
    wide.push(0);
    Ok(wide)
}

/// Returns a text in UTF-16, ended by zero.
pub(super) fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
