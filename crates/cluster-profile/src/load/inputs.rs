//! Files beside a profile.

use std::{
    env,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::fields::{At, Problems};

/// Where relative paths begin, and what `~` stands for.
pub(super) struct Inputs {
    directory: PathBuf,
    home: Option<PathBuf>,
}

impl Inputs {
    /// For a profile at `path`.
    pub fn beside(path: &Path) -> Self {
        Inputs {
            directory: path.parent().unwrap_or(Path::new("")).to_owned(),
            home: env::var_os("HOME").filter(|home| !home.is_empty()).map(PathBuf::from),
        }
    }

    /// The path that the profile means.
    pub fn resolve(&self, path: &At<String>, problems: &Problems) -> Option<PathBuf> {
        let text = &path.value;
        if text.is_empty() || text.contains('\0') {
            problems.add(&path.place, "a path is empty", "write the path of a file");
            return None;
        }
        if let Some(rest) = text.strip_prefix("~/") {
            if self.home.is_none() {
                let help = "set HOME, or write the whole path";
                problems.add(&path.place, "`~/` stands for $HOME, which is not set", help);
            }
            return self.home.as_ref().map(|home| home.join(rest));
        }
        if text.starts_with('~') {
            let help = "write the whole path, or `~/…` for your own home";
            problems.add(
                &path.place,
                format!("{text}: other users' homes are not looked up"),
                help,
            );
            return None;
        }
        Some(self.directory.join(text))
    }

    /// Reads the file that the profile means, at most `limit` bytes of it.
    pub fn read(&self, path: &At<String>, limit: u64, problems: &Problems) -> Option<Vec<u8>> {
        let resolved = self.resolve(path, problems)?;
        match read_bounded(&resolved, limit) {
            Ok(bytes) => Some(bytes),
            Err(reason) => {
                let message = format!("cannot read {}: {reason}", resolved.display());
                let help = "relative paths are taken from the profile's own directory";
                problems.add(&path.place, message, help);
                None
            }
        }
    }
}

/// A regular file, open for reading, and its size in bytes.
pub(super) fn open_regular(path: &Path) -> Result<(File, u64), String> {
    // Looked at first: opening a pipe would wait for its other end.
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is no regular file".into());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    Ok((file, metadata.len()))
}

/// A regular file's contents, unless it is larger than `limit` bytes.
pub(super) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let (file, _) = open_regular(path)?;
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > limit {
        return Err(format!("it is larger than {} KiB", limit / 1024));
    }
    Ok(bytes)
}
