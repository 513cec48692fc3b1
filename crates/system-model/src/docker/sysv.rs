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
const OPTIONS: &str = "DOCKER_OPTS";

/// Returns what the init script starts dockerd with; `None` without a script.
pub(super) fn command(files: &dyn SystemFiles) -> Result<Option<ServiceCommand>, SystemError> {
    let Some(text) = files.read_text(SCRIPT)? else { return Ok(None) };
    let script = Script::read(&text)?;
    let defaults = files.read_text(DEFAULTS)?.unwrap_or_default();
    // The file is read behind what the script sets itself.
    let own = Script::read(&defaults)?;
    let options = own.value(OPTIONS).or(script.value(OPTIONS)).unwrap_or_default();
    let mut words = vec!["dockerd".to_owned()];
    words.extend(script.commands.iter().flat_map(|command| arguments(command)));
    words.extend(options.split_whitespace().map(str::to_owned));
    let at = match line_of_variable(&defaults, OPTIONS) {
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
    // Variables are filled in at the end.
    let own = words.get(first..).unwrap_or_default().iter();
    own.filter(|word| !word.starts_with('$')).cloned().collect()
}
