//! The format of keyfiles and of the configuration.

/// Returns whether a value means yes.
pub(super) fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "yes" | "true" | "on" | "1")
}

/// Returns the assignments of a keyfile: section, key, value and line.
pub(super) fn assignments(text: &str) -> impl Iterator<Item = (&str, &str, &str, usize)> {
    let mut section = "";
    text.lines().enumerate().filter_map(move |(number, line)| {
        let line = line.trim_ascii();
        if line.starts_with(['#', ';']) {
            return None;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
            return None;
        }
        let (key, value) = line.split_once('=')?;
        Some((section, key.trim_ascii(), value.trim_ascii(), number + 1))
    })
}
