//! /etc/shadow.

use super::fields::{entries, is_space, number_or_empty, string};

/// A line of /etc/shadow. Days are counted from 1970-01-01.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShadowEntry {
    /// The user's name.
    pub name: String,
    /// The password's hash, or what stands for none.
    pub password: String,
    /// The day of the last change; 0 asks for a new password at the next login.
    pub last_change: Option<i32>,
    /// The number of days after which the password has to be changed.
    pub maximum: Option<i32>,
    /// The number of days after that for which the old password still lets in.
    pub inactive: Option<i32>,
    /// The day on which the account expires.
    pub expires: Option<i32>,
    /// The line in /etc/shadow, counted from 1.
    pub line: usize,
}

/// What a password field lets in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordState {
    /// A hash.
    Set,
    /// Nothing: the login needs no password.
    Empty,
    /// `!` before a hash or alone: the account is locked, for sshd without PAM even for
    /// logins by key.
    Locked,
    /// `*` or anything else that is no hash: no password lets in, keys may.
    Impossible,
}

impl PasswordState {
    /// Returns what a password field means.
    pub fn of(field: &str) -> Self {
        match field {
            "" => PasswordState::Empty,
            locked if locked.starts_with('!') => PasswordState::Locked,
            // crypt(3)'s hashes: modular, extended DES, and DES of 13 characters.
            hash if hash.starts_with(['$', '_']) => PasswordState::Set,
            des if des.len() == 13 && des.bytes().all(is_des_letter) => PasswordState::Set,
            _ => PasswordState::Impossible,
        }
    }
}

fn is_des_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/')
}

impl ShadowEntry {
    /// Returns what the password field means.
    pub fn state(&self) -> PasswordState {
        PasswordState::of(&self.password)
    }

    /// Returns whether the account has expired on a day (sshd's `auth-shadow.c`; pam_unix
    /// counts the day itself too).
    pub fn account_expired(&self, today: i32) -> bool {
        self.expires.is_some_and(|day| day >= 0 && today >= day)
    }

    /// Returns whether the password has to be changed before anything else on a day, as
    /// pam_unix decides in `check_shadow_expiry` (pam_unix/passverify.c).
    pub fn password_expired(&self, today: i32) -> bool {
        match self.last_change {
            Some(0) => true,
            Some(day) if day > 0 && day <= today => {
                let age = today - day;
                self.maximum.is_some_and(|maximum| maximum >= 0 && age > maximum)
            }
            _ => false,
        }
    }
}

/// Returns the entries of an /etc/shadow.
pub(super) fn parse(text: &str) -> Vec<ShadowEntry> {
    entries(text).filter_map(|(number, line)| entry(number, line)).collect()
}

fn entry(at: usize, line: &str) -> Option<ShadowEntry> {
    let (name, rest) = string(line);
    if name.starts_with(['+', '-']) {
        return None;
    }
    let (password, rest) = string(rest);
    let (last_change, rest) = number_or_empty(rest)?;
    let (_minimum, rest) = number_or_empty(rest)?;
    let (maximum, rest) = number_or_empty(rest)?;
    let rest = rest.trim_start_matches(is_space);
    // The old form ends here.
    let (mut inactive, mut expires) = (None, None);
    if !rest.is_empty() {
        let (_warn, rest) = number_or_empty(rest)?;
        let (days, rest) = number_or_empty(rest)?;
        let (day, rest) = number_or_empty(rest)?;
        if !rest.is_empty() {
            number_or_empty(rest)?;
        }
        (inactive, expires) = (days, day);
    }
    Some(ShadowEntry {
        name: name.to_owned(),
        password: password.to_owned(),
        last_change,
        maximum,
        inactive,
        expires,
        line: at,
    })
}
