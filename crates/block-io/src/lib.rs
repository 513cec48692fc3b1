//! Random-access storage for disk images and cards.
//!
//! A card, an image file and a partition look alike here: bytes that can be read
//! ([`ReadAt`]) and perhaps written ([`WriteAt`]) at an offset. The pieces can be combined:
//!
//! - [`FileStorage`] and [`Memory`] hold bytes,
//! - [`Layer`] keeps changes over a storage that stays unchanged,
//! - [`Window`] is a part of a storage, such as one partition,
//! - [`Extents`] is a set of byte ranges, such as the used parts of a card,
//! - [`Cancel`] stops long work, [`Stoppable`] stops what reads, and [`Background`] makes work
//!   that blocks one that stops.
//!
//! Offsets and lengths are in bytes.
//!
//! ```
//! use std::sync::Arc;
//!
//! use block_io::{Layer, Memory, ReadAt, Window, WriteAt};
//!
//! # fn main() -> block_io::Result<()> {
//! // An image of 1 MiB as a card of 2 MiB, with a change in the partition at 512 KiB.
//! let image = Arc::new(Memory::new(vec![7; 1 << 20]));
//! let card = Arc::new(Layer::new(image.clone(), 2 << 20));
//! let partition = Window::new(card.clone(), 512 << 10, 512 << 10)?;
//! partition.write_at(0, b"changed")?;
//!
//! assert_eq!(card.read_vec(512 << 10, 8)?, b"changed\x07");
//! assert_eq!(card.changed().total(), block_io::BLOCK_SIZE);
//! assert_eq!(image.read_vec(512 << 10, 8)?, [7; 8]);
//! # Ok(())
//! # }
//! ```

mod abandon;
mod background;
mod cancel;
mod error;
mod extents;
mod file;
mod layer;
mod memory;
mod stoppable;
mod storage;
mod window;

pub use abandon::{Leftovers, PureWork};
pub use background::{Background, WaitError};
pub use cancel::{Cancel, Cancelled};
pub use error::{Error, Result};
pub use extents::Extents;
pub use file::FileStorage;
pub use layer::{BLOCK_SIZE, Layer};
pub use memory::Memory;
pub use stoppable::Stoppable;
pub use storage::{ReadAt, WriteAt};
pub use window::Window;
