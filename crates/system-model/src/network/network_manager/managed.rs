//! Which interfaces NetworkManager leaves alone, and which connections it allows on them.

use super::{
    NetworkManager, devices,
    settings::{self, Section, Setting},
};
use crate::{FileLine, network::matching::Fit, pattern::fnmatch};

impl NetworkManager {
    /// Returns whether the settings allow an interface this connection.
    pub fn allows(&self, interface: &str, id: &str, uuid: &str) -> bool {
        let allowed = self.allowed_connections(interface);
        allowed.is_none_or(|allowed| is_allowed(allowed, id, Some(uuid)))
    }

    /// Returns the line that surely keeps this connection from an interface.
    pub fn disallowed_by(&self, interface: &str, id: &str) -> Option<&FileLine> {
        let connection = self.connections.iter().find(|one| one.id == id)?;
        let uuid = connection.uuid.as_deref().unwrap_or_default();
        if self.allows(interface, id, uuid) {
            return None;
        }
        let allowed = self.allowed_connections(interface)?;
        let stops = || {
            let section = self.settings.device_sections().find(|section| {
                section.get("stop-match").is_some() && fits_section(section, interface) == Fit::Yes
            });
            section.and_then(|section| section.get("stop-match"))
        };
        allowed.first().or_else(stops).map(|setting| &setting.at)
    }

    /// Returns whether NetworkManager leaves an interface alone, and the line that says so.
    pub(super) fn leaves_alone(&self, interface: &str) -> (Fit, Option<&FileLine>) {
        if let Some(at) = self.broken.as_ref().or(self.off.as_ref()) {
            return (Fit::Yes, Some(at));
        }
        for one in &self.by_netplan {
            if devices::matches(std::iter::once(one.devices.as_str()), interface) == Fit::Yes {
                return (Fit::Yes, Some(&one.at));
            }
        }
        let unmanaged = self.unmanaged.iter().map(|one| one.value.as_str());
        let listed = devices::matches(unmanaged, interface);
        let (by_section, at) = self.left_by_section(interface);
        match listed {
            Fit::No => (by_section, at),
            _ if by_section == Fit::Yes => (by_section, at),
            _ => {
                let one = |setting: &&Setting| {
                    devices::matches(std::iter::once(setting.value.as_str()), interface) == listed
                };
                let fits = self.unmanaged.iter().find(one).or(self.unmanaged.first());
                (listed, fits.map(|one| &one.at))
            }
        }
    }

    /// Returns whether the first section about an interface leaves it alone.
    fn left_by_section(&self, interface: &str) -> (Fit, Option<&FileLine>) {
        let sections: Vec<_> = self.settings.device_sections().collect();
        let mut result = (Fit::No, None);
        for section in sections.into_iter().rev() {
            let managed = section.get("managed");
            let stops = section.get("stop-match").and_then(|one| settings::boolean(&one.value));
            if managed.is_none() && stops != Some(true) {
                continue;
            }
            let fit = fits_section(section, interface);
            let leaves = managed.filter(|one| settings::boolean(&one.value) == Some(false));
            let here = (Fit::decided(leaves.is_some()), leaves.map(|one| &one.at));
            result = match fit {
                Fit::Yes => here,
                Fit::No => result,
                Fit::Perhaps if here.0 == result.0 => result,
                Fit::Perhaps => (Fit::Perhaps, here.1.or(result.1)),
            };
        }
        result
    }

    /// Returns the connections that the first section about an interface allows; `None` for all.
    /// One that has only `stop-match` allows none.
    pub(super) fn allowed_connections(&self, interface: &str) -> Option<&[Setting]> {
        let section = self.settings.device_sections().find(|section| {
            let stops = section.get("stop-match").and_then(|one| settings::boolean(&one.value));
            let decides = section.list("allowed-connections").is_some() || stops == Some(true);
            decides && fits_section(section, interface) == Fit::Yes
        });
        section.map(|section| section.list("allowed-connections").unwrap_or_default())
    }

    /// Returns whether NetworkManager cares for an interface.
    pub fn manages(&self, interface: &str) -> Fit {
        self.leaves_alone(interface).0.not()
    }

    /// Returns the line that surely has NetworkManager leave an interface alone.
    pub fn unmanaged_by(&self, interface: &str) -> Option<&FileLine> {
        let (fit, at) = self.leaves_alone(interface);
        at.filter(|_| fit == Fit::Yes)
    }
}

/// Returns whether a section is about an interface.
fn fits_section(section: &Section, interface: &str) -> Fit {
    section.list("match-device").map_or(Fit::Yes, |list| {
        devices::matches(list.iter().map(|one| one.value.as_str()), interface)
    })
}

/// Returns whether a list of connections has one. Where one comes from (`origin:`) is not known.
pub(super) fn is_allowed(allowed: &[Setting], id: &str, uuid: Option<&str>) -> bool {
    let fits = |spec: &str| match spec.split_once(':') {
        _ if spec == "*" => true,
        Some(("id", listed)) => id == listed,
        Some(("uuid", listed)) => uuid == Some(listed),
        _ => false,
    };
    let (excepted, included): (Vec<&str>, Vec<&str>) =
        allowed.iter().map(|one| one.value.as_str()).partition(|spec| spec.starts_with("except:"));
    let is_excepted = excepted.iter().filter_map(|spec| spec.strip_prefix("except:")).any(fits);
    let is_included = included.iter().any(|spec| fits(spec));
    !is_excepted && (is_included || included.is_empty() && !excepted.is_empty())
}

/// Returns whether a name fits the patterns of `[match]` (src/libnm-core-impl/nm-utils.c,
/// `nm_wildcard_match_check`): all that are preceded by `&` or `!`, and one of the others.
pub(super) fn matches_patterns(patterns: &[String], interface: &str) -> bool {
    let (mut any, mut fits) = (false, false);
    for pattern in patterns {
        let (mandatory, rest) = match pattern.strip_prefix('&') {
            Some(rest) => (true, rest),
            None => (pattern.starts_with('!'), pattern.strip_prefix('|').unwrap_or(pattern)),
        };
        let (negated, rest) = match rest.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let matched = fnmatch(rest.strip_prefix('\\').unwrap_or(rest), interface) != negated;
        if mandatory && !matched {
            return false;
        }
        any |= !mandatory;
        fits |= !mandatory && matched;
    }
    fits || !any
}
