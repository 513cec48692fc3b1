//! Where Docker keeps its data.
//!
//! Sources: dockerd(8); moby's daemon/config/config.go (a key that is both a flag and in
//! daemon.json keeps dockerd from starting); the snap's dockerd wrapper.

use crate::{FileLine, SystemError, SystemFiles, units};

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
/// an option of dockerd in its unit (`--data-root`, `-g`, `--graph`), by daemon.json
/// (`data-root`, `graph`), the default, and the snap's if the image has that. The default
/// is listed even if another one is set, as it may hold data of earlier.
///
/// # Errors
/// [`SystemError`] if a file cannot be read.
pub fn data_roots(files: &dyn SystemFiles) -> Result<Vec<DockerData>, SystemError> {
    let mut found: Vec<DockerData> = Vec::new();
    let mut add = |path: &str, at: Option<FileLine>| {
        let path = normal(path);
        if path.starts_with('/') && path != "/" && found.iter().all(|data| data.path != path) {
            found.push(DockerData { path, at });
        }
    };
    let mut config_file = DAEMON_JSON.to_owned();
    for (line, at) in units::values(files, "docker.service", "Service", "ExecStart")? {
        let mut words = units::command_words(&line);
        // Debian's packages up to bullseye, and many guides, keep options here.
        let options = files.read_text("/etc/default/docker")?.unwrap_or_default();
        let environment = units::environment(&options);
        if let Some(own) = words.iter().position(|word| word == "$DOCKER_OPTS") {
            let value = environment.get("DOCKER_OPTS").map(String::as_str).unwrap_or_default();
            words.splice(own..=own, value.split_whitespace().map(str::to_owned));
        }
        for option in ["--data-root", "-g", "--graph"] {
            if let Some(value) = option_value(&words, option) {
                add(&value, Some(at.clone()));
            }
        }
        if let Some(value) = option_value(&words, "--config-file") {
            config_file = value;
        }
    }
    if let Some(text) = files.read_text(&config_file)? {
        for key in ["data-root", "graph"] {
            if let Some((value, line)) = json_string(&text, key) {
                add(&value, Some(FileLine::new(config_file.clone(), line)));
            }
        }
    }
    add(DATA_ROOT, None);
    if files.exists("/snap/docker")? || files.exists("/var/snap/docker")? {
        let text = files.read_text("/var/snap/docker/current/config/daemon.json")?;
        if let Some((value, line)) = text.as_deref().and_then(|text| json_string(text, "data-root"))
        {
            let at = FileLine::new("/var/snap/docker/current/config/daemon.json", line);
            add(&value, Some(at));
        }
        add(SNAP_DATA_ROOT, None);
    }
    Ok(found)
}

fn normal(path: &str) -> String {
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    if path.starts_with('/') && !parts.contains(&"..") {
        format!("/{}", parts.join("/"))
    } else {
        path.to_owned()
    }
}

/// `--option=value`, `--option value`, and for one letter `-gvalue`.
fn option_value(words: &[String], option: &str) -> Option<String> {
    let mut words = words.iter();
    let mut last = None;
    while let Some(word) = words.next() {
        let Some(rest) = word.strip_prefix(option) else { continue };
        if rest.is_empty() {
            last = words.next().cloned();
        } else if let Some(value) = rest.strip_prefix('=') {
            last = Some(value.to_owned());
        } else if !option.starts_with("--") {
            last = Some(rest.to_owned());
        }
    }
    last
}

/// Returns a string of the outermost object of a JSON text, and its line.
fn json_string(text: &str, key: &str) -> Option<(String, usize)> {
    let value: serde_json::Value = serde_json::from_str(text).ok()?;
    let found = value.get(key)?.as_str()?.to_owned();
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
        files.write("/etc/default/docker", "DOCKER_OPTS=\"-g /mnt/a\"\n");
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
}
