//! Devices: what they are, which of them may be overwritten, and opening those.
//!
//! Nothing here picks a device. The user names one; [`Target::inspect`] refuses what is not
//! a card, and reports what is on it; [`Target::open`] makes sure that it is still the
//! same.

mod block_device;
mod contents;
mod host;
mod mounts;
mod opened;
mod read_only;
mod refusal;
mod storage;
mod system;
mod target;
mod watch;

pub use block_device::{Device, DeviceKind, RelatedDevice, Relation};
pub use contents::DeviceContents;
pub use opened::{Exposure, OpenedTarget};
pub use read_only::{ReadError, ReadOnlyTarget};
pub use refusal::{Refusal, TargetLimits};
pub use storage::OpenedStorage;
pub use system::HostSystem;
pub use target::{DeviceIdentity, Target, TargetAccess, TargetError};
pub use watch::wait_for_swap;
