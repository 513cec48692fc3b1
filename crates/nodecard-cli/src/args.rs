//! What the command line takes.

use std::path::PathBuf;

use card_flash::device::Limits;
use clap::{Parser, Subcommand, ValueEnum};
use cluster_profile::{CardSize, SizeError};

/// Prepare the SD cards of a cluster of small boards.
///
/// One profile and one base image become a card image for every node: grown to
/// the card, with its own name, static address, /etc/hosts, keys and identity.
/// No root, no mounting; the base image is never changed.
#[derive(Debug, Parser)]
#[command(
    version,
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard check mc1.yaml
  nodecard build mc1.yaml --out cards
  nodecard devices
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard verify mc1.yaml /dev/sdX
  nodecard apply mc1.yaml xu4-node1=/dev/sdX

Exit codes: 0 done (verify: all as expected), 1 verify found differences,
2 usage or profile, 3 base image unusable, 4 target refused,
5 input or output, 130 interrupted."
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
}

/// Make a card image for every node of a cluster
///
/// Writes NODE.img and NODE.img.bmap for every node, manifest.json and
/// SHA256SUMS. Each file has a temporary name until it is whole.
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard build mc1.yaml
  nodecard build mc1.yaml --base ~/images/xu4.img.xz --card 16GB --out cards
  nodecard build mc1.yaml --node xu4-node2 --format zst"
)]
pub struct BuildArgs {
    /// The cluster's profile
    pub profile: PathBuf,

    /// The base image, in place of the profile's
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// The size of the cards: 8GB, 7400MiB or bytes [default: the profile's]
    #[arg(long, value_name = "SIZE", value_parser = card_size)]
    pub card: Option<CardSize>,

    /// Build only this node; may be given several times
    #[arg(long = "node", value_name = "NODE")]
    pub nodes: Vec<String>,

    /// The number of the root partition, if it cannot be told from others
    #[arg(long, value_name = "NUMBER")]
    pub root: Option<u32>,

    /// The directory for the images
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,

    /// The form of the images
    #[arg(long, value_enum, default_value = "raw")]
    pub format: FormatArg,

    /// Leave raw images out of SHA256SUMS; saves most of the time. Their block
    /// maps, which bmaptool checks, have the sums of all that is written
    #[arg(long)]
    pub no_sums: bool,

    /// Print a report for programs (JSON) in place of one for people
    #[arg(long)]
    pub json: bool,
}

/// Check a profile without building anything
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Example:
  nodecard check mc1.yaml"
)]
pub struct CheckArgs {
    /// The cluster's profile
    pub profile: PathBuf,
}

/// Write cards, several at once, and verify them
///
/// The base is read once for all cards. Only what is used is written; then it is
/// read back and compared. The partition table and boot loader come last, so an
/// interrupted card never looks finished. Nothing is overwritten before you have
/// typed the device's name.
///
/// A device is refused if it is mounted, swap, in use, part of this computer's
/// own system, read-only, an eMMC, a fixed disk, or larger than a card is likely
/// to be. A target may also be a file of the size of a card.
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard flash mc1.yaml --one-reader /dev/sdb
  nodecard flash mc1.yaml --one-reader /dev/sdb --resume
  truncate -s 7600M card.img && nodecard flash mc1.yaml xu4-node2=card.img"
)]
pub struct FlashArgs {
    /// The cluster's profile
    pub profile: PathBuf,

    /// Which node's card is where: a whole device, or a file
    #[arg(value_name = "NODE=DEVICE", value_parser = assignment)]
    pub targets: Vec<(String, PathBuf)>,

    /// Write all nodes' cards in turn with one reader; the swap of the cards is
    /// noticed by itself
    #[arg(long, value_name = "DEVICE", conflicts_with = "targets")]
    pub one_reader: Option<PathBuf>,

    /// Carry on after the last card that an earlier --one-reader has finished
    #[arg(long)]
    pub resume: bool,

    /// The base image, in place of the profile's
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// The number of the root partition, if it cannot be told from others
    #[arg(long, value_name = "NUMBER")]
    pub root: Option<u32>,

    /// First tell the cards that nothing on them is needed any more, which can
    /// make them faster; many readers cannot pass that on
    #[arg(long)]
    pub discard: bool,

    #[command(flatten)]
    pub limits: LimitArgs,

    /// Overwrite without asking; refuses all the same what is no card
    #[arg(long)]
    pub yes: bool,

    /// Print a report for programs (JSON) in place of one for people
    #[arg(long)]
    pub json: bool,
}

/// Bring a card in use to what the profile says, in place
///
/// Shows what would change, and asks for the device's name. Only what `verify`
/// finds wrong is touched; all else on the card stays. The change goes through
/// the filesystem's own journal: pulled at any moment, the card holds the old
/// configuration or the new one, whole. A partition that grows is written before.
///
/// Devices are refused as by flash. A target may also be the image of a card, but
/// not a compressed one.
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard apply mc1.yaml xu4-node1=/dev/sdb
  nodecard apply mc1.yaml xu4-node1=/dev/sdb --grow
  nodecard apply mc1.yaml xu4-node2=cards/xu4-node2.img --yes"
)]
pub struct ApplyArgs {
    /// The cluster's profile
    pub profile: PathBuf,

    /// Whose card it is to be, and where: a whole device, or a file
    #[arg(value_name = "NODE=TARGET", value_parser = assignment)]
    pub target: (String, PathBuf),

    /// Let the root partition and its filesystem fill the card
    #[arg(long)]
    pub grow: bool,

    /// The base image, in place of the profile's. It is decoded if need be; the
    /// profile's is compared with only if that takes no work
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// The number of the root partition, if it cannot be told from others
    #[arg(long, value_name = "NUMBER")]
    pub root: Option<u32>,

    #[command(flatten)]
    pub limits: LimitArgs,

    /// Write without asking; refuses all the same what is no card
    #[arg(long)]
    pub yes: bool,
}

/// List the cards in this computer's readers, and why other devices are none
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Example:
  nodecard devices"
)]
pub struct DevicesArgs {
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Print a report for programs (JSON) in place of one for people
    #[arg(long)]
    pub json: bool,
}

/// What is taken for a card.
#[derive(Debug, clap::Args)]
pub struct LimitArgs {
    /// The largest device that is taken for a card
    #[arg(long, value_name = "SIZE", default_value = "128GiB", value_parser = largest)]
    pub max_size: u64,

    /// Take disks, too, that are neither removable nor on USB nor in an SD slot
    #[arg(long)]
    pub allow_fixed: bool,
}

impl From<&LimitArgs> for Limits {
    fn from(args: &LimitArgs) -> Self {
        Limits { max_size: args.max_size, allow_fixed: args.allow_fixed }
    }
}

/// Compare cards or images with what the profile says
///
/// Says which node each card is, and what on it is not as it should be, each
/// with how to mend it. Only a few MiB of a card are read, and nothing is ever
/// written to it. What its owner changed later (packages, logs, further lines)
/// is not reported. docs/verify.md has the rules.
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard verify mc1.yaml /dev/sdX
  nodecard verify mc1.yaml cards/*.img
  nodecard verify mc1.yaml --node xu4-node2 /dev/sdX --json

Exit codes: 0 all as expected, 1 differences, 4 no card of the cluster."
)]
pub struct VerifyArgs {
    /// The cluster's profile
    pub profile: PathBuf,

    /// Cards, images, or compressed images
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<PathBuf>,

    /// The node that the card is meant to be [default: found out]
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,

    /// The base image, in place of the profile's. It is decoded if need be; the
    /// profile's is compared with only if that takes no work
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// The number of the root partition, if it cannot be told from others
    #[arg(long, value_name = "NUMBER")]
    pub root: Option<u32>,

    /// Print a report for programs (JSON) in place of one for people
    #[arg(long)]
    pub json: bool,
}

/// Show what building would change, file by file, and write nothing
///
/// Prints a unified diff of every file, for each node, against the base image or
/// against a card that exists, and in words what becomes of partitions and
/// filesystem. Private keys are never shown.
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard plan mc1.yaml
  nodecard plan mc1.yaml --node xu4-node2
  nodecard plan mc1.yaml --node xu4-node2 --against /dev/sdX"
)]
pub struct PlanArgs {
    /// The cluster's profile
    pub profile: PathBuf,

    /// The base image, in place of the profile's
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// The size of the cards: 8GB, 7400MiB or bytes [default: the profile's]
    #[arg(long, value_name = "SIZE", value_parser = card_size)]
    pub card: Option<CardSize>,

    /// Plan only this node; may be given several times
    #[arg(long = "node", value_name = "NODE")]
    pub nodes: Vec<String>,

    /// Compare with this card or image, in place of the base
    #[arg(long, value_name = "TARGET", conflicts_with_all = ["base", "card"])]
    pub against: Option<PathBuf>,

    /// The number of the root partition, if it cannot be told from others
    #[arg(long, value_name = "NUMBER")]
    pub root: Option<u32>,

    /// Print a report for programs (JSON) in place of one for people
    #[arg(long)]
    pub json: bool,
}

/// Show what is on a card or image
///
/// Draws its partitions to scale, and tells their filesystems, features and free
/// space, the system's release, users, network and identity, and the boot loader.
#[derive(Debug, clap::Args)]
#[command(
    max_term_width = 80,
    after_help = "\
Examples:
  nodecard inspect /dev/sdX
  nodecard inspect mrdreambot-xu4.img.xz --json"
)]
pub struct InspectArgs {
    /// A card, an image, or a compressed image
    pub target: PathBuf,

    /// The number of the root partition, if it cannot be told from others
    #[arg(long, value_name = "NUMBER")]
    pub root: Option<u32>,

    /// Print a report for programs (JSON) in place of one for people
    #[arg(long)]
    pub json: bool,
}

/// The form of an image file, as the command line names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// Sparse, byte for byte what the card gets
    Raw,
    /// Compressed by xz
    Xz,
    /// Compressed by Zstandard
    Zst,
    /// Compressed by gzip
    Gz,
}

impl From<FormatArg> for card_image::ImageFormat {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Raw => card_image::ImageFormat::Raw,
            FormatArg::Xz => card_image::ImageFormat::Xz,
            FormatArg::Zst => card_image::ImageFormat::Zst,
            FormatArg::Gz => card_image::ImageFormat::Gz,
        }
    }
}

fn card_size(text: &str) -> Result<CardSize, String> {
    text.parse().map_err(|error: SizeError| format!("{error}; {}", error.fix().unwrap_or_default()))
}

/// `NODE=DEVICE`.
fn assignment(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((node, device)) if !node.is_empty() && !device.is_empty() => {
            Ok((node.to_owned(), PathBuf::from(device)))
        }
        _ => Err("write it as NODE=DEVICE, such as xu4-node1=/dev/sdb".to_owned()),
    }
}

/// The most bytes that a card may have. `128GB` is what is printed on a card:
/// some have a little more.
fn largest(text: &str) -> Result<u64, String> {
    let size = card_size(text)?.bytes();
    Ok(if text.trim_end().ends_with("GB") || text.trim_end().ends_with("TB") {
        size + size / 10
    } else {
        size
    })
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
                assert!(line.chars().count() <= 80, "{line}");
            }
            assert!(help.contains("Example"), "{help}");
        }
    }
}
