//! What decides about logins to a system, whoever logs in.

use super::command::SshdCommand;
use crate::{Mounts, SystemError, SystemFiles, Systemd, accounts::Accounts};

/// A system to which users log in.
pub struct SshHost<'a> {
    /// Its files.
    pub files: &'a dyn SystemFiles,
    /// Its users and groups.
    pub accounts: Accounts,
    /// What is mounted over directories in which users may have keys.
    pub mounts: Mounts,
    /// How its sshd is started.
    pub command: SshdCommand,
}

impl<'a> SshHost<'a> {
    /// Reads accounts and mounts. `systemd` is what starts at each boot.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(files: &'a dyn SystemFiles, systemd: &Systemd) -> Result<Self, SystemError> {
        let mounts = Mounts::read(files, systemd)?;
        let command = SshdCommand::read(files, systemd)?;
        Ok(SshHost { files, accounts: Accounts::read(files)?, mounts, command })
    }
}
