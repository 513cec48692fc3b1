//! A node's card as file edits: those that all nodes share, and each node's own.

mod accounts;
mod boot;
mod clock;
mod cloud_init;
mod cloud_seed;
mod context;
mod edited;
mod error;
mod extra_files;
mod first_boot;
mod hidden;
mod hosts;
mod identity;
mod links;
mod network;
mod neutral;
mod passwords;
mod refused;
mod root_overlay;
mod ssh;
mod starts;
mod swarm;
mod text;
mod units;
mod users;

use std::cell::RefCell;

use cluster_keys::ClusterKeys;

use crate::{
    Attributes, BootPart, Cluster, FileEdit, FirstBootPart, Node, Note, Purpose, SystemError,
    SystemFiles,
};
use context::Context;
use edited::Edited;
pub use error::RenderError;
use links::Attempt;
pub use network::{RivalAddress, network_back_end, rival_addresses};
pub use neutral::{IdentityPart, KeptAddress, Neutral, RemovedPart, part_of, render_neutral};
pub use passwords::default_password_notes;
pub use refused::CardObstacle;
use refused::{Obstacles, Refused};
pub use root_overlay::OverlayVerdict;
pub use ssh::{LoginHindrance, login_hindrances};
pub use starts::SSH_SERVER;
pub use swarm::{SWARM_STATUS, SwarmState, SwarmStatus, SwarmStep};
use system_model::BootModel;

/// The edits of a system's files, and what the user should know about them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rendered {
    /// The edits, to be made in this order.
    pub edits: Vec<FileEdit>,
    /// What the user should know.
    pub notes: Vec<Note>,
}

/// Returns the edits that are the same on every node's card.
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
    or_obstacle(shared(cluster, Start::Base, keys, system, now)?)
}

/// The same for a card that is one node's already: what only matters on the cards of others is
/// no obstacle.
///
/// # Errors
/// [`RenderError`].
pub fn render_shared_on_card(
    cluster: &Cluster,
    node: &Node,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Rendered, RenderError> {
    or_obstacle(shared(cluster, Start::Card(node), keys, system, now)?)
}

/// The same for a card in use, beside what surely keeps a user of the profile out and cannot be
/// removed: for whoever reports that, and everything else with it. Keys whose private half is on
/// the card may be its owner's and stay; those of the base image are for the caller to know.
///
/// # Errors
/// [`RenderError`].
pub fn render_shared_regardless(
    cluster: &Cluster,
    node: &Node,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<(Rendered, Option<RenderError>), RenderError> {
    shared(cluster, Start::InUse(node), keys, system, now)
}

/// Returns all reasons why no cards can be made for these nodes from a system without any edits.
/// What cannot be rendered is left out, and everything else goes on.
///
/// # Errors
/// [`RenderError`] if the system cannot be read.
pub fn card_obstacles(
    cluster: &Cluster,
    nodes: &[&Node],
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Vec<CardObstacle>, RenderError> {
    obstacles(cluster, None, nodes, keys, system, now)
}

/// Returns all reasons why a card that is one node's already cannot be made right: what only
/// matters on the cards of others is none.
///
/// # Errors
/// [`RenderError`] if the system cannot be read.
pub fn obstacles_on_card(
    cluster: &Cluster,
    node: &Node,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Vec<CardObstacle>, RenderError> {
    let mut found = obstacles(cluster, Some(node), &[node], keys, system, now)?;
    // There is no other node whose they could be.
    found.iter_mut().for_each(|one| one.nodes.clear());
    Ok(found)
}

fn obstacles(
    cluster: &Cluster,
    node_of_card: Option<&Node>,
    nodes: &[&Node],
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Vec<CardObstacle>, RenderError> {
    if let Some(unsuitable) = unsuitable(system)? {
        return Ok(vec![CardObstacle { reason: unsuitable, nodes: Vec::new() }]);
    }
    let mut found = Obstacles::default();
    let collect =
        |system: &dyn SystemFiles,
         render: &dyn Fn(&dyn SystemFiles, &mut Refused) -> Result<Attempt, RenderError>| {
            // What is rendered last counts: before, symlinks may have been in the way.
            let kept = RefCell::new(Vec::new());
            let attempt = links::without_foreign_links(system, |system| {
                let mut refused = Refused::All(Vec::new());
                let attempt = render(system, &mut refused)?;
                kept.replace(refused.into_all());
                Ok(attempt)
            });
            attempt.map(|(rendered, obstacle)| {
                let reasons: Vec<RenderError> =
                    kept.into_inner().into_iter().chain(obstacle).collect();
                (rendered, reasons)
            })
        };
    let (shared, reasons) = collect(system, &|system, refused| {
        let start = node_of_card.map_or(Start::Base, Start::Card);
        shared_edits(cluster, start, keys, system, now, refused)
    })?;
    for reason in reasons {
        found.add(with_maker(reason, cluster, system), None);
    }
    let mut edited = Edited::new(system);
    edited.apply(&shared.edits)?;
    for node in nodes {
        let (_, reasons) = collect(&edited, &|system, refused| {
            node_edits(cluster, node, keys, system, now, refused)
        })?;
        for reason in reasons {
            found.add(reason, Some(&node.name));
        }
    }
    Ok(found.into_list(nodes.len()))
}

fn unsuitable(system: &dyn SystemFiles) -> Result<Option<RenderError>, SystemError> {
    let found = system_model::unsuitable(system)?;
    Ok(found.map(|system_model::Unsuitable { name, evidence, reason }| RenderError::Unsuitable {
        name,
        evidence,
        reason,
    }))
}

fn or_obstacle((rendered, obstacle): Attempt) -> Result<Rendered, RenderError> {
    obstacle.map_or(Ok(rendered), Err)
}

/// What the edits begin with.
#[derive(Clone, Copy)]
enum Start<'a> {
    /// The base image.
    Base,
    /// A card that is this node's.
    Card(&'a Node),
    /// A card of this node's, with what its owner has changed since.
    InUse(&'a Node),
}

fn shared(
    cluster: &Cluster,
    start: Start<'_>,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Attempt, RenderError> {
    if let Some(unsuitable) = unsuitable(system)? {
        return Err(unsuitable);
    }
    let rendered = links::without_foreign_links(system, |system| {
        shared_edits(cluster, start, keys, system, now, &mut Refused::First)
    });
    rendered.map_err(|error| with_maker(error, cluster, system))
}

/// Adds to the error of an unknown user who would make that user at the first boot, and which line
/// of the profile names the user.
fn with_maker(mut error: RenderError, cluster: &Cluster, system: &dyn SystemFiles) -> RenderError {
    if let RenderError::UnknownUser { key, user, maker, place, .. } = &mut error {
        if *key == "ssh.users" {
            let lines = cluster.ssh.users.iter().zip(&cluster.ssh.user_lines);
            let line = lines.into_iter().find(|(name, _)| *name == user).map(|(_, line)| *line);
            *place = line.map(|line| (cluster.path.clone(), line));
        }
        let found = first_boot::model(system);
        *maker = found.and_then(|model| first_boot::maker_of(&model, system, user)).ok().flatten();
    }
    error
}

/// Returns the edits that all nodes share, and what keeps a user of the profile out.
fn shared_edits(
    cluster: &Cluster,
    start: Start<'_>,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
    refused: &mut Refused,
) -> Result<Attempt, RenderError> {
    let overlay = users::Overlay::new(cluster, system, refused)?;
    let mut to = Context::new(cluster, keys, &overlay, now);
    to.refused = std::mem::take(refused);
    to.is_in_use = matches!(start, Start::InUse(_));
    let node = match start {
        Start::Base => None,
        Start::Card(node) | Start::InUse(node) => Some(node),
    };
    users::write(&mut to, &overlay)?;
    let model = first_boot::model(system)?;
    first_boot::disarm(&mut to, &model)?;
    cloud_init::disarm(&mut to, &model)?;
    to.go_on(boot::write)?;
    let model = after_edits(&to, model)?;
    identity::forget(&mut to)?;
    hosts::note_dropped(&mut to)?;
    let chosen = to.go_on(|to| network::shared(to, &model).map(Some))?;
    to.go_on(|to| ssh::shared(to, &model))?;
    to.go_on(passwords::write)?;
    to.go_on(swarm::shared)?;
    let obstacle = ssh::let_in(&mut to, node)?;
    let lost = root_overlay::check(&mut to)?;
    let obstacle = to.refused.first(obstacle, lost)?;
    let off = starts::check(&mut to, chosen)?;
    let obstacle = to.refused.first(obstacle, off)?;
    clock::stamp(&mut to)?;
    extra_files::check(&mut to, &cluster.files)?;
    hidden::note(&mut to)?;
    first_boot::note_unknown(&mut to)?;
    *refused = to.refused;
    Ok((to.rendered, obstacle))
}

/// Returns the edits that make a card this node's, after those of [`render_shared`].
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
    let attempt = links::without_foreign_links(system, |system| {
        node_edits(cluster, node, keys, system, now, &mut Refused::First)
    });
    or_obstacle(attempt?)
}

/// The same, even if the system surely keeps the node's interface from its address: for whoever
/// reports that, and everything else with it.
///
/// # Errors
/// [`RenderError`].
pub fn render_node_regardless(
    cluster: &Cluster,
    node: &Node,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
) -> Result<Rendered, RenderError> {
    let attempt = links::without_foreign_links(system, |system| {
        node_edits(cluster, node, keys, system, now, &mut Refused::First)
    });
    attempt.map(|(rendered, _)| rendered)
}

/// Returns what starts with the kernel's command line as it is after the edits.
fn after_edits(to: &Context<'_>, model: BootModel) -> Result<BootModel, RenderError> {
    let is_command_line = |edit: &FileEdit| {
        matches!(
            edit.purpose,
            Purpose::Boot(BootPart::CommandLine) | Purpose::FirstBoot(FirstBootPart::CommandLine)
        )
    };
    if !to.rendered.edits.iter().any(is_command_line) {
        return Ok(model);
    }
    Ok(first_boot::model(&to.edited()?)?)
}

/// Returns a node's edits, and what surely keeps its interface from its address.
fn node_edits(
    cluster: &Cluster,
    node: &Node,
    keys: &ClusterKeys,
    system: &dyn SystemFiles,
    now: u64,
    refused: &mut Refused,
) -> Result<Attempt, RenderError> {
    // On a card that lacks the profile's users, the edits that all nodes share make them.
    let overlay = users::Overlay::new(cluster, system, refused)?;
    let mut to = Context::new(cluster, keys, &overlay, now);
    to.refused = std::mem::take(refused);
    // Before the host name changes: the base's own name is removed from /etc/hosts.
    hosts::write(&mut to, node)?;
    to.write(
        Purpose::HostName,
        "/etc/hostname",
        format!("{}\n", node.name),
        Attributes::root(0o644),
    );
    identity::give(&mut to, node);
    let obstacle = to.go_on(|to| network::node(to, node))?;
    ssh::node(&mut to, node)?;
    swarm::node(&mut to, node)?;
    cloud_seed::write(&mut to, node)?;
    cloud_init::disarm_finished(&mut to)?;
    // All nodes have these files, but they are written here: they have the last word, and
    // no earlier edit may depend on them.
    extra_files::write(&mut to, &cluster.files)?;
    extra_files::check(&mut to, &node.files)?;
    extra_files::write(&mut to, &node.files)?;
    hidden::note(&mut to)?;
    *refused = to.refused;
    Ok((to.rendered, obstacle))
}
