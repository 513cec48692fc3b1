//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};
use nodecard::{CardSize, ImageFormat, TargetLimits};

/// Prepare the SD cards of a cluster of small boards
///
/// From one profile and one base image, nodecard makes a card for every node:
/// grown to the size of the card, with its own host name, static address,
/// /etc/hosts, keys and identity. It mounts nothing, never changes the base
/// image, and needs root only to open devices.
#[derive(Debug, Parser)]
#[command(
    name = "nodecard",
    version,
    max_term_width = 79,
    after_help = "\
Examples:
  nodecard check mc1.yaml
  nodecard build mc1.yaml --out cards
  nodecard devices
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard verify mc1.yaml /dev/sdb
  nodecard apply mc1.yaml xu4-node1=/dev/sdb

Exit codes:
  0    success; with verify: all cards match the profile
  1    verify found differences
  2    the arguments or the profile are wrong
  3    the base image cannot be used
  4    a card, device or image was refused, or not confirmed
  5    reading or writing failed
  130  interrupted"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Build(BuildArgs),
    Check(CheckArgs),
    Flash(FlashArgs),
    Apply(ApplyArgs),
    Devices(DevicesArgs),
    Verify(VerifyArgs),
    Plan(PlanArgs),
    Inspect(InspectArgs),
    Password(PasswordArgs),
}

/// Build a card image for every node
///
/// Writes NODE.img and its block map NODE.img.bmap for every node, and
/// manifest.json and SHA256SUMS for all of them. If a build fails, no file that
/// looks finished is left. The first run creates the cluster's keys, in a
/// directory beside the profile.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard build mc1.yaml
  nodecard build mc1.yaml --base xu4.img.xz --card 16GB --out cards
  nodecard build mc1.yaml --node xu4-node2 --format zst")]
pub struct BuildArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    #[command(flatten)]
    pub cards: CardArgs,

    /// Write the images to this directory
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,

    /// Set the format of the images
    #[arg(long, value_enum, default_value = "raw")]
    pub format: FormatArg,

    /// List raw images in SHA256SUMS too. This hashes all their zeros, which takes
    /// much longer than writing them; block maps have checksums of everything
    /// that is written in any case
    #[arg(long, overrides_with = "no_sums")]
    pub sums: bool,

    /// Leave raw images out of SHA256SUMS. This is the default
    #[arg(long, overrides_with = "sums", hide = true)]
    pub no_sums: bool,

    #[command(flatten)]
    pub new_keys: NewKeysArg,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Check a profile without building anything
///
/// Shows every mistake in the profile with its line, or a summary of the cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nodecard check mc1.yaml")]
pub struct CheckArgs {
    /// The profile of the cluster
    pub profile: PathBuf,
}

/// Write cards, several at once, and verify them
///
/// Shows what is on each target, and asks you to type its name before it is
/// overwritten. Only blocks that hold data are written; then they are read back
/// and compared. The partition table and the boot loader are written last, so a
/// card that was interrupted does not boot.
///
/// A target is a device, or a file that already has the size of a card. A device
/// is refused if it is mounted, used as swap or by another program, part of the
/// running system, read-only, a built-in eMMC, a fixed disk, or larger than
/// --max-size.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard flash mc1.yaml --one-reader /dev/sdb
  nodecard flash mc1.yaml --one-reader /dev/sdb --resume
  truncate -s 7600M card.img && nodecard flash mc1.yaml xu4-node2=card.img")]
pub struct FlashArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Write this node's card to this device or file
    #[arg(value_name = "NODE=TARGET", value_parser = node_and_target)]
    pub targets: Vec<(String, PathBuf)>,

    /// Write the cards of all nodes in one reader, one after another; card swaps
    /// are detected automatically
    #[arg(long, value_name = "DEVICE", conflicts_with = "targets")]
    pub one_reader: Option<PathBuf>,

    /// Continue after the last card that an earlier --one-reader run finished
    #[arg(long)]
    pub resume: bool,

    /// Discard (TRIM) the cards before writing. This can make them faster; many
    /// readers do not support it
    #[arg(long)]
    pub discard: bool,

    #[command(flatten)]
    pub new_keys: NewKeysArg,

    #[command(flatten)]
    pub limits: LimitArgs,

    /// Skip the confirmation; devices that are not cards are still refused
    #[arg(long)]
    pub yes: bool,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Fix a card in place, so that it matches the profile
///
/// Shows what would change, and asks you to type the target's name. Only what
/// verify reports as an error or a warning is changed; everything else on the
/// card stays as it is. A card that is pulled during the change holds its old
/// configuration or the new one, complete.
///
/// A target is a device, or an image file that is not compressed. Devices are
/// refused for the same reasons as with flash.
///
/// Files that were copied from the base image, such as Docker's identity, are
/// detected only if the base image is available: raw, already decoded by an
/// earlier command, or given with --base.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard apply mc1.yaml xu4-node1=/dev/sdb
  nodecard apply mc1.yaml xu4-node1=/dev/sdb --grow
  nodecard apply mc1.yaml xu4-node2=cards/xu4-node2.img --yes")]
pub struct ApplyArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Correct the card of this node on this device or file
    #[arg(value_name = "NODE=TARGET", value_parser = node_and_target)]
    pub target: (String, PathBuf),

    /// Grow the root partition and its filesystem to fill the card
    #[arg(long)]
    pub grow: bool,

    #[command(flatten)]
    pub limits: LimitArgs,

    /// Skip the confirmation; devices that are not cards are still refused
    #[arg(long)]
    pub yes: bool,
}

/// List cards in readers, and why other devices were rejected
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nodecard devices")]
pub struct DevicesArgs {
    #[command(flatten)]
    pub limits: LimitArgs,

    #[command(flatten)]
    pub json: JsonArg,

    /// List the devices of a machine whose /sys and /proc are in this directory.
    /// For tests
    #[arg(long, value_name = "DIR", hide = true)]
    pub machine: Option<PathBuf>,
}

/// Compare cards or images with the profile
///
/// Detects which node each card belongs to, and reports every difference from
/// the profile with how to fix it. Only a few MiB of a card are read, and
/// nothing is written to it. What its owner changed later (packages, logs, more
/// lines) is not reported. docs/verify.md lists the rules.
///
/// The boot loader, and files that were copied from the base image, are checked
/// only if the base image is available: raw, already decoded by an earlier
/// command, or given with --base.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard verify mc1.yaml /dev/sdb
  nodecard verify mc1.yaml cards/*.img
  nodecard verify mc1.yaml --node xu4-node2 /dev/sdb --json

Exit codes:
  0  all cards match the profile
  1  differences found
  4  a target is not a card of this cluster, or cannot be read as a card
Others are those of every command: see nodecard --help")]
pub struct VerifyArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Cards, images, or compressed images
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<PathBuf>,

    /// Compare the card with this node instead of detecting its node
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Show what building would change, file by file
///
/// Prints a unified diff of every file that would change, compared with the base
/// image or with an existing card, and what happens to the partitions and the
/// filesystem. Nothing is written. Private keys and password hashes are never
/// shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard plan mc1.yaml
  nodecard plan mc1.yaml --node xu4-node2
  nodecard plan mc1.yaml --node xu4-node2 --against /dev/sdb")]
pub struct PlanArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    #[command(flatten)]
    pub cards: CardArgs,

    /// Compare with this card or image instead of the base image
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["base", "card"])]
    pub against: Option<PathBuf>,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Describe what is on a card or image
///
/// Draws its partitions to scale, and lists their filesystems, features and free
/// space, the system's release, users, network and identity, and the boot
/// loader. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard inspect /dev/sdb
  nodecard inspect mrdreambot-xu4.img.xz --json")]
pub struct InspectArgs {
    /// A card, an image, or a compressed image
    pub target: PathBuf,

    #[command(flatten)]
    pub root: RootArg,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Make the hash of a password for a profile
///
/// Asks for the password twice, without showing it, and prints its hash (SHA-512, as
/// /etc/shadow has it) for `password` below `users` in a profile. If the standard
/// input is not a terminal, it is one line with the password.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard password
  pass show cluster/odroid | nodecard password

In the profile, with the hash in single quotes:
  users: {odroid: {password: '$6$rounds=100000$...'}}")]
pub struct PasswordArgs {}

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
    /// profile's. They are only read, and none are made
    #[arg(long, value_name = "DIR|ARCHIVE")]
    pub keys: Option<PathBuf>,
}

/// Keys that are made.
#[derive(Debug, clap::Args)]
pub struct NewKeysArg {
    /// Make new keys although there are images of the cluster, whose keys are
    /// lost. Every node gets a new identity
    #[arg(long, conflicts_with = "keys")]
    pub new_keys: bool,
}

/// The root partition.
#[derive(Debug, clap::Args)]
pub struct RootArg {
    /// Set the number of the root partition, if it cannot be detected
    #[arg(long, value_name = "NUMBER", value_parser = partition_number)]
    pub root: Option<u32>,
}

/// The form of a report.
#[derive(Debug, clap::Args)]
pub struct JsonArg {
    /// Print the report as JSON
    #[arg(long)]
    pub json: bool,
}

/// Which cards to make.
#[derive(Debug, clap::Args)]
pub struct CardArgs {
    /// Set the size of the cards: 8GB, 7400MiB or bytes [default: the profile's]
    #[arg(long, value_name = "SIZE", value_parser = card_size)]
    pub card: Option<CardSize>,

    /// Include only this node; may be given several times
    #[arg(long = "node", value_name = "NODE")]
    pub nodes: Vec<String>,
}

/// Which devices are accepted as cards.
#[derive(Debug, clap::Args)]
pub struct LimitArgs {
    /// Refuse devices larger than this
    #[arg(long, value_name = "SIZE", default_value = "128GiB", value_parser = largest_card)]
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

/// The format of an image file.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// Sparse, byte for byte what goes on the card
    Raw,
    /// Compressed with xz
    Xz,
    /// Compressed with Zstandard
    Zst,
    /// Compressed with gzip
    Gz,
}

impl From<FormatArg> for ImageFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Raw => ImageFormat::Raw,
            FormatArg::Xz => ImageFormat::Xz,
            FormatArg::Zst => ImageFormat::Zst,
            FormatArg::Gz => ImageFormat::Gz,
        }
    }
}

fn card_size(text: &str) -> Result<CardSize, String> {
    let fix = |error: &nodecard::SizeError| error.fix().map(|fix| format!("; {fix}"));
    text.parse().map_err(|error| format!("{error}{}", fix(&error).unwrap_or_default()))
}

fn node_and_target(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((node, target)) if !node.is_empty() && !target.is_empty() => {
            Ok((node.to_owned(), PathBuf::from(target)))
        }
        _ => Err("expected NODE=TARGET, for example xu4-node1=/dev/sdb".to_owned()),
    }
}

fn partition_number(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number.ok_or_else(|| "expected the number of a partition, such as 2".to_owned())
}

/// The largest size of a card in bytes. Cards may be a little larger than the nominal size
/// that is printed on them, such as `128GB`.
fn largest_card(text: &str) -> Result<u64, String> {
    let size = card_size(text)?.bytes();
    let is_nominal = text.trim_end().ends_with("GB") || text.trim_end().ends_with("TB");
    Ok(if is_nominal { size + size / 10 } else { size })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn every_help_fits_80_columns_and_has_an_example() {
        let mut command = Args::command();
        command.build();
        let commands = command.get_subcommands().cloned().chain([command.clone()]);
        for mut command in commands.filter(|command| command.get_name() != "help") {
            let help = command.render_long_help().to_string();
            for line in help.lines() {
                assert!(line.chars().count() < 80, "{line}");
            }
            assert!(help.contains("Example"), "{help}");
        }
    }
}
