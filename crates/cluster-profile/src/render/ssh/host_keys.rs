//! A node's host key, instead of those that every copy of the image has.

use super::sshd_config;
use crate::{
    Attributes, ClonedState, KeyHalf, Node, Purpose,
    render::{RenderError, context::Context},
};

const DIRECTORY: &str = "/etc/ssh";
/// The private key; a node has no other.
pub(super) const KEY: &str = "/etc/ssh/ssh_host_ed25519_key";

/// Removes the image's host keys, and mentions of them in sshd's configuration.
pub(super) fn forget(to: &mut Context<'_>) -> Result<(), RenderError> {
    for name in to.list(DIRECTORY)? {
        let path = format!("{DIRECTORY}/{name}");
        // The node's own replaces this one.
        let replaced = path == KEY || path.strip_suffix(".pub") == Some(KEY);
        if name.starts_with("ssh_host_") && !replaced {
            let half = KeyHalf::of_file(&name);
            to.remove(Purpose::Cloned(ClonedState::HostKey(half)), path);
        }
    }
    sshd_config::adapt(to)
}

/// Gives a node its host key.
pub(super) fn give(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let pair = to.keys.host(&node.name)?;
    to.write(
        Purpose::HostKey(KeyHalf::Private),
        KEY,
        pair.private(),
        Attributes::exactly(0o600, 0, 0),
    );
    let public = format!("{KEY}.pub");
    to.write(
        Purpose::HostKey(KeyHalf::Public),
        public,
        pair.public(),
        Attributes::exactly(0o644, 0, 0),
    );
    Ok(())
}
