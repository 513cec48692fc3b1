//! What a user without the rights for a device can do.

use std::{
    env,
    error::Error,
    fs, io,
    path::{Path, PathBuf},
};

use plain_text::shell_word;
use platform::FileInfo;

/// The directories in which sudo looks for programs on common systems (`secure_path`).
const SECURE_PATH: [&str; 6] =
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/// Returns whether an error arose because the user may not open something.
pub fn is_denied(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if kind == Some(io::ErrorKind::PermissionDenied) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Returns how to use a device without having the rights for it now: this command with sudo,
/// and what makes sudo unnecessary. `None` if it is not a device.
pub fn fix(device: &Path) -> Option<String> {
    let group = FileInfo::at(device).ok()?.group?;
    if !device.starts_with("/dev") {
        return None;
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let mut text = sudo_command();
    if let Some(name) = group_name(&groups, group).filter(|_| group != 0) {
        text += &format!(
            "\n  or, without sudo from now on: join the group {name} (sudo usermod -aG {name} \
             $USER, then log in again), or use the udev rule in docs/guide.md"
        );
    } else {
        text += "\n  or, without sudo from now on: use the udev rule in docs/guide.md";
    }
    Some(text)
}

/// Returns this command with sudo, to paste into a shell.
fn sudo_command() -> String {
    let mut words = vec!["sudo".to_owned(), program(env::current_exe().ok())];
    words.extend(env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy())));
    words.join(" ")
}

/// Returns how sudo finds this program.
fn program(path: Option<PathBuf>) -> String {
    match path {
        Some(path) if !SECURE_PATH.iter().any(|dir| path.parent() == Some(Path::new(dir))) => {
            shell_word(&path.display().to_string())
        }
        _ => "nodecard".to_owned(),
    }
}

fn group_name(groups: &str, gid: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(gid)).then_some(fields[0])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sudo_gets_a_path_where_it_would_not_find_the_program() {
        assert_eq!(program(Some("/usr/bin/nodecard".into())), "nodecard");
        assert_eq!(program(Some("/home/a b/bin/nodecard".into())), "'/home/a b/bin/nodecard'");
        assert_eq!(program(None), "nodecard");
    }

    #[test]
    fn a_group_has_the_name_in_the_file() {
        assert_eq!(group_name("root:x:0:\ndisk:x:6:\n", 6), Some("disk"));
        assert_eq!(group_name("root:x:0:\nbroken\n", 6), None);
    }
}
