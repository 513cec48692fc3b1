//! Addresses of keyfiles.
//!
//! Source: NetworkManager's src/libnm-core-impl/nm-keyfile.c (`_build_list_create`,
//! `read_one_ip_address_or_route`).

use std::net::{Ipv4Addr, Ipv6Addr};

/// The prefix length of an address without one.
const DEFAULT_PREFIXES: [u32; 2] = [24, 64];

/// Returns the number of a key that holds an address, which decides its place.
pub(super) fn number(key: &str) -> Option<(i64, bool)> {
    let rest = key.strip_prefix("address")?;
    let (is_plural, digits) = match rest.strip_prefix("es") {
        Some(digits) => (true, digits),
        None => (false, rest),
    };
    if digits.is_empty() {
        return Some((-1, is_plural));
    }
    let is_number = digits == "0" || !digits.starts_with('0');
    let number = digits.parse::<i32>().ok().filter(|_| digits.chars().all(|c| c.is_ascii_digit()));
    number.filter(|_| is_number).map(|number| (number.into(), is_plural))
}

/// Returns the address that a value stands for, with its prefix length, and a gateway
/// (`ADDRESS/PREFIX,GATEWAY`, with any of three separators); `None` for one that NetworkManager
/// ignores.
pub(super) fn parse(value: &str, is_ipv6: bool) -> Option<(String, Option<String>)> {
    let mut rest = Some(value);
    let address = field(&mut rest, is_address_character)??;
    let prefix = field(&mut rest, |c| c.is_ascii_digit()).flatten();
    let gateway = field(&mut rest, is_address_character)?;
    if rest.is_some_and(|rest| !rest.is_empty()) {
        return None;
    }
    let [v4, v6] = DEFAULT_PREFIXES;
    let (default, longest) = if is_ipv6 { (v6, 128) } else { (v4, 32) };
    let prefix = prefix.and_then(|prefix| prefix.parse().ok()).filter(|prefix| *prefix <= longest);
    let prefix: u32 = prefix.unwrap_or(default);
    let address = match is_ipv6 {
        true => address.parse::<Ipv6Addr>().ok()?.to_string(),
        false => address.parse::<Ipv4Addr>().ok()?.to_string(),
    };
    Some((format!("{address}/{prefix}"), gateway.map(str::to_owned)))
}

/// Returns whether a word is an address.
pub(super) fn is_address(word: &str, is_ipv6: bool) -> bool {
    match is_ipv6 {
        true => word.parse::<Ipv6Addr>().is_ok(),
        false => word.parse::<Ipv4Addr>().is_ok(),
    }
}

/// Takes the next field. Returns `None` if it has another character, and leaves it there;
/// `Some(None)` if there is none.
fn field<'a>(
    rest: &mut Option<&'a str>,
    is_part: impl Fn(char) -> bool,
) -> Option<Option<&'a str>> {
    let Some(text) = *rest else { return Some(None) };
    if text.is_empty() {
        return Some(None);
    }
    let end = text.find(|c| !is_part(c));
    let Some(end) = end else {
        *rest = None;
        return Some(Some(text));
    };
    let (found, after) = text.split_at(end);
    let after = after.strip_prefix(['/', ';', ','])?;
    *rest = Some(after);
    Some(Some(found))
}

fn is_address_character(c: char) -> bool {
    c.is_ascii_hexdigit() || matches!(c, ':' | '.' | '%')
}
