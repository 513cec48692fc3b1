//! What became of each card.

use std::path::PathBuf;

use card_flash::FlashResult;
use card_image::{BuildNote, CardBuilder};

use super::FlashTarget;
use crate::Error;

/// What became of the cards of one session.
#[derive(Debug)]
#[non_exhaustive]
pub struct FlashReport {
    /// The cards, in the order in which they were given or inserted.
    pub cards: Vec<FlashedCard>,
    /// Why the root partition of the base image was chosen.
    pub root_reason: String,
    /// What the user should know about the base image and the profile. What is worth knowing
    /// about a card is in its [`WriteReport`](card_flash::WriteReport).
    pub notes: Vec<BuildNote>,
    /// What ended the session early, or makes all its cards doubtful, such as a base image
    /// that changed. A card's own failure is in [`cards`](Self::cards).
    pub stopped: Option<Error>,
}

/// What became of one card.
#[derive(Debug)]
#[non_exhaustive]
pub struct FlashedCard {
    /// The node's name.
    pub node: String,
    /// The device or file, as it was given.
    pub path: PathBuf,
    /// Whether it is a device, which can be removed when it has been written.
    pub is_device: bool,
    /// The device's model, if it is known.
    pub model: Option<String>,
    /// The device's serial number, if it is known.
    pub serial: Option<String>,
    /// The size in bytes.
    pub size: u64,
    /// What was written, or why the card failed.
    pub outcome: FlashResult,
}

impl FlashedCard {
    /// Returns whether the card was written and read back.
    pub fn is_verified(&self) -> bool {
        self.outcome.is_ok()
    }
}

impl FlashTarget {
    pub(super) fn flashed(&self, outcome: FlashResult) -> FlashedCard {
        let device = self.target.device();
        FlashedCard {
            node: self.node.clone(),
            path: self.path().to_owned(),
            is_device: device.is_some(),
            model: device.and_then(|device| device.model.clone()),
            serial: device.and_then(|device| device.serial.clone()),
            size: self.target.size(),
            outcome,
        }
    }
}

impl FlashReport {
    pub(super) fn new(builder: &CardBuilder, notes: Vec<BuildNote>) -> Self {
        let mut report = FlashReport {
            cards: Vec::new(),
            root_reason: builder.root_reason().to_owned(),
            notes: Vec::new(),
            stopped: None,
        };
        report.add_notes(notes);
        report
    }

    pub(super) fn add_notes(&mut self, notes: impl IntoIterator<Item = BuildNote>) {
        for note in notes {
            if !self.notes.contains(&note) {
                self.notes.push(note);
            }
        }
    }

    pub(super) fn add(&mut self, cards: Vec<FlashedCard>) {
        self.cards.extend(cards);
    }

    /// Returns the report if every card was verified, and else what went wrong.
    ///
    /// # Errors
    /// [`FlashReport::stopped`]; [`Error::Interrupted`] if that is all that stopped a card;
    /// [`Error::CardsFailed`].
    pub fn into_result(mut self) -> Result<Self, Error> {
        if let Some(error) = self.stopped.take() {
            return Err(error);
        }
        let errors = || self.cards.iter().filter_map(|card| card.outcome.as_ref().err());
        let failed = errors().count();
        if failed == 0 {
            Ok(self)
        } else if errors().all(|error| error.fault.is_cancelled()) {
            Err(Error::Interrupted)
        } else {
            Err(Error::CardsFailed { failed, cards: self.cards.len() })
        }
    }
}
