//! Cluster profiles: YAML files that describe a cluster of small boards, and the changes to
//! an image that turn a card into one of its nodes.
//!
//! [`Cluster::load`] reads a profile. If the profile has problems, the error lists all of
//! them with their places, like a compiler. [`render_shared`] and [`render_node`] look at the
//! system in an image through [`SystemFiles`] and return [`FileEdit`]s. Neither of them
//! changes anything.
//!
//! # Examples
//!
//! ```
//! use std::path::Path;
//!
//! use cluster_profile::Cluster;
//!
//! let profile = "\
//! cluster: mc1
//! base: xu4-base.img.xz
//! card: 8GB
//! network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}
//! nodes:
//!   - {name: xu4-master, address: 192.168.1.80}
//!   - {name: xu4-node1, address: 192.168.1.81}
//! ";
//! let cluster = Cluster::parse(profile, Path::new("mc1.yaml"))?;
//! assert_eq!(cluster.nodes[1].name, "xu4-node1");
//! assert_eq!(cluster.card.map(|card| card.bytes()), Some(1811 * (4 << 20)));
//!
//! // A problem is shown with its lines of the profile.
//! let wrong = profile.replace("1.81", "1.80");
//! let error = Cluster::parse(&wrong, Path::new("mc1.yaml")).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "\
//! error: two nodes have the address 192.168.1.80
//!  --> mc1.yaml:7:32
//!   |
//! 6 |   - {name: xu4-master, address: 192.168.1.80}
//!   |                                 ------------ first used here
//! 7 |   - {name: xu4-node1, address: 192.168.1.80}
//!   |                                ^^^^^^^^^^^^
//!   |
//!   = help: give each node its own address"
//! );
//! # Ok::<(), cluster_profile::ProfileError>(())
//! ```

mod cluster;
mod edit;
mod load;
mod names;
mod note;
mod passwords;
mod problem;
mod purpose;
mod render;
mod size;
mod swarm;
mod yaml;
mod yaml_cause;

/// The JSON schema of profiles, draft 2020-12, for editors. [`Cluster::parse`] accepts no profile
/// that the schema rejects, and finds more.
pub const PROFILE_SCHEMA: &str = include_str!("profile.schema.json");

pub use cluster::{
    Account, BaseSpec, Boot, CardSize, CloudInitChoice, Cluster, ExtraFile, ImageKeyPolicy,
    Network, Node, Owner, OwnerId, Password, Role, Ssh, UserData,
};
pub use edit::{Attributes, Change, FileEdit};
pub use note::{Note, NoteKind};
pub use passwords::{
    DefaultPassword, HashError, PasswordHash, cloud_default_password, default_password,
};
pub use problem::{Diagnostics, NotAProfile, Place, Problem, ProfileError, RelatedPlace};
pub use purpose::{
    AccountPart, BootPart, ClonedState, ExtraFileKind, FirstBootPart, KeyHalf, NetworkBackEnd,
    Purpose, SwarmPart,
};
pub use render::{
    CardObstacle, IdentityPart, KeptAddress, LoginHindrance, Neutral, OverlayVerdict, RemovedPart,
    RenderError, Rendered, RivalAddress, SSH_SERVER, SWARM_STATUS, SwarmState, SwarmStatus,
    SwarmStep, card_obstacles, default_password_notes, login_hindrances, network_back_end,
    obstacles_on_card, part_of, render_neutral, render_node, render_node_regardless, render_shared,
    render_shared_on_card, render_shared_regardless, rival_addresses,
};
pub use size::SizeError;
pub use swarm::{
    ArchivedImage, ImageArchive, Mount, MountKind, Protocol, Publish, SWARM_PORT, Service,
    ServiceMode, Swarm,
};
pub use system_model::{Effect, SystemError, SystemFiles, docker::is_installed as has_docker};
