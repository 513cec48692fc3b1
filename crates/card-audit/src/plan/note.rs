//! What the user should know about a plan.

use std::{fmt, path::PathBuf};

use card_image::BuildNote;
use cluster_profile::{Note, NoteKind};
use plain_text::escaped;
use serde::{Serialize, Serializer};

use crate::OtherIdentity;

/// Something that the user should know about the changes of a plan. In JSON it is its text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlanNote {
    /// What building the cards notes.
    Build(BuildNote),
    /// The kernel has flagged errors in the root filesystem, but a check finds none.
    ErrorsFlagged {
        /// The number of the root partition.
        partition: u32,
    },
    /// A file that differs stays, because something of the owner's is in its place.
    Obstructed {
        /// The file.
        path: String,
        /// What is there.
        reason: String,
    },
    /// Keys were made for this plan only.
    KeysInMemory {
        /// The directory of the cluster's keys.
        directory: PathBuf,
    },
    /// The card looks like another one.
    OtherIdentity(OtherIdentity),
    /// The card is not compared with the base image, so copies from it are not detected.
    BaseNotCompared {
        /// Why, as a clause: `the base image is not decoded`.
        reason: String,
    },
}

impl PlanNote {
    /// Returns the word that introduces it in a report: `disarmed`, `removed` or `note`.
    pub fn label(&self) -> &'static str {
        match self {
            PlanNote::Build(note) => match note.kind() {
                NoteKind::Disarmed => "disarmed",
                NoteKind::Removed => "removed",
                _ => "note",
            },
            _ => "note",
        }
    }

    /// Returns what was disarmed or removed, to follow that word, or the whole note.
    pub fn subject(&self) -> String {
        match self {
            PlanNote::Build(note) => note.subject(),
            other => other.to_string(),
        }
    }

    /// Returns what to do about it, if something should be done.
    pub fn fix(&self) -> Option<String> {
        match self {
            PlanNote::Build(note) => note.fix(),
            PlanNote::ErrorsFlagged { partition } => {
                Some(format!("run `e2fsck -f` on partition {partition} before any change"))
            }
            _ => None,
        }
    }
}

impl From<Note> for PlanNote {
    fn from(note: Note) -> Self {
        PlanNote::Build(note.into())
    }
}

impl fmt::Display for PlanNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            PlanNote::Build(note) => return note.fmt(f),
            PlanNote::ErrorsFlagged { .. } => {
                "the kernel flagged errors in the root filesystem, but a check finds none"
                    .to_owned()
            }
            PlanNote::Obstructed { path, reason } => {
                format!("{path} was not changed: {reason}")
            }
            PlanNote::KeysInMemory { directory } => format!(
                "some keys are not in {} yet and were made only for this plan; the first build or \
                 flash will create different ones",
                directory.display()
            ),
            PlanNote::OtherIdentity(identity) => identity.to_string(),
            PlanNote::BaseNotCompared { reason } => format!(
                "identities copied from the base image are not detected, and stay on the card: \
                 {reason}"
            ),
        };
        f.write_str(&escaped(&text))
    }
}

impl Serialize for PlanNote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.fix() {
            Some(fix) => serializer.collect_str(&format_args!("{self}; {fix}")),
            None => serializer.collect_str(self),
        }
    }
}
