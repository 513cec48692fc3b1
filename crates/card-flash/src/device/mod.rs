//! Devices: what they are, which of them may be written, and opening those.
//!
//! Nothing here picks a device. The user names one; [`Target::inspect`] refuses
//! what is no card, and says what is on the rest; [`Target::open`] makes sure
//! that it is still the same.

mod contents;
mod ioctl;
mod mounts;
mod opened;
mod refusal;
mod storage;
mod system;
mod target;
mod watch;

pub use contents::DeviceContents;
pub use opened::OpenedTarget;
pub use refusal::{Refusal, TargetLimits};
pub use storage::OpenedStorage;
pub use system::{Device, DeviceKind, HostSystem};
pub use target::{DeviceIdentity, Target, TargetError};
pub use watch::wait_for_swap;
