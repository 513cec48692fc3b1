//! Filesystems that the running system mounts over directories of its root filesystem, which
//! hides what an image has there.
//!
//! Sources: fstab(5); systemd-fstab-generator(8); systemd.mount(5).

use crate::{
    FileKind, FileLine, SystemError, SystemFiles, Systemd,
    systemd::{FstabMount, mount_point, simplified_path},
    units,
};

/// A directory, or a file, over which another filesystem is mounted at boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// The directory or file, without needless slashes.
    pub point: String,
    /// The line of /etc/fstab or of the unit that names it.
    pub at: FileLine,
    /// Whether the system does without it if the filesystem is not there (`nofail`).
    pub may_fail: bool,
    /// Whether a file is mounted over a file.
    is_file: bool,
}

/// The filesystems that are mounted at boot besides the root and the boot partitions.
#[derive(Debug, Clone, Default)]
pub struct Mounts(Vec<Mount>);

impl Mounts {
    /// Reads what the mount units that start at each boot mount, those of /etc/fstab included.
    ///
    /// # Errors
    /// [`SystemError`] if a file of the image cannot be read.
    pub fn read(files: &dyn SystemFiles, systemd: &Systemd) -> Result<Self, SystemError> {
        let fstab = FstabMount::read(files)?;
        let boot = files.boot_partitions();
        let mut mounts = Vec::new();
        for unit in systemd.started().iter().filter(|unit| unit.runs()) {
            let Some(stem) = unit.name.strip_suffix(".mount") else { continue };
            let point = mount_point(stem);
            if point == "/" || boot.iter().any(|boot| boot.prefix == point) {
                continue;
            }
            let line = fstab.iter().find(|line| line.point == point);
            let (at, source) = match (&unit.file, line) {
                (Some(file), _) => {
                    let place = units::values(files, &unit.name, "Mount", "Where")?.pop();
                    // systemd refuses a unit with another name than its directory's.
                    let written =
                        place.as_ref().map(|(text, _)| systemd.expanded(text, &unit.name));
                    if written.is_some_and(|text| simplified_path(&text) != Some(point.clone())) {
                        continue;
                    }
                    let what = units::values(files, &unit.name, "Mount", "What")?.pop();
                    let at = place.map_or_else(|| FileLine::new(file, 1), |(_, at)| at);
                    (at, what.map(|(what, _)| what).unwrap_or_default())
                }
                (None, Some(line)) => (line.at.clone(), line.source.clone()),
                (None, None) => continue,
            };
            let is_regular = |path: &str| -> Result<bool, SystemError> {
                Ok(files.metadata(path)?.is_some_and(|found| found.kind == FileKind::Regular))
            };
            let is_file = is_regular(&point)? || source.starts_with('/') && is_regular(&source)?;
            let may_fail = unit.file.is_none() && line.is_some_and(|line| line.has("nofail"));
            mounts.push(Mount { point, at, may_fail, is_file });
        }
        Ok(Mounts(mounts))
    }

    /// Returns the mount that hides what the root filesystem has at a path.
    pub fn hiding(&self, path: &str) -> Option<&Mount> {
        let hides = |mount: &&Mount| {
            path.strip_prefix(mount.point.as_str()).is_some_and(|rest| {
                if mount.is_file { rest.is_empty() } else { rest.starts_with('/') }
            })
        };
        // Of several, the innermost has the path.
        self.0.iter().filter(hides).max_by_key(|mount| mount.point.len())
    }
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
            .write("/lib/systemd/system/masked.mount", "[Mount]\nWhat=x\nWhere=/masked\n")
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

    /// What hides each of these paths: the mount's place and line.
    fn hiding(files: &MemoryFiles, paths: &[&str]) -> Vec<Option<(String, usize)>> {
        let mounts = Mounts::read(files, &Systemd::read_later_boots(files).unwrap()).unwrap();
        let at = |path: &&str| mounts.hiding(path).map(|one| (one.at.path.clone(), one.at.line));
        paths.iter().map(at).collect()
    }

    #[test]
    fn fstab_is_read_as_systemd_reads_it() {
        let mut files = MemoryFiles::new();
        files
            .write(
                "/etc/fstab",
                "LABEL=h //home/./ ext4 defaults\n\
                 LABEL=h /home/ ext4 defaults\n\
                 LABEL=a /a ext4 noauto,x-systemd.wanted-by=multi-user.target\n\
                 LABEL=b /b ext4 noauto,x-systemd.wanted-by=off.service\n\
                 LABEL=c /c ext4 x-systemd.required-by=off.service\n\
                 LABEL=d /data ext4 noauto\n\
                 LABEL=e /data/deep ext4 noauto\n\
                 LABEL=m /masked ext4 nofail\n\
                 LABEL=n /not/../normal ext4 defaults\n\
                 /data/hosts /etc/hosts none bind\n",
            )
            .write("/etc/hosts", "127.0.0.1 localhost\n")
            .symlink("/etc/systemd/system/masked.mount", "/dev/null");
        let fstab = |line| Some(("/etc/fstab".to_owned(), line));
        let paths = ["/home/x", "/a/x", "/b/x", "/c/x", "/data/x", "/data/deep/x", "/masked/x"];
        let wanted = [fstab(1), fstab(3), None, None, None, None, None];
        assert_eq!(hiding(&files, &paths), wanted);
        assert_eq!(
            hiding(&files, &["/normal/x", "/etc/hosts", "/etc/hosts.allow"]),
            [None, fstab(10), None]
        );
        // A masked one that is required keeps local-fs.target, and so the others, from starting.
        let fstab_text = "LABEL=h /home ext4\nLABEL=m /masked ext4 defaults\n";
        let mut broken = MemoryFiles::new();
        broken.write("/etc/fstab", fstab_text);
        broken.symlink("/etc/systemd/system/masked.mount", "/dev/null");
        assert_eq!(hiding(&broken, &["/home/x"]), [None]);
        // A service needs what is below.
        let unit = "/etc/systemd/system/app.service";
        files.symlink("/etc/systemd/system/multi-user.target.wants/app.service", unit);
        for key in ["RequiresMountsFor", "WantsMountsFor"] {
            files.write(unit, format!("[Unit]\n{key}=/data//deep/er\n"));
            assert_eq!(hiding(&files, &["/data/x", "/data/deep/x"]), [fstab(6), fstab(7)]);
        }
    }

    #[test]
    fn units_say_where_by_their_names() {
        let mut files = MemoryFiles::new();
        let wants = "/etc/systemd/system/local-fs.target.wants";
        for (name, text) in [
            ("srv-a\\x2db.mount", "[Mount]\nWhat=x\nWhere=%f\n"),
            ("opt.mount", "[Mount]\nWhat=x\nWhere=//opt/\n"),
            ("var-x.mount", "[Mount]\nWhat=x\n"),
            ("other.mount", "[Mount]\nWhat=x\nWhere=/elsewhere\n"),
        ] {
            let path = format!("/etc/systemd/system/{name}");
            files.write(&path, text).symlink(&format!("{wants}/{name}"), &path);
        }
        // A unit outranks the line, and is the only one then.
        files.write("/etc/fstab", "LABEL=o /opt ext4 defaults\n");
        let unit = |name: &str, line| Some((format!("/etc/systemd/system/{name}.mount"), line));
        let paths = ["/srv/a-b/x", "/opt/x", "/var/x/y", "/other/x", "/elsewhere/x"];
        let wanted = [unit("srv-a\\x2db", 3), unit("opt", 3), unit("var-x", 1), None, None];
        assert_eq!(hiding(&files, &paths), wanted);
    }
}
