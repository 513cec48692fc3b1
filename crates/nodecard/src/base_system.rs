//! The system in a base image, in a few words.

use std::sync::Arc;

use card_audit::Card;
use cluster_profile::{SystemFiles, has_docker, network_back_end};

use card_image::BaseStorage;

use crate::Project;

/// The system in a base image, as far as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BaseSystem {
    /// Its name and version, as os-release has them.
    pub release: Option<String>,
    /// What sets the address of the cluster's interface when it boots: `ifupdown`, `netplan`,
    /// `NetworkManager` or `systemd-networkd`.
    pub back_end: Option<&'static str>,
    /// Whether Docker is installed.
    pub has_docker: bool,
}

impl BaseSystem {
    /// Describes the system in the root partition (from 1) of an open base image. What cannot
    /// be read is left out: it is for reports only, and building has read all it needs.
    pub(crate) fn read(project: &Project, base: Arc<BaseStorage>, root: u32) -> Self {
        let name = project.base().display().to_string();
        match Card::from_storage(name, base, Some(root)) {
            Ok(card) => Self::of(card.files(), &project.cluster.network.interface),
            Err(_) => Self::default(),
        }
    }

    fn of(files: &dyn SystemFiles, interface: &str) -> Self {
        BaseSystem {
            release: release(files),
            back_end: network_back_end(files, interface).ok().flatten(),
            has_docker: has_docker(files).unwrap_or(false),
        }
    }
}

fn release(files: &dyn SystemFiles) -> Option<String> {
    let read = |path| files.read(path).ok().flatten();
    let bytes = read("/etc/os-release").or_else(|| read("/usr/lib/os-release"))?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim().trim_matches(['"', '\'']).to_owned())
}
