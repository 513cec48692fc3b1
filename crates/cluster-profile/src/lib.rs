//! The profile of a cluster: YAML to a validated cluster, and each of its nodes
//! to the file edits that make a card that node's.
//!
//! [`Cluster::load`] reads a profile and tells everything that is wrong with it,
//! with the places. [`render_shared`] and [`render_node`] look at the system in an
//! image through [`SystemFiles`] and return [`FileEdit`]s: they change nothing.

mod cluster;
mod edit;
mod load;
mod names;
mod passwords;
mod problem;
mod purpose;
mod render;
mod size;
mod swarm;
mod system;
mod yaml;

pub use cluster::{
    Account, BaseSpec, CardSize, Cluster, ExtraFile, Network, Node, Owner, OwnerId, Password, Role,
    Ssh,
};
pub use edit::{Attributes, Change, FileEdit};
pub use passwords::{DefaultPassword, HashError, PasswordHash, default_password};
pub use problem::{Place, Problem, ProfileError};
pub use purpose::{
    ClonedState, ExtraFileKind, FirstBootPart, KeyHalf, NetworkBackEnd, Purpose, SwarmPart,
};
pub use render::{
    Note, RenderError, Rendered, SWARM_STATUS, SwarmState, SwarmStatus, SwarmStep,
    default_password_notes, network_back_end, render_node, render_shared,
};
pub use size::SizeError;
pub use swarm::{
    ArchivedImage, ImageArchive, Mount, MountKind, Protocol, Publish, SWARM_PORT, Service,
    ServiceMode, Swarm,
};
pub use system::{SystemError, SystemFiles};
