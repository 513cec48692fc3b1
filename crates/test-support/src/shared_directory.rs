//! A directory that all tests of a binary share.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A temporary directory for a `static`, which is never dropped: a shell of its own removes it
/// once the process has ended, however it ended.
#[derive(Debug)]
pub struct SharedDirectory {
    path: PathBuf,
    /// Waits at its stdin, a pipe that closes with the process.
    _remover: Child,
}

impl SharedDirectory {
    /// Makes a directory.
    ///
    /// # Panics
    /// If it cannot be made, or the shell cannot be started.
    #[expect(clippy::new_without_default, reason = "every directory is another one")]
    pub fn new() -> Self {
        let path = tempfile::tempdir().expect("a temporary directory").keep();
        let remover = Command::new("sh")
            .args(["-c", "trap '' INT HUP TERM; cat >/dev/null; rm -rf -- \"$1\"", "sh"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        SharedDirectory { path, _remover: remover }
    }

    /// Returns the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::SharedDirectory;

    #[test]
    fn goes_when_the_pipe_closes() {
        let mut shared = SharedDirectory::new();
        std::fs::write(shared.path().join("file"), "x").expect("a file");
        let path = shared.path().to_owned();
        drop(shared._remover.stdin.take());
        let begun = Instant::now();
        while path.exists() {
            assert!(begun.elapsed() < Duration::from_secs(60), "{} stays", path.display());
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(shared._remover.wait().expect("its end").success());
    }
}
