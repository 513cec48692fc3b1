//! The time stamp at which a board without a clock begins.

use super::{RenderError, accounts, context::Context};
use crate::{Attributes, Change, Purpose};

/// The directory of systemd 236 and later; it belongs to the user systemd-timesync.
const DIRECTORY: &str = "/var/lib/systemd/timesync";
/// The stamp of older releases of systemd.
const OLD_STAMP: &str = "/var/lib/systemd/clock";

/// Stamps the time of the build, or that of the cluster's keys if it is later, so that
/// certificates made at the first boot are valid at once.
///
/// Where systemd-timesyncd is installed but has never run, its directory is created too,
/// with its user as owner, as the daemon itself does.
pub(super) fn stamp(to: &mut Context<'_>) -> Result<(), RenderError> {
    let user = accounts::users(to)?.into_iter().find(|user| user.name == "systemd-timesync");
    let (uid, gid) = user.map_or((0, 0), |user| (user.uid, user.gid));
    let owned = |mode| Attributes { mode, uid, gid, enforce: false };
    // A base may be years old; the cluster's keys are not, and their age stays the same.
    let mtime = to.now.max(to.keys.created());
    let change = Change::Touch { mtime, attributes: owned(0o644) };
    let old = to.exists(OLD_STAMP)?;
    if old {
        to.edit(Purpose::ClockStamp, OLD_STAMP, change.clone());
    }
    let there = to.system.list(DIRECTORY)?.is_some();
    let installed = to.exists("/lib/systemd/systemd-timesyncd")?;
    if !there && installed && !old {
        to.edit(Purpose::ClockDirectory, DIRECTORY, Change::Directory { attributes: owned(0o755) });
    }
    if there || (installed && !old) {
        to.edit(Purpose::ClockStamp, format!("{DIRECTORY}/clock"), change);
    }
    Ok(())
}
