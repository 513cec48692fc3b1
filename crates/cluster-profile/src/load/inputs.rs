//! The files that a profile names.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use platform::directories;

use super::fields::{Problems, Spanned};

/// The directories that relative paths and `~` stand for.
pub(super) struct Inputs {
    directory: PathBuf,
    home: Option<PathBuf>,
}

impl Inputs {
    /// Returns the directories for a profile at `path`.
    pub fn beside(path: &Path) -> Self {
        Inputs {
            directory: path.parent().unwrap_or(Path::new("")).to_owned(),
            home: directories::home(),
        }
    }

    /// Resolves a path in the profile.
    pub fn resolve(&self, path: &Spanned<String>, problems: &Problems) -> Option<PathBuf> {
        let text = &path.value;
        if text.is_empty() || text.contains('\0') {
            problems.add(&path.place, "this is not a path", "write the path of a file");
            return None;
        }
        if let Some(rest) = text.strip_prefix("~/") {
            if self.home.is_none() {
                let message = "`~/` is unknown: this user has no home directory";
                let help = format!("set {}, or write the full path", directories::HOME_VARIABLE);
                problems.add(&path.place, message, help);
            }
            return self.home.as_ref().map(|home| home.join(rest));
        }
        if text.starts_with('~') {
            let message = format!("the home directories of other users are not supported: {text}");
            let help = "write the full path, or `~/…` for your own home directory";
            problems.add(&path.place, message, help);
            return None;
        }
        Some(self.directory.join(text))
    }

    /// Reads a file that the profile names, of at most `limit` bytes.
    pub fn read(&self, path: &Spanned<String>, limit: u64, problems: &Problems) -> Option<Vec<u8>> {
        let resolved = self.resolve(path, problems)?;
        match read_bounded(&resolved, limit) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let (shown, is_missing) = (resolved.display(), error.kind() == ErrorKind::NotFound);
                let message = if is_missing {
                    format!("there is no file {shown}")
                } else {
                    format!("cannot read {shown}: {error}")
                };
                let help = if is_missing && path.value.ends_with(".pub") {
                    "give the path of your public key; `ssh-keygen -t ed25519` makes a key if you \
                     have none"
                } else if path.value.starts_with(['/', '~']) {
                    "check the path"
                } else {
                    "check the path: it starts at the directory of the profile"
                };
                problems.add(&path.place, message, help);
                None
            }
        }
    }
}

/// Opens a regular file and returns it with its size in bytes.
pub(super) fn open_regular(path: &Path) -> io::Result<(File, u64)> {
    let file = platform::open_regular(path, OpenOptions::new().read(true))?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

/// Reads a regular file of at most `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let (file, _) = open_regular(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(too_large(limit));
    }
    Ok(bytes)
}

/// Returns the error of a file of more than `limit` bytes.
pub(super) fn too_large(limit: u64) -> io::Error {
    let message = format!("larger than {}", plain_text::size(limit));
    io::Error::new(ErrorKind::FileTooLarge, message)
}
