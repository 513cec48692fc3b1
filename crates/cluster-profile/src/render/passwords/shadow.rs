//! /etc/shadow (shadow(5)): lines of fields separated by colons, which begin with name,
//! password, and the day of its last change since 1970.

use crate::render::text::{end_last_line, lines};

/// The C library skips lines with fewer fields.
const FEWEST_FIELDS: usize = 5;

/// Returns the fields of a line, if it is the user's.
fn fields<'a>(line: &'a str, user: &str) -> Option<Vec<&'a str>> {
    let fields: Vec<&str> = line.trim_end_matches('\n').split(':').collect();
    (fields.len() > 1 && fields.first() == Some(&user)).then_some(fields)
}

/// Returns the password field of a user, from the first line, which is the one that counts.
pub(super) fn password<'a>(text: &'a str, user: &str) -> Option<&'a str> {
    let of_user = |line: &'a str| fields(line, user)?.get(1).copied();
    text.lines().find_map(of_user)
}

/// Returns the file with this password field in each line of a user, or in a new line if
/// there is none. Other lines, and other fields, survive byte for byte.
///
/// The day of the last change becomes `today` for a new password, as with passwd(1), and for
/// one that had to be changed at the first login (day 0): the profile chose it.
pub(super) fn set(text: &str, user: &str, password: &str, today: &str) -> String {
    let fresh = || format!("{user}:{password}:{today}:0:99999:7:::");
    let mut out = String::with_capacity(text.len() + 128);
    let mut found = false;
    for line in lines(text) {
        let Some(mut fields) = fields(line, user) else {
            out.push_str(line);
            continue;
        };
        found = true;
        let end = if line.ends_with('\n') { "\n" } else { "" };
        match fields.as_mut_slice() {
            [_, old, day, rest @ ..] if rest.len() + 3 >= FEWEST_FIELDS => {
                if *old != password || *day == "0" {
                    (*old, *day) = (password, today);
                }
                out.push_str(&fields.join(":"));
            }
            _ => out.push_str(&fresh()),
        }
        out.push_str(end);
    }
    if !found {
        end_last_line(&mut out);
        out.push_str(&fresh());
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_of_one_user_changes() {
        let old = "root:$6$a:17000:0:99999:7:::\r\n#root:x\nodroid:old:0:0:99999:7:30:20000:\n\
                   ro\u{f6}t::1:::::\n\nroot:!:1:2:3:4:5:6:7";
        let new = set(old, "root", "*", "19000");
        assert_eq!(
            new,
            "root:*:19000:0:99999:7:::\r\n#root:x\nodroid:old:0:0:99999:7:30:20000:\n\
             ro\u{f6}t::1:::::\n\nroot:*:19000:2:3:4:5:6:7"
        );
        assert_eq!(set(&new, "root", "*", "20000"), new, "another day changes nothing");
        let lifted = set(old, "odroid", "old", "19000");
        assert!(lifted.contains("\nodroid:old:19000:0:99999:7:30:20000:\n"), "{lifted}");
        assert_eq!(password(&new, "root"), Some("*"));
        assert_eq!(password(&new, "roo"), None);
    }

    #[test]
    fn lines_that_are_none_become_whole() {
        let fresh = "a:$6$x:19000:0:99999:7:::";
        for old in ["", "a\n", "b:x:1:::::\n", "b:x:1:::::"] {
            let new = set(old, "a", "$6$x", "19000");
            assert_eq!(new.lines().last(), Some(fresh), "{old:?}");
            assert!(new.ends_with('\n') && new.starts_with(old), "{old:?}: {new:?}");
            assert_eq!(set(&new, "a", "$6$x", "19000"), new);
        }
        assert_eq!(set("a:\nb:x:1:::::\n", "a", "$6$x", "19000"), format!("{fresh}\nb:x:1:::::\n"));
        assert_eq!(set("a:x:0", "a", "$6$x", "19000"), fresh);
    }
}
