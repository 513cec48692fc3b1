//! Whether an ssh server is there and is started.

use crate::{FileKind, SystemError, SystemFiles, units};

/// Debian's file that keeps sshd from starting.
pub const NOT_TO_BE_RUN: &str = "/etc/ssh/sshd_not_to_be_run";

/// A kind of ssh server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SshServer {
    /// OpenSSH's sshd.
    OpenSsh,
    /// dropbear.
    Dropbear,
}

impl SshServer {
    /// Units that start the server, a preferred one first.
    fn units(self) -> &'static [&'static str] {
        match self {
            SshServer::OpenSsh => &["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"],
            SshServer::Dropbear => &["dropbear.service", "dropbear.socket"],
        }
    }

    fn programs(self) -> &'static [&'static str] {
        match self {
            SshServer::OpenSsh => &["/usr/sbin/sshd", "/sbin/sshd", "/usr/bin/sshd"],
            SshServer::Dropbear => {
                &["/usr/sbin/dropbear", "/usr/bin/dropbear", "/usr/local/sbin/dropbear"]
            }
        }
    }

    fn init_script(self) -> &'static str {
        match self {
            SshServer::OpenSsh => "ssh",
            SshServer::Dropbear => "dropbear",
        }
    }
}

/// An ssh server that the image has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerStart {
    /// Which one it is.
    pub server: SshServer,
    /// The program's path.
    pub program: String,
    /// The units that start it at boot.
    pub started_by: Vec<String>,
    /// The unit that would start it if enabled, or the name of the init script that systemd
    /// makes a unit of; `None` if the image has neither.
    pub unit: Option<String>,
    /// The file that keeps it from starting.
    pub kept_by: Option<String>,
}

impl ServerStart {
    /// Returns whether the server starts at boot.
    pub fn starts(&self) -> bool {
        !self.started_by.is_empty() && self.kept_by.is_none()
    }
}

/// Returns the ssh servers that an image has. `starts_at_boot` answers whether a unit will
/// be started at boot.
///
/// # Errors
/// [`SystemError`] if the filesystem is damaged.
pub fn ssh_servers(
    files: &dyn SystemFiles,
    starts_at_boot: &dyn Fn(&str) -> bool,
) -> Result<Vec<ServerStart>, SystemError> {
    let mut servers = Vec::new();
    for server in [SshServer::OpenSsh, SshServer::Dropbear] {
        let mut program = None;
        for path in server.programs() {
            let found = files.metadata(path)?;
            if found.is_some_and(|f| f.kind == FileKind::Regular && f.mode & 0o111 != 0) {
                program.get_or_insert((*path).to_owned());
            }
        }
        let Some(program) = program else { continue };
        let started = server.units().iter().filter(|unit| starts_at_boot(unit));
        let started_by: Vec<String> = started.map(|unit| (*unit).to_owned()).collect();
        let mut unit = None;
        for name in server.units() {
            if unit.is_none() && units::path(files, name)?.is_some() {
                unit = Some((*name).to_owned());
            }
        }
        let script = server.init_script();
        if unit.is_none() && files.exists(&format!("/etc/init.d/{script}"))? {
            unit = Some(format!("{script}.service"));
        }
        let kept = server == SshServer::OpenSsh && files.exists(NOT_TO_BE_RUN)?;
        let kept_by = kept.then(|| NOT_TO_BE_RUN.to_owned());
        servers.push(ServerStart { server, program, started_by, unit, kept_by });
    }
    Ok(servers)
}
