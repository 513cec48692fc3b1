//! Host names (RFC 1123).

/// Checks the name of a node: one label, not `localhost`. The error says why it is invalid.
pub(crate) fn node_name(name: &str) -> Result<(), String> {
    if name.contains('.') {
        return Err(format!("{name:?} must not contain dots, as it names a node"));
    }
    if name.eq_ignore_ascii_case("localhost") {
        return Err("`localhost` cannot be the name of a node".into());
    }
    label(name)?;
    not_a_number(name)
}

/// Checks the name of a host: labels with dots between them, at most 253 characters, not
/// `localhost`. The error says why it is invalid.
pub(crate) fn host_name(name: &str) -> Result<(), String> {
    if name.len() > 253 {
        return Err("a host name must not be longer than 253 characters".into());
    }
    if name.eq_ignore_ascii_case("localhost") {
        return Err("`localhost` is reserved for the system itself".into());
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!("{name} is an address, not a name"));
    }
    name.split('.').try_for_each(label)?;
    not_a_number(name)
}

/// Checks that inet_aton(3) does not read a name as an address: `12`, `0x10`, `1.0x2`.
fn not_a_number(name: &str) -> Result<(), String> {
    let number = |part: &str| match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => part.bytes().all(|b| b.is_ascii_digit()),
    };
    if name.split('.').all(number) {
        return Err(format!("{name:?} would be read as a number, and so as an address"));
    }
    Ok(())
}

fn label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("a name, or a part of it between dots, is empty".into());
    }
    if label.len() > 63 {
        return Err(format!("{label:?} has {} characters, which is more than 63", label.len()));
    }
    let odd = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    if let Some(odd) = odd {
        return Err(format!("{label:?} must not contain {odd:?}"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(format!("{label:?} must not start or end with a hyphen"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for name in ["a", "xu4-master", "3com", "X", &"a".repeat(63)] {
            assert_eq!(node_name(name), Ok(()), "{name}");
        }
        for name in [
            "",
            "-a",
            "a-",
            "a_b",
            "a.b",
            "a b",
            "é",
            "localhost",
            "LocalHost",
            "12",
            "0x10",
            &"a".repeat(64),
        ] {
            assert!(node_name(name).is_err(), "{name}");
        }
        assert_eq!(host_name("nas.lan"), Ok(()));
        for name in ["nas..lan", ".lan", "lan.", "1.2.3.4", "localhost", "a\nb", "1.0x2"] {
            assert!(host_name(name).is_err(), "{name}");
        }
    }
}
