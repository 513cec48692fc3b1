//! Docker's init script, which starts it where there is no unit.
//!
//! Source: moby's contrib/init/sysvinit-debian/docker: it reads /etc/default/docker, and hands
//! `$DOCKER_OPTS` to dockerd behind `--`.

use std::collections::BTreeMap;

use crate::{
    FileLine, SystemError, SystemFiles,
    effects::shell_commands,
    service_command::{self, ServiceCommand},
};

const SCRIPT: &str = "/etc/init.d/docker";
const DEFAULTS: &str = "/etc/default/docker";

/// Returns what the init script starts dockerd with; `None` without a script.
pub(super) fn command(files: &dyn SystemFiles) -> Result<Option<ServiceCommand>, SystemError> {
    let Some(script) = files.read_text(SCRIPT)? else { return Ok(None) };
    let defaults = files.read_text(DEFAULTS)?.unwrap_or_default();
    let mut variables = BTreeMap::new();
    let mut words = vec!["dockerd".to_owned()];
    for (_, line) in joined(&script) {
        for command in shell_commands(&line, &mut variables) {
            words.extend(arguments(&command));
        }
    }
    // What the script sets before it reads the file.
    let mut last = None;
    for (number, line) in joined(&defaults) {
        shell_commands(&line, &mut variables);
        if line.contains("DOCKER_OPTS=") && !line.trim_start().starts_with('#') {
            last = Some(number);
        }
    }
    let options = variables.get("DOCKER_OPTS").map(String::as_str).unwrap_or_default();
    words.extend(service_command::words(options));
    let at = match last {
        Some(line) => FileLine::new(DEFAULTS, line),
        None => FileLine::new(SCRIPT, 1),
    };
    Ok(Some(ServiceCommand { words, at }))
}

/// Returns the arguments of dockerd in a command: of start-stop-daemon, what follows `--`.
fn arguments(words: &[String]) -> Vec<String> {
    let is_daemon = |word: &String| word.rsplit('/').next() == Some("dockerd");
    let first = match words.first() {
        Some(first) if is_daemon(first) => 1,
        Some(first) if first.ends_with("start-stop-daemon") => {
            words.iter().position(|word| word == "--").map_or(words.len(), |at| at + 1)
        }
        _ => return Vec::new(),
    };
    // Variables are filled in at the end.
    let own = words.get(first..).unwrap_or_default().iter();
    own.filter(|word| !word.starts_with('$')).cloned().collect()
}

/// Returns the lines of a script, those that end with a backslash joined, each with the number of
/// its first line.
fn joined(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut goes_on = false;
    for (index, line) in text.lines().enumerate() {
        let bare = line.strip_suffix('\\');
        let part = bare.unwrap_or(line);
        match found.last_mut().filter(|_| goes_on) {
            Some((_, whole)) => whole.push_str(part),
            None => found.push((index + 1, part.to_owned())),
        }
        goes_on = bare.is_some();
    }
    found
}
