//! Writing cards: many at a time from one reading of the base, only what differs, with
//! everything verified, and never to a disk that is not a card.
//!
//! - [`device`] inspects devices, refuses those that are not cards, and opens the others as a
//!   [`Medium`].
//! - [`flash`] writes cards side by side and verifies them.
//!
//! The crate knows nothing about the contents of cards. It takes, for each card, a storage,
//! the [extents](block_io::Extents) in use, and a medium. This writes one card to a file:
//!
//! ```
//! use std::sync::Arc;
//!
//! use block_io::{Cancel, Extents, Layer, Memory, ReadAt, WriteAt};
//! use card_flash::{
//!     CardSource, FlashJob, Medium, OldContents, flash,
//!     device::{HostSystem, Target, TargetLimits},
//! };
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // The base image, and a layer over it that makes it the card of one node.
//! let size = 4 << 20;
//! let base: Arc<dyn ReadAt> = Arc::new(Memory::new(vec![7; 2 << 20]));
//! let layer = Layer::new(base.clone(), size);
//! layer.write_at(1 << 20, b"node1")?;
//! let mut changed = layer.changed();
//! changed.insert(base.size()..size);
//! let card = CardSource {
//!     node: "node1".to_owned(),
//!     layer: Arc::new(layer),
//!     used: Extents::from(0..3 << 20),
//!     changed,
//! };
//!
//! // A file of the card's size. In real life it is a device such as /dev/sdb.
//! let directory = tempfile::tempdir()?;
//! let path = directory.path().join("card.img");
//! std::fs::File::create(&path)?.set_len(size)?;
//! let (system, limits) = (HostSystem::this(), TargetLimits::default());
//! let target = Target::inspect(&system, &path, "base.img".as_ref(), &limits)?;
//! println!("now on it: {}", target.contents());
//! let medium = target.open(&system, &limits)?;
//!
//! let cards = vec![(card, &medium as &dyn Medium)];
//! let job = FlashJob { shared: base, cards, old_contents: OldContents::Compared };
//! for outcome in flash(&job, &(), &Cancel::new()) {
//!     let report = outcome?;
//!     println!("{} bytes verified, {} of them written", report.bytes, report.written);
//! }
//! assert_eq!(&std::fs::read(&path)?[1 << 20..][..5], b"node1");
//! # Ok(())
//! # }
//! ```

mod block_sums;
mod buffer;
pub mod device;
mod error;
mod flash;
mod in_flight;
mod marks;
mod medium;
mod passes;
mod probes;
mod progress;
mod sample;
mod shared_reader;
mod source;
mod steps;
mod write_plan;
mod writer;

pub use error::{CardError, CardFault};
pub use flash::{FlashJob, FlashResult, OldContents, flash};
pub use marks::CardMarks;
pub use medium::{Medium, Presence};
pub use progress::{FlashPhase, FlashProgress};
pub use source::CardSource;
pub use writer::WriteReport;
