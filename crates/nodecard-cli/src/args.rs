//! The arguments of the command line.

use std::{net::Ipv4Addr, path::PathBuf, time::Duration};

use clap::{Parser, Subcommand, ValueEnum};
use clap_complete::{Shell, engine::ArgValueCompleter};
use nodecard::{CardSize, ImageFormat, TargetLimits};

use crate::complete;
use crate::output::Verbosity;

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
  nodecard init mc1.yaml
  nodecard check mc1.yaml
  nodecard build mc1.yaml --out cards
  nodecard devices
  nodecard flash mc1.yaml xu4-master=/dev/sdb xu4-node1=/dev/sdc
  nodecard verify mc1.yaml /dev/sdb
  nodecard apply mc1.yaml xu4-node1=/dev/sdb
  nodecard save /dev/sdb base.img.xz --profile mc1.yaml

Exit codes:
  0    success; with verify: all cards match the profile
  1    verify found differences, or apply left an error that it cannot fix
  2    the arguments or the profile are wrong
  3    the base image cannot be used
  4    a card, device or image was refused, or not confirmed
  5    reading or writing failed
  130  interrupted"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// How much is printed.
#[derive(Debug, clap::Args)]
pub struct OutputArgs {
    /// Print errors and questions only, besides JSON and what other programs
    /// read
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Print how long each stage took too
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

impl OutputArgs {
    pub fn verbosity(&self) -> Verbosity {
        match self {
            OutputArgs { quiet: true, .. } => Verbosity::Quiet,
            OutputArgs { verbose: true, .. } => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    Build(BuildArgs),
    Check(CheckArgs),
    Flash(FlashArgs),
    Apply(ApplyArgs),
    Devices(DevicesArgs),
    Verify(VerifyArgs),
    Plan(PlanArgs),
    Inspect(InspectArgs),
    Save(SaveArgs),
    Password(PasswordArgs),
    Status(StatusArgs),
    Export(ExportArgs),
    Schema(SchemaArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Write the first profile of a cluster
///
/// Asks a few questions and proposes the answers: it looks for base images here, in
/// ~/Downloads and in your home directory, opens the chosen one, and takes network,
/// gateway and name servers from this computer. The result is a profile with
/// comments, which check accepts. A file that exists is never overwritten.
///
/// An option answers its question; --yes takes the proposals for all others.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard init
  nodecard init mc1.yaml --base mrdreambot-xu4.img.xz
  nodecard init --base xu4.img.xz --nodes 4 --name xu4-node \\
    --first-address 192.168.1.80 --yes")]
pub struct InitArgs {
    /// Write the profile to this file [default: the cluster's name with .yaml]
    pub profile: Option<PathBuf>,

    /// Build the cards from this image
    #[arg(long, value_name = "FILE")]
    pub base: Option<PathBuf>,

    /// Name the cluster
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,

    /// Set the number of nodes [default: 4]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub nodes: Option<u32>,

    /// Name the nodes so, with numbers from 1: xu4-node becomes xu4-node1 ...
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Give the first node this address, and the others those after it
    #[arg(long, value_name = "ADDRESS")]
    pub first_address: Option<Ipv4Addr>,

    /// Set the interface of the nodes [default: the image's]
    #[arg(long, value_name = "NAME")]
    pub interface: Option<String>,

    /// Set the length of the network prefix in bits [default: this computer's]
    #[arg(long, value_name = "BITS", value_parser = clap::value_parser!(u8).range(1..=30))]
    pub prefix: Option<u8>,

    /// Set the default gateway [default: this computer's]
    #[arg(long, value_name = "ADDRESS")]
    pub gateway: Option<Ipv4Addr>,

    /// Set a name server; may be given several times [default: this computer's]
    #[arg(long, value_name = "ADDRESS")]
    pub dns: Vec<Ipv4Addr>,

    /// Set the size printed on the cards [default: the smallest that fits the
    /// image, from 8GB]
    #[arg(long, value_name = "SIZE", value_parser = card_size_text)]
    pub card: Option<String>,

    /// Let this user log in by key; may be given several times [default: root and
    /// the image's user]
    #[arg(long = "user", value_name = "NAME")]
    pub users: Vec<String>,

    /// Let the owner of this public key log in; may be given several times
    /// [default: the first in ~/.ssh]
    #[arg(long = "key", value_name = "FILE")]
    pub keys: Vec<PathBuf>,

    /// Set what becomes of the passwords of these users
    #[arg(long, value_enum, conflicts_with = "password_hash")]
    pub passwords: Option<PasswordsArg>,

    /// Give these users, except root, the password with this hash, and lock root
    #[arg(long, value_name = "HASH")]
    pub password_hash: Option<String>,

    /// Have the nodes form a Docker Swarm
    #[arg(long, value_enum)]
    pub swarm: Option<SwarmArg>,

    /// Take the proposals for everything that no option answers
    #[arg(long)]
    pub yes: bool,

    #[command(flatten)]
    pub json: JsonArg,
}

/// What becomes of the users' passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PasswordsArg {
    /// Accept keys only
    Locked,
    /// Ask for new ones
    Ask,
    /// Leave those of the image
    Keep,
}

/// The swarm of a new profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SwarmArg {
    /// No swarm
    No,
    /// A swarm without services
    Empty,
    /// A swarm with the services of the article: a visualizer and a web server,
    /// for 32-bit ARM
    Article,
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
/// Then looks at the base image: is it there and readable, does it have its
/// checksums, does it fit the cards, and, if it does not have to be decoded, can
/// the cards be made. Makes no keys and no files, and says what it did not look at.
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

    /// Write this built image to DEVICE, with its block map if there is one
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

    /// Write everything, even if a card already holds mostly the same. Normally
    /// such a card is read, and only what differs is written
    #[arg(long)]
    pub full: bool,

    /// Discard (TRIM) the cards before writing everything. This can make them
    /// faster; many readers do not support it
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
/// card stays as it is. If the card is pulled during the change, its root
/// filesystem is wholly old or wholly new. Files of a FAT boot partition are
/// changed after it, one by one: each is old or new. Run apply again then.
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
    #[arg(
        value_name = "NODE=TARGET",
        value_parser = node_and_target,
        add = ArgValueCompleter::new(complete::targets)
    )]
    pub target: (String, PathBuf),

    /// Grow the root partition and its filesystem to fill the card
    #[arg(long)]
    pub grow: bool,

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
    #[arg(long, value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
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

/// Save a card as a base image or as a backup
///
/// Writes an image of the card, as small as its contents, with a block map
/// (.bmap) and a checksum (.sha256) beside it. Only what is used is read, free
/// space is zero in the image, and nothing is written to the card. The name of
/// the image says its format: .img, .img.xz, .img.zst or .img.gz.
///
/// With --profile, the image is a base image for build: what makes the card a
/// node of the cluster is left out and listed (host keys, machine id, the
/// cluster's keys, Docker's identity, static address, host name). Without it,
/// the image is a backup with all files. Other secrets stay in both, and are
/// listed.
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

    /// Leave out what identifies the node. This is the default with --profile;
    /// without it, keys of the cluster in users' homes stay
    #[arg(long, conflicts_with = "exact")]
    pub base: bool,

    /// Keep all files, as a backup. This is the default without --profile
    #[arg(long)]
    pub exact: bool,

    /// Make an image for cards of this size: 8GB, 7400MiB or bytes [default: that
    /// of the contents, and a tenth more]
    #[arg(long, value_name = "SIZE", value_parser = card_size, conflicts_with = "no_shrink")]
    pub size: Option<CardSize>,

    /// Make an image of the card's size
    #[arg(long)]
    pub no_shrink: bool,

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
pub struct PasswordArgs {
    #[command(flatten)]
    pub json: JsonArg,
}

/// Ask the running nodes whether they are as the profile says
///
/// Checks over ssh, on all nodes at once, whether each answers at its address,
/// has its own host key, lets the users of the profile log in with the cluster's
/// key or yours, and has its own host name and machine id; how long it has been
/// running, and whether its root filesystem fills the card. With a swarm, also
/// how far each node has come, which nodes are ready, dead members of the same
/// name, and the containers of the services. Nothing is changed on the nodes.
///
/// ssh uses the cluster's keys, and no settings or known hosts of your own.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard status mc1.yaml
  nodecard status mc1.yaml --wait 10m
  nodecard status mc1.yaml --node xu4-node2 --json

Exit codes:
  0  all nodes as expected
  1  problems found")]
pub struct StatusArgs {
    /// The profile of the cluster
    pub profile: PathBuf,

    /// Ask only this node; may be given several times
    #[arg(long = "node", value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
    pub nodes: Vec<String>,

    /// Ask again until all nodes are as expected, for at most this time: 90s, 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub wait: Option<Duration>,

    /// Ask at most this number of nodes at the same time
    #[arg(long, value_name = "NUMBER", default_value = "16")]
    pub jobs: usize,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Print what other tools need to know about the nodes
///
/// The output goes to standard output and contains no private key, unless
/// --private asks for them. All forms but hosts and pssh need the cluster's keys,
/// which the first build or flash makes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  nodecard export mc1.yaml ssh-config > ~/.ssh/mc1.conf
  nodecard export mc1.yaml known-hosts >> ~/.ssh/known_hosts
  nodecard export mc1.yaml ansible > mc1.inventory.yaml")]
pub struct ExportArgs {
    /// The profile of the cluster
    pub profile: PathBuf,

    /// The form
    #[arg(value_enum)]
    pub form: ExportFormArg,

    /// Have tools log in as this user [default: the first one with keys who is not
    /// root]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,

    /// Include the private keys of the cluster and of the nodes; only with json
    #[arg(long)]
    pub private: bool,

    #[command(flatten)]
    pub json: JsonArg,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormArg {
    /// For ssh: `Include` it in ~/.ssh/config, or use it with `ssh -F`
    SshConfig,
    /// Lines of known_hosts with the host keys of all nodes
    KnownHosts,
    /// Lines of /etc/hosts
    Hosts,
    /// An inventory for Ansible, in YAML
    Ansible,
    /// A file of hosts for pssh, parallel-ssh and the like: USER@ADDRESS lines
    Pssh,
    /// Everything, for programs
    Json,
}

/// Print the JSON schema of profiles, for editors
///
/// With it, editors complete and check a profile while you type. It finds less
/// than nodecard check. Profiles made by init name it in their first line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nodecard schema > profile.schema.json

In a profile, for editors with the YAML language server:
  # yaml-language-server: $schema=profile.schema.json")]
pub struct SchemaArgs {
    #[command(flatten)]
    pub json: JsonArg,
}

/// Print a script that completes commands in a shell
///
/// The shell then also completes the names of the nodes of the profile on the
/// line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(nodecard completions bash)       # in ~/.bashrc
  source <(nodecard completions zsh)        # in ~/.zshrc, after compinit
  nodecard completions fish > ~/.config/fish/completions/nodecard.fish")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Write the manual, one page a command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nodecard man ~/.local/share/man/man1 && man nodecard-flash")]
pub struct ManArgs {
    /// Write the pages to this directory, which is made if it is missing
    pub dir: PathBuf,

    #[command(flatten)]
    pub json: JsonArg,
}

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
    /// Print the report as JSON, and errors too
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
    #[arg(long = "node", value_name = "NODE", add = ArgValueCompleter::new(complete::nodes))]
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

/// Checks the size of a card, and returns it as it was written.
fn card_size_text(text: &str) -> Result<String, String> {
    card_size(text).map(|_| text.trim().to_owned())
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

/// Reads a time such as `90s`, `10m` or `1h`.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..) {
        Some("s") => Some(1),
        Some("m" | "min") => Some(60),
        Some("h") => Some(3600),
        _ => None,
    };
    let seconds = digits.parse::<u32>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
    let seconds = seconds.filter(|seconds| *seconds <= 7 * 86_400);
    let seconds = seconds.ok_or("expected a time of up to a week, such as 90s, 10m or 1h")?;
    Ok(Duration::from_secs(seconds.into()))
}

/// The largest size of a card in bytes. Cards may be a little larger than the nominal size
/// that is printed on them, such as `128GB`.
fn largest_card(text: &str) -> Result<u64, String> {
    let size = card_size(text)?.bytes();
    let unit = text.trim_end().to_ascii_uppercase();
    let is_nominal = unit.ends_with("GB") || unit.ends_with("TB");
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
