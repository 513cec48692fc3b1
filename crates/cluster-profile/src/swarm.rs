//! The Docker swarm that a cluster's nodes form.

use std::{fmt, path::PathBuf, time::Duration};

/// The TCP port on which managers listen by default.
pub const SWARM_PORT: u16 = 2377;

/// A Docker swarm, which the nodes form at their first boot.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swarm {
    /// The TCP port on which managers listen.
    pub port: u16,
    /// The interface for the traffic between containers. `None` is the interface of the
    /// node's address.
    pub data_path: Option<String>,
    /// The UDP port for that traffic. `None` is Docker's default.
    pub data_path_port: Option<u16>,
    /// The longest time that services wait for all nodes to join before they are created.
    pub wait: Duration,
    /// Archives of images that every node loads before it joins.
    pub images: Vec<ImageArchive>,
    /// The services, which are created once.
    pub services: Vec<Service>,
}

/// An archive of container images, as `docker save` writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageArchive {
    /// The file on this computer.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256 sum.
    pub sha256: [u8; 32],
    /// The images in it.
    pub images: Vec<ArchivedImage>,
}

impl ImageArchive {
    /// Returns the name of the file, which is the same on the card.
    pub fn file_name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}

/// An image in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArchivedImage {
    /// Its names: `httpd:latest`.
    pub names: Vec<String>,
    /// The processor architecture, as Docker and Go name it: `arm`, `arm64`, `amd64`.
    pub architecture: String,
}

/// A service of the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Service {
    /// Its name.
    pub name: String,
    /// The image that its containers run.
    pub image: String,
    /// The number of its containers.
    pub mode: ServiceMode,
    /// The ports that it publishes.
    pub publish: Vec<Publish>,
    /// The nodes on which it can run: `node.role==manager`.
    pub constraints: Vec<String>,
    /// The mounts of its containers.
    pub mounts: Vec<Mount>,
    /// Environment variables of its containers.
    pub env: Vec<(String, String)>,
    /// The command that its containers run. Empty is the image's own.
    pub command: Vec<String>,
}

/// The number of containers of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceMode {
    /// This number, on any nodes.
    Replicated(u32),
    /// One on each node.
    Global,
}

/// A port of a service that can be reached from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publish {
    /// The port on the nodes.
    pub published: u16,
    /// The port in the container.
    pub target: u16,
    /// TCP or UDP.
    pub protocol: Protocol,
    /// Whether only nodes that run a container answer, instead of every node.
    pub on_host: bool,
}

/// The protocol of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
        })
    }
}

/// A mount of a service's containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its kind.
    pub kind: MountKind,
    /// The path on the node, or the name of the volume.
    pub source: Option<String>,
    /// The path in the container.
    pub target: String,
    /// Whether the container can only read it.
    pub read_only: bool,
}

/// The kind of a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MountKind {
    /// A file or directory of the node.
    Bind,
    /// A volume that Docker keeps.
    Volume,
    /// Memory.
    Tmpfs,
}

impl fmt::Display for MountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            MountKind::Bind => "bind",
            MountKind::Volume => "volume",
            MountKind::Tmpfs => "tmpfs",
        })
    }
}

/// Returns the full name of an image, as Docker compares them: `busybox` becomes
/// `docker.io/library/busybox:latest`.
pub(crate) fn full_name(name: &str) -> String {
    let first = name.split('/').next().unwrap_or_default();
    let has_registry = name.contains('/') && (first.contains(['.', ':']) || first == "localhost");
    let with_registry = match (has_registry, name.contains('/')) {
        (true, _) => name.to_owned(),
        (false, true) => format!("docker.io/{name}"),
        (false, false) => format!("docker.io/library/{name}"),
    };
    let last = with_registry.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { with_registry } else { format!("{with_registry}:latest") }
}

#[cfg(test)]
mod tests {
    use super::full_name;

    #[test]
    fn names_are_completed_as_docker_does() {
        for (name, full) in [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1", "docker.io/library/busybox:1"),
            ("alexellis2/visualizer-arm", "docker.io/alexellis2/visualizer-arm:latest"),
            ("docker.io/library/busybox:latest", "docker.io/library/busybox:latest"),
            ("localhost/x", "localhost/x:latest"),
            ("registry:5000/x", "registry:5000/x:latest"),
            ("r.lan/a/b@sha256:0", "r.lan/a/b@sha256:0"),
        ] {
            assert_eq!(full_name(name), full);
        }
    }
}
