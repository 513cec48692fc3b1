//! The families of images, and what an image is recognized by.

use std::fmt;

use crate::{SystemError, SystemFiles, command_line::CommandLines};

/// A family of images for boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Raspberry Pi OS, any release.
    RaspberryPiOs,
    /// Ubuntu Server preinstalled for Raspberry Pi.
    UbuntuRaspi,
    /// Armbian.
    Armbian,
    /// DietPi.
    DietPi,
    /// Debian's own images for Raspberry Pi.
    DebianRaspi,
    /// Hardkernel's images for ODROID boards.
    Hardkernel,
    /// Orange Pi's own images.
    OrangePi,
    /// BeagleBoard.org's images.
    BeagleBoard,
    /// Radxa's own images.
    Radxa,
    /// Another Ubuntu.
    Ubuntu,
    /// Another Debian.
    Debian,
}

impl fmt::Display for Family {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Family::RaspberryPiOs => "Raspberry Pi OS",
            Family::UbuntuRaspi => "Ubuntu for Raspberry Pi",
            Family::Armbian => "Armbian",
            Family::DietPi => "DietPi",
            Family::DebianRaspi => "Debian for Raspberry Pi",
            Family::Hardkernel => "Hardkernel",
            Family::OrangePi => "Orange Pi",
            Family::BeagleBoard => "BeagleBoard.org",
            Family::Radxa => "Radxa",
            Family::Ubuntu => "Ubuntu",
            Family::Debian => "Debian",
        })
    }
}

/// A recognized family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognized {
    /// The family.
    pub family: Family,
    /// The release: `trixie`, `24.04`, a version; empty if it is not known.
    pub release: String,
    /// The files that it was recognized by.
    pub evidence: Vec<String>,
}

/// What marks each family, the most specific first. Directories and files that its own
/// programs need, so that a rename of the host or of a user does not hide it.
const MARKS: &[(Family, &[&str])] = &[
    (Family::DietPi, &["/boot/dietpi", "/boot/dietpi.txt", "/var/lib/dietpi"]),
    (Family::OrangePi, &["/etc/orangepi-release", "/boot/orangepiEnv.txt", "/usr/lib/orangepi"]),
    (
        Family::Armbian,
        &[
            "/etc/armbian-release",
            "/boot/armbianEnv.txt",
            "/usr/lib/armbian",
            "/etc/armbian-image-release",
            "/lib/systemd/system/armbian-firstrun.service",
        ],
    ),
    (
        Family::RaspberryPiOs,
        &[
            "/etc/rpi-issue",
            "/usr/lib/raspberrypi-sys-mods",
            "/usr/lib/userconf-pi",
            "/etc/apt/sources.list.d/raspi.list",
            "/etc/apt/sources.list.d/raspi.sources",
            "/usr/lib/raspi-config",
        ],
    ),
    (
        Family::BeagleBoard,
        &[
            "/etc/bbb.io",
            "/etc/dogtag",
            "/opt/scripts/boot/am335x_evm.sh",
            "/etc/beagle-flasher",
            "/usr/sbin/bbbio-set-sysconf",
        ],
    ),
    (
        Family::Radxa,
        &[
            "/etc/radxa_image_fingerprint",
            "/usr/lib/rsetup",
            "/config/before.txt",
            "/etc/apt/sources.list.d/radxa.list",
            "/usr/bin/rsetup",
        ],
    ),
    (
        Family::Hardkernel,
        &[
            "/aafirstboot",
            "/.first_boot",
            "/etc/apt/sources.list.d/hardkernel.list",
            "/etc/apt/sources.list.d/odroid.list",
            "/root/firstboot.sh",
        ],
    ),
    (
        Family::DebianRaspi,
        &[
            "/usr/local/sbin/rpi-set-sysconf",
            "/etc/systemd/system/rpi-set-sysconf.service",
            "/etc/systemd/system/rpi-generate-ssh-host-keys.service",
            "/usr/local/sbin/rpi-resizerootfs",
        ],
    ),
];

/// Recognizes the family of an image.
pub(crate) fn recognize(
    files: &dyn SystemFiles,
    lines: &CommandLines,
) -> Result<Option<Recognized>, SystemError> {
    let release = os_release(files)?;
    let version = release.codename.clone().or(release.version.clone()).unwrap_or_default();
    for (family, marks) in MARKS {
        let mut evidence = Vec::new();
        for mark in *marks {
            if files.exists(mark)? {
                evidence.push((*mark).to_owned());
            }
        }
        if *family == Family::Hardkernel
            && let Some(line) = lines.lines().iter().find(|line| line.path.ends_with("/boot.ini"))
            && hardkernel(files, &line.path)?
        {
            evidence.push(line.path.clone());
        }
        if *family == Family::Radxa {
            for partition in files.boot_partitions() {
                let path = format!("{}/before.txt", partition.prefix);
                if files.exists(&path)? {
                    evidence.push(path);
                }
            }
        }
        if !evidence.is_empty() {
            return Ok(Some(Recognized { family: *family, release: version, evidence }));
        }
    }
    let path = release.path.clone();
    let raspi_label = lines
        .counting()
        .find(|line| line.arguments.iter().any(|a| a.text == "root=LABEL=writable"));
    Ok(match (release.id.as_deref(), raspi_label) {
        (Some("ubuntu"), Some(line)) => Some(Recognized {
            family: Family::UbuntuRaspi,
            release: release.version.unwrap_or_default(),
            evidence: vec![path, line.path.clone()],
        }),
        (Some("ubuntu"), None) => Some(Recognized {
            family: Family::Ubuntu,
            release: release.version.unwrap_or_default(),
            evidence: vec![path],
        }),
        (Some("raspbian"), _) => Some(Recognized {
            family: Family::RaspberryPiOs,
            release: version,
            evidence: vec![path],
        }),
        (Some("debian"), _) => {
            let raspi = lines
                .counting()
                .find(|line| line.arguments.iter().any(|a| a.text == "root=LABEL=RASPIROOT"));
            let family = if raspi.is_some() { Family::DebianRaspi } else { Family::Debian };
            let mut evidence = vec![path];
            evidence.extend(raspi.map(|line| line.path.clone()));
            Some(Recognized { family, release: version, evidence })
        }
        _ => None,
    })
}

/// boot.ini is read by U-Boot of ODROID boards alone, which its first line names.
fn hardkernel(files: &dyn SystemFiles, path: &str) -> Result<bool, SystemError> {
    let text = files.read_text(path)?.unwrap_or_default();
    Ok(text.lines().next().is_some_and(|line| line.trim_start().starts_with("ODROID")))
}

#[derive(Default)]
struct OsRelease {
    path: String,
    id: Option<String>,
    version: Option<String>,
    codename: Option<String>,
}

/// os-release(5).
fn os_release(files: &dyn SystemFiles) -> Result<OsRelease, SystemError> {
    let mut release = OsRelease::default();
    for path in ["/etc/os-release", "/usr/lib/os-release"] {
        if let Some(text) = files.read_text(path)? {
            release.path = path.to_owned();
            for line in text.lines() {
                let Some((name, value)) = line.split_once('=') else { continue };
                let value = Some(value.trim_matches(['"', '\'']).to_owned());
                match name {
                    "ID" => release.id = value,
                    "VERSION_ID" => release.version = value,
                    "VERSION_CODENAME" => release.codename = value,
                    _ => {}
                }
            }
            break;
        }
    }
    Ok(release)
}
