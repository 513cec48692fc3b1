//! Scripts that NetworkManager and networkd-dispatcher run when an interface is up.
//!
//! Sources: NetworkManager-dispatcher(8); networkd-dispatcher(8).

use super::{is_executable, of_script, without_own_interface};
use crate::{Origin, Program, SystemError, SystemFiles, Systemd, search_path::unmasked};

/// NetworkManager's directories; the first that has a name decides.
const NETWORK_MANAGER: [&str; 2] =
    ["/etc/NetworkManager/dispatcher.d", "/usr/lib/NetworkManager/dispatcher.d"];
/// Directories in these for scripts that run before an interface is up, or beside others.
const KINDS: [&str; 3] = ["", "/pre-up.d", "/no-wait.d"];
/// networkd-dispatcher's, in the same manner.
const NETWORKD: [&str; 2] = ["/etc/networkd-dispatcher", "/usr/lib/networkd-dispatcher"];
/// The states of an interface that comes up.
const STATES: [&str; 6] = [
    "/no-carrier.d",
    "/carrier.d",
    "/degraded.d",
    "/routable.d",
    "/configuring.d",
    "/configured.d",
];

/// Adds the scripts of both.
pub(super) fn find(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    found: &mut Vec<Program>,
) -> Result<(), SystemError> {
    let mut add = |directories: &[&str], kinds: &[&str]| -> Result<(), SystemError> {
        for kind in kinds {
            let places: Vec<String> = directories.iter().map(|at| format!("{at}{kind}")).collect();
            for path in unmasked(files, &places, "")?.into_values() {
                if is_executable(files, &path)? {
                    let script = of_script(files, &path, Origin::Dispatcher)?;
                    found.push(without_own_interface(script));
                }
            }
        }
        Ok(())
    };
    if systemd.running("NetworkManager.service").is_some() {
        add(&NETWORK_MANAGER, &KINDS)?;
    }
    if systemd.running("networkd-dispatcher.service").is_some() {
        add(&NETWORKD, &STATES)?;
    }
    Ok(())
}
