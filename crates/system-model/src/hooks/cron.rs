//! What cron runs: at boot, and at the times of its tables.
//!
//! Sources: crontab(5); cron(8), "DEBIAN SPECIFIC" for the names that are read in /etc/cron.d.

use super::of_command;
use crate::{Location, Origin, Program, SystemError, SystemFiles, Systemd};

/// The units of Debian's cron, cronie and busybox.
const UNITS: [&str; 4] =
    ["cron.service", "cronie.service", "crond.service", "busybox-crond.service"];

/// Adds the lines of all tables. Those that name a time run too: the card is used for longer.
pub(super) fn find(
    files: &dyn SystemFiles,
    systemd: &Systemd,
    found: &mut Vec<Program>,
) -> Result<(), SystemError> {
    if UNITS.iter().all(|unit| systemd.running(unit).is_none()) {
        return Ok(());
    }
    let mut tables = vec![("/etc/crontab".to_owned(), true)];
    for name in files.list("/etc/cron.d")?.unwrap_or_default() {
        if name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
            tables.push((format!("/etc/cron.d/{name}"), true));
        }
    }
    for name in files.list("/var/spool/cron/crontabs")?.unwrap_or_default() {
        tables.push((format!("/var/spool/cron/crontabs/{name}"), false));
    }
    for (path, has_user) in tables {
        // A table that is a loop of links, or too large, is none.
        let Ok(Some(text)) = files.read_text(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            let Some(command) = command_of(line, has_user) else { continue };
            let at = Location::new(&path, index + 1);
            found.push(of_command(files, command, &at, Origin::Cron)?);
        }
    }
    Ok(())
}

/// Returns the command of a table's line, up to the first `%`: its input follows there.
fn command_of(line: &str, has_user: bool) -> Option<&str> {
    let line = line.trim_start_matches([' ', '\t']);
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    // An assignment to a variable.
    if line.starts_with(|c: char| c.is_ascii_alphabetic() || "_\"'".contains(c)) {
        return None;
    }
    let times = if line.starts_with('@') { 1 } else { 5 };
    let mut rest = line;
    for _ in 0..times + usize::from(has_user) {
        let (_, after) = rest.split_once([' ', '\t'])?;
        rest = after.trim_start_matches([' ', '\t']);
    }
    let end = rest.match_indices('%').find(|(at, _)| !rest[..*at].ends_with('\\'));
    Some(&rest[..end.map_or(rest.len(), |(at, _)| at)])
}

#[cfg(test)]
mod tests {
    use super::command_of;

    #[test]
    fn commands_follow_times_and_users() {
        for (line, has_user, command) in [
            ("@reboot root /usr/local/bin/a -b", true, Some("/usr/local/bin/a -b")),
            ("@hourly  /bin/a", false, Some("/bin/a")),
            (
                "\t17 *\t* * *\troot    cd / && run-parts /etc/cron.hourly",
                true,
                Some("cd / && run-parts /etc/cron.hourly"),
            ),
            ("*/5 * * * * echo x%y", false, Some("echo x")),
            ("*/5 * * * * date +\\%s", false, Some("date +\\%s")),
            ("PATH=/bin:/usr/bin a b c d e f", true, None),
            ("\"A\" = b c d e f g h", true, None),
            ("# 1 2 3 4 5 root a", true, None),
            ("1 2 3", false, None),
            ("", false, None),
        ] {
            assert_eq!(command_of(line, has_user), command, "{line}");
        }
    }
}
