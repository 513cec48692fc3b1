//! Docker's init script, which starts it where there is no unit.
//!
//! Source: moby's contrib/init/sysvinit-debian/docker: it reads /etc/default/docker, and hands
//! `$DOCKER_OPTS` to dockerd behind `--`.

use crate::{
    FileLine, SystemError, SystemFiles,
    effects::{Script, line_of_variable},
    service_command::ServiceCommand,
};

const SCRIPT: &str = "/etc/init.d/docker";
const DEFAULTS: &str = "/etc/default/docker";

/// Returns what the init script starts dockerd with; `None` without a script.
pub(super) fn command(files: &dyn SystemFiles) -> Result<Option<ServiceCommand>, SystemError> {
    let Some(script) = files.read_text(SCRIPT)? else { return Ok(None) };
    let defaults = files.read_text(DEFAULTS)?.unwrap_or_default();
    let is_included = |line: &str| {
        let bare = line.trim_start();
        (bare.starts_with(". ") || bare.starts_with("source ")) && bare.contains("/etc/default/")
    };
    // What the file sets counts from where it is read.
    let (mut text, mut last) = (String::new(), None);
    for line in script.lines() {
        if is_included(line) {
            text.push_str(&defaults);
            last = line_of_variable(&defaults, "DOCKER_OPTS");
        } else {
            text.push_str(line);
        }
        text.push('\n');
    }
    let mut words = vec!["dockerd".to_owned()];
    words.extend(Script::read(&text)?.commands.iter().flat_map(|command| arguments(command)));
    let at = match last {
        Some(line) => FileLine::new(DEFAULTS, line),
        None => FileLine::new(SCRIPT, 1),
    };
    Ok(Some(ServiceCommand { words, at, options_at: None }))
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
    words.get(first..).unwrap_or_default().to_vec()
}
