//! Whether a user's shell lets the user in.

use super::User;
use crate::{FileKind, SystemError, SystemFiles};

/// What a login with a user's shell comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShellState {
    /// A program that exists and runs commands.
    Usable,
    /// A program that ends at once: nologin, false, sync and the like.
    NoLogin,
    /// Nothing is there, or it leads nowhere.
    Missing,
    /// It is no regular file, or not executable.
    NotExecutable,
}

impl ShellState {
    /// Judges a user's shell the way sshd does (`allowed_user` in OpenSSH's auth.c), and by
    /// the names of the programs that let nobody in.
    ///
    /// # Errors
    /// [`SystemError`] if the filesystem is damaged.
    pub fn of(files: &dyn SystemFiles, user: &User) -> Result<Self, SystemError> {
        let shell = user.login_shell();
        let Some(found) = files.metadata(shell)?.filter(|f| f.kind != FileKind::Symlink) else {
            return Ok(ShellState::Missing);
        };
        if found.kind != FileKind::Regular || found.mode & 0o111 == 0 {
            return Ok(ShellState::NotExecutable);
        }
        let name = shell.rsplit('/').next().unwrap_or_default();
        Ok(match name {
            "nologin" | "false" | "true" | "sync" | "halt" | "shutdown" => ShellState::NoLogin,
            _ => ShellState::Usable,
        })
    }

    /// Returns whether a shell is one of /etc/shells, or of getusershell(3)'s defaults without
    /// that file. dropbear insists on it, and sshd does not.
    ///
    /// # Errors
    /// [`SystemError`] if the file cannot be read.
    pub fn is_listed(files: &dyn SystemFiles, shell: &str) -> Result<bool, SystemError> {
        let Some(text) = files.read_text("/etc/shells")? else {
            return Ok(matches!(shell, "/bin/sh" | "/bin/csh"));
        };
        // A path begins at the first slash and ends before white space or a comment.
        Ok(text.lines().any(|line| {
            let line = line.split('#').next().unwrap_or_default();
            let path = line.find('/').and_then(|at| line.get(at..)).unwrap_or_default();
            path.split_ascii_whitespace().next() == Some(shell)
        }))
    }
}
