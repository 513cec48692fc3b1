//! Where Docker keeps its data.
//!
//! Sources: dockerd(8); moby's daemon/config/config.go (a key that is both a flag and in
//! daemon.json keeps dockerd from starting) and contrib/init; docker-snap's bin/dockerd-wrapper.

mod arguments;
mod sysv;

use self::arguments::Arguments;
use crate::{FileLine, SystemError, SystemFiles, service_command, units};

/// The default.
pub const DATA_ROOT: &str = "/var/lib/docker";
/// Where the snap keeps its data.
pub const SNAP_DATA_ROOT: &str = "/var/snap/docker/common/var-lib-docker";
/// The configuration file.
pub const DAEMON_JSON: &str = "/etc/docker/daemon.json";

/// Where packages put Docker's daemon: the older ones of Debian in /usr/sbin.
const DAEMONS: [&str; 3] = ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"];

/// Returns whether a system has Docker.
///
/// # Errors
/// [`SystemError`] if that cannot be read.
pub fn is_installed(files: &dyn SystemFiles) -> Result<bool, SystemError> {
    for path in DAEMONS {
        if files.exists(path)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A directory in which Docker keeps its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerData {
    /// The directory.
    pub path: String,
    /// The line that says so; `None` for a default.
    pub at: Option<FileLine>,
}

/// Returns the directories with Docker's data, that of the running configuration first: by
/// an option of dockerd in its unit (`--data-root`, `-g`, `--graph`), or without a unit in its init
/// script; by daemon.json, or the file that `--config-file` names (`data-root`, `graph`); the
/// default, and the snap's if the image has that. The default is listed even if another one is
/// set, as it may hold data of earlier.
///
/// # Errors
/// [`SystemError`] if a file cannot be read.
pub fn data_roots(files: &dyn SystemFiles) -> Result<Vec<DockerData>, SystemError> {
    let mut found = Found::default();
    let mut starts = service_command::commands(files, "docker.service")?;
    if units::path(files, "docker.service")?.is_none() {
        starts.extend(sysv::command(files)?);
    }
    found.started(files, starts, DAEMON_JSON)?;
    found.add(DATA_ROOT, None);
    // A snap may be installed under several names, `docker` and `docker_NAME`.
    let mut snaps = files.list("/var/snap")?.unwrap_or_default();
    if files.exists("/snap/docker")? && !snaps.iter().any(|name| name == "docker") {
        snaps.push("docker".to_owned());
    }
    snaps.retain(|name| name == "docker" || name.starts_with("docker_"));
    for snap in snaps {
        let unit = format!("snap.{snap}.dockerd.service");
        let starts = service_command::commands(files, &unit)?;
        let data = format!("/var/snap/{snap}");
        found.started(files, starts, &format!("{data}/current/config/daemon.json"))?;
        // Of revisions that an update left behind.
        for revision in files.list(&data)?.unwrap_or_default() {
            found.configured(files, &format!("{data}/{revision}/config/daemon.json"))?;
        }
        found.add(&format!("{data}/common/var-lib-docker"), None);
    }
    Ok(found.0)
}

/// Directories, each once.
#[derive(Default)]
struct Found(Vec<DockerData>);

impl Found {
    fn add(&mut self, path: &str, at: Option<FileLine>) {
        let path = normal(path);
        if path != "/" && self.0.iter().all(|data| data.path != path) {
            self.0.push(DockerData { path, at });
        }
    }

    /// Adds what commands say that start dockerd, and what their configuration files say.
    fn started(
        &mut self,
        files: &dyn SystemFiles,
        starts: Vec<service_command::ServiceCommand>,
        usual: &str,
    ) -> Result<(), SystemError> {
        let mut config_files = Vec::new();
        for start in starts {
            let arguments = start.words.get(1..).unwrap_or_default();
            let Arguments { data_root, config_file } = Arguments::read(arguments);
            if let Some(path) = data_root.filter(|path| !path.is_empty()) {
                self.add(&path, Some(start.at));
            }
            config_files.extend(config_file.filter(|path| !path.is_empty()));
        }
        if config_files.is_empty() {
            config_files.push(usual.to_owned());
        }
        config_files.iter().try_for_each(|path| self.configured(files, path))
    }

    /// Adds what a configuration file says.
    fn configured(&mut self, files: &dyn SystemFiles, path: &str) -> Result<(), SystemError> {
        let path = &normal(path);
        let Some(text) = files.read_text(path)? else { return Ok(()) };
        for key in ["data-root", "graph"] {
            if let Some((value, line)) = json_string(&text, key) {
                self.add(&value, Some(FileLine::new(path, line)));
            }
        }
        Ok(())
    }
}

/// Returns a path without empty names. dockerd starts in the root directory.
fn normal(path: &str) -> String {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    format!("/{}", parts.join("/"))
}

/// Returns a string of the outermost object of a JSON text, and its line.
fn json_string(text: &str, key: &str) -> Option<(String, usize)> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let found = value.get(key)?.as_str().filter(|path| !path.is_empty())?.to_owned();
    let quoted = format!("\"{key}\"");
    let line = text.lines().position(|line| line.contains(&quoted)).map_or(1, |at| at + 1);
    Some((found, line))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryFiles;

    fn paths(files: &MemoryFiles) -> Vec<String> {
        data_roots(files).expect("readable").into_iter().map(|data| data.path).collect()
    }

    #[test]
    fn docker_is_where_packages_put_it() {
        for path in DAEMONS {
            let mut files = MemoryFiles::new();
            assert!(!is_installed(&files).unwrap());
            files.write(path, "");
            assert!(is_installed(&files).unwrap(), "{path}");
        }
    }

    #[test]
    fn data_lie_where_dockerd_puts_them() {
        let mut files = MemoryFiles::new();
        assert_eq!(paths(&files), [DATA_ROOT]);
        files.write(
            DAEMON_JSON,
            "{\n \"log-driver\": \"local\",\n \"data-root\": \"/data//docker/\"}",
        );
        let data = data_roots(&files).expect("readable");
        assert_eq!(data[0].path, "/data/docker");
        assert_eq!(data[0].at, Some(FileLine::new(DAEMON_JSON, 3)));
        files.write(
            "/lib/systemd/system/docker.service",
            "[Service]\nExecStart=/usr/bin/dockerd -H fd:// $DOCKER_OPTS\n",
        );
        // The unit does not name the file, and an init script beside a unit is not used.
        files.write("/etc/default/docker", "DOCKER_OPTS=\"-g /mnt/a\"\n");
        files.write("/etc/init.d/docker", "");
        assert_eq!(paths(&files), ["/data/docker", DATA_ROOT]);
        files.write(
            "/etc/systemd/system/docker.service.d/0.conf",
            "[Service]\nEnvironmentFile=-/etc/default/docker\n",
        );
        assert_eq!(paths(&files), ["/mnt/a", "/data/docker", DATA_ROOT]);
        files.write(
            "/etc/systemd/system/docker.service.d/data.conf",
            "[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --graph=/mnt/b\n",
        );
        assert_eq!(paths(&files), ["/mnt/b", "/data/docker", DATA_ROOT]);
        files.directory("/var/snap/docker/common");
        assert_eq!(paths(&files)[3..], [SNAP_DATA_ROOT]);
        files.write(DAEMON_JSON, "{ not json");
        assert_eq!(paths(&files)[..2], ["/mnt/b", DATA_ROOT]);
    }

    #[test]
    fn the_environment_and_another_configuration_file_count() {
        let mut files = MemoryFiles::new();
        files.write(
            "/lib/systemd/system/docker.service",
            "[Service]\nEnvironment=\"DOCKER_OPTS=--data-root='/mnt/my data' -D\" X=/srv\n\
             ExecStart=/usr/bin/dockerd $DOCKER_OPTS --config-file ${X}/docker.json\n",
        );
        files.write(DAEMON_JSON, "{\"data-root\": \"/unused\"}");
        files.write("/srv/docker.json", "\u{feff}{\"graph\": \"relative/data\"}");
        assert_eq!(paths(&files), ["/mnt/my data", "/relative/data", DATA_ROOT]);
        let reset = "[Service]\nEnvironment=\nEnvironment=X=/srv\n";
        files.write("/etc/systemd/system/docker.service.d/a.conf", reset);
        assert_eq!(paths(&files), ["/relative/data", DATA_ROOT]);
    }

    #[test]
    fn an_init_script_counts_where_there_is_no_unit() {
        let mut files = MemoryFiles::new();
        files.write("/etc/default/docker", "#DOCKER_OPTS=\"-g /no\"\nDOCKER_OPTS=\"--dns 1.1.1.1\"\nexport DOCKER_OPTS=\"$DOCKER_OPTS -g /mnt/a\"\n");
        assert_eq!(paths(&files), [DATA_ROOT]);
        files.write(
            "/etc/init.d/docker",
            "BASE=docker\nDOCKER_OPTS=\n. /etc/default/$BASE\n\
            start-stop-daemon --start -g root --exec /usr/bin/dockerd \\\n -- -p /x $DOCKER_OPTS\n",
        );
        assert_eq!(paths(&files), ["/mnt/a", DATA_ROOT]);
        let data = data_roots(&files).expect("readable");
        assert_eq!(data[0].at, Some(FileLine::new("/etc/default/docker", 3)));
        files.write("/etc/init.d/docker", "exec dockerd --graph=/mnt/c\n");
        files.remove("/etc/default/docker");
        assert_eq!(paths(&files), ["/mnt/c", DATA_ROOT]);
    }

    #[test]
    fn the_snaps_data_lie_where_its_service_and_configuration_put_them() {
        let mut files = MemoryFiles::new();
        files.directory("/snap/docker");
        assert_eq!(paths(&files), [DATA_ROOT, SNAP_DATA_ROOT]);
        files.write("/var/snap/docker/2915/config/daemon.json", "{\"data-root\": \"/mnt/s\"}");
        files.directory("/var/snap/docker_two/common");
        files.write(
            "/etc/systemd/system/snap.docker.dockerd.service",
            "[Service]\nExecStart=/usr/bin/snap run docker.dockerd --data-root /mnt/r\n",
        );
        let second = "/var/snap/docker_two/common/var-lib-docker";
        assert_eq!(paths(&files), [DATA_ROOT, "/mnt/r", "/mnt/s", SNAP_DATA_ROOT, second]);
    }
}
