//! Filesystems that the running system mounts over directories of its root filesystem, which
//! hides what an image has there.
//!
//! Sources: fstab(5); systemd-fstab-generator(8); systemd.mount(5).

use crate::{FileLine, SystemError, SystemFiles, Systemd, units};

/// A directory over which another filesystem is mounted at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The directory, without a slash at the end.
    pub point: String,
    /// The line of /etc/fstab or of the unit that names it.
    pub at: FileLine,
    /// Whether the system does without it if the filesystem is not there (`nofail`).
    pub may_fail: bool,
}

/// The filesystems that are mounted at boot besides the root and the boot partitions.
#[derive(Debug, Clone, Default)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads /etc/fstab, and the mount units that start at each boot.
    ///
    /// # Errors
    /// [`SystemError`] if a file of the image cannot be read.
    pub fn read(files: &dyn SystemFiles, systemd: &Systemd) -> Result<Self, SystemError> {
        let mut mounts = Vec::new();
        let text = files.read_text("/etc/fstab")?.unwrap_or_default();
        for (index, line) in text.lines().enumerate() {
            mounts.extend(of_line(line, FileLine::new("/etc/fstab", index + 1)));
        }
        for unit in systemd.started().iter().filter(|unit| unit.runs()) {
            let section = match unit.name.rsplit_once('.') {
                Some((_, "mount")) => "Mount",
                Some((_, "automount")) => "Automount",
                _ => continue,
            };
            if let Some((point, at)) = units::values(files, &unit.name, section, "Where")?.pop() {
                mounts.push(Mount { point: normal(&point), at, may_fail: false });
            }
        }
        let boot = files.boot_partitions();
        mounts.retain(|mount| {
            mount.point.len() > 1 && boot.iter().all(|boot| boot.prefix != mount.point)
        });
        Ok(Mounts(mounts))
    }

    /// Returns the mount that hides what the root filesystem has at a path.
    pub fn hiding(&self, path: &str) -> Option<&Mount> {
        let is_below = |mount: &&Mount| {
            path.strip_prefix(mount.point.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        self.0.iter().find(is_below)
    }
}

/// Returns the mount of a line of fstab(5), if it is mounted at boot or when it is used.
fn of_line(line: &str, at: FileLine) -> Option<Mount> {
    let mut fields = line.split_ascii_whitespace();
    let source = fields.next()?;
    let point = unescaped(fields.next()?);
    let kind = fields.next().unwrap_or_default();
    if source.starts_with('#') || !point.starts_with('/') || kind == "swap" {
        return None;
    }
    let options: Vec<&str> = fields.next().unwrap_or_default().split(',').collect();
    let has = |name: &str| options.contains(&name);
    if has("noauto") && !has("x-systemd.automount") {
        return None;
    }
    Some(Mount { point: normal(&point), at, may_fail: has("nofail") })
}

fn normal(point: &str) -> String {
    format!("/{}", point.trim_matches('/'))
}

/// Replaces the octal escapes of fstab(5), such as `\040` for a space.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let value =
            digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match value.filter(|_| *first == b'\\') {
            Some(value) => {
                bytes.push(value);
                rest = &after[3..];
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    #[test]
    fn what_is_mounted_at_boot_hides_what_is_below() {
        let mut files = MemoryFiles::new();
        files
            .write(
                "/etc/fstab",
                "# LABEL=x /opt ext4\nUUID=1 / ext4 defaults 0 1\nLABEL=home /home/ ext4\n\
                 LABEL=boot /boot/firmware vfat defaults\nLABEL=s none swap sw\n\
                 LABEL=a /srv ext4 noauto\nLABEL=b /data ext4 noauto,x-systemd.automount\n\
                 LABEL=c /my\\040files ext4 nofail,ro\n/data/x /var/lib/docker none bind\n",
            )
            .boot_partition(1, "/boot/firmware")
            .write("/lib/systemd/system/root-.ssh.mount", "[Mount]\nWhat=x\nWhere=/root/.ssh\n")
            .write("/lib/systemd/system/masked.mount", "[Mount]\nWhere=/masked\n")
            .symlink("/etc/systemd/system/masked.mount", "/dev/null")
            .symlink("/etc/systemd/system/local-fs.target.wants/root-.ssh.mount", "/x")
            .symlink("/lib/systemd/system/local-fs.target.wants/masked.mount", "../masked.mount")
            // Nothing but a service that starts needs this one, and nothing the other.
            .write("/etc/systemd/system/cluster.service", "[Unit]\nRequires=cluster.mount\n")
            .symlink("/etc/systemd/system/multi-user.target.wants/cluster.service", "/x")
            .write("/etc/systemd/system/cluster.mount", "[Mount]\nWhat=x\nWhere=/cluster\n")
            .write("/etc/systemd/system/spare.mount", "[Mount]\nWhat=x\nWhere=/spare\n");
        let mounts = Mounts::read(&files, &Systemd::read_later_boots(&files).unwrap()).unwrap();
        let hiding = |path: &str| {
            let mount = mounts.hiding(path)?;
            Some((mount.point.as_str(), mount.at.line, mount.may_fail))
        };
        assert_eq!(hiding("/home/odroid/.ssh/authorized_keys"), Some(("/home", 3, false)));
        assert_eq!(hiding("/data/file"), Some(("/data", 7, false)));
        assert_eq!(hiding("/my files/a"), Some(("/my files", 8, true)));
        assert_eq!(hiding("/var/lib/docker/swarm"), Some(("/var/lib/docker", 9, false)));
        assert_eq!(hiding("/root/.ssh/authorized_keys"), Some(("/root/.ssh", 3, false)));
        assert_eq!(hiding("/cluster/x"), Some(("/cluster", 3, false)));
        for path in [
            "/spare/x",
            "/etc/hosts",
            "/home",
            "/homes/x",
            "/boot/firmware/config.txt",
            "/srv/x",
            "/opt/x",
            "/masked/x",
        ] {
            assert_eq!(hiding(path), None, "{path}");
        }
    }
}
