//! Images that were downloaded and are not used any more.

use std::{
    fs::{self, OpenOptions},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use crate::base::cache::LockFile;

/// An image that no run has used for so long is removed when another one is downloaded.
const KEPT: Duration = Duration::from_secs(90 * 86_400);

/// The file whose time is that of the last use. The image's own time identifies the image.
const LAST_USE: &str = "last-use";

/// Notes that the image in a directory is used now. Failures are ignored, because all they cost
/// is a download.
pub(super) fn note_use(directory: &Path) {
    let file =
        OpenOptions::new().write(true).create(true).truncate(true).open(directory.join(LAST_USE));
    let _ = file.and_then(|file| file.set_modified(SystemTime::now()));
}

/// Removes the images beside `own` that nobody has used for long. Failures are ignored, because
/// all they cost is space.
pub(super) fn remove_unused(own: &Path) {
    let Some(parent) = own.parent() else { return };
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let directory = entry.path();
        if directory != own
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && is_old(&directory)
        {
            // A run that is still at work holds the lock.
            if let Ok(Some(_lock)) = LockFile::try_take(&directory.join("lock")) {
                let _ = fs::remove_dir_all(&directory);
            }
        }
    }
}

fn is_old(directory: &Path) -> bool {
    let modified = |path: PathBuf| fs::metadata(path).and_then(|found| found.modified()).ok();
    let used = modified(directory.join(LAST_USE)).or_else(|| modified(directory.to_owned()));
    used.and_then(|used| used.elapsed().ok()).is_some_and(|age| age > KEPT)
}
