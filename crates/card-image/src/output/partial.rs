//! Files that are not whole yet.

use std::{
    fs::{self, File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::OutputError;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Privacy {
    /// The owner alone: the file holds private keys.
    Private,
    /// Whoever the user's umask lets.
    Public,
}

/// What temporary names end with.
const SUFFIX: &str = ".nodecard-partial";

/// Whether a file name is a temporary one.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(SUFFIX)
}

/// A file under a temporary name, open for writing.
#[derive(Debug)]
pub(crate) struct Partial {
    pub file: File,
    name: Temporary,
}

/// A temporary name, and the file with it, which is removed unless it gets its
/// final name.
#[derive(Debug)]
pub(crate) struct Temporary {
    path: PathBuf,
    target: PathBuf,
    name: String,
}

impl Partial {
    /// Begins a file in `directory` that will be called `name` once it is whole.
    pub(super) fn begin(
        directory: &Path,
        name: &str,
        privacy: Privacy,
    ) -> Result<Self, OutputError> {
        let path = directory.join(format!(".{name}{SUFFIX}"));
        let mode = match privacy {
            Privacy::Private => 0o600,
            Privacy::Public => 0o666,
        };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(OutputError::io("make", &path))?;
        let name = Temporary { path, target: directory.join(name), name: name.to_owned() };
        Ok(Partial { file, name })
    }

    /// Writes the whole of a small file.
    pub(super) fn fill(mut self, contents: &[u8]) -> Result<Temporary, OutputError> {
        let write = self.file.write_all(contents).and_then(|()| self.file.sync_all());
        write.map_err(OutputError::io("write", self.path()))?;
        Ok(self.close())
    }

    /// The temporary path, for messages.
    pub fn path(&self) -> &Path {
        &self.name.path
    }

    /// Closes the file, which is whole: hundreds of them may wait for their
    /// final names.
    pub fn close(self) -> Temporary {
        self.name
    }
}

impl Temporary {
    /// The name that the file will have.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path that the file will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name.
    pub(super) fn publish(&self) -> Result<(), OutputError> {
        fs::rename(&self.path, &self.target)
            .map_err(OutputError::io("rename to its final name", &self.path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already once published; and there is nobody left to tell.
        let _ = fs::remove_file(&self.path);
    }
}
