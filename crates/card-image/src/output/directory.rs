//! The output directory.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
};

use platform::{FileInfo, FileKind, access};

use super::{
    OutputError,
    lock::DirectoryLock,
    partial::{PartialFile, Privacy, TemporaryFile, is_temporary, temporary},
};

/// The name of the file with the checksums of all others.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The name of the file that lists the images for programs.
pub(crate) const MANIFEST: &str = "manifest.json";

/// No file of text that belongs to images is larger, in bytes.
const LARGEST_TEXT: u64 = 64 << 20;

/// An output directory that no other run writes to at the same time.
#[derive(Debug)]
pub(crate) struct OutputDirectory {
    path: PathBuf,
    /// What a run that was interrupted while it named its files would have had as its manifest.
    interrupted: Option<String>,
    /// Held as long as this exists.
    lock: DirectoryLock,
    /// Goes after the lock, whose file is in it.
    made: MadeDirectories,
}

/// Directories that this run has made, the deepest first. Those in which nothing was made are
/// removed again.
#[derive(Debug, Default)]
struct MadeDirectories(Vec<PathBuf>);

impl MadeDirectories {
    /// Makes a directory and those above it, as far as they are missing.
    fn make(path: &Path) -> io::Result<Self> {
        let missing = |above: &&Path| !above.as_os_str().is_empty() && !above.exists();
        let made = path.ancestors().take_while(missing).map(Path::to_owned).collect();
        // Some of them may be made before this fails.
        let made = MadeDirectories(made);
        access::create_directories(path, Privacy::Public)?;
        Ok(made)
    }
}

impl Drop for MadeDirectories {
    fn drop(&mut self) {
        for directory in &self.0 {
            // This fails if there is anything in it, or if it could not be made.
            let _ = fs::remove_dir(directory);
        }
    }
}

impl OutputDirectory {
    /// Creates the directory if it is missing, locks it, and removes the files of an
    /// interrupted run. A directory that was missing goes with the returned value if nothing was
    /// made in it.
    pub fn open(path: &Path) -> Result<Self, OutputError> {
        if path.is_file() {
            return Err(OutputError::NotADirectory { path: path.to_owned() });
        }
        let unusable = |source| OutputError::Unusable { path: path.to_owned(), source };
        let made = MadeDirectories::make(path).map_err(unusable)?;
        Ok(OutputDirectory { made, ..Self::open_existing(path)? })
    }

    /// Locks a directory, and removes the files of an interrupted run.
    pub fn open_existing(path: &Path) -> Result<Self, OutputError> {
        match fs::metadata(path) {
            Ok(found) if !found.is_dir() => {
                return Err(OutputError::NotADirectory { path: path.to_owned() });
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OutputError::NoDirectory { path: path.to_owned() });
            }
            _ => {}
        }
        let lock = DirectoryLock::take(path)?;
        let mut directory = OutputDirectory {
            path: path.to_owned(),
            interrupted: None,
            lock,
            made: MadeDirectories::default(),
        };
        directory.interrupted = directory.read(&temporary(MANIFEST));
        directory.remove_leftovers()?;
        Ok(directory)
    }

    /// Returns what a run that ends now would leave, in the order in which it can be removed: the
    /// lock, and the directories that this run has made, which stay if anything is in them.
    pub fn leftovers(&self) -> Vec<PathBuf> {
        [self.lock.path()]
            .into_iter()
            .chain(self.made.0.iter().map(PathBuf::as_path))
            .map(Path::to_owned)
            .collect()
    }

    /// Returns the manifest of a run that was interrupted while it named its files.
    pub fn interrupted(&self) -> Option<&str> {
        self.interrupted.as_deref()
    }

    fn remove_leftovers(&self) -> Result<(), OutputError> {
        let list = fs::read_dir(&self.path).map_err(OutputError::io("read", &self.path))?;
        for entry in list {
            let entry = entry.map_err(OutputError::io("read", &self.path))?;
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file() || kind.is_symlink());
            let name = entry.file_name();
            // The next manifest takes over what this one lists, and its place.
            let is_kept = self.interrupted.is_some() && name == *temporary(MANIFEST);
            if is_file && is_temporary(&name.to_string_lossy()) && !is_kept {
                fs::remove_file(entry.path()).map_err(OutputError::io("remove", entry.path()))?;
            }
        }
        Ok(())
    }

    /// Makes sure that files with these names can be made here without replacing anything but
    /// older images, and above all not `base`.
    ///
    /// # Errors
    /// [`OutputError::IsBase`], [`OutputError::Occupied`].
    pub fn check_targets(&self, names: &[String], base: &Path) -> Result<(), OutputError> {
        let base_file = FileInfo::at(base).ok().map(|found| found.id);
        for name in names {
            let path = self.path.join(name);
            let Ok(found) = FileInfo::at_link(&path) else { continue };
            if Some(found.id) == base_file {
                return Err(OutputError::IsBase { path });
            }
            if found.kind == FileKind::Directory {
                return Err(OutputError::Occupied { path, what: "is a directory" });
            }
        }
        Ok(())
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the contents of an existing file.
    pub fn read(&self, name: &str) -> Option<String> {
        let mut options = OpenOptions::new();
        let file = platform::open_regular(&self.path.join(name), options.read(true)).ok()?;
        let mut text = String::new();
        file.take(LARGEST_TEXT).read_to_string(&mut text).ok()?;
        Some(text)
    }

    pub fn has_file(&self, name: &str) -> bool {
        self.path.join(name).is_file()
    }

    /// Begins a file that will be called `name` once it is complete.
    pub fn begin(&self, name: &str, privacy: Privacy) -> Result<PartialFile, OutputError> {
        PartialFile::begin(&self.path, name, privacy)
    }

    /// Returns the first of these names that is taken, by whatever.
    pub fn taken<'a>(&self, names: &'a [String]) -> Option<&'a String> {
        names.iter().find(|name| self.is_taken(name))
    }

    /// Returns whether there is anything of this name.
    pub fn is_taken(&self, name: &str) -> bool {
        FileInfo::at_link(&self.path.join(name)).is_ok()
    }

    /// Makes the small file that will be the manifest. That of an interrupted run goes.
    pub fn begin_manifest(&self, contents: &[u8]) -> Result<TemporaryFile, OutputError> {
        let old = self.path.join(temporary(MANIFEST));
        match fs::remove_file(&old) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(OutputError::io("remove", old)(error))
            }
            _ => self.begin_with(MANIFEST, contents),
        }
    }

    /// Makes a small file that will be called `name`.
    pub fn begin_with(&self, name: &str, contents: &[u8]) -> Result<TemporaryFile, OutputError> {
        PartialFile::begin(&self.path, name, Privacy::Public)?.fill(contents)
    }

    /// Gives the files their final names, in this order, and waits until the names are on the
    /// disk. Files called `outdated` are removed.
    ///
    /// Files of an older run with those names are replaced. Its checksums are removed first, so
    /// that old checksums are never beside new images. If a file cannot get its name, those
    /// that were named before it are removed.
    pub fn publish(
        &self,
        files: Vec<TemporaryFile>,
        outdated: &[String],
    ) -> Result<(), OutputError> {
        let sums = [SUMS.to_owned()];
        for name in sums.iter().chain(outdated) {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(OutputError::io("remove", path)(error));
                }
                _ => {}
            }
        }
        self.publish_beside(&files)
    }

    /// Gives the files their final names, in this order, and waits until the names are on the
    /// disk. Other files stay. If a file cannot get its name, those that were named before it are
    /// removed.
    pub fn publish_beside(&self, files: &[TemporaryFile]) -> Result<(), OutputError> {
        for (number, file) in files.iter().enumerate() {
            if let Err(error) = file.publish() {
                for published in &files[..number] {
                    let _ = fs::remove_file(published.target());
                }
                return Err(error);
            }
        }
        platform::sync_directory(&self.path).map_err(OutputError::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != ".nodecard.lock")
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_published_files_stay() {
        let temp = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::open(temp.path()).unwrap();
        let kept = directory.begin_with("kept", b"1").unwrap();
        let dropped = directory.begin_with("dropped", b"2").unwrap();
        assert_eq!(names(temp.path()), [".dropped.nodecard-partial", ".kept.nodecard-partial"]);
        drop(dropped);
        directory.publish(vec![kept], &[]).unwrap();
        assert_eq!(names(temp.path()), ["kept"]);
    }

    #[test]
    fn files_of_a_killed_run_are_removed_and_those_of_a_running_one_stay() {
        let temp = tempfile::tempdir().unwrap();
        fs::write(temp.path().join(".node.img.nodecard-partial"), b"half").unwrap();
        fs::write(temp.path().join(".other.partial"), b"not ours").unwrap();
        fs::create_dir(temp.path().join(".directory.nodecard-partial")).unwrap();
        let first = OutputDirectory::open(temp.path()).unwrap();
        assert_eq!(names(temp.path()), [".directory.nodecard-partial", ".other.partial"]);
        assert!(matches!(OutputDirectory::open(temp.path()), Err(OutputError::Busy { .. })));
        drop(first);
        OutputDirectory::open(temp.path()).unwrap();
    }

    #[test]
    fn directories_in_which_nothing_was_made_go_again() {
        let temp = tempfile::tempdir().unwrap();
        let (above, below) = (temp.path().join("a"), temp.path().join("a/b/c"));
        drop(OutputDirectory::open(&below).unwrap());
        assert_eq!(names(temp.path()), [""; 0]);
        // One that was there stays, and so does one with a file.
        fs::create_dir(&above).unwrap();
        drop(OutputDirectory::open(&below).unwrap());
        assert_eq!((names(temp.path()), names(&above)), (vec!["a".to_owned()], vec![]));
        let directory = OutputDirectory::open(&below).unwrap();
        let file = directory.begin_with("file", b"1").unwrap();
        directory.publish(vec![file], &[]).unwrap();
        drop(directory);
        assert_eq!(names(&below), ["file"]);
        drop(OutputDirectory::open(&below).unwrap());
        assert_eq!(names(&below), ["file"]);
        // One that cannot be made takes those above it along.
        let name = "n".repeat(300);
        OutputDirectory::open(&temp.path().join("x").join(name)).unwrap_err();
        assert_eq!(names(temp.path()), ["a"]);
    }

    #[test]
    fn private_files_are_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let directory = OutputDirectory::open(temp.path()).unwrap();
        let image = directory.begin("image", Privacy::Private).unwrap();
        assert_eq!(image.file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn other_files_are_never_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let names = ["image".to_owned(), "other".to_owned()];
        fs::write(temp.path().join("image"), b"base").unwrap();
        let link = temp.path().join("link");
        std::os::unix::fs::symlink("image", &link).unwrap();
        let directory = OutputDirectory::open(temp.path()).unwrap();
        directory.check_targets(&names, Path::new("/dev/null")).unwrap();
        for base in [temp.path().join("image"), link] {
            let error = directory.check_targets(&names, &base).unwrap_err();
            assert!(matches!(error, OutputError::IsBase { .. }), "{error}");
        }
        fs::create_dir(temp.path().join("other")).unwrap();
        let error = directory.check_targets(&names, Path::new("/dev/null")).unwrap_err();
        assert!(matches!(error, OutputError::Occupied { .. }), "{error}");
    }

    #[test]
    fn a_lock_that_is_a_named_pipe_is_refused_at_once() {
        for name in [".nodecard.lock", SUMS] {
            let temp = tempfile::tempdir().unwrap();
            let path = temp.path().join(name);
            let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
            assert!(made.success());
            match OutputDirectory::open(temp.path()) {
                Ok(directory) => assert_eq!(directory.read(name), None),
                Err(error) => assert!(matches!(error, OutputError::Unusable { .. }), "{error}"),
            }
        }
    }

    #[test]
    fn a_lock_that_is_a_symlink_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let precious = temp.path().join("precious");
        fs::write(&precious, b"mine").unwrap();
        std::os::unix::fs::symlink(&precious, temp.path().join(".nodecard.lock")).unwrap();
        assert!(matches!(OutputDirectory::open(temp.path()), Err(OutputError::Lock { .. })));
        assert_eq!(fs::read(&precious).unwrap(), b"mine");
    }
}
