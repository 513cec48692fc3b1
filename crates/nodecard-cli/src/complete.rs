//! What a shell completes beyond the arguments themselves: names of nodes.

use std::{env, ffi::OsStr, path::Path};

use clap_complete::engine::{CompletionCandidate, PathCompleter, ValueCompleter as _};
use nodecard::Project;

/// Completes the name of a node of the profile that is on the line.
pub fn nodes(current: &OsStr) -> Vec<CompletionCandidate> {
    candidates(current, "")
}

/// Completes `NODE=TARGET`: the node, and after the `=` the path.
///
/// zsh and fish pass the whole word. bash breaks words at `=`, and passes only what follows.
pub fn targets(current: &OsStr) -> Vec<CompletionCandidate> {
    let paths = |path: &str| PathCompleter::any().complete(OsStr::new(path));
    match current.to_str().and_then(|word| word.split_once('=')) {
        Some((node, path)) => {
            let found = paths(path).into_iter();
            found.map(|path| path.add_prefix(format!("{node}="))).collect()
        }
        None if is_behind_node() => paths(current.to_str().unwrap_or_default()),
        None => candidates(current, "="),
    }
}

/// Returns whether the word at bash's cursor is the path of `NODE=TARGET`: the word before it is
/// `=`, or a node without one, since bash passes an empty word for a last `=`.
fn is_behind_node() -> bool {
    let index = env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
    let index: Option<usize> = index.and_then(|index: usize| index.checked_sub(1));
    let mut words = env::args_os().skip_while(|word| word != "--").skip(1);
    let Some(before) = index.and_then(|index| words.nth(index)) else { return false };
    before == "=" || names_on_line().iter().any(|name| OsStr::new(name) == before)
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
