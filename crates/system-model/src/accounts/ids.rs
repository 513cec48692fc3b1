//! The range of numbers for users.

use crate::{SystemError, SystemFiles};

/// The numbers that a new user may get.
pub(super) struct Range {
    pub first: u32,
    pub last: u32,
}

impl Range {
    pub fn read(files: &dyn SystemFiles) -> Result<Self, SystemError> {
        let adduser = files.read_text("/etc/adduser.conf")?.unwrap_or_default();
        let login = files.read_text("/etc/login.defs")?.unwrap_or_default();
        // adduser.conf is `KEY=value`, login.defs `KEY value`.
        let of = |text: &str, key: &str, separator: fn(char) -> bool| {
            let mut values = text.lines().filter_map(|line| {
                let (name, value) = line.trim_start().split_once(separator)?;
                let value = value.trim_matches(|c: char| c.is_whitespace() || c == '"');
                (name.trim_end() == key).then(|| value.parse::<u32>().ok()).flatten()
            });
            values.next_back()
        };
        let pick = |first: &str, second: &str, default| {
            of(&adduser, first, |c| c == '=')
                .or_else(|| of(&login, second, char::is_whitespace))
                .unwrap_or(default)
        };
        Ok(Range {
            first: pick("FIRST_UID", "UID_MIN", 1000),
            last: pick("LAST_UID", "UID_MAX", 59_999).min(65_533),
        })
    }
}
