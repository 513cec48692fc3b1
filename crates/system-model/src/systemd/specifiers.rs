//! Specifiers in unit files (systemd.unit(5), "Specifiers").

use super::mount_names::unescaped_part;

/// Expands the specifiers that depend on the unit's name only.
pub(crate) fn expand(value: &str, name: &str) -> String {
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let (prefix, instance) = stem.split_once('@').unwrap_or((stem, ""));
    let last = prefix.rsplit('-').next().unwrap_or_default();
    let mut out = String::new();
    let mut letters = value.chars();
    while let Some(c) = letters.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        match letters.next() {
            Some('i') => out.push_str(instance),
            Some('I') => out.push_str(&unescaped_part(instance)),
            Some('n') => out.push_str(name),
            Some('N') => out.push_str(stem),
            Some('p') => out.push_str(prefix),
            Some('P') => out.push_str(&unescaped_part(prefix)),
            Some('j') => out.push_str(last),
            Some('J') => out.push_str(&unescaped_part(last)),
            Some('f') => {
                let path = if instance.is_empty() { prefix } else { instance };
                let path = unescaped_part(path);
                out.push('/');
                out.push_str(path.trim_start_matches('/'));
            }
            Some('%') => out.push('%'),
            Some('t') => out.push_str("/run"),
            Some('S') => out.push_str("/var/lib"),
            Some('E') => out.push_str("/etc"),
            Some(other) => out.extend(['%', other]),
            None => out.push('%'),
        }
    }
    out
}
