//! The arguments of the commands that read cards: `verify`, `inspect`, `save`.

use std::path::PathBuf;

use clap_complete::engine::ArgValueCompleter;
use nodecard::CardSize;

use super::shared::{JsonArg, ProjectArgs, RootArg, card_size};
use crate::complete;

/// Compare cards or images with the profile
///
/// Detects which node each card belongs to, and reports every difference from
/// the profile and how to fix it. Only a few MiB of a card are read, and nothing
/// is written to it. Later changes that do not contradict the profile (packages,
/// logs, additional lines) are not reported. docs/verify.md lists the rules.
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
nodecard --help lists the others, which are common to all commands")]
pub struct VerifyArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Cards, images, or compressed images
    #[arg(required = true, value_name = "TARGET")]
    pub targets: Vec<PathBuf>,

    /// Compare the card with this node instead of detecting the node
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub node: Option<String>,

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

/// Save a card as a base image or as a backup
///
/// Writes an image of the card, as small as its contents allow, with a block map
/// (.bmap) and a checksum (.sha256) beside it. Only blocks in use are read; free
/// space is zero in the image. Nothing is written to the card. The name of the
/// image sets its format: .img, .img.xz, .img.zst or .img.gz.
///
/// With --profile, the image is a base image for build: what makes the card a
/// node of the cluster is removed and listed (host keys, machine id, the
/// cluster's keys, Docker's identity, static address, host name). Without it,
/// the image is a backup with all files. Other secrets stay in either image, and
/// are listed.
///
/// A card that is mounted is refused, unless it is mounted read-only.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard save /dev/sdb base.img.xz --profile mc1.yaml
  nodecard save /dev/sdb backup.img.zst
  nodecard save /dev/sdb base.img --base --size 8GB")]
pub struct SaveArgs {
    /// The card: a device, an image, or a compressed image
    pub card: PathBuf,

    /// Write the image to this file
    pub out: PathBuf,

    /// Make a base image for this cluster
    #[arg(long, value_name = "PROFILE")]
    pub profile: Option<PathBuf>,

    /// Remove what identifies the node. This is the default with --profile.
    /// Without --profile, the cluster's keys in home directories are not removed
    #[arg(long, conflicts_with = "exact")]
    pub base: bool,

    /// Keep all files, as a backup. This is the default without --profile
    #[arg(long)]
    pub exact: bool,

    /// Make an image for cards of this size: as printed on them (8GB), or exactly
    /// (7400MiB, or bytes) [default: the size of the contents and a tenth more]
    #[arg(long, value_name = "SIZE", value_parser = card_size, conflicts_with = "no_shrink")]
    pub size: Option<CardSize>,

    /// Make the image as large as the card
    #[arg(long)]
    pub no_shrink: bool,

    /// Replace the image if it exists
    #[arg(long)]
    pub overwrite: bool,

    /// Save the rest if parts of the card cannot be read, and list what is lost
    #[arg(long)]
    pub keep_going: bool,

    #[command(flatten)]
    pub root: RootArg,

    /// Use the keys in this directory, or in a tar archive of it, instead of the
    /// profile's
    #[arg(long, value_name = "DIR|ARCHIVE", requires = "profile")]
    pub keys: Option<PathBuf>,

    #[command(flatten)]
    pub json: JsonArg,
}
