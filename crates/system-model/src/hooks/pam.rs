//! What PAM runs as root when somebody logs in.
//!
//! Sources: pam.conf(5); pam_exec(8); pam_motd(8), and update-motd(5) of Debian, whose pam_motd
//! runs the scripts of a directory.

use super::{of_command, of_script, run_parts};
use crate::{Location, Origin, Program, SystemError, SystemFiles};

const SERVICES: &str = "/etc/pam.d";
/// What pam_motd has run-parts run.
const MOTD: &str = "/etc/update-motd.d";

/// Adds the commands of pam_exec, and the scripts of pam_motd where a service has it.
pub(super) fn find(files: &dyn SystemFiles, found: &mut Vec<Program>) -> Result<(), SystemError> {
    let mut has_motd = false;
    for name in files.list(SERVICES)?.unwrap_or_default() {
        let path = format!("{SERVICES}/{name}");
        let Ok(Some(text)) = files.read_text(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default();
            has_motd |= line.contains("pam_motd.so");
            let Some((_, arguments)) = line.split_once("pam_exec.so") else { continue };
            let at = Location::new(&path, index + 1);
            found.push(of_command(files, without_options(arguments), &at, Origin::Login)?);
        }
    }
    if !has_motd {
        return Ok(());
    }
    for path in run_parts(files, MOTD)? {
        found.push(of_script(files, &path, Origin::Login)?);
    }
    Ok(())
}

/// Returns the command behind pam_exec's options: it begins with a slash.
fn without_options(arguments: &str) -> &str {
    let option = |word: &&str| !word.starts_with('/');
    let mut rest = arguments.trim_start();
    while let Some(word) = rest.split_whitespace().next().filter(option) {
        rest = rest[word.len()..].trim_start();
    }
    rest
}
