//! The one place where notes are put in words.

use std::fmt;

use system_model::Effect;

use super::{Note, NoteKind};

impl Note {
    /// Returns what was disarmed or removed, to follow that word, in short; or the whole note.
    pub fn subject(&self) -> String {
        let text = match self {
            // What it does implies what it would have changed.
            Note::Disarmed { program, at, what, .. } => Note::Disarmed {
                program: program.clone(),
                at: at.clone(),
                what: what.clone(),
                effects: Vec::new(),
            }
            .words(),
            other => other.words(),
        };
        let word = match self.kind() {
            NoteKind::Disarmed => "disarmed ",
            NoteKind::Removed => "removed ",
            _ => "",
        };
        plain_text::escaped(text.strip_prefix(word).unwrap_or(&text))
    }

    /// Returns what to do about it, if something should be done.
    pub fn fix(&self) -> Option<String> {
        let fix = match self {
            Note::DefaultPasswords { users } => {
                let line = |(user, _): &(String, _)| format!("{user}: {{password: 'HASH'}}");
                let lines: Vec<String> = users.iter().map(line).collect();
                format!(
                    "set `users: {{{}}}` in the profile, with hashes from `nodecard password`; or \
                     `{{locked: true}}` for users who log in by key only",
                    lines.join(", ")
                )
            }
            Note::UserOfCloudInit { user } => {
                format!("to create it on the cards, set `users: {{{user}: {{create: true}}}}`")
            }
            Note::RemovedHosts { .. } => {
                "to keep the name, add it to `hosts` in the profile".to_owned()
            }
            Note::KeysLeft { user, .. } => format!(
                "add {user} to `ssh.users` to replace the key with the cluster's, or remove it \
                 from the base image"
            ),
            Note::KeyLineUnknown { authorized_keys, .. } => {
                format!("check {authorized_keys} of the base image for the line of that key")
            }
            Note::DropbearKeepsHostKeys { .. } => {
                "install openssh-server, or dropbear 2020.79 or later, in the base image".to_owned()
            }
            Note::ShadowReadable => "run chmod 640 /etc/shadow in the base image".to_owned(),
            Note::HashUnsupported { .. } => "make a hash with `nodecard password`".to_owned(),
            Note::OtherInterfaces { .. } | Note::UnknownInterface { .. } => {
                "if the nodes name their interface differently, correct `interface` in the profile"
                    .to_owned()
            }
            Note::MayBeRenamed { .. } => {
                "if the nodes' interface gets that name, correct `interface` in the profile; \
                 otherwise remove the line from the base image"
                    .to_owned()
            }
            Note::IfupReadsLess { .. } => "correct the line in the base image".to_owned(),
            Note::OtherAddress { .. } => "remove it from the base image".to_owned(),
            Note::RootOverlay(verdict) => {
                return Some(format!("if that is not intended, {}", verdict.fix()));
            }
            Note::NoNameServer => "add `dns` to `network` in the profile".to_owned(),
            Note::KnownHostsElsewhere { .. } => {
                "change the line in the base image, or with `files`".to_owned()
            }
            Note::NoSudo { .. } => "install sudo in the base image".to_owned(),
            Note::SudoersNotRead { .. } => {
                "add `@includedir /etc/sudoers.d` to /etc/sudoers of the base image".to_owned()
            }
            _ => return None,
        };
        Some(plain_text::escaped(&fix))
    }

    fn words(&self) -> String {
        match self {
            Note::Disarmed { program, at, what, effects } => {
                let at = at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
                let effects = match effects.as_slice() {
                    [] => String::new(),
                    effects => format!("; it would have changed {}", effects_in_words(effects)),
                };
                format!("disarmed {program}{at}, which {what}{effects}")
            }
            Note::CloudInitOff { effects } => format!(
                "disarmed cloud-init (/etc/cloud/cloud-init.disabled), which would have changed \
                 {}; its user-data and commands have no effect on the cards",
                effects_in_words(effects)
            ),
            Note::UserOfCloudInit { user } => format!(
                "the user {user} does not exist on the cards: only cloud-init would have created \
                 it, at the first boot"
            ),
            Note::CloudInitChanges { module, what, at } => {
                format!("cloud-init (module {module}) {what}, as {at} says")
            }
            Note::CloudInitStaysOff { why } => {
                format!("`cloud_init: keep` has no effect: {why} turns cloud-init off")
            }
            Note::RemovedAutologin { path } => {
                format!("removed {path}, which logged root in without a password")
            }
            Note::RemovedKeys { user, paths } => format!(
                "removed {}, the image's own key of {user}, and its authorized_keys line",
                paths.join(", ")
            ),
            Note::RemovedKeyLines { user, path, keys } => {
                let (lines, those) = match keys.len() {
                    1 => ("line", "that key"),
                    _ => ("lines", "those keys"),
                };
                format!(
                    "removed the {lines} of {} from {path}: everyone who has the image has \
                     {those}, and could log in as {user}",
                    keys.join(", ")
                )
            }
            Note::RemovedImageKeys { path } => {
                format!("removed keys of the image from {path}, as `ssh.image_keys` says")
            }
            Note::RemovedObstacle { path } => {
                format!("removed {path}, a file where sshd needs a directory")
            }
            Note::RemovedWriteAccess { path } => {
                format!("removed write access for others from {path}, as sshd requires")
            }
            Note::RemovedNetworkFile { path, interface } => format!(
                "removed {path}, which would take precedence over the static address of {interface}"
            ),
            Note::MaskedNetworkFile { path, interface } => format!(
                "masked {path}, which would take precedence over the static address of {interface}"
            ),
            Note::RemovedNetworkLine { line, path, interface } => format!(
                "removed `{line}` from {path}: it would give {interface} another address than the \
                 profile's"
            ),
            Note::RemovedIpv6 { path, interface } => format!(
                "removed the static IPv6 address of {interface} from {path}, because all nodes \
                 would have it"
            ),
            Note::RemovedHosts { address, names } => format!(
                "removed {address} {} from /etc/hosts of the image: the address now belongs to a \
                 node",
                names.join(" ")
            ),
            Note::RemovedSwarm => {
                "removed the swarm from the image, because the profile has no `swarm`".to_owned()
            }
            Note::PasswordChangeDropped { user, path } => format!(
                "the image demands a new password for {user} at the first login, and rejects \
                 commands over ssh until then; this was removed from {path}, and the password stays as it is"
            ),
            Note::LoginCorrected { user, what, how } => {
                format!("{what}, which keeps {user} out: {how}")
            }
            Note::SshServerEnabled { program, unit } => {
                format!("{program} does not start at boot in the image: enabled {unit}")
            }
            Note::RivalKeptOff { interface, chosen, other } => format!(
                "{interface} gets its address from {chosen}; {other}, which the image also \
                 configures for {interface}, now leaves it alone"
            ),
            Note::DhcpcdKeptOff { interface, path } => {
                format!("configured dhcpcd to leave {interface} alone ({path})")
            }
            Note::DefaultPasswords { users } => {
                let user = |(user, word): &(String, Option<String>)| match word {
                    Some(word) => format!("{user} (`{word}`)"),
                    None => format!("{user} (no password)"),
                };
                let users: Vec<String> = users.iter().map(user).collect();
                format!("default passwords still set: {}", users.join(", "))
            }
            Note::KeysLeft { user, paths } => format!(
                "the image contains {}, a key that everyone with the image has; it was kept, \
                 because `ssh.users` does not name {user}",
                paths.join(", ")
            ),
            Note::DropbearKeepsHostKeys { program } => format!(
                "{program} is too old for ed25519 host keys: it keeps those of the image, which \
                 are the same on every card and not in the known hosts"
            ),
            Note::KeyLineUnknown { path, .. } => format!(
                "could not detect which line authorizes {path}, because there is no .pub file \
                 beside it"
            ),
            Note::ShadowReadable => {
                "every user can read the password hashes in /etc/shadow of the image".to_owned()
            }
            Note::HashUnsupported { user, prefix } => format!(
                "the image's libcrypt is glibc's, which does not support {prefix} hashes: {user} \
                 could not log in with a password"
            ),
            Note::FileReplaces { path } => {
                format!("`files` replaces {path}, which nodecard would write itself")
            }
            Note::FileReplacesPasswords => {
                "`files` replaces /etc/shadow, so the passwords under `users` have no effect"
                    .to_owned()
            }
            Note::FileAttribute { path, given, other, becomes } => format!(
                "{path} exists in the image; the profile sets its {given} but not its {other}, \
                 which becomes {becomes}"
            ),
            Note::FileOnFat { path } => format!(
                "{path} is on a FAT partition, which does not store owners and modes: those in \
                 the profile have no effect"
            ),
            Note::FilesHidden { point, at, paths } => {
                let (named, more) = paths.split_at(paths.len().min(2));
                let and_more = match more.len() {
                    0 => String::new(),
                    1 => " and 1 more file".to_owned(),
                    count => format!(" and {count} more files"),
                };
                format!(
                    "another filesystem is mounted on {point} at boot ({at}), which hides {}\
                     {and_more}",
                    named.join(", ")
                )
            }
            Note::RootOverlay(verdict) => verdict.to_string(),
            Note::ConnectionLowered { path, interface } => format!(
                "lowered the priority of {path}: NetworkManager could have picked it for \
                 {interface} instead of the node's address"
            ),
            Note::EthernetProfile { interface } => format!(
                "{interface} gets an Ethernet profile in NetworkManager, which has no effect if it \
                 is Wi-Fi or a bridge"
            ),
            Note::NetplanBuildsOn { interface, names } => format!(
                "netplan in the image builds {} on {interface}, which now has the node's address \
                 itself: they will not have one",
                names.join(", ")
            ),
            Note::OtherInterfaces { interface, others } => {
                format!("the image configures {}, but not {interface}", others.join(", "))
            }
            Note::UnknownInterface { interface } => {
                format!("no network configuration in the image names {interface}")
            }
            Note::MayBeRenamed { interface, new, at } => {
                let new = new.as_deref().unwrap_or("differently");
                format!("{interface} may be named {new} at boot{}", place(Some(at)))
            }
            Note::IfupReadsLess { what, at } => format!("ifup {what}{}", place(Some(at))),
            Note::StanzaLeft { stanza, path, interface } => {
                format!("`{stanza}` in {path} also uses {interface}; it was left as it is")
            }
            Note::OtherAddress { interface, what, at } => {
                format!("{interface} also gets an address from {what}{}", place(at.as_ref()))
            }
            Note::NoNameServer => {
                "the profile names no name server (`dns` in `network`), and static addresses come \
                 without one: only names in /etc/hosts can be resolved"
                    .to_owned()
            }
            Note::EvenManagers { managers } => format!(
                "the swarm has {managers} managers; it works while more than half of them do, so \
                 {} would be as reliable",
                managers - 1
            ),
            Note::ImagePulled { image, service } => format!(
                "the nodes pull {image}, the image of the service {service}, from its registry, \
                 because no archive in `swarm.images` contains it"
            ),
            Note::UnknownProcessor => {
                "could not detect the processor of the base image, so `swarm.images` may be for \
                 another one"
                    .to_owned()
            }
            Note::OtherProcessor { image, architecture, system } => {
                format!("{image} is for {architecture}, but the base image is for {system}")
            }
            Note::MayKeepOut { user, what, at } => {
                format!("{user} may be kept from logging in by key: {what}{}", place(at.as_ref()))
            }
            Note::KnownHostsElsewhere { path, line } => {
                format!("{path} in the image sets `{line}`, so ssh will not know the other nodes")
            }
            Note::ArgumentStays { argument, path } => format!(
                "`boot.cmdline` cannot remove {argument} from {path}: boot.scr is compiled from \
                 that file"
            ),
            Note::ArgumentComesBack { argument, path } => format!(
                "`boot.cmdline` removes {argument}, but {path} in the image adds it again at every \
                 update of the kernel"
            ),
            Note::ConfigOverwritten { path } => format!(
                "{path} in the image writes config.txt anew at every update of the kernel, without \
                 the lines of `boot.config`"
            ),
            Note::NoPlaceForArguments { path } => {
                format!("`boot.cmdline` has no effect in {path}: nodecard found no place for it")
            }
            Note::NoSudo { user } => {
                format!("`users` lets {user} use sudo, but the image has no /usr/bin/sudo")
            }
            Note::SudoersNotRead { user } => format!(
                "/etc/sudoers in the image does not read /etc/sudoers.d, so {user} cannot use sudo \
                 without a password"
            ),
            Note::NotDisarmed { program, at, what, effects } => format!(
                "{program} ({at}) {what} when a card boots and changes {}; nodecard cannot disarm \
                 it here",
                effects_in_words(effects)
            ),
            Note::MayChange { program, at_login, effects, only_names, at, line } => {
                let line = line.as_ref().map(|line| format!(": {line}")).unwrap_or_default();
                let when = if *at_login { "somebody logs in" } else { "a card boots" };
                let effects = effects_in_words(effects);
                match only_names {
                    false => {
                        format!(
                            "{program} runs when {when} and seems to change {effects} ({at}{line})"
                        )
                    }
                    true => format!(
                        "{program} runs when {when}, names {effects} and writes files, so it may \
                         change that ({at}{line})"
                    ),
                }
            }
            Note::CloudInitUnread { at, why, is_off: true } => format!(
                "cloud-init reads {at}, which nodecard cannot check ({why}); it is turned off by \
                 /etc/cloud/cloud-init.disabled"
            ),
            Note::CloudInitUnread { at, why, is_off: false } => format!(
                "cloud-init reads {at}, which nodecard cannot check ({why}), so it may change more \
                 when a card boots"
            ),
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&plain_text::escaped(&self.words()))
    }
}

fn place(at: Option<&(String, usize)>) -> String {
    at.map(|(path, line)| format!(" ({path}, line {line})")).unwrap_or_default()
}

/// Returns effects as a list in words.
fn effects_in_words(effects: &[Effect]) -> String {
    let effects: Vec<String> = effects.iter().map(ToString::to_string).collect();
    match effects.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_one_line_without_control_characters() {
        let note = Note::StanzaLeft {
            stanza: "iface br0\x1b[2J".into(),
            path: "/etc/network/interfaces".into(),
            interface: "eth0".into(),
        };
        assert_eq!(
            note.to_string(),
            "`iface br0\\u{1b}[2J` in /etc/network/interfaces also uses eth0; it was left as it is"
        );
        assert_eq!(note.fix(), None);
    }

    #[test]
    fn the_subject_follows_the_word_of_its_kind() {
        let note = Note::RemovedAutologin { path: "/etc/a.conf".into() };
        assert_eq!(note.kind(), NoteKind::Removed);
        assert_eq!(note.subject(), "/etc/a.conf, which logged root in without a password");
        assert_eq!(note.to_string(), format!("removed {}", note.subject()));
        let disarmed = Note::Disarmed {
            program: "resize.service".into(),
            at: None,
            what: "grows the root partition".into(),
            effects: vec![Effect::HostKeys],
        };
        assert_eq!(disarmed.subject(), "resize.service, which grows the root partition");
        assert!(disarmed.to_string().contains("; it would have changed"), "{disarmed}");
        let disarmed = Note::CloudInitOff { effects: vec![Effect::HostKeys] };
        assert_eq!(disarmed.to_string(), format!("disarmed {}", disarmed.subject()));
    }

    #[test]
    fn default_passwords_come_with_the_lines_that_set_others() {
        let users = vec![("root".to_owned(), Some("odroid".to_owned())), ("pi".to_owned(), None)];
        let note = Note::DefaultPasswords { users };
        assert_eq!(
            note.to_string(),
            "default passwords still set: root (`odroid`), pi (no password)"
        );
        let fix = note.fix().expect("a fix");
        assert!(fix.contains("users: {root: {password: 'HASH'}, pi: {password: 'HASH'}}"), "{fix}");
    }
}
