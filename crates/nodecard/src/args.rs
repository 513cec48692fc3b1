//! What the command line takes.

use std::path::PathBuf;

use card_image::Format;
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

Exit codes: 0 done, 2 usage or profile, 3 base image unusable,
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
    pub format: ImageFormat,

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

/// The form of an image file, as the command line names it.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum ImageFormat {
    /// Sparse, byte for byte what the card gets
    Raw,
    /// Compressed by xz
    Xz,
    /// Compressed by Zstandard
    Zst,
    /// Compressed by gzip
    Gz,
}

impl From<ImageFormat> for Format {
    fn from(format: ImageFormat) -> Self {
        match format {
            ImageFormat::Raw => Format::Raw,
            ImageFormat::Xz => Format::Xz,
            ImageFormat::Zst => Format::Zst,
            ImageFormat::Gz => Format::Gz,
        }
    }
}

fn card_size(text: &str) -> Result<CardSize, String> {
    text.parse().map_err(|error: SizeError| format!("{error}; {}", error.help))
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
