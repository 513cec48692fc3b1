//! Host names (RFC 1123).

/// Why a word cannot be a node's name: one label, not `localhost`.
pub(crate) fn node_name(name: &str) -> Result<(), String> {
    if name.contains('.') {
        return Err(format!("a node's name is one label, without dots, not {name:?}"));
    }
    if name.eq_ignore_ascii_case("localhost") {
        return Err("localhost is every system's own name and cannot be a node's".into());
    }
    label(name)?;
    not_a_number(name)
}

/// Why a word cannot be a host's name: labels with dots between, at most 253
/// characters, not `localhost`.
pub(crate) fn host_name(name: &str) -> Result<(), String> {
    if name.len() > 253 {
        return Err("a host's name has at most 253 characters".into());
    }
    if name.eq_ignore_ascii_case("localhost") {
        return Err("localhost is every system's own name".into());
    }
    if name.parse::<std::net::IpAddr>().is_ok() {
        return Err(format!("{name} is an address where a name belongs"));
    }
    name.split('.').try_for_each(label)?;
    not_a_number(name)
}

/// What inet_aton(3) reads as an address is no name: `12`, `0x10`, `1.0x2`.
fn not_a_number(name: &str) -> Result<(), String> {
    let number = |part: &str| match part.strip_prefix("0x").or(part.strip_prefix("0X")) {
        Some(digits) => digits.bytes().all(|b| b.is_ascii_hexdigit()),
        None => part.bytes().all(|b| b.is_ascii_digit()),
    };
    match name.split('.').all(number) {
        true => Err(format!("{name:?} reads as a number, and so as an address")),
        false => Ok(()),
    }
}

fn label(label: &str) -> Result<(), String> {
    if label.is_empty() {
        return Err("a name, or a part of one between dots, is empty".into());
    }
    if label.len() > 63 {
        return Err(format!("{label:?} has {} characters; a name has at most 63", label.len()));
    }
    let odd = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    if let Some(odd) = odd {
        return Err(format!("{label:?} holds {odd:?}"));
    }
    if label.starts_with('-') || label.ends_with('-') {
        return Err(format!("{label:?} begins or ends with a hyphen"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_1123_decides() {
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
