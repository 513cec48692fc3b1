//! Why the files of a node cannot be rendered, and what to do about it.

use std::path::PathBuf;

use cluster_keys::KeyError;
use system_model::NotStarted;

use super::OverlayVerdict;
use crate::SystemError;

/// The files of a node cannot be rendered for the system in an image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A file of the image cannot be read.
    #[error(transparent)]
    System(#[from] SystemError),
    /// The cluster's keys lack one.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The image has no file that every Linux system has.
    #[error("the image has no {path}, which every Linux system has")]
    NoLinux {
        /// The missing file.
        path: &'static str,
    },
    /// No right card can be made from the system in the image.
    #[error("no card can be made from {name} ({evidence} in the image): {reason}")]
    Unsuitable {
        /// The system.
        name: &'static str,
        /// The file that it was recognized by.
        evidence: &'static str,
        /// Why a card would not be what the profile says.
        reason: &'static str,
    },
    /// The image does not have a user whom the profile names.
    #[error("`{key}` in the profile{} names {user}, but the image has no such user", at(place))]
    UnknownUser {
        /// The profile's key: `ssh.users`, `users` or `swarm`.
        key: &'static str,
        /// The name in the profile.
        user: String,
        /// Those who can log in, joined by commas.
        known: String,
        /// What in the image would only make the user at its first boot.
        maker: Option<String>,
        /// The profile and its line, from 1, if one line names the user.
        place: Option<(PathBuf, usize)>,
    },
    /// A user's number in the image is not the profile's.
    #[error("{user} has the user ID {found} in the image, but {uid} in the profile's `users`")]
    OtherUid {
        /// The user.
        user: String,
        /// The number in the profile.
        uid: u32,
        /// The number in the image.
        found: u32,
    },
    /// The number for a new user is another's.
    #[error("the profile gives {user} the user ID {uid}, which belongs to {owner} in the image")]
    TakenUid {
        /// The user to make.
        user: String,
        /// The number in the profile.
        uid: u32,
        /// The user who has it.
        owner: String,
    },
    /// No number is free for a new user.
    #[error("the image has no free user ID for {user}, which `users` in the profile creates")]
    NoFreeUid {
        /// The user to make.
        user: String,
    },
    /// The image does not have a group that a user joins.
    #[error(
        "`users` in the profile puts {user} in the group {group}, which the image does not have"
    )]
    UnknownGroup {
        /// The user.
        user: String,
        /// The group.
        group: String,
    },
    /// The image does not have a user's shell.
    #[error("`users` in the profile gives {user} the shell {shell}, which the image does not have")]
    NoShell {
        /// The user.
        user: String,
        /// The path of the shell.
        shell: String,
    },
    /// The image has no ssh server, and the profile lets users in by key.
    #[error("the image has no ssh server, so nobody can log in by key")]
    NoSshServer,
    /// The image keeps a user out whom the profile lets in by key.
    #[error("{user} cannot log in by key: {what}{}", in_file(file.as_deref(), *line))]
    KeptOut {
        /// The user.
        user: String,
        /// What keeps the user out.
        what: String,
        /// The file that it comes from.
        file: Option<String>,
        /// Its line, from 1.
        line: Option<usize>,
        /// What to change in the base image.
        fix: String,
    },
    /// A user's home is not a place for keys.
    #[error("{user} has no home directory in the image: /etc/passwd says {home:?}")]
    NoHome {
        /// The profile's key: `ssh.users`, `users` or `swarm`.
        key: &'static str,
        /// The user.
        user: String,
        /// What /etc/passwd says.
        home: String,
    },
    /// A user's password is not where the profile's would go.
    #[error(
        "the password of {user} is not in the image's /etc/shadow: its field in /etc/passwd is not \
         `x`"
    )]
    NotShadowed {
        /// The user.
        user: String,
    },
    /// The image does not have the owner of an extra file.
    #[error(
        "`files` in the profile gives {path} to the {kind} {name}, which the image does not have"
    )]
    UnknownOwner {
        /// The path of the extra file.
        path: String,
        /// `user` or `group`.
        kind: &'static str,
        /// The name, or number, in the profile.
        name: String,
        /// The file where it was looked for.
        table: &'static str,
    },
    /// An extra file is for a boot partition that the image does not have.
    #[error("`files` in the profile names {path}, but the image has no FAT partition for it")]
    NoBootPartition {
        /// The path of the extra file, such as `p1:/config.txt`.
        path: String,
    },
    /// Nothing in the image holds a kernel command line.
    #[error("the image has no kernel command line for the profile's `boot.cmdline` to change")]
    NoCommandLine,
    /// The image has no config.txt.
    #[error("the image has no config.txt, which the profile's `boot.config` changes")]
    NoConfigTxt,
    /// The profile has a swarm, and the image no Docker.
    #[error("the image has no Docker (/usr/bin/dockerd), which the profile's `swarm` needs")]
    NoDocker,
    /// Docker in the image has a setting with which it refuses to make a swarm.
    #[error(
        "/etc/docker/daemon.json in the image sets live-restore, which Docker does not allow in a \
         swarm"
    )]
    LiveRestore,
    /// systemd does not start what a node needs.
    #[error("{what} does not start at boot: {unit} {why}")]
    NotStarted {
        /// What it is, such as `the ssh server`.
        what: &'static str,
        /// Its unit.
        unit: String,
        /// Why it does not start.
        why: Box<NotStarted>,
    },
    /// An overlay over the root filesystem loses what a node needs to keep.
    #[error("{0}")]
    NothingKept(Box<OverlayVerdict>),
    /// An archive of images is for another processor than the image.
    #[error(
        "the image {image} in {} is for {architecture}, but the base image is for {system}",
        archive.display()
    )]
    ImageArchitecture {
        /// The archive.
        archive: PathBuf,
        /// The image's name.
        image: String,
        /// The processor the image is for.
        architecture: String,
        /// The processor the nodes have.
        system: &'static str,
    },
    /// What would set a static address does not start at boot.
    #[error(
        "nothing sets the address of {interface} at boot: {program} is installed, but {unit} is \
         {state}"
    )]
    BackEndOff {
        /// The interface of the profile.
        interface: String,
        /// The program.
        program: &'static str,
        /// Its unit.
        unit: &'static str,
        /// `disabled` or `masked`.
        state: &'static str,
    },
    /// NetworkManager, which would set the address, does not care for the interface.
    #[error("NetworkManager {} ({file}, line {line})", left_alone(*is_managed, interface))]
    LeftAlone {
        /// Whether it manages the interface, but not with nodecard's connection.
        is_managed: bool,
        /// The interface of the profile.
        interface: String,
        /// The file that says so.
        file: String,
        /// Its line.
        line: usize,
    },
    /// The interface gets another name at boot.
    #[error("the interface {interface} will be named {new} by {file}, line {line}")]
    InterfaceRenamed {
        /// The interface of the profile.
        interface: String,
        /// The name that it gets.
        new: String,
        /// The file that says so.
        file: String,
        /// Its line, from 1.
        line: usize,
    },
    /// ifup brings no interface up.
    #[error("{interface} does not come up at boot: ifup {what} ({file}, line {line})")]
    NotBroughtUp {
        /// The interface of the profile.
        interface: String,
        /// What ifup does, as a clause without a subject.
        what: &'static str,
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
    },
    /// Nothing in the image would set a static address.
    #[error("nothing in the image can set the address of {interface}")]
    NoNetwork {
        /// The interface of the profile.
        interface: String,
    },
}

fn left_alone(is_managed: bool, interface: &str) -> String {
    if is_managed {
        format!("may not use nodecard's connection for {interface}")
    } else {
        format!("leaves {interface} alone")
    }
}

fn in_file(file: Option<&str>, line: Option<usize>) -> String {
    match (file, line) {
        (Some(file), Some(line)) => format!(" ({file}, line {line})"),
        (Some(file), None) => format!(" ({file})"),
        (None, _) => String::new(),
    }
}

/// Returns a place in the profile, to follow it.
fn at(place: &Option<(PathBuf, usize)>) -> String {
    place
        .as_ref()
        .map(|(path, line)| {
            format!(" ({}:{line})", plain_text::escaped(&path.display().to_string()))
        })
        .unwrap_or_default()
}

impl RenderError {
    /// Returns what to do about it, if something helps.
    pub fn fix(&self) -> Option<String> {
        match self {
            RenderError::System(error) => error.fix(),
            RenderError::Keys(_) => None,
            RenderError::NoLinux { .. } => {
                Some("check that the right partition is used as the root partition".to_owned())
            }
            RenderError::Unsuitable { .. } => Some(
                "use a base image with Debian, Ubuntu or a system based on them, such as \
                 Raspberry Pi OS, Armbian or DietPi"
                    .to_owned(),
            ),
            RenderError::UnknownUser { user, maker: Some(maker), .. } => Some(format!(
                "create the user on the cards with `users: {{{user}: {{create: true}}}}`; in the \
                 image, only {maker} would create it, at the first boot"
            )),
            RenderError::UnknownUser { key, user, known, maker: None, .. } => Some(format!(
                "name one of these users in `{key}`: {known}; or create the user on the cards \
                 with `users: {{{user}: {{create: true}}}}`"
            )),
            RenderError::OtherUid { .. } | RenderError::TakenUid { .. } => {
                Some("remove `uid` from the profile, or change it".to_owned())
            }
            RenderError::NoFreeUid { .. } => {
                Some("add a `uid` to the user, or raise UID_MAX in /etc/login.defs".to_owned())
            }
            RenderError::UnknownGroup { .. } => {
                Some("use the name of a group in the image's /etc/group".to_owned())
            }
            RenderError::NoShell { .. } => {
                Some("use a shell of the image, or install it in the base image".to_owned())
            }
            RenderError::NoHome { key, user, .. } => Some(format!(
                "remove {user} from `{key}` in the profile, or give {user} a home directory in the \
                 base image"
            )),
            RenderError::NoSshServer => Some(
                "install openssh-server or dropbear in the base image, or remove `ssh.users`, \
                 `authorized_keys` and `swarm` from the profile"
                    .to_owned(),
            ),
            RenderError::KeptOut { fix, .. } => Some(format!("{fix} in the base image")),
            RenderError::NotShadowed { .. } => Some("run pwconv in the base image".to_owned()),
            RenderError::UnknownOwner { table, .. } => {
                Some(format!("use a name from the image's {table}, or numbers, as in 1000:1000"))
            }
            RenderError::NoBootPartition { .. } => Some(
                "give the number of a FAT partition, as in p1:/config.txt, or an absolute path"
                    .to_owned(),
            ),
            RenderError::NoCommandLine => Some(
                "remove `boot.cmdline` from the profile; nodecard knows cmdline.txt, boot.ini, \
                 extlinux.conf, armbianEnv.txt, orangepiEnv.txt and uEnv.txt"
                    .to_owned(),
            ),
            RenderError::NoConfigTxt => Some(
                "remove `boot.config` from the profile: it is for boards that read config.txt, \
                 such as the Raspberry Pi"
                    .to_owned(),
            ),
            RenderError::NoDocker => Some(
                "install Docker in the base image, or remove `swarm` from the profile".to_owned(),
            ),
            RenderError::LiveRestore => Some(
                "remove the setting from the base image, or give the file under `files` in the \
                 profile"
                    .to_owned(),
            ),
            RenderError::NotStarted { unit, why, .. } => Some(plain_text::escaped(&why.fix(unit))),
            RenderError::NothingKept(verdict) => Some(verdict.fix()),
            RenderError::ImageArchitecture { system, .. } => Some(format!(
                "save the image on a machine like the nodes, or pull it first with `docker pull \
                 --platform linux/{system}`"
            )),
            RenderError::BackEndOff { unit, state, .. } => Some(format!(
                "run `systemctl {} {unit}` in the base image",
                if *state == "masked" { "unmask" } else { "enable" }
            )),
            RenderError::LeftAlone { line, file, .. } => {
                Some(format!("remove line {line} of {file} from the base image"))
            }
            RenderError::InterfaceRenamed { new, .. } => Some(format!(
                "set `interface: {new}` in the profile, or remove the line from the base image"
            )),
            RenderError::NotBroughtUp { line, file, .. } => {
                Some(format!("correct or remove line {line} of {file} in the base image"))
            }
            RenderError::NoNetwork { .. } => Some(
                "enable one of these in the base image: netplan (/etc/netplan/*.yaml), \
                 NetworkManager that manages Ethernet, ifupdown (/etc/network/interfaces and \
                 /sbin/ifup), or systemd-networkd"
                    .to_owned(),
            ),
        }
    }
}
