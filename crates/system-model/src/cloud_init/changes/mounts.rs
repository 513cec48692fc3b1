//! Filesystems that are mounted (cc_mounts.py).

use super::{Finder, Value};
use crate::Effect;

impl Finder<'_> {
    /// Entries of `mounts` with a mount point, and a swap file, are written to /etc/fstab. Without
    /// one, an entry takes back those before it with the same device.
    pub(super) fn mounts(&mut self) {
        const MODULE: &str = "mounts";
        let mut points: Vec<(String, String)> = Vec::new();
        for entry in self.get("mounts").map(Value::list).unwrap_or_default() {
            let text = |at: usize| entry.list().get(at).and_then(Value::text);
            let Some(device) = text(0) else { continue };
            match text(1) {
                Some(point) => points.push((device, point)),
                None => points.retain(|(other, _)| *other != device),
            }
        }
        for (device, point) in points {
            let text = format!("mounts {device} on {point}, by /etc/fstab");
            self.by_key(Effect::Mounts, MODULE, "mounts", text);
        }
        let swap = self.model.config.at(&["swap", "size"]);
        if swap.is_some_and(|size| size.is_truthy() && size.text().as_deref() != Some("0")) {
            let text = "makes a swap file and writes it to /etc/fstab";
            self.by_key(Effect::Mounts, MODULE, "swap", text);
        }
    }
}
