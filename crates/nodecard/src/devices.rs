//! The block devices of this machine.

use card_flash::device::{Device, DeviceKind, Refusal, TargetLimits};

use crate::{Context, Error};

/// A block device, and why it is rejected as a card.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DeviceReport {
    /// The device.
    pub device: Device,
    /// Why it cannot be overwritten, the most important reason first; empty for what may be
    /// a card.
    pub refusals: Vec<Refusal>,
}

impl DeviceReport {
    /// Returns whether the device may be a card.
    pub fn is_candidate(&self) -> bool {
        self.refusals.is_empty()
    }
}

/// Lists the block devices of this machine in the order of their names. Devices without a
/// size, such as unused loop devices, are left out; empty card readers are listed.
///
/// # Errors
/// [`Error::Devices`] if the kernel's list of devices or mounts cannot be read.
pub fn devices(limits: &TargetLimits, context: &Context) -> Result<Vec<DeviceReport>, Error> {
    let devices = context.system.devices().map_err(|source| Error::Devices { source })?;
    let is_reader = |kind| matches!(kind, DeviceKind::Usb | DeviceKind::Sd);
    Ok(devices
        .into_iter()
        .filter(|device| device.size > 0 || is_reader(device.kind))
        .map(|device| DeviceReport { refusals: device.refusals(limits), device })
        .collect())
}
