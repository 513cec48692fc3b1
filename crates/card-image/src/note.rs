//! What the user should know about the cards that are made.

use std::{fmt, path::PathBuf};

use cluster_profile::{KeptAddress, Note, NoteKind};
use plain_text::{decimal_size, escaped, shell_word, size};

use crate::output::{MANIFEST, SUMS};

/// Something that the user should know about the image, the profile or the files that were
/// made.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildNote {
    /// What rendering the cards notes.
    Card(Note),
    /// The free blocks of a partition are copied too, because its filesystem is not certain.
    CopiedWhole {
        /// The number of the partition.
        partition: u32,
        /// Why.
        reason: String,
    },
    /// Another partition keeps the root partition from filling the card.
    RootLimited {
        /// The number of the root partition.
        partition: u32,
        /// How far it still grows, in bytes.
        growth: u64,
        /// What lies behind it: `partition 3`.
        obstacle: String,
        /// The size of what stays unused at the end of the card, in bytes.
        unused: u64,
    },
    /// The root filesystem is shrunk, because the card is smaller than the base image.
    RootShrunk {
        /// Its size in the base, in bytes.
        before: u64,
        /// Its size on the card, in bytes.
        after: u64,
    },
    /// The root filesystem of a card stays as large as it is in the image.
    NotShrunk {
        /// Why it cannot be smaller; `None` if its contents need the space.
        reason: Option<String>,
    },
    /// A fixed address stays in an image that is saved as a base image.
    AddressKept(KeptAddress),
    /// A journal was added to the root filesystem, as the image's first boot would.
    JournalAdded {
        /// The size of the journal in bytes.
        size: u64,
    },
    /// Files have times after 2310, which e2fsck takes for times before 1970.
    LateTimes {
        /// How many inodes have such a time.
        inodes: u32,
        /// The first of them.
        first: u32,
    },
    /// An image has no block map, so all of it is written.
    NoBlockMap {
        /// The image.
        image: PathBuf,
    },
    /// The block map of an image has no checksums.
    NoMapSums {
        /// The block map.
        map: PathBuf,
    },
    /// The card is larger than the image that is written to it.
    RestUnused {
        /// The size of what stays unused, in bytes.
        unused: u64,
    },
    /// Other users could read the file that a card was written to. Now they cannot.
    MadePrivate {
        /// The file.
        file: PathBuf,
    },
    /// Other users can read the file that a card was written to.
    Exposed {
        /// The file.
        file: PathBuf,
    },
    /// Nodes have roles in a swarm, but the profile describes none.
    RolesWithoutSwarm {
        /// The nodes.
        nodes: Vec<String>,
    },
    /// Keys of the cluster were created.
    NewKeys {
        /// Their directory.
        directory: PathBuf,
        /// The nodes that got host keys; none if all keys are new.
        nodes: Vec<String>,
    },
    /// The directory has images that its records no longer list.
    UnlistedImages {
        /// The directory.
        directory: PathBuf,
    },
}

impl BuildNote {
    /// Returns what it is about.
    pub fn kind(&self) -> NoteKind {
        match self {
            BuildNote::Card(note) => note.kind(),
            _ => NoteKind::Plain,
        }
    }

    /// Returns what was disarmed or removed, to follow that word, or the whole note.
    pub fn subject(&self) -> String {
        match self {
            BuildNote::Card(note) => note.subject(),
            other => other.to_string(),
        }
    }

    /// Returns what to do about it, if something should be done.
    pub fn fix(&self) -> Option<String> {
        match self {
            BuildNote::Card(note) => note.fix(),
            BuildNote::UnlistedImages { .. } => {
                Some("delete those images, or build them again".to_owned())
            }
            BuildNote::AddressKept(_) => {
                Some("remove it from the card before saving, or from each new card".to_owned())
            }
            BuildNote::Exposed { file } => {
                let word = shell_word(&file.display().to_string());
                let command = platform::access::command_to_restrict(&word, false);
                Some(format!("as the owner of the file, run `{command}`"))
            }
            BuildNote::RolesWithoutSwarm { .. } => Some(
                "add `swarm: {}` if the nodes are to form a Docker Swarm, or remove `role`"
                    .to_owned(),
            ),
            BuildNote::CopiedWhole { .. }
            | BuildNote::RootLimited { .. }
            | BuildNote::RootShrunk { .. }
            | BuildNote::NotShrunk { .. }
            | BuildNote::JournalAdded { .. }
            | BuildNote::LateTimes { .. }
            | BuildNote::NoBlockMap { .. }
            | BuildNote::NoMapSums { .. }
            | BuildNote::RestUnused { .. }
            | BuildNote::MadePrivate { .. }
            | BuildNote::NewKeys { .. } => None,
        }
    }
}

impl From<Note> for BuildNote {
    fn from(note: Note) -> Self {
        BuildNote::Card(note)
    }
}

impl fmt::Display for BuildNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BuildNote::Card(note) => note.fmt(f),
            BuildNote::CopiedWhole { partition, reason } => write!(
                f,
                "all of partition {partition} is copied, including free blocks: {}",
                escaped(reason)
            ),
            BuildNote::RootLimited { partition, growth, obstacle, unused } => {
                write!(f, "partition {partition} (root) ")?;
                match growth {
                    0 => write!(f, "does not grow, because {obstacle} follows it")?,
                    more => {
                        write!(f, "grows by only {}, up to {obstacle}", size(*more))?;
                    }
                }
                write!(f, "; {} at the end of the card stay unused", size(*unused))
            }
            BuildNote::RootShrunk { before, after } => write!(
                f,
                "the root filesystem is shrunk from {} to {}, because the card is smaller than \
                 the base image",
                size(*before),
                size(*after)
            ),
            BuildNote::NotShrunk { reason } => {
                f.write_str("the root filesystem is not shrunk")?;
                reason.iter().try_for_each(|reason| write!(f, ": {}", escaped(reason)))
            }
            BuildNote::AddressKept(KeptAddress { address, interface, at }) => {
                write!(f, "the address {} of {} stays", escaped(address), escaped(interface))?;
                if let Some(at) = at {
                    write!(f, ", in {}, line {}", escaped(&at.path), at.line)?;
                }
                f.write_str(": every card made from the image has it")
            }
            BuildNote::JournalAdded { size: journal } => write!(
                f,
                "added a journal of {} to the root filesystem, as DietPi's first boot would",
                size(*journal)
            ),
            BuildNote::LateTimes { inodes, first } => {
                match inodes {
                    1 => write!(f, "inode {first} of the root filesystem has")?,
                    more => write!(
                        f,
                        "{more} inodes of the root filesystem ({first} is the first) have"
                    )?,
                }
                f.write_str(
                    " a time after 2310; e2fsck will correct that to a time before 1970, as old \
                     kernels meant it",
                )
            }
            BuildNote::NoBlockMap { image } => write!(
                f,
                "{} has no block map, so all of it is written and nothing is checked",
                escaped(&image.display().to_string())
            ),
            BuildNote::NoMapSums { map } => write!(
                f,
                "{} has no SHA-256 sums to check the image with",
                escaped(&map.display().to_string())
            ),
            BuildNote::RestUnused { unused } => write!(
                f,
                "the card is {} larger than the image; its system does not use the rest",
                decimal_size(*unused)
            ),
            BuildNote::MadePrivate { file } => write!(
                f,
                "{} can now be read only by its owner, because the card in it holds private keys",
                escaped(&file.display().to_string())
            ),
            BuildNote::Exposed { file } => write!(
                f,
                "other users can read {}, although the card in it holds private keys",
                escaped(&file.display().to_string())
            ),
            BuildNote::RolesWithoutSwarm { nodes } => write!(
                f,
                "`role` has no effect, because the profile has no `swarm`: {}",
                nodes.join(", ")
            ),
            BuildNote::NewKeys { directory, nodes } => {
                let directory = escaped(&directory.display().to_string());
                match nodes.as_slice() {
                    [] => write!(f, "created the cluster's keys in {directory}")?,
                    nodes => {
                        write!(f, "created host keys for {} in {directory}", nodes.join(", "))?
                    }
                }
                f.write_str(". Keep them: a card rebuilt with these keys is the same node")
            }
            BuildNote::UnlistedImages { directory } => write!(
                f,
                "{} still holds images of an earlier build from another base or for other cards, \
                 which {SUMS} and {MANIFEST} no longer list",
                escaped(&directory.display().to_string())
            ),
        }
    }
}
