//! Writing cards: devices and what keeps a system disk safe from being taken for
//! one, many cards from one reading, and reading back.
//!
//! - [`device`] finds out what a device is, refuses what is no card, and opens
//!   the rest as a [`Medium`].
//! - [`flash`] writes cards side by side and verifies them.
//!
//! The crate knows no filesystem. It takes, for each card, a storage, the
//! [extents](block_io::Extents) in use, and a medium.

mod buffer;
mod course;
pub mod device;
mod error;
mod feed;
mod flash;
mod medium;
mod plan;
mod probe;
mod progress;
mod source;
mod sums;
mod team;

pub use course::WriteReport;
pub use error::{CardError, CardFault};
pub use flash::{FlashJob, FlashResult, flash};
pub use medium::{Medium, Presence};
pub use progress::{FlashPhase, FlashProgress};
pub use source::CardSource;
