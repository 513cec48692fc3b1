//! What the examples share: opening the part of a file or device that holds a filesystem.

use std::{error::Error, path::Path, sync::Arc};

use block_io::{FileStorage, ReadAt, Window, WriteAt};

/// Splits `IMAGE[:BYTE]`: the filesystem begins at that byte, 0 by default.
fn split(target: &str) -> (&str, u64) {
    match target.rsplit_once(':') {
        Some((path, byte)) => byte.parse().map_or((target, 0), |byte| (path, byte)),
        None => (target, 0),
    }
}

/// Opens the filesystem for reading.
#[allow(dead_code, reason = "not every example needs it")]
pub fn open(target: &str) -> Result<Arc<dyn ReadAt>, Box<dyn Error>> {
    let (path, start) = split(target);
    let file = FileStorage::open(Path::new(path))?;
    let size = file.size().saturating_sub(start);
    Ok(Arc::new(Window::new(file, start, size)?))
}

/// Opens the filesystem for writing.
#[allow(dead_code, reason = "not every example needs it")]
pub fn open_writable(target: &str) -> Result<Arc<dyn WriteAt>, Box<dyn Error>> {
    let (path, start) = split(target);
    let file = FileStorage::open_writable(Path::new(path))?;
    let size = file.size().saturating_sub(start);
    Ok(Arc::new(Window::new(file, start, size)?))
}
