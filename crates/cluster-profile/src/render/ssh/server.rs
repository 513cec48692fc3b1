//! The ssh server, started at boot where the profile needs it.

use system_model::{
    BootModel, UnitState,
    sshd::{ServerStart, ssh_servers},
};

use crate::{
    Change, Note, Purpose,
    render::{RenderError, context::Context},
};

/// Where links start units on a system that has reached its usual state.
const WANTS: &str = "/etc/systemd/system/multi-user.target.wants";

/// Enables an ssh server if logins by key need one and none starts.
pub(super) fn start(to: &mut Context<'_>, boot: &BootModel) -> Result<(), RenderError> {
    if to.cluster.key_users().is_empty() && to.cluster.swarm.is_none() {
        return Ok(());
    }
    let systemd = boot.systemd();
    let runs = |unit: &str| systemd.running(unit).is_some();
    let servers = ssh_servers(to.system, &runs)?;
    if servers.iter().any(ServerStart::starts) {
        return Ok(());
    }
    for server in &servers {
        let is_kept = server.kept_by.is_some();
        if let Some(path) = &server.kept_by {
            to.remove(Purpose::SshServer, path.clone());
        }
        if !server.started_by.is_empty() {
            note(to, server, server.started_by.first().map_or("", String::as_str));
            return Ok(());
        }
        if let Some(unit) = enable(to, boot, server)? {
            note(to, server, &unit);
            return Ok(());
        }
        if is_kept {
            note(to, server, &server.program);
        }
    }
    Ok(())
}

fn note(to: &mut Context<'_>, server: &ServerStart, unit: &str) {
    let (program, unit) = (server.program.clone(), unit.to_owned());
    to.note(Note::SshServerEnabled { program, unit });
}

/// Makes the links that enable a server's unit. Returns the unit, if there is one.
fn enable(
    to: &mut Context<'_>,
    boot: &BootModel,
    server: &ServerStart,
) -> Result<Option<String>, RenderError> {
    const MASKED: [&str; 3] = ["ssh.service", "sshd.service", "dropbear.service"];
    let systemd = boot.systemd();
    let mut unit = server.unit.clone();
    let mut masked = None;
    for name in MASKED.iter().filter(|name| name.starts_with("dropbear") == is_dropbear(server)) {
        if let UnitState::Masked(path) = systemd.state(name)
            && path.starts_with("/etc/")
            && unit.as_deref().is_none_or(|unit| unit.ends_with(".socket"))
        {
            unit = Some((*name).to_owned());
            masked = Some(path);
        }
    }
    let Some(unit) = unit else { return Ok(None) };
    if let Some(path) = masked {
        to.remove(Purpose::SshServer, path);
    }
    let mut file = None;
    for directory in ["/etc/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system"] {
        let path = format!("{directory}/{unit}");
        if file.is_none() && to.system.read(&path)?.is_some_and(|text| !text.is_empty()) {
            file = Some(path);
        }
    }
    match file {
        Some(target) => {
            let directory = if unit.ends_with(".socket") {
                "/etc/systemd/system/sockets.target.wants"
            } else {
                WANTS
            };
            let path = format!("{directory}/{unit}");
            to.edit(Purpose::SshServer, path, Change::Symlink { target });
        }
        None => {
            // A script of System V, which systemd's generator starts by these links.
            let Some(script) = unit.strip_suffix(".service") else { return Ok(None) };
            if !to.exists(&format!("/etc/init.d/{script}"))? {
                return Ok(None);
            }
            for level in 2..=5 {
                let target = format!("../init.d/{script}");
                let path = format!("/etc/rc{level}.d/S01{script}");
                to.edit(Purpose::SshServer, path, Change::Symlink { target });
            }
        }
    }
    Ok(Some(unit))
}

fn is_dropbear(server: &ServerStart) -> bool {
    server.program.ends_with("dropbear")
}
