//! A node's card as file edits: what all nodes share, and what is each node's own.

mod accounts;
mod clock;
mod cloud_init;
mod context;
mod extra_files;
mod first_boot;
mod hosts;
mod identity;
mod network;
mod passwords;
mod ssh;
mod swarm;
mod text;
mod units;

use std::{fmt, path::PathBuf};

use cluster_keys::{ClusterKeys, KeyError};

use crate::{Attributes, Cluster, FileEdit, Node, SystemError, SystemFiles};
use context::Context;
pub use identity::made_anew;
pub use network::network_back_end;
pub use passwords::default_password_notes;
pub use swarm::SWARM_STATUS;

/// What becomes of a system's files, and what the user should know about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The edits, to be made in this order.
    pub edits: Vec<FileEdit>,
    /// What the user should know.
    pub notes: Vec<Note>,
}

/// Something about the image or the profile that the user should know, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    hindrance: bool,
}

impl Note {
    /// Whether it is about a setting that keeps the card from working as the profile
    /// says, which nodecard leaves as it is.
    pub fn is_hindrance(&self) -> bool {
        self.hindrance
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The system in an image cannot be made what the profile says.
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
    #[error(
        "the image has no {path}: is its root partition the right one? (`root:` picks another)"
    )]
    NoLinux {
        /// The missing file.
        path: &'static str,
    },
    /// The image does not know a user whom the profile names.
    #[error(
        "`{key}` names {user}, whom the image's /etc/passwd does not know; users that can log \
         in there: {known}"
    )]
    UnknownUser {
        /// The profile's key: `ssh.users`, `users` or `swarm`.
        key: &'static str,
        /// The name in the profile.
        user: String,
        /// Those who can log in, with commas between.
        known: String,
    },
    /// A user's home is no place for keys.
    #[error(
        "{user} has no home directory in the image (/etc/passwd says {home:?}); take {user} out of \
         `{key}`, or give the image's user a home"
    )]
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
         `x`; run pwconv in the base image"
    )]
    NotShadowed {
        /// The user.
        user: String,
    },
    /// The owner of a further file is not known in the image.
    #[error(
        "`files` gives {path} to the {kind} {name}, whom the image's {table} does not know; use a \
         name from there, or numbers as in 1000:1000"
    )]
    UnknownOwner {
        /// The further file.
        path: String,
        /// `user` or `group`.
        kind: &'static str,
        /// The name, or number, in the profile.
        name: String,
        /// Where it was looked for.
        table: &'static str,
    },
    /// The profile has a swarm, and the image no Docker.
    #[error(
        "the profile has a `swarm`, but the image has no Docker (/usr/bin/dockerd); install it in \
         the base image, or remove `swarm`"
    )]
    NoDocker,
    /// Docker in the image is set so that it makes no swarm.
    #[error(
        "/etc/docker/daemon.json in the image sets live-restore, with which Docker makes no swarm; \
         change it in the base image, or give the file under `files`"
    )]
    LiveRestore,
    /// An archive of images is for another processor than the image.
    #[error(
        "{}: the image {image} in it is for {architecture}, the base image for {system}; save it \
         on a machine like the nodes, or with `docker pull --platform linux/{system}` before", archive.display()
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
    /// Nothing in the image would set a static address.
    #[error(
        "nothing in the image can give {interface} its address; looked for netplan \
         (/etc/netplan/*.yaml), an enabled NetworkManager that manages Ethernet, ifupdown \
         (/etc/network/interfaces and /sbin/ifup) and an enabled systemd-networkd; enable one of \
         them in the base image"
    )]
    NoNetwork {
        /// The interface of the profile.
        interface: String,
    },
}

/// The edits that are the same on every node's card.
///
/// `now` is the time of the build in seconds since 1970.
///
/// # Errors
/// [`RenderError`].
pub fn render_shared(
    cluster: &Cluster,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Rendered, RenderError> {
    let mut to = Context::new(cluster, keys, system, now);
    first_boot::disarm(&mut to)?;
    cloud_init::disarm(&mut to)?;
    identity::forget(&mut to)?;
    hosts::note_dropped(&mut to)?;
    network::shared(&mut to)?;
    ssh::shared(&mut to)?;
    passwords::write(&mut to)?;
    swarm::shared(&mut to)?;
    clock::stamp(&mut to)?;
    extra_files::check(&mut to, &cluster.files)?;
    Ok(to.rendered)
}

/// The edits that make a card this node's, after [`render_shared`]'s.
///
/// # Errors
/// [`RenderError`].
pub fn render_node(
    cluster: &Cluster,
    node: &Node,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Rendered, RenderError> {
    let mut to = Context::new(cluster, keys, system, now);
    // Before the host name: /etc/hosts is rid of the name that the base has.
    hosts::write(&mut to, node)?;
    to.write("/etc/hostname", format!("{}\n", node.name), Attributes::root(0o644));
    identity::give(&mut to, node);
    network::node(&mut to, node)?;
    ssh::node(&mut to, node)?;
    swarm::node(&mut to, node)?;
    // Written here although all nodes have them: they have the last word, and what
    // is written before must not depend on them.
    extra_files::write(&mut to, &cluster.files)?;
    extra_files::check(&mut to, &node.files)?;
    extra_files::write(&mut to, &node.files)?;
    Ok(to.rendered)
}
