//! Whether systemd starts on the finished card what the profile needs: an ssh server, what sets
//! the address, and Docker for a swarm.

use system_model::{
    NotStarted, Systemd,
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
    if let Some(reason) = chosen.and_then(|chosen| network(&systemd, chosen)) {
        return Ok(Some(reason));
    }
    let has_swarm = to.cluster.swarm.is_some();
    let parts = [("Docker", "docker.service"), ("the swarm", "nodecard-swarm.service")];
    let off = |(what, unit): (&'static str, &str)| kept_off(&systemd, what, &[unit]);
    Ok(parts.into_iter().filter(|_| has_swarm).find_map(off))
}

/// Returns why none of these units starts. That nothing enables a unit is no reason: generators
/// and other units start some.
fn kept_off(systemd: &Systemd, what: &'static str, units: &[&str]) -> Option<RenderError> {
    if units.iter().any(|unit| systemd.running(unit).is_some()) {
        return None;
    }
    units.iter().find_map(|unit| {
        let why = systemd.why_not_started(unit);
        let why = why.filter(|why| !matches!(why, NotStarted::NotEnabled))?;
        Some(RenderError::NotStarted { what, unit: (*unit).to_owned(), why: Box::new(why) })
    })
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

/// Which back ends are enabled was looked at when one was chosen.
fn network(systemd: &Systemd, chosen: NetworkBackEnd) -> Option<RenderError> {
    let (what, units): (_, &[&str]) = match chosen {
        NetworkBackEnd::Ifupdown => ("ifupdown", &["networking.service"]),
        NetworkBackEnd::NetworkManager => ("NetworkManager", &["NetworkManager.service"]),
        NetworkBackEnd::Networkd => ("systemd-networkd", &["systemd-networkd.service"]),
        NetworkBackEnd::Netplan => {
            ("netplan", &["systemd-networkd.service", "NetworkManager.service"])
        }
    };
    kept_off(systemd, what, units)
}
