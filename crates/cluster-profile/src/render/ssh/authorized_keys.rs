//! The text of ~/.ssh/authorized_keys.

use crate::render::text::{end_last_line, lines};

/// Returns the file with the `wanted` lines that it lacks added at its end, and without
/// other lines that hold a word of `barred`. Every other line survives byte for byte.
pub(super) fn render(old: &str, barred: &[String], wanted: &[String]) -> String {
    let mut out = String::with_capacity(old.len());
    let holds = |line: &str, key: &String| line.split_ascii_whitespace().any(|word| word == key);
    for line in lines(old) {
        let comment = line.trim_ascii_start().starts_with('#');
        let stays = wanted.iter().any(|wanted| wanted.trim_ascii() == line.trim_ascii());
        if comment || stays || !barred.iter().any(|key| holds(line, key)) {
            out.push_str(line);
        }
    }
    for line in wanted {
        let same = |other: &str| other.trim_ascii() == line.trim_ascii();
        if !out.lines().any(same) {
            end_last_line(&mut out);
            out.push_str(line.trim_ascii());
            out.push('\n');
        }
    }
    out
}

/// Returns the file without lines that hold a word of `barred`.
pub(in crate::render) fn without_keys(old: &str, barred: &[String]) -> String {
    render(old, barred, &[])
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn foreign_lines_survive_and_nothing_is_doubled() {
        let old =
            "# mine\r\nssh-rsa AAAA me\nno-pty ssh-rsa BBBB clone\n#ssh-rsa BBBB\nssh-rsa CCCC";
        let wanted = ["ssh-ed25519 DDDD cluster\n".to_owned(), "ssh-rsa AAAA me".to_owned()];
        let new = render(old, &["BBBB".to_owned()], &wanted);
        assert_eq!(
            new,
            "# mine\r\nssh-rsa AAAA me\n#ssh-rsa BBBB\nssh-rsa CCCC\nssh-ed25519 DDDD cluster\n"
        );
        assert_eq!(render(&new, &["BBBB".to_owned()], &wanted), new);
    }
}
