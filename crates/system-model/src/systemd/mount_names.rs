//! Paths as names of mount units (systemd.unit(5), "String Escaping for Inclusion in Unit Names";
//! src/basic/unit-name.c and path-util.c, `path_simplify`).

/// Returns a path without needless slashes and dots, or `None` for one that is relative, or has
/// `..`, as systemd mounts nothing there.
pub(crate) fn simplified(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    let parts: Vec<&str> =
        path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    (!parts.contains(&"..")).then(|| format!("/{}", parts.join("/")))
}

/// Returns the name of the unit of a simplified path, without its suffix.
pub(crate) fn escaped(path: &str) -> String {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return "-".to_owned();
    }
    let mut name = String::new();
    for (at, byte) in path.bytes().enumerate() {
        match byte {
            b'/' => name.push('-'),
            b'.' if at == 0 => name.push_str("\\x2e"),
            b':' | b'_' | b'.' => name.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ => name.push_str(&format!("\\x{byte:02x}")),
        }
    }
    name
}

/// Returns the path that a name without its suffix stands for.
pub(crate) fn unescaped(name: &str) -> String {
    if name == "-" {
        return "/".to_owned();
    }
    format!("/{}", unescaped_part(name))
}

/// Returns a part of a name with `-` as a slash and without escapes.
pub(crate) fn unescaped_part(name: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let value = digits
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        match (first, value) {
            (b'\\', Some(value)) => {
                bytes.push(value);
                rest = after.get(3..).unwrap_or_default();
                continue;
            }
            (b'-', _) => bytes.push(b'/'),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        for (path, name) in [
            ("/home", "home"),
            ("/var/lib/docker", "var-lib-docker"),
            ("/my files/a-b", "my\\x20files-a\\x2db"),
            ("/.cache", "\\x2ecache"),
            ("/", "-"),
        ] {
            assert_eq!(escaped(path), name);
            assert_eq!(unescaped(name), path);
        }
        assert_eq!(simplified("//home/./x//").as_deref(), Some("/home/x"));
        assert_eq!(simplified("/home/../x"), None);
        assert_eq!(simplified("home"), None);
        assert_eq!(unescaped("a\\x"), "/a\\x");
    }
}
