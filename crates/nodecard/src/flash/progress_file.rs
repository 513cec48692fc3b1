//! The file in which a session with one reader notes the cards that are finished.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use block_io::ReadAt;
use card_flash::CardMarks;
use platform::{Privacy, access::create_directories, open_regular};
use serde::{Deserialize, Serialize};

use crate::Error;

/// The nodes whose cards are finished, and how to recognize these cards.
///
/// They are kept in a file in the directory of the cluster's keys, which belongs to the cluster,
/// or in the cache if the keys are only read.
#[derive(Debug)]
pub(super) struct ProgressFile {
    path: PathBuf,
    state: State,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    version: u32,
    /// The base image that the cards were made from.
    base: PathBuf,
    /// The cards, in the order in which they were finished.
    done: Vec<Entry>,
    /// Cards of an earlier session that this one does not continue. They are recognized, but
    /// written again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Entry {
    /// From versions of nodecard that recognized cards within one session only.
    Name(String),
    Card(Finished),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Finished {
    node: String,
    /// In seconds since 1970.
    finished: u64,
    size: u64,
    marks: Vec<(u64, u32)>,
}

/// A finished card of the cluster that was recognized.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FinishedCard {
    /// The node.
    pub node: String,
    /// The cluster.
    pub cluster: String,
    /// When the card was finished.
    pub finished: SystemTime,
    /// Whether it counts as done in this session, and is not overwritten.
    pub is_done: bool,
}

impl ProgressFile {
    /// Reads what an earlier session finished with this base image. Without `resume`, nothing
    /// counts as finished, but those cards are recognized.
    pub(super) fn open(path: PathBuf, base: &Path, resume: bool) -> Result<Self, Error> {
        let base = fs::canonicalize(base).unwrap_or_else(|_| base.to_owned());
        let fresh = State { version: 1, base, done: Vec::new(), earlier: Vec::new() };
        let unusable = |source: io::Error| Error::ProgressFile { path: path.clone(), source };
        let read = match read_regular(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error)),
            Ok(json) => Some(serde_json::from_slice::<State>(&json).map_err(io::Error::from)),
        };
        let state = match read {
            None => fresh,
            Some(Err(error)) if resume => return Err(unusable(error)),
            Some(Err(_)) => fresh,
            Some(Ok(State { done, earlier, .. })) if !resume => {
                let earlier = earlier.into_iter().chain(done).collect();
                State { earlier, ..fresh }
            }
            Some(Ok(state)) if (state.version, &state.base) != (fresh.version, &fresh.base) => {
                return Err(Error::OtherBase { path, base: state.base });
            }
            Some(Ok(state)) => state,
        };
        Ok(ProgressFile { path, state })
    }

    pub(super) fn has(&self, node: &str) -> bool {
        self.state.done.iter().any(|done| done.node() == node)
    }

    /// Notes a finished card before the next one is asked for.
    pub(super) fn add(&mut self, node: &str, marks: CardMarks) -> Result<(), Error> {
        let CardMarks { size, blocks: marks } = marks;
        let finished = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let finished = finished.map_or(0, |since| since.as_secs());
        self.state.earlier.retain(|card| card.node() != node);
        self.state.done.push(Entry::Card(Finished {
            node: node.to_owned(),
            finished,
            size,
            marks,
        }));
        self.write().map_err(|source| Error::WriteProgress { path: self.path.clone(), source })
    }

    /// Returns the finished card that `storage` is.
    pub(super) fn recognize(&self, cluster: &str, storage: &dyn ReadAt) -> Option<FinishedCard> {
        let State { done, earlier, .. } = &self.state;
        let cards = done.iter().map(|card| (card, true));
        let cards = cards.chain(earlier.iter().map(|card| (card, false)));
        let cards = cards.filter_map(|(entry, is_done)| match entry {
            Entry::Card(card) => Some((card, is_done)),
            Entry::Name(_) => None,
        });
        let is_it = |card: &Finished| {
            CardMarks { size: card.size, blocks: card.marks.clone() }.are_on(storage)
        };
        let (card, is_done) = cards.into_iter().find(|(card, _)| is_it(card))?;
        Some(FinishedCard {
            node: card.node.clone(),
            cluster: cluster.to_owned(),
            finished: SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(card.finished))
                .unwrap_or(SystemTime::UNIX_EPOCH),
            is_done,
        })
    }

    fn write(&self) -> io::Result<()> {
        let temporary = self.path.with_extension("json.partial");
        if let Some(directory) = self.path.parent() {
            create_directories(directory, Privacy::Private)?;
        }
        let json = serde_json::to_string_pretty(&self.state)?;
        fs::write(&temporary, json + "\n")?;
        fs::rename(&temporary, &self.path)
    }

    /// Removes the file when all cards are finished.
    pub(super) fn remove(self) {
        // If that fails, the next session that resumes finds all cards finished.
        let _ = fs::remove_file(&self.path);
    }
}

fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path, OpenOptions::new().read(true))?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Entry {
    fn node(&self) -> &str {
        match self {
            Entry::Name(node) => node,
            Entry::Card(card) => &card.node,
        }
    }
}
