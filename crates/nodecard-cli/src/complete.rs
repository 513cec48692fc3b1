//! What a shell completes beyond the arguments themselves: names of nodes.

use std::{env, ffi::OsStr, path::Path};

use clap_complete::engine::CompletionCandidate;
use nodecard::Project;

/// Completes the name of a node of the profile that is on the line.
pub fn nodes(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, "")
}

/// Completes the node of `NODE=DEVICE`.
pub fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, "=")
}

fn candidates(current: &OsStr, end: &str) -> Vec<CompletionCandidate> {
    let Some(current) = current.to_str() else { return Vec::new() };
    let names = names_on_line().into_iter().filter(|name| name.starts_with(current));
    names.map(|name| CompletionCandidate::new(format!("{name}{end}"))).collect()
}

/// Returns the nodes of the first profile on the line. The shell passes the whole line as
/// arguments.
fn names_on_line() -> Vec<String> {
    let is_profile = |path: &Path| {
        let extension = path.extension().and_then(OsStr::to_str);
        matches!(extension, Some("yaml" | "yml")) && path.is_file()
    };
    let mut words = env::args_os().skip(1);
    let Some(profile) = words.find(|word| is_profile(Path::new(word))) else { return Vec::new() };
    let Ok(project) = Project::open(profile) else { return Vec::new() };
    project.cluster().nodes.iter().map(|node| node.name.clone()).collect()
}
