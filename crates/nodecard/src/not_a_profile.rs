//! Images that are given as profiles.

use std::{io::ErrorKind, path::Path};

use card_image::ImageFile;
use cluster_profile::ProfileError;

use crate::Error;

/// What the names of compressed images for boards end with.
const ENDINGS: [&str; 5] = [".img.xz", ".img.gz", ".img.zst", ".img.bz2", ".zip"];

/// Returns the error about a file that cannot be read as a profile: what it is, if it is an image.
pub(crate) fn explain(path: &Path, error: ProfileError) -> Error {
    let may_be_image = match &error {
        ProfileError::NotAProfile { .. } => true,
        ProfileError::Unreadable { source, .. } => {
            matches!(source.kind(), ErrorKind::InvalidData | ErrorKind::FileTooLarge)
        }
        _ => false,
    };
    let image = may_be_image.then(|| ImageFile::open(path).ok()).flatten();
    let Some(image) = image else { return error.into() };
    let name = path.to_string_lossy().to_ascii_lowercase();
    let what = match (image.is_compressed(), ENDINGS.iter().any(|ending| name.ends_with(ending))) {
        (false, _) => "a disk image".to_owned(),
        (true, true) => "a compressed disk image".to_owned(),
        (true, false) => format!("compressed with {}", image.format()),
    };
    Error::ImageAsProfile { path: path.to_owned(), what }
}
