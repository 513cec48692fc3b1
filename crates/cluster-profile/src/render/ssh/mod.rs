//! ssh: users' keys, host keys, and known hosts.

mod admission;
mod authorized_keys;
mod dropbear;
mod host_keys;
mod image_keys;
mod known_hosts;
mod login;
mod pairs;
mod repair;
mod server;
mod sshd_config;
mod users;

pub(in crate::render) use login::let_in;
pub use login::{LoginHindrance, login_hindrances};
use system_model::BootModel;

use super::{RenderError, context::Context};
use crate::Node;

/// Writes users' keys and the known hosts, and removes the image's host keys.
pub(super) fn shared(to: &mut Context<'_>, boot: &BootModel) -> Result<(), RenderError> {
    server::start(to, boot)?;
    users::write(to)?;
    known_hosts::write_global(to)?;
    host_keys::forget(to)
}

/// Writes the node's host key.
pub(super) fn node(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    host_keys::give(to, node)?;
    dropbear::give(to, node)
}
