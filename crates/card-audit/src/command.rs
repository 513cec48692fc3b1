//! The commands that fix a card, as values. A program that uses the library can carry them out
//! itself; their [`Display`](std::fmt::Display) is what a user types.

use std::{fmt, path::PathBuf};

use plain_text::shell_word;

/// Correcting a card in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyCommand {
    /// The profile.
    pub profile: PathBuf,
    /// The node whose card it is.
    pub node: String,
    /// The device or image file.
    pub target: String,
    /// The base image, if it is not the profile's.
    pub base: Option<String>,
    /// Whether the root partition and its filesystem grow to fill the card.
    pub grow: bool,
}

impl fmt::Display for ApplyCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = shell_word(&self.profile.display().to_string());
        let target = shell_word(&format!("{}={}", self.node, self.target));
        write!(f, "nodecard apply {profile} {target}")?;
        if let Some(base) = &self.base {
            write!(f, " --base {}", shell_word(base))?;
        }
        if self.grow {
            f.write_str(" --grow")?;
        }
        Ok(())
    }
}

/// Building a node's card again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildCommand {
    /// The profile.
    pub profile: PathBuf,
    /// The node.
    pub node: String,
}

impl fmt::Display for BuildCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let profile = shell_word(&self.profile.display().to_string());
        write!(f, "nodecard build {profile} --node {}", self.node)
    }
}
