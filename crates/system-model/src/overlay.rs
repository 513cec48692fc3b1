//! Overlays over the root filesystem, which take what programs write at run time.
//!
//! Sources: overlayroot's scripts/init-bottom/overlayroot and overlayroot.conf (Ubuntu's
//! cloud-initramfs-tools); raspi-config's `enable_overlayfs` (`boot=overlay` up to bookworm,
//! `overlayroot=tmpfs` later); initramfs-tools' init, for `boot=`; systemd-volatile-root(8) and
//! systemd-fstab-generator(8), for `systemd.volatile=`.
//!
//! The scripts run from the initramfs, which is an archive of its own. So an image that asks for
//! an overlay is taken to get one.

use crate::{Location, Mounts, SystemError, SystemFiles, command_line::CommandLines};

/// overlayroot's files on the root filesystem. The later one wins, and the kernel's command line
/// over both.
pub const OVERLAYROOT_CONFS: [&str; 2] = ["/etc/overlayroot.conf", "/etc/overlayroot.local.conf"];

const FSTAB: &str = "/etc/fstab";
const VAR: &str = "/var/";
const USR: &str = "/usr/";

/// Where an overlay keeps what is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OverlayUpper {
    /// In memory, or encrypted with a key that each boot makes anew: lost at every reboot.
    Memory,
    /// On another device, named as the setting names it.
    Device(String),
}

/// The part of the root filesystem that an overlay covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// The root filesystem, but no other.
    Root,
    /// The root filesystem, and those of /etc/fstab.
    RootAndFstab,
    /// /var alone.
    Var,
    /// Everything but /usr.
    AllButUsr,
}

/// An overlay that takes the writes to the root filesystem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootOverlay {
    /// Where the image asks for it.
    pub location: Location,
    /// The setting, such as `overlayroot=tmpfs`.
    pub text: String,
    /// Whether the kernel's command line has the setting, and not a file of overlayroot's.
    pub is_argument: bool,
    /// Where the writes go.
    pub upper: OverlayUpper,
    extent: Extent,
}

impl RootOverlay {
    /// Reads the overlay that the next boot sets up.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn read(
        files: &dyn SystemFiles,
        lines: &CommandLines,
    ) -> Result<Option<Self>, SystemError> {
        if let Some(found) = overlayroot(files, lines)? {
            return Ok(Some(found));
        }
        for key in ["boot", "systemd.volatile"] {
            let Some((line, argument)) = lines.find(key) else { continue };
            let extent = match (key, argument.value.as_deref()) {
                ("boot" | "systemd.volatile", Some("overlay")) => Extent::Root,
                ("systemd.volatile", Some("state")) => Extent::Var,
                ("systemd.volatile", None | Some("1" | "yes" | "y" | "true" | "t" | "on")) => {
                    Extent::AllButUsr
                }
                _ => continue,
            };
            return Ok(Some(RootOverlay {
                location: Location::new(&line.path, line.line),
                text: argument.text.clone(),
                is_argument: true,
                upper: OverlayUpper::Memory,
                extent,
            }));
        }
        Ok(None)
    }

    /// Returns whether what is written below a path is gone after a reboot. `mounts` are those of
    /// later boots.
    pub fn loses(&self, path: &str, mounts: &Mounts) -> bool {
        if self.upper != OverlayUpper::Memory {
            return false;
        }
        match (self.extent, mounts.hiding(path)) {
            (Extent::Var, None) => path.starts_with(VAR),
            (Extent::AllButUsr, None) => !path.starts_with(USR),
            (Extent::Root | Extent::RootAndFstab, None) => true,
            // overlayroot rewrites /etc/fstab, and knows nothing of units.
            (Extent::RootAndFstab, Some(mount)) => mount.at.path == FSTAB,
            (_, Some(_)) => false,
        }
    }
}

/// Reads overlayroot's settings in its own order.
fn overlayroot(
    files: &dyn SystemFiles,
    lines: &CommandLines,
) -> Result<Option<RootOverlay>, SystemError> {
    const NAME: &str = "overlayroot";
    let mut last: Option<(Location, String, bool)> = None;
    for path in OVERLAYROOT_CONFS {
        let text = files.read_text(path)?.unwrap_or_default();
        for (index, line) in text.lines().enumerate() {
            if let Some(value) = assigned(line, NAME) {
                last = Some((Location::new(path, index + 1), value, false));
            }
        }
    }
    for line in lines.counting() {
        // Without a value the script warns and goes on. Quotes are a part of the value for it.
        let mut given = line.arguments.iter().filter(|one| one.key == NAME && one.value.is_some());
        if let Some(argument) = given.next_back() {
            let (_, value) = argument.text.split_once('=').unwrap_or_default();
            last = Some((Location::new(&line.path, line.line), value.to_owned(), true));
        }
    }
    Ok(last.and_then(|(location, value, is_argument)| {
        let (upper, extent) = parse(&value)?;
        let text = format!("{NAME}={value}");
        Some(RootOverlay { location, text, is_argument, upper, extent })
    }))
}

/// Returns the value that a line of a shell script assigns to a variable: the last of the line.
fn assigned(line: &str, name: &str) -> Option<String> {
    let mut found = None;
    let mut rest = line.trim_start();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() || rest.starts_with('#') {
            return found;
        }
        let (mut value, mut quote, mut end) = (String::new(), None, rest.len());
        for (at, c) in rest.char_indices() {
            match (quote, c) {
                (None, '"' | '\'') => quote = Some(c),
                (Some(open), c) if c == open => quote = None,
                (None, c) if c.is_ascii_whitespace() || c == ';' => {
                    end = at;
                    break;
                }
                (_, c) => value.push(c),
            }
        }
        if let Some((key, value)) = value.split_once('=')
            && key == name
        {
            found = Some(value.to_owned());
        }
        rest = rest.get(end..).unwrap_or_default();
    }
}

/// Reads a value as overlayroot does. `None` stands for no overlay: it is off, or the value is one
/// with which the script gives up.
fn parse(value: &str) -> Option<(OverlayUpper, Extent)> {
    let (kind, options) = match value.split_once(':') {
        _ if value.starts_with("/dev/") => ("device", format!("dev={value}")),
        Some((kind, options)) => (kind, options.to_owned()),
        None => (value, String::new()),
    };
    let option = |name: &str| {
        let pairs = options.split(',').filter_map(|one| one.split_once('='));
        let mut named = pairs.filter(|(key, value)| *key == name && !value.is_empty());
        named.next_back().map(|(_, value)| value)
    };
    for switch in ["swap", "recurse"] {
        if option(switch).is_some_and(|value| !matches!(value, "0" | "1")) {
            return None;
        }
    }
    let extent = match option("recurse") {
        Some("0") => Extent::Root,
        _ => Extent::RootAndFstab,
    };
    let upper = match kind {
        "tmpfs" => OverlayUpper::Memory,
        "device" => OverlayUpper::Device(option("dev")?.to_owned()),
        "crypt" => {
            let device = option("dev")?.to_owned();
            // Without a password each boot makes one, and a filesystem.
            option("pass").map_or(OverlayUpper::Memory, |_| OverlayUpper::Device(device))
        }
        _ => return None,
    };
    Some((upper, extent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MemoryFiles, Systemd};

    fn read(files: &MemoryFiles) -> Option<RootOverlay> {
        RootOverlay::read(files, &CommandLines::read(files).unwrap()).unwrap()
    }

    fn with_arguments(arguments: &str) -> MemoryFiles {
        let mut files = MemoryFiles::new();
        files.boot_partition(1, "/boot/firmware");
        files.write("/boot/firmware/cmdline.txt", &format!("console=tty1 {arguments} rootwait\n"));
        files
    }

    #[test]
    fn values_of_overlayroot() {
        let device = |name: &str| Some(OverlayUpper::Device(name.to_owned()));
        for (value, upper) in [
            ("tmpfs", Some(OverlayUpper::Memory)),
            ("tmpfs:swap=1,recurse=0", Some(OverlayUpper::Memory)),
            ("/dev/sda1", device("/dev/sda1")),
            ("device:dev=LABEL=rw,timeout=180", device("LABEL=rw")),
            ("crypt:dev=vdb,pass=x,mkfs=0", device("vdb")),
            ("crypt:dev=vdb", Some(OverlayUpper::Memory)),
            ("disabled", None),
            ("", None),
            // The script gives up on these.
            ("yes", None),
            ("device:timeout=9", None),
            ("tmpfs:recurse=2", None),
            ("\"tmpfs\"", None),
        ] {
            let found = read(&with_arguments(&format!("overlayroot={value}")));
            assert_eq!(found.map(|found| found.upper), upper, "{value}");
        }
        assert_eq!(read(&with_arguments("overlayroot")), None, "an argument without a value");
    }

    #[test]
    fn the_command_line_outranks_the_files() {
        let mut files = with_arguments("overlayroot=tmpfs");
        let found = read(&files).unwrap();
        assert_eq!(found.location, Location::new("/boot/firmware/cmdline.txt", 1));
        assert_eq!((found.text.as_str(), found.is_argument), ("overlayroot=tmpfs", true));
        files
            .write("/etc/overlayroot.conf", "# overlayroot=no\noverlayroot_cfgdisk=\"disabled\"\n");
        assert!(read(&files).unwrap().is_argument);
        let mut files = with_arguments("overlayroot=disabled");
        files.write("/etc/overlayroot.conf", "overlayroot=\"tmpfs\"\n");
        assert_eq!(read(&files), None);
        let mut files = with_arguments("quiet");
        files.write("/etc/overlayroot.conf", "a=1; export overlayroot='tmpfs:recurse=0' # on\n");
        let found = read(&files).unwrap();
        assert_eq!(found.location, Location::new("/etc/overlayroot.conf", 1));
        assert_eq!(found.text, "overlayroot=tmpfs:recurse=0");
        files.write("/etc/overlayroot.local.conf", "\noverlayroot=\n");
        assert_eq!(read(&files), None, "the local file comes later");
    }

    #[test]
    fn overlays_of_other_programs() {
        for (argument, etc, var, usr) in [
            ("boot=overlay", true, true, true),
            ("systemd.volatile=overlay", true, true, true),
            ("systemd.volatile=state", false, true, false),
            ("systemd.volatile=yes", true, true, false),
        ] {
            let found = read(&with_arguments(argument)).expect(argument);
            let mounts = Mounts::default();
            let loses = |path| found.loses(path, &mounts);
            let all = (loses("/etc/x"), loses("/var/lib/docker/x"), loses("/usr/x"));
            assert_eq!(all, (etc, var, usr), "{argument}");
        }
        for argument in ["boot=local", "boot=overlay boot=local", "systemd.volatile=no", "boot="] {
            assert_eq!(read(&with_arguments(argument)), None, "{argument}");
        }
    }

    #[test]
    fn other_filesystems_may_keep_what_is_written() {
        let docker = "/var/lib/docker/swarm";
        for (value, keeps) in [("tmpfs", false), ("tmpfs:recurse=0", true)] {
            let mut files = with_arguments(&format!("overlayroot={value}"));
            files.write("/etc/fstab", "LABEL=d /var/lib/docker ext4 defaults 0 2\n");
            let units = Systemd::read_later_boots(&files).unwrap();
            let mounts = Mounts::read(&files, &units).unwrap();
            let found = read(&files).unwrap();
            assert_eq!(found.loses(docker, &mounts), !keeps, "{value}");
            assert!(found.loses("/var/lib/nodecard", &mounts));
        }
        let found = read(&with_arguments("overlayroot=/dev/sda1")).unwrap();
        assert!(!found.loses(docker, &Mounts::default()));
    }
}
