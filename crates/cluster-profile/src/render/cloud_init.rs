//! cloud-init, turned off where it would change what a card has already, or where nobody can tell.
//!
//! Settings in /etc/cloud/cloud.cfg.d are not enough: user-data on a boot partition outranks
//! them. What cloud-init does on a board that a profile describes already is done (network,
//! names, keys, sizes), so it is turned off as a whole. The settings are written too, and the
//! user-data that would outrank them is emptied, for an owner who turns it on again. Where the
//! profile keeps it on, see [`cloud_seed`].

use std::collections::BTreeSet;

use system_model::{BootModel, CloudInit, Disarm, Effect};

use super::{
    RenderError, cloud_seed,
    context::Context,
    first_boot::{self, Steps},
};
use crate::{Attributes, CloudInitChoice, FirstBootPart, Note, Purpose};

const SETTINGS: &str = "/etc/cloud/cloud.cfg.d/99-nodecard.cfg";

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

const EMPTIED: &str = "\
#cloud-config
# Emptied by nodecard, which turned cloud-init off: it would have undone the card.
";

/// Turns cloud-init off where it would change something of a card, or reads what cannot be checked.
pub(super) fn disarm(to: &mut Context<'_>, boot: &BootModel) -> Result<(), RenderError> {
    let Some(cloud_init) = boot.cloud_init().filter(|cloud_init| cloud_init.is_enabled()) else {
        return Ok(());
    };
    if let CloudInitChoice::Keep { .. } = to.cluster.cloud_init {
        // Each node gets a seed of its own.
        let settings = format!("{CONFIG}{}", cloud_seed::SOURCES);
        to.write(Purpose::CloudInit, SETTINGS, settings, Attributes::root(0o644));
    } else if !cloud_init.changes().is_empty() || !cloud_init.unreadable().is_empty() {
        turn_off(to, cloud_init)?;
    }
    Ok(())
}

/// Turns cloud-init off where it would change something of the finished card that the image had
/// as well, such as the host name of the node that it was saved from.
pub(super) fn disarm_finished(to: &mut Context<'_>) -> Result<(), RenderError> {
    let is_kept = matches!(to.cluster.cloud_init, CloudInitChoice::Keep { .. });
    if is_kept || !to.system.exists("/etc/cloud")? {
        return Ok(());
    }
    let model = first_boot::model(&to.edited()?)?;
    disarm(to, &model)
}

fn turn_off(to: &mut Context<'_>, cloud_init: &CloudInit) -> Result<(), RenderError> {
    to.write(Purpose::CloudInit, SETTINGS, CONFIG, Attributes::root(0o644));
    let changes = cloud_init.changes();
    let emptied: BTreeSet<&str> = cloud_init.overriding_files().into_iter().collect();
    for path in emptied {
        if to.system.read(path)?.is_some_and(|contents| contents != EMPTIED.as_bytes()) {
            to.write(Purpose::CloudSeed, path, EMPTIED, Attributes::root(0o644));
        }
    }
    let mut steps = Steps::default();
    for step in cloud_init.disarm() {
        match &step {
            Disarm::WriteFile { path, contents } => {
                to.write(Purpose::CloudInit, path, contents.as_str(), Attributes::root(0o644));
            }
            step => {
                steps.carry_out(to, step, FirstBootPart::Program)?;
            }
        }
    }
    steps.finish(to);
    let effects: BTreeSet<Effect> = changes.iter().map(|change| change.effect).collect();
    if !effects.is_empty() {
        to.note(Note::CloudInitOff { effects: effects.into_iter().collect() });
    }
    for (location, why) in cloud_init.unreadable() {
        let (at, why) = (location.to_string(), why.to_string());
        to.note(Note::CloudInitUnread { at, why, is_off: true });
    }
    let users: BTreeSet<&String> = changes.iter().filter_map(|it| it.new_user.as_ref()).collect();
    for user in users {
        if !to.cluster.users.iter().any(|one| one.create && one.name == *user) {
            to.note(Note::UserOfCloudInit { user: user.clone() });
        }
    }
    Ok(())
}
