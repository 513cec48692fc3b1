//! Files that are not complete yet.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    time::SystemTime,
};

use platform::{access, opening::UnsharedFile, sparse};

pub(crate) use platform::Privacy;

use super::OutputError;

/// The ending of temporary names.
const SUFFIX: &str = ".nodecard-partial";

/// Returns the name of a file before it is complete.
pub(super) fn temporary(name: &str) -> String {
    format!(".{name}{SUFFIX}")
}

/// Returns whether a file name is a temporary one.
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(SUFFIX)
}

/// A file under a temporary name, open for writing.
#[derive(Debug)]
pub(crate) struct PartialFile {
    pub file: File,
    name: TemporaryFile,
}

/// A file with a temporary name, which is removed unless it gets its final name.
#[derive(Debug)]
pub(crate) struct TemporaryFile {
    path: PathBuf,
    target: PathBuf,
    name: String,
}

impl PartialFile {
    /// Begins a file in `directory` that will be called `name` once it is complete.
    pub(super) fn begin(
        directory: &Path,
        name: &str,
        privacy: Privacy,
    ) -> Result<Self, OutputError> {
        let path = directory.join(temporary(name));
        let file = access::create_new(&path, privacy);
        let file = file.map_err(OutputError::io("create", &path))?;
        if privacy == Privacy::Private {
            // The images are private, and have holes.
            sparse::prepare(&file);
        }
        let name = TemporaryFile { path, target: directory.join(name), name: name.to_owned() };
        Ok(PartialFile { file, name })
    }

    /// Writes the whole of a small file.
    pub(super) fn fill(mut self, contents: &[u8]) -> Result<TemporaryFile, OutputError> {
        let write = self.file.write_all(contents).and_then(|()| self.file.sync_all());
        write.map_err(OutputError::io("write", self.path()))?;
        Ok(self.close())
    }

    /// Lets the file, which is empty, share the blocks of another one.
    pub(super) fn share_blocks(&mut self, of: &File) -> io::Result<()> {
        sparse::share_blocks(of, &mut self.file, &self.name.path)
    }

    /// Takes the file that has the final name, if there is one that nobody else uses, instead of
    /// this one, which is empty. Returns whether there was.
    pub(super) fn begin_as_target(&mut self) -> io::Result<bool> {
        let TemporaryFile { path, target, .. } = &self.name;
        let Ok(earlier) = UnsharedFile::open(target) else { return Ok(false) };
        fs::rename(target, path)?;
        match earlier.into_file(path) {
            Ok(file) => {
                // Even if nothing in it changes, the image is one of today.
                file.set_modified(SystemTime::now())?;
                self.file = file;
                Ok(true)
            }
            // Somebody has begun to use it meanwhile, and keeps it.
            Err(_) => {
                fs::rename(path, target)?;
                self.file = access::create_new(path, Privacy::Private)?;
                sparse::prepare(&self.file);
                Ok(false)
            }
        }
    }

    /// Returns the name that the file will have.
    pub(super) fn name(&self) -> &str {
        self.name.name()
    }

    /// Returns the path that the file will have.
    pub(super) fn target(&self) -> &Path {
        self.name.target()
    }

    /// Returns the temporary path, for messages.
    pub fn path(&self) -> &Path {
        &self.name.path
    }

    /// Closes the file, which is complete: hundreds of them may wait for their final names.
    pub fn close(self) -> TemporaryFile {
        self.name
    }
}

impl TemporaryFile {
    /// Returns the name that the file will have.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the path that the file will have.
    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name.
    pub(super) fn publish(&self) -> Result<(), OutputError> {
        fs::rename(&self.path, &self.target).map_err(OutputError::io("create", &self.target))
    }
}

impl Drop for TemporaryFile {
    fn drop(&mut self) {
        // A published file has another name by now. There is nowhere to report other errors.
        let _ = fs::remove_file(&self.path);
    }
}
