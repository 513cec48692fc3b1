//! Profiles for the tests that read them, and the problems in them.

use std::path::Path;

use cluster_profile::{Cluster, Diagnostics, ProfileError};

/// Returns the profile of a cluster with these nodes: flow mappings, one per line.
pub fn profile(nodes: &[&str]) -> String {
    let mut text = "cluster: mc1\n\
                    base: base.img\n\
                    card: 8GB\n\
                    network: {interface: eth0, prefix: 24, gateway: 192.168.1.1}\n\
                    nodes:\n"
        .to_owned();
    for node in nodes {
        text += &format!("  - {node}\n");
    }
    text
}

/// Reads a profile as if it were in mc1.yaml.
pub fn parse(text: &str) -> Result<Cluster, Diagnostics> {
    Cluster::parse(text, Path::new("mc1.yaml")).map_err(diagnostics)
}

/// Returns the problems of a profile that was read but is invalid.
pub fn diagnostics(error: ProfileError) -> Diagnostics {
    match error {
        ProfileError::Invalid(diagnostics) => diagnostics,
        other => panic!("the profile cannot be read: {other}"),
    }
}

/// Returns the first problem with its place: `LINE:COLUMN: MESSAGE`.
pub fn summary(diagnostics: &Diagnostics) -> String {
    let problem = &diagnostics.problems[0];
    format!("{}:{}: {}", problem.place.line, problem.place.column, problem.message)
}
