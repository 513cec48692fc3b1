//! The arguments of the commands that write to cards, and of `devices`, which lists them.

use std::path::PathBuf;

use clap_complete::engine::ArgValueCompleter;

use super::shared::{JsonArg, LimitArgs, NewKeysArg, ProjectArgs};
use crate::complete;

/// Write cards, several at once, and verify them
///
/// Shows what is on each target, and asks you to type its name before it is
/// overwritten. Only blocks that hold data are written; then they are read back
/// and compared. The partition table and the boot loader are written last, so a
/// card does not boot if writing it was interrupted.
///
/// A target is a device, or a file that already has the size of a card. A device
/// is refused if it is mounted, in use as swap space or by another program, part
/// of the running system, read-only, a built-in eMMC, a fixed disk, or larger
/// than --max-size.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "nodecard flash [OPTIONS] <PROFILE> [NODE=TARGET]...\n       \
                      nodecard flash [OPTIONS] --image <FILE> <DEVICE>",
    after_help = "\
Examples:
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard flash mc1.yaml --one-reader /dev/sdb
  nodecard flash mc1.yaml --one-reader /dev/sdb --resume
  nodecard flash --image cards/xu4-node1.img /dev/sdb
  truncate -s 7600M card.img && nodecard flash mc1.yaml xu4-node2=card.img"
)]
pub struct FlashArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

    /// Write this image to DEVICE, with its block map if there is one. It takes no
    /// profile
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["targets", "one_reader", "resume", "base", "root", "keys", "new_keys"]
    )]
    pub image: Option<PathBuf>,

    /// Write this node's card to this device or file
    #[arg(
        value_name = "NODE=TARGET",
        value_parser = node_and_target,
        add = ArgValueCompleter::new(complete::targets)
    )]
    pub targets: Vec<(String, PathBuf)>,

    /// Write the cards of all nodes in one reader, one after another; card swaps
    /// are detected automatically
    #[arg(long, value_name = "DEVICE", conflicts_with = "targets")]
    pub one_reader: Option<PathBuf>,

    /// Continue after the last card that an earlier --one-reader run finished
    #[arg(long)]
    pub resume: bool,

    /// Write everything. By default, a card that already holds mostly the same
    /// data is read, and only what differs is written
    #[arg(long)]
    pub full: bool,

    /// Discard (TRIM) the cards, then write everything. This can make them
    /// faster; many readers do not support it
    #[arg(long)]
    pub discard: bool,

    #[command(flatten)]
    pub new_keys: NewKeysArg,

    #[command(flatten)]
    pub writing: WritingArgs,
}

/// Fix a card in place, so that it matches the profile
///
/// Shows what would change, and asks you to type the target's name. Only what
/// verify reports as an error or a warning is changed; everything else on the
/// card stays as it is. If the card is pulled during the change, its root
/// filesystem is entirely old or entirely new. The files of a FAT boot partition
/// are changed afterwards, one by one; each is entirely old or entirely new. Run
/// apply again to finish if it was interrupted.
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

    /// Fix this node's card on this device or in this file
    #[arg(
        value_name = "NODE=TARGET",
        value_parser = node_and_target,
        add = ArgValueCompleter::new(complete::targets)
    )]
    pub target: (String, PathBuf),

    /// Grow the root partition and its filesystem to fill the card
    #[arg(long)]
    pub grow: bool,

    /// With --yes: also change a card that is another node's, or none of the
    /// cluster's
    #[arg(long)]
    pub allow_other: bool,

    #[command(flatten)]
    pub writing: WritingArgs,
}

/// How targets are chosen, confirmed and reported by the commands that write to them.
#[derive(Debug, clap::Args)]
pub struct WritingArgs {
    #[command(flatten)]
    pub limits: LimitArgs,

    /// Skip the confirmation; devices that are not cards are still refused
    #[arg(long)]
    pub yes: bool,

    #[command(flatten)]
    pub json: JsonArg,
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

fn node_and_target(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((node, target)) if !node.is_empty() && !target.is_empty() => {
            Ok((node.to_owned(), PathBuf::from(target)))
        }
        _ => Err("expected NODE=TARGET, for example xu4-node1=/dev/sdb".to_owned()),
    }
}
