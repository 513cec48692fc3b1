//! Systems whose files can be edited, but of which no right card can be made.

use crate::{SystemError, SystemFiles};

/// Why no card can be made from an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsuitable {
    /// The system.
    pub name: &'static str,
    /// The file that it was recognized by.
    pub evidence: &'static str,
    /// Why a card would not be what a profile says, as a clause.
    pub reason: &'static str,
}

/// Systems that do not start with systemd, or that do not keep what is written to /etc:
/// (name, what it cannot do without, reason).
const SYSTEMS: [(&str, &[&str], &str); 4] = [
    (
        "NixOS",
        &["/nix/var/nix/profiles/system", "/etc/NIXOS"],
        "it regenerates /etc from its own configuration at every boot",
    ),
    (
        "an ostree system",
        &["/ostree/repo", "/ostree/deploy"],
        "its files are in a deployment below /ostree, which its boot loader chooses",
    ),
    (
        "OpenWrt",
        &["/sbin/procd"],
        "its init, procd, starts no units, and its network is set by /etc/config/network",
    ),
    (
        "a system with OpenRC, such as Alpine Linux",
        &["/sbin/openrc", "/usr/sbin/openrc", "/sbin/openrc-run"],
        "it does not use systemd, so what it starts at boot is unknown",
    ),
];

/// systemd itself. Other inits may be installed beside it.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];

/// Returns why no card can be made from an image, if so.
///
/// # Errors
/// [`SystemError`] if a file of the image cannot be read.
pub fn unsuitable(files: &dyn SystemFiles) -> Result<Option<Unsuitable>, SystemError> {
    for (name, marks, reason) in SYSTEMS {
        let is_init = name.contains("OpenRC") || name == "OpenWrt";
        if is_init && (files.exists(SYSTEMD[0])? || files.exists(SYSTEMD[1])?) {
            continue;
        }
        for evidence in marks {
            // A link, as NixOS's own profile is, may lead to what the root filesystem lacks.
            if files.exists(evidence)? || files.read_link(evidence)?.is_some() {
                return Ok(Some(Unsuitable { name, evidence, reason }));
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn systems_are_refused_by_what_they_are_and_not_by_what_is_installed() {
        let name = |files: &MemoryFiles| unsuitable(files).unwrap().map(|one| one.name);
        let mut files = MemoryFiles::new();
        files.write("/etc/os-release", "ID=debian\n");
        assert_eq!(name(&files), None);
        files.write("/sbin/openrc", "");
        assert!(name(&files).is_some_and(|name| name.contains("OpenRC")));
        files.write("/lib/systemd/systemd", "");
        assert_eq!(name(&files), None, "Debian with openrc beside systemd");
        files.symlink("/nix/var/nix/profiles/system", "system-1-link");
        assert_eq!(name(&files), Some("NixOS"));
        let mut files = MemoryFiles::new();
        files.write("/sbin/procd", "");
        assert_eq!(name(&files), Some("OpenWrt"));
        let mut files = MemoryFiles::new();
        files.directory("/ostree/deploy");
        assert_eq!(name(&files), Some("an ostree system"));
    }
}
