//! The keys with which nodes ask managers for tokens.

use cluster_keys::{ClusterKeys, KeyError, KeyPair};

use super::PROGRAMS;
use crate::{
    Role,
    render::{RenderError, context::Context},
};

/// Returns the key of the nodes of a role.
pub(super) fn of(from: &Context<'_>, role: Role) -> Result<KeyPair, RenderError> {
    Ok(role_key(&from.cluster.name, from.keys, role)?)
}

/// Returns the key of the nodes of a role, in the cluster of this name.
pub(in crate::render) fn role_key(
    cluster: &str,
    keys: &ClusterKeys,
    role: Role,
) -> Result<KeyPair, KeyError> {
    keys.pair(&format!("swarm-{role}"), &format!("{cluster} swarm {role} key"))
}

/// The beginning of what lines of root's authorized_keys allow.
pub(in crate::render) const TOKEN_COMMAND: &str =
    "restrict,command=\"/usr/local/lib/nodecard/swarm-token";

const ROLES: [Role; 2] = [Role::Worker, Role::Manager];

/// Returns lines of root's authorized_keys: each key may run one command, which prints the
/// token of its own role. All nodes have them, as each may become a manager; on a worker
/// the command prints no token.
pub(in crate::render) fn admitted(from: &Context<'_>) -> Result<Vec<String>, RenderError> {
    if from.cluster.swarm.is_none() {
        return Ok(Vec::new());
    }
    let line = |role| {
        let key = of(from, role)?;
        // `restrict` needs OpenSSH 7.2, which Ubuntu 16.04 has.
        let command = format!("{PROGRAMS}/swarm-token {role}");
        Ok(format!("restrict,command=\"{command}\" {}", key.public().trim_end()))
    };
    ROLES.into_iter().map(line).collect()
}

/// Returns words that only [`admitted`] lines may hold: the keys in base64, since another
/// line would allow them more, and the command, since lines of an earlier profile allow it
/// to other keys.
pub(in crate::render) fn barred(from: &Context<'_>) -> Result<Vec<String>, RenderError> {
    let key = |role| {
        let key = of(from, role)?;
        Ok(key.public().split(' ').nth(1).unwrap_or_default().to_owned())
    };
    ROLES.into_iter().map(key).chain([Ok(TOKEN_COMMAND.to_owned())]).collect()
}
