//! The arguments of the commands that work from a profile and a base image: `build`, `check`,
//! `plan`.

use std::path::PathBuf;

use clap::ValueEnum;
use nodecard::ImageFormat;

use super::shared::{CardArgs, JsonArg, NewKeysArg, ProjectArgs};

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

    /// Also list raw images in SHA256SUMS. This is slow, because
    /// empty space is hashed too; block maps already have checksums of all data
    #[arg(long, overrides_with = "no_sums")]
    pub sums: bool,

    /// Leave raw images out of SHA256SUMS. This is the default
    #[arg(long, overrides_with = "sums", hide = true)]
    pub no_sums: bool,

    /// Write only what differs into raw images of an earlier run. On a slow disk
    /// this is faster, and needs less space. If the build fails, those images are
    /// gone; otherwise they stay until the new ones are complete
    #[arg(long)]
    pub update: bool,

    #[command(flatten)]
    pub new_keys: NewKeysArg,

    #[command(flatten)]
    pub json: JsonArg,
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

/// Check a profile without building anything
///
/// Shows every mistake in the profile with its line, or a summary of the cluster.
/// Then checks the base image: that it exists and can be read, has the right
/// checksum and fits the cards. If the image is already decoded, also checks that
/// the cards can be made. Creates no keys and no files, and lists what was not
/// checked.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nodecard check mc1.yaml")]
pub struct CheckArgs {
    #[command(flatten)]
    pub project: ProjectArgs,

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
