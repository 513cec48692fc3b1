//! Random-access storage for disk images and cards.
//!
//! Everything above this crate sees a card, an image file or a partition of
//! one as the same thing: bytes that can be read ([`ReadAt`]) and perhaps
//! written ([`WriteAt`]) at an offset. The pieces compose:
//!
//! - [`FileStorage`] and [`Memory`] hold bytes,
//! - [`Layer`] records changes over a storage that it never touches,
//! - [`Window`] shows a part of a storage, such as one partition,
//! - [`Extents`] is a set of byte ranges, such as the used parts of a card,
//! - [`Cancel`] stops long work over any of them.
//!
//! Offsets and lengths are in bytes throughout.

mod cancel;
mod error;
mod extents;
mod file;
mod layer;
mod memory;
mod storage;
mod window;

pub use cancel::{Cancel, Cancelled};
pub use error::{Error, Result};
pub use extents::Extents;
pub use file::FileStorage;
pub use layer::{BLOCK_SIZE, Layer};
pub use memory::Memory;
pub use storage::{ReadAt, WriteAt};
pub use window::Window;
