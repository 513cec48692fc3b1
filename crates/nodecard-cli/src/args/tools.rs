//! The arguments of the commands that need no cluster: `password`, `schema`, `completions`, `man`.

use std::path::PathBuf;

use clap_complete::Shell;

use super::shared::JsonArg;

/// Make the hash of a password for a profile
///
/// Asks for the password twice, without showing it, and prints its hash (SHA-512, as
/// in /etc/shadow) for `password` under `users` in a profile. If standard input is
/// not a terminal, the password is read from it as one line.
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

/// Print the JSON schema of profiles, for editors
///
/// With it, editors complete and check a profile while you type. nodecard check
/// finds more. The first line of profiles that init writes refers to the schema.
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
/// Node names are completed too, from the profile on the command line.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(nodecard completions bash)       # in ~/.bashrc
  source <(nodecard completions zsh)        # in ~/.zshrc, after compinit
  nodecard completions fish > ~/.config/fish/completions/nodecard.fish")]
pub struct CompletionsArgs {
    /// Print the script for this shell
    #[arg(value_enum)]
    pub shell: Shell,

    #[command(flatten)]
    pub json: JsonArg,
}

/// Write the manual pages, one for each command
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example:
  nodecard man ~/.local/share/man/man1 && man nodecard-flash")]
pub struct ManArgs {
    /// Write the pages to this directory, which is created if necessary
    pub dir: PathBuf,

    #[command(flatten)]
    pub json: JsonArg,
}
