//! Lists of devices (NetworkManager.conf(5), "Device List Format").

use crate::pattern::fnmatch;

/// Returns whether a list of devices has an interface; `None` if a property of the board
/// decides.
pub(super) fn spec_matches(specs: &str, interface: &str) -> Option<bool> {
    let kind = if interface.starts_with("wl") { "wifi" } else { "ethernet" };
    let (mut fits, mut unknown) = (false, false);
    for spec in specs.split([',', ';', ' ', '\t']).filter(|spec| !spec.is_empty()) {
        let (except, spec) = match spec.strip_prefix("except:") {
            Some(rest) => (true, rest),
            None => (false, spec),
        };
        let fit = match spec.split_once(':') {
            _ if spec == "*" => Some(true),
            None => Some(spec == interface),
            Some(("type", value)) => Some(value == kind),
            Some(("interface-name", value)) => Some(match value.split_at_checked(1) {
                Some(("=", exact)) => exact == interface,
                Some(("~", pattern)) => fnmatch(pattern, interface),
                _ => fnmatch(value, interface),
            }),
            // A hardware address without a prefix has colons too.
            Some(_) => None,
        };
        match (fit, except) {
            (Some(true), true) => return Some(false),
            (Some(true), false) => fits = true,
            (None, _) => unknown = true,
            (Some(false), _) => {}
        }
    }
    match (fits, unknown) {
        (true, _) => Some(true),
        (false, true) => None,
        (false, false) => Some(false),
    }
}
