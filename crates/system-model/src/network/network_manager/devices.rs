//! Lists of devices (NetworkManager.conf(5), "Device List Format").
//!
//! Source: NetworkManager's src/core/nm-core-utils.c (`nm_match_spec_split`,
//! `nm_match_spec_device`).

use super::super::matching::Fit;
use crate::pattern;

/// Splits a list as it is written into its elements.
pub(super) fn split(value: &str) -> Vec<String> {
    let (mut found, mut word, mut trailing) = (Vec::new(), String::new(), 0);
    let mut end = |word: &mut String, trailing: usize| {
        word.truncate(word.len() - trailing);
        if !word.is_empty() {
            found.push(std::mem::take(word));
        }
        word.clear();
    };
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => {
                match rest.next() {
                    Some('s') => word.push(' '),
                    Some('n') => word.push('\n'),
                    Some('t') => word.push('\t'),
                    Some('r') => word.push('\r'),
                    Some(plain @ ('\\' | ',' | ';')) => word.push(plain),
                    Some(other) => word.extend(['\\', other]),
                    None => break,
                }
                trailing = 0;
            }
            ',' | ';' => {
                end(&mut word, trailing);
                trailing = 0;
            }
            c if c.is_ascii_whitespace() => {
                if !word.is_empty() {
                    word.push(c);
                    trailing += 1;
                }
            }
            c => {
                word.push(c);
                trailing = 0;
            }
        }
    }
    end(&mut word, trailing);
    found
}

/// Returns whether a list of devices has an interface. A name that begins with `wl` stands for
/// Wi-Fi, all others for Ethernet.
pub(super) fn matches<'a>(specs: impl Iterator<Item = &'a str>, interface: &str) -> Fit {
    let (mut included, mut excepted) = (Fit::No, Fit::No);
    let (mut has_except, mut has_other) = (false, false);
    for spec in specs.filter(|spec| !spec.is_empty()) {
        match tagged(spec, "except:") {
            Some(rest) => {
                has_except = true;
                excepted = excepted.or(fits(rest, false, interface));
            }
            None => {
                has_other = true;
                included = included.or(fits(spec, true, interface));
            }
        }
    }
    // A list of nothing but exceptions has all the others.
    if has_except && !has_other {
        included = Fit::Yes;
    }
    included.and(excepted.not())
}

/// Returns whether an element is about an interface. One without a tag may be a name.
fn fits(spec: &str, may_be_name: bool, interface: &str) -> Fit {
    let kind = if interface.starts_with("wl") { "wifi" } else { "ethernet" };
    if spec == "*" {
        return Fit::Yes;
    }
    if let Some(value) = tagged(spec, "type:") {
        return Fit::decided(value == kind);
    }
    if let Some(value) = tagged(spec, "interface-name:") {
        if let Some(exact) = value.strip_prefix('=') {
            return Fit::decided(exact == interface);
        }
        let pattern = value.strip_prefix('~').unwrap_or(value);
        return Fit::decided(pattern == interface || pattern::simple(pattern, interface));
    }
    if let Some(address) = tagged(spec, "mac:") {
        return if is_hardware_address(address) { Fit::Perhaps } else { Fit::No };
    }
    // The board's driver, and the DHCP client that a newer version may have as its default.
    if tagged(spec, "driver:").is_some() || tagged(spec, "dhcp-plugin:").is_some() {
        return Fit::Perhaps;
    }
    if tagged(spec, "s390-subchannels:").is_some() || !may_be_name {
        return Fit::No;
    }
    match spec == interface {
        true => Fit::Yes,
        false if is_hardware_address(spec) => Fit::Perhaps,
        false => Fit::No,
    }
}

/// Returns what follows a tag, in upper or lower case.
fn tagged<'a>(spec: &'a str, tag: &str) -> Option<&'a str> {
    let (head, rest) = spec.split_at_checked(tag.len())?;
    head.eq_ignore_ascii_case(tag).then_some(rest)
}

/// Returns whether a word is a hardware address of Ethernet.
pub(super) fn is_hardware_address(word: &str) -> bool {
    let parts: Vec<&str> = word.split([':', '-']).collect();
    let is_byte =
        |part: &&str| matches!(part.len(), 1 | 2) && part.chars().all(|c| c.is_ascii_hexdigit());
    parts.len() == 6 && parts.iter().all(is_byte)
}
