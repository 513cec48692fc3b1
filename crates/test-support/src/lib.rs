//! What the tests of several crates share. It is never published, and no crate depends on
//! it outside its tests.
//!
//! - [`FaultInjector`] is a storage that fails at its nth read or write,
//! - [`Recorder`] records the writes to a storage, and [`replay_cut`] does them again up to
//!   any point, as if the power had failed there,
//! - [`run`], [`output`] and [`pipe`] run the programs that people use, so that these make
//!   the images that tests begin with and judge the ones that tests end with,
//! - [`TestImage`] is an image file in a directory of its own,
//! - [`SharedDirectory`] is a directory for a whole test binary,
//! - [`e2fsck_complaint`] and [`assert_e2fsck_clean`] ask e2fsck,
//! - [`Random`] gives numbers that look random and are the same in every run.
//!
//! A program that is missing is an error, not a reason to skip a test: the message names
//! the Debian package that has it. What needs root or loop devices is left out without them,
//! and [`not_judged`] says so.
//!
//! ```
//! use block_io::{Memory, ReadAt as _};
//! use test_support::{FaultInjector, is_injected};
//!
//! let storage = FaultInjector::new(Memory::new(vec![0; 512]), 1, u64::MAX);
//! assert!(storage.read_vec(0, 512).is_ok());
//! let error = storage.read_vec(0, 512).unwrap_err();
//! assert!(is_injected(&error));
//! ```

mod e2fsck;
mod fault;
mod image;
mod not_judged;
mod program;
pub mod proxy;
mod random;
mod recorder;
pub mod server;
mod shared_directory;
pub mod tls;

pub use e2fsck::{assert_e2fsck_clean, e2fsck_complaint};
pub use fault::{FaultInjector, injected_fault, is_injected};
pub use image::TestImage;
pub use not_judged::{judged_if, not_judged, not_supported};
pub use program::{output, pipe, run, run_with_input};
pub use random::Random;
pub use recorder::{Recorder, StorageEvent, replay_cut};
pub use shared_directory::SharedDirectory;
