//! Collects what `nodecard --version` says about how the program was built.
//!
//! The commit comes from the first of these that knows it, so that it is right wherever the source
//! is built, with or without git:
//!
//! 1. `$NODECARD_COMMIT`, for builders that know it otherwise, such as Nix
//! 2. `commit.txt`, which `git archive` fills in (`.gitattributes`), as do hosts that offer source
//!    archives
//! 3. `.cargo_vcs_info.json`, which `cargo package` adds
//! 4. git, if this directory is part of a repository and not merely inside of one
//!
//! Times and paths are left out: the same source gives the same program.

use std::{env, ffi::OsStr, fs, path::Path, process::Command};

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NODECARD_COMMIT");
    let commit = commit(Path::new("."));
    let target = env::var("TARGET").unwrap_or_default();
    let features = features();
    let short = commit.as_deref().map(|commit| format!(" ({})", short(commit))).unwrap_or_default();
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    println!("cargo:rustc-env=NODECARD_VERSION={version}{short}");
    println!("cargo:rustc-env=NODECARD_COMMIT={}", commit.as_deref().unwrap_or("unknown"));
    println!("cargo:rustc-env=NODECARD_TARGET={target}");
    println!("cargo:rustc-env=NODECARD_FEATURES={features}");
}

/// Returns the enabled features of this crate, or `none`.
fn features() -> String {
    let name = |name: String| Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase());
    let mut features: Vec<String> = env::vars().filter_map(|(key, _)| name(key)).collect();
    features.sort();
    if features.is_empty() { "none".into() } else { features.join(", ") }
}

/// Returns the commit, followed by `-modified` if the source is not exactly that of the commit.
fn commit(package: &Path) -> Option<String> {
    let given = env::var("NODECARD_COMMIT").ok();
    given
        .filter(|commit| !commit.is_empty())
        .or_else(|| archived(package))
        .or_else(|| packaged(package))
        .or_else(|| checked_out(package))
}

/// Returns the commit that `git archive` wrote.
fn archived(package: &Path) -> Option<String> {
    println!("cargo:rerun-if-changed=commit.txt");
    let text = fs::read_to_string(package.join("commit.txt")).ok()?;
    is_commit(text.trim()).then(|| text.trim().to_owned())
}

/// Returns the commit that `cargo package` wrote.
fn packaged(package: &Path) -> Option<String> {
    // A path that does not exist counts as changed, and in a checkout this one does not exist.
    let text = fs::read_to_string(package.join(".cargo_vcs_info.json")).ok()?;
    println!("cargo:rerun-if-changed=.cargo_vcs_info.json");
    // {"git": {"sha1": "…", "dirty": true}, "path_in_vcs": "…"}
    let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let after = |key| {
        let position = words.iter().position(|word| *word == key)?;
        words[position + 1..].iter().find(|word| !word.is_empty()).copied()
    };
    let commit = after("sha1").filter(|commit| is_commit(commit))?;
    Some(marked(commit, after("dirty") == Some("true")))
}

/// Returns the commit that is checked out.
fn checked_out(package: &Path) -> Option<String> {
    // Without this, a copy of the source below another repository would name that one's commit.
    git(package, &["ls-files", "--error-unmatch", "build.rs"])?;
    let commit = git(package, &["rev-parse", "HEAD"]).filter(|commit| is_commit(commit))?;
    // HEAD of a branch does not change with a commit, but its log does.
    for file in ["HEAD", "logs/HEAD"] {
        let path = git(package, &["rev-parse", "--git-path", file])?;
        if package.join(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let top = git(package, &["rev-parse", "--show-cdup"])?;
    let sources = ["crates", "Cargo.toml", "Cargo.lock"];
    // Otherwise git may write its index, while somebody else uses it.
    let mut status =
        ["--no-optional-locks", "status", "--porcelain", "--"].map(str::to_owned).to_vec();
    for source in sources.map(|source| format!("{top}{source}")) {
        println!("cargo:rerun-if-changed={source}");
        status.push(source);
    }
    let changes = git(package, &status)?;
    Some(marked(&commit, !changes.is_empty()))
}

/// Returns what git prints, without the line end, if it succeeds.
fn git<S: AsRef<OsStr>>(directory: &Path, arguments: &[S]) -> Option<String> {
    let output = Command::new("git").current_dir(directory).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim_end().to_owned())
}

fn marked(commit: &str, is_modified: bool) -> String {
    if is_modified { format!("{commit}-modified") } else { commit.to_owned() }
}

/// Returns the first ten digits, and whether the source was modified.
fn short(commit: &str) -> String {
    let digits = commit.split('-').next().unwrap_or(commit);
    marked(digits.get(..10).unwrap_or(digits), commit.ends_with("-modified"))
}

/// Returns whether this is a SHA-1 or SHA-256 in hexadecimal.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
