//! cloud-init, configured to leave alone what a card has already.

use super::{RenderError, context::Context};
use crate::{Attributes, Purpose};

const CONFIG: &str = "\
# Written by nodecard: cloud-init must not replace what the card has already.
network: {config: disabled}
preserve_hostname: true
manage_etc_hosts: false
ssh_deletekeys: false
ssh_genkeytypes: [ed25519]
growpart: {mode: 'off'}
resize_rootfs: false
";

/// Writes cloud-init's settings where it is installed.
pub(super) fn disarm(to: &mut Context<'_>) -> Result<(), RenderError> {
    if to.exists("/etc/cloud/cloud.cfg")? && !to.exists("/etc/cloud/cloud-init.disabled")? {
        to.write(
            Purpose::CloudInit,
            "/etc/cloud/cloud.cfg.d/99-nodecard.cfg",
            CONFIG,
            Attributes::root(0o644),
        );
        to.note(
            "configured cloud-init to leave network, host name, /etc/hosts, host keys and \
             partitions alone (/etc/cloud/cloud.cfg.d/99-nodecard.cfg)",
        );
    }
    Ok(())
}
