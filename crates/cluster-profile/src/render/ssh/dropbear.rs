//! A node's host key for dropbear, which has files and a format of its own.

use system_model::sshd::{
    DROPBEAR_HOST_KEYS, DropbearConfig, SshServer, dropbear_knows_ed25519, ssh_servers,
};

use crate::{
    Attributes, ClonedState, KeyHalf, Node, Note, Purpose,
    render::{RenderError, context::Context},
};

/// Gives dropbear the node's key, instead of those that every copy of the image has.
///
/// All of it is the node's own: which files dropbear looks for may depend on those that are
/// there.
pub(super) fn give(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let config = DropbearConfig::read(to.system)?;
    let servers = ssh_servers(to.system, &|_| false)?;
    // dropbear-bin alone, which other packages need, starts no server.
    let server = servers.into_iter().find(|one| {
        one.server == SshServer::Dropbear && (one.unit.is_some() || !config.host_keys.is_empty())
    });
    let Some(server) = server else { return Ok(()) };
    if !dropbear_knows_ed25519(to.system, &server.program)? {
        to.note(Note::DropbearKeepsHostKeys { program: server.program });
        return Ok(());
    }
    let own = config.ed25519_host_key();
    for path in of_image(to, &config)? {
        if path != own {
            let half = KeyHalf::of_file(&path);
            to.remove_if_there(Purpose::Cloned(ClonedState::HostKey(half)), &path)?;
        }
    }
    let key = to.keys.host(&node.name)?.dropbear()?;
    to.write(Purpose::DropbearHostKey, own, key, Attributes::exactly(0o600, 0, 0));
    Ok(())
}

/// Returns the paths of host keys that dropbear loads, or would load without arguments. Those
/// of sshd are another's business.
fn of_image(from: &Context<'_>, config: &DropbearConfig) -> Result<Vec<String>, RenderError> {
    let is_key = |name: &String| {
        name.starts_with("dropbear_") && name.trim_end_matches(".pub").ends_with("_host_key")
    };
    let names = from.list(DROPBEAR_HOST_KEYS)?.into_iter().filter(is_key);
    let mut paths: Vec<String> = names.map(|name| format!("{DROPBEAR_HOST_KEYS}/{name}")).collect();
    for path in &config.host_keys {
        if path.starts_with('/') && !path.starts_with("/etc/ssh/") && !paths.contains(path) {
            paths.push(path.clone());
        }
    }
    Ok(paths)
}
