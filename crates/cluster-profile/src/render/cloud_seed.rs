//! The seed of cloud-init where the profile keeps it running: user-data of the owner's, merged
//! with what leaves a card as the profile describes it.
//!
//! A seed's user-data outranks all other configuration, so what matters is written there.
//! Sources: canonical/cloud-init: cloudinit/sources/DataSourceNoCloud.py,
//! config/cc_set_hostname.py, cc_ssh.py, cc_users_groups.py, cc_set_passwords.py, cc_growpart.py.

use std::collections::BTreeSet;

use system_model::{CloudInit, CloudValue, Location};

use super::{RenderError, context::Context, edited::Edited, first_boot};
use crate::{
    Attributes, CloudInitChoice, DefaultPassword, Node, Note, Purpose, SystemFiles as _, UserData,
    cloud_default_password,
};

/// Where NoCloud looks first if nothing says otherwise.
const DEFAULT_SEED: &str = "/var/lib/cloud/seed/nocloud/";

/// The files of a seed.
pub(super) const FILES: [&str; 3] = ["user-data", "meta-data", "network-config"];

/// What keeps cloud-init from looking for other sources than the seed. The rest of the settings
/// is that of a card whose cloud-init is off.
pub(super) const SOURCES: &str = "datasource_list: [NoCloud, None]\n";

/// Writes a node's seed, and notes what cloud-init still changes, since the owner's user-data
/// says so.
pub(super) fn write(to: &mut Context<'_>, node: &Node) -> Result<(), RenderError> {
    let CloudInitChoice::Keep { user_data } = &to.cluster.cloud_init else { return Ok(()) };
    let model = first_boot::model(to.system)?;
    let Some(cloud_init) = model.cloud_init() else { return Ok(()) };
    let directory = directory(cloud_init);
    let own = user_data.as_ref().map(|own| &own.config);
    let config = user_config(to, node, own, cloud_init);
    let mut text = String::from(
        "#cloud-config\n# Written by nodecard: the profile's user_data, with what the node needs.\n",
    );
    for (key, value) in config {
        text.push_str(&format!("{key}: {value}\n"));
    }
    // cloud-init starts afresh for another instance: one for each node and user-data.
    let instance = to.keys.uuid(&format!("cloud-init {text}"), &node.name);
    let meta = format!(
        "# Written by nodecard.\ndsmode: local\ninstance-id: {instance}\nlocal-hostname: {}\n",
        node.name
    );
    // nodecard's own files set the address.
    let network = "# Written by nodecard.\nconfig: disabled\n";
    for (name, contents) in FILES.into_iter().zip([text.as_str(), &meta, network]) {
        let path = format!("{directory}{name}");
        to.write(Purpose::CloudSeed, path, contents, Attributes::root(0o600));
    }
    note_changes(to, &format!("{directory}user-data"), user_data.as_ref())
}

/// Returns the directory of the seed whose user-data counts, with a slash at its end.
pub(super) fn directory(cloud_init: &CloudInit) -> String {
    let found = cloud_init.seed().map(|seed| seed.found.as_slice()).unwrap_or_default();
    let last = found.iter().rev().find(|place| place.ends_with('/'));
    last.cloned().unwrap_or_else(|| DEFAULT_SEED.to_owned())
}

/// Merges the owner's user-data with what the node needs.
fn user_config(
    to: &Context<'_>,
    node: &Node,
    user_data: Option<&CloudValue>,
    cloud_init: &CloudInit,
) -> Vec<(CloudValue, CloudValue)> {
    let text = |text: &str| CloudValue::from(text);
    let mut needed = vec![
        ("hostname", text(&node.name)),
        ("preserve_hostname", CloudValue::Bool(true)),
        ("manage_etc_hosts", CloudValue::Bool(false)),
        ("ssh_deletekeys", CloudValue::Bool(false)),
        ("ssh_genkeytypes", CloudValue::List(Vec::new())),
        ("growpart", CloudValue::Map(vec![(text("mode"), text("off"))])),
        ("resize_rootfs", CloudValue::Bool(false)),
        ("users", CloudValue::List(users(to, user_data, cloud_init))),
    ];
    if to.cluster.key_users().contains(&"root") {
        // Otherwise a command goes before root's keys that come from user-data.
        needed.push(("disable_root", CloudValue::Bool(false)));
    }
    let owner = user_data.map(CloudValue::entries).unwrap_or_default();
    // What the owner may say; without it, sshd's settings stay.
    if !owner.iter().any(|(key, _)| *key == *"ssh_pwauth") {
        needed.push(("ssh_pwauth", text("unchanged")));
    }
    // An older form of `hostname`, names of which nodecard writes itself, and host keys.
    const DROPPED: [&str; 4] = ["fqdn", "prefer_fqdn_over_hostname", "ssh_keys", "user"];
    let replaced = needed.iter().map(|(key, _)| *key).chain(DROPPED);
    let replaced: Vec<CloudValue> = replaced.map(CloudValue::from).collect();
    let kept = owner.iter().filter(|(key, _)| !replaced.contains(key)).cloned();
    let mut config: Vec<_> = kept.collect();
    config.extend(needed.into_iter().map(|(key, value)| (text(key), value)));
    config
}

/// Returns the users that cloud-init makes: those of the owner's user-data except for users of the
/// profile, whose password it would lock.
fn users(
    to: &Context<'_>,
    user_data: Option<&CloudValue>,
    cloud_init: &CloudInit,
) -> Vec<CloudValue> {
    let default = cloud_init.config().at(&["system_info", "default_user", "name"]);
    let default = default.and_then(CloudValue::text);
    let mut known: BTreeSet<String> =
        to.cluster.users.iter().map(|account| account.name.clone()).collect();
    known.extend(to.cluster.key_users().into_iter().map(str::to_owned));
    let is_known = |name: &str| {
        let name = name.trim();
        known.contains(if name == "default" { default.as_deref().unwrap_or(name) } else { name })
    };
    entries(user_data.and_then(|config| config.get("users")))
        .into_iter()
        .filter_map(|entry| without_known(entry, &is_known))
        .collect()
}

/// Returns the entries of `users`, which may be a list, a mapping, or names with commas between
/// them (distros/ug_util.py `_normalize_users`).
fn entries(users: Option<&CloudValue>) -> Vec<CloudValue> {
    match users {
        Some(CloudValue::List(list)) => list.clone(),
        Some(names @ CloudValue::Text(_)) => vec![names.clone()],
        Some(CloudValue::Map(users)) => users
            .iter()
            .filter_map(|(name, settings)| match settings {
                CloudValue::Map(settings) => {
                    let mut entry = settings.clone();
                    entry.retain(|(key, _)| *key != *"name");
                    entry.push((CloudValue::from("name"), name.clone()));
                    Some(CloudValue::Map(entry))
                }
                other if other.is_true() => name.text().map(CloudValue::Text),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Returns an entry of `users` without the users that are known; `None` if nobody is left.
fn without_known(entry: CloudValue, is_known: &dyn Fn(&str) -> bool) -> Option<CloudValue> {
    match entry {
        CloudValue::Text(names) => {
            let left: Vec<&str> = names.split(',').filter(|name| !is_known(name)).collect();
            (!left.is_empty()).then(|| CloudValue::Text(left.join(",")))
        }
        CloudValue::List(mut names) => {
            names.retain(|name| !name.text().is_some_and(|name| is_known(&name)));
            (!names.is_empty()).then_some(CloudValue::List(names))
        }
        CloudValue::Map(_) => {
            // Without a name it is the default user's.
            let name = entry.get("name").and_then(CloudValue::text);
            (!is_known(name.as_deref().unwrap_or("default"))).then_some(entry)
        }
        // cloud-init ignores it.
        _ => None,
    }
}

/// Notes what cloud-init changes with the seed in place. What the user-data in `seed` says comes
/// from the owner's file, which is where the owner can change it.
fn note_changes(
    to: &mut Context<'_>,
    seed: &str,
    user_data: Option<&UserData>,
) -> Result<(), RenderError> {
    let mut edited = Edited::new(to.system);
    edited.apply(&to.rendered.edits)?;
    let model = first_boot::model(&edited)?;
    let Some(cloud_init) = model.cloud_init() else { return Ok(()) };
    let written = edited.read_text(seed)?.unwrap_or_default();
    let place = |at: &Location, what: &str| match user_data {
        Some(own) if at.path == seed => {
            let key = written.lines().nth(at.line.wrapping_sub(1)).unwrap_or_default();
            Location::new(&own.path, line_of(&own.text, key, what)).to_string()
        }
        _ => at.to_string(),
    };
    let mut notes = BTreeSet::new();
    for change in cloud_init.changes() {
        let at = place(&change.location, &change.text);
        notes.insert((change.module.to_string(), change.text.to_string(), at));
    }
    let unread = cloud_init.unreadable().iter().map(|(at, why)| Note::CloudInitUnread {
        at: place(at, ""),
        why: why.clone(),
        is_off: false,
    });
    let off = cloud_init.off().map(|off| Note::CloudInitStaysOff { why: off.to_string() });
    let changes =
        notes.into_iter().map(|(module, what, at)| Note::CloudInitChanges { module, what, at });
    let mut notes: Vec<Note> = off.into_iter().chain(changes).chain(unread).collect();
    let given = cloud_init.passwords();
    let users = given.iter().filter_map(|one| match cloud_default_password(one)? {
        DefaultPassword::Empty => Some((one.user.clone(), None)),
        DefaultPassword::Word(word) => Some((one.user.clone(), Some(word.to_owned()))),
    });
    let users: Vec<_> = users.collect();
    if !users.is_empty() {
        notes.push(Note::DefaultPasswords { users });
    }
    for note in notes {
        to.note(note);
    }
    Ok(())
}

/// Returns the line of the owner's user-data that says what a line of the seed says, each of
/// which begins with a key: the line with the command, where it runs one, or else that of the
/// key. 0 stands for no line.
fn line_of(text: &str, written: &str, what: &str) -> usize {
    let key = written.split(':').next().unwrap_or_default();
    let key = key.trim_matches('"');
    let begins = |line: &str| {
        let line = line.trim_start_matches(['{', '"', '\'', ' ']);
        line.strip_prefix(key)
            .is_some_and(|rest| rest.trim_start_matches(['"', '\'']).trim_start().starts_with(':'))
    };
    let Some(first) = text.lines().position(begins).filter(|_| !key.is_empty()) else { return 0 };
    let command = what.split('`').nth(1).filter(|command| !command.is_empty());
    let inner = command.and_then(|command| {
        let mut lines = text.lines().enumerate().skip(first);
        lines.find(|(_, line)| line.contains(command)).map(|(index, _)| index)
    });
    inner.unwrap_or(first) + 1
}
