//! Whether systemd starts on the finished card what the profile needs: an ssh server, and what
//! sets the address.

use system_model::{
    Systemd,
    sshd::{ServerStart, ssh_servers},
};

use super::{RenderError, context::Context};
use crate::{NetworkBackEnd, SystemFiles};

/// What refusals call an ssh server.
pub const SSH_SERVER: &str = "the ssh server";

/// Returns why the card cannot be used, if systemd does not start what it needs.
pub(super) fn check(
    to: &mut Context<'_>,
    chosen: Option<NetworkBackEnd>,
) -> Result<Option<RenderError>, RenderError> {
    let edited = to.edited()?;
    let systemd = Systemd::read_later_boots(&edited)?;
    if (!to.cluster.key_users().is_empty() || to.cluster.swarm.is_some())
        && let Some(reason) = ssh(&edited, &systemd)?
    {
        return Ok(Some(reason));
    }
    Ok(chosen.and_then(|chosen| network(&systemd, chosen)))
}

fn ssh(system: &dyn SystemFiles, systemd: &Systemd) -> Result<Option<RenderError>, RenderError> {
    let servers = ssh_servers(system, &|unit| systemd.running(unit).is_some())?;
    if servers.iter().any(ServerStart::starts) {
        return Ok(None);
    }
    // Without a unit, something else than systemd starts it, if anything does.
    let unit = servers.into_iter().find_map(|server| server.unit);
    let off = unit.and_then(|unit| systemd.why_not_started(&unit).map(|why| (unit, why)));
    let what = SSH_SERVER;
    Ok(off.map(|(unit, why)| RenderError::NotStarted { what, unit, why: Box::new(why) }))
}

/// What the kernel's command line keeps off: which back ends are enabled was looked at when one
/// was chosen.
fn network(systemd: &Systemd, chosen: NetworkBackEnd) -> Option<RenderError> {
    let (what, units): (_, &[&str]) = match chosen {
        NetworkBackEnd::Ifupdown => ("ifupdown", &["networking.service"]),
        NetworkBackEnd::NetworkManager => ("NetworkManager", &["NetworkManager.service"]),
        NetworkBackEnd::Networkd => ("systemd-networkd", &["systemd-networkd.service"]),
        NetworkBackEnd::Netplan => {
            ("netplan", &["systemd-networkd.service", "NetworkManager.service"])
        }
    };
    if units.iter().any(|unit| systemd.running(unit).is_some()) {
        return None;
    }
    units.iter().find_map(|unit| {
        let why = systemd.why_not_started(unit).filter(|why| why.is_by_argument())?;
        let unit = (*unit).to_owned();
        Some(RenderError::NotStarted { what, unit, why: Box::new(why) })
    })
}
