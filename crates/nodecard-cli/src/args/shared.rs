//! Arguments that several commands have, and how sizes and numbers are read.

use std::path::{Path, PathBuf};

use clap_complete::engine::ArgValueCompleter;
use nodecard::{CardSize, TargetLimits};
use plain_text::shell_word;

use crate::complete;

/// The cluster that a command works on.
#[derive(Debug, clap::Args)]
pub struct ProjectArgs {
    /// The profile of the cluster
    pub profile: PathBuf,

    /// Use this base image instead of the profile's, and decode it if necessary
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    #[command(flatten)]
    pub root: RootArg,

    /// Use the keys in this directory, or in a tar archive of it, instead of the
    /// profile's. They are only read, and no new ones are created
    #[arg(long, value_name = "DIR|ARCHIVE")]
    pub keys: Option<PathBuf>,
}

impl ProjectArgs {
    /// Returns the profile and these options as words for a shell, for the next command about
    /// the same cluster.
    pub fn words(&self) -> String {
        let word = |path: &Path| shell_word(&path.display().to_string());
        let mut words = word(&self.profile);
        if let Some(base) = &self.base {
            words += &format!(" --base {}", word(base));
        }
        if let Some(root) = self.root.root {
            words += &format!(" --root {root}");
        }
        if let Some(keys) = &self.keys {
            // What a shell passes as a pipe cannot be named again.
            let is_pipe = keys.starts_with("/dev/fd") || keys.starts_with("/proc");
            words += &if is_pipe {
                " --keys KEYS".to_owned()
            } else {
                format!(" --keys {}", word(keys))
            };
        }
        words
    }
}

/// Keys that are made.
#[derive(Debug, clap::Args)]
pub struct NewKeysArg {
    /// Create new keys even though images made with the lost keys exist. The
    /// nodes whose keys are lost get a new identity
    #[arg(long, conflicts_with = "keys")]
    pub new_keys: bool,
}

/// The root partition.
#[derive(Debug, Clone, clap::Args)]
pub struct RootArg {
    /// Set the number of the root partition, if it cannot be detected
    #[arg(long, value_name = "NUMBER", value_parser = partition_number)]
    pub root: Option<u32>,
}

/// The form of a report.
#[derive(Debug, clap::Args)]
pub struct JsonArg {
    /// Print the report as JSON, and errors as well
    #[arg(long)]
    pub json: bool,
}

/// Which cards to make.
#[derive(Debug, clap::Args)]
pub struct CardArgs {
    /// Set the size of the cards: as printed on them (8GB), or exactly (7400MiB, or
    /// bytes) [default: the profile's]
    #[arg(long, value_name = "SIZE", value_parser = card_size)]
    pub card: Option<CardSize>,

    /// Include only this node; may be given several times
    #[arg(long = "node", value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub nodes: Vec<String>,
}

/// Which devices are accepted as cards.
#[derive(Debug, clap::Args)]
pub struct LimitArgs {
    /// Refuse devices larger than this
    #[arg(long, value_name = "SIZE", default_value = "128GB", value_parser = largest_card)]
    pub max_size: u64,

    /// Accept disks that look built in: not removable, not on USB and not in an
    /// SD slot
    #[arg(long)]
    pub allow_fixed: bool,
}

impl LimitArgs {
    pub fn limits(&self) -> TargetLimits {
        TargetLimits { max_size: self.max_size, allow_fixed: self.allow_fixed }
    }
}

pub(super) fn card_size(text: &str) -> Result<CardSize, String> {
    let fix = |error: &nodecard::SizeError| error.fix().map(|fix| format!("; {fix}"));
    text.parse().map_err(|error| format!("{error}{}", fix(&error).unwrap_or_default()))
}

/// Checks the size of a card, and returns it as it was written.
pub(super) fn card_size_text(text: &str) -> Result<String, String> {
    card_size(text).map(|_| text.trim().to_owned())
}

pub(super) fn partition_number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected a partition number, such as 2".to_owned())
}

/// The largest size of a card in bytes. Cards may be a little larger than the nominal size
/// that is printed on them, such as `128GB`.
fn largest_card(text: &str) -> Result<u64, String> {
    let size = card_size(text)?.bytes();
    let unit = text.trim_end().to_ascii_uppercase();
    let is_nominal = unit.ends_with("GB") || unit.ends_with("TB");
    Ok(if is_nominal { size + size / 10 } else { size })
}
