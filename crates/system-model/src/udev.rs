//! The form of udev's rules.
//!
//! Source: udev(7), "RULES FILES".

/// Returns the rules of a file, each with the number of the line where it begins, from 1. A
/// backslash at the end of a line continues a rule; one that the file's end cuts is no rule.
pub(crate) fn rules(text: &str) -> Vec<(usize, String)> {
    let mut rules = Vec::new();
    let (mut rule, mut begins) = (String::new(), 0);
    for (index, part) in text.lines().enumerate() {
        if rule.is_empty() {
            begins = index + 1;
        }
        if let Some(part) = part.strip_suffix('\\') {
            rule.push_str(part);
            continue;
        }
        rule.push_str(part);
        rules.push((begins, std::mem::take(&mut rule)));
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backslash_continues_a_rule() {
        let found = rules("# a\nA==\"b\", \\\n C=\"d\"\n\nlast\\\n");
        let expected = [(1, "# a"), (2, "A==\"b\",  C=\"d\""), (4, "")];
        assert_eq!(found, expected.map(|(line, rule)| (line, rule.to_owned())));
    }

    /// The rule in docs/guide.md that lets users write cards: `tests/udev.rs` runs udev with it.
    #[test]
    fn the_rule_in_the_guide_compares_three_keys_and_sets_one() {
        let guide = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guide.md");
        // In a package of its own, this crate has no guide.
        let Ok(guide) = std::fs::read_to_string(guide) else { return };
        let code: Vec<&str> =
            guide.lines().filter_map(|line| line.strip_prefix("    SUBSYSTEM")).collect();
        let [rule] = code.as_slice() else { panic!("{code:?}") };
        let found = rules(&format!("SUBSYSTEM{rule}\n"));
        let [(1, rule)] = found.as_slice() else { panic!("{found:?}") };
        let expected = [
            r#"SUBSYSTEM=="block""#,
            r#"ENV{ID_BUS}=="usb""#,
            r#"ATTR{removable}=="1""#,
            r#"TAG+="uaccess""#,
        ];
        assert_eq!(rule.split(", ").collect::<Vec<_>>(), expected);
    }
}
