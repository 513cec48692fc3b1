//! The profile's `boot:`.

use super::fields::{Fields, Problems, Spanned, scalar};
use crate::{
    cluster::Boot,
    problem::Place,
    yaml::{Key, Kind, Value},
};

/// The firmware of the Raspberry Pi ignores the rest of a longer line of config.txt.
const LONGEST_LINE: usize = 98;

pub(super) fn read(fields: &mut Fields<'_>) -> Boot {
    let problems = fields.problems;
    let mut boot = Boot::default();
    let Some(value) = fields.take("boot") else { return boot };
    let Some(mut fields) = Fields::of(value, "`boot`", problems) else { return boot };
    if let Some(value) = fields.take("cmdline")
        && let Some(mut fields) = Fields::of(value, "`cmdline`", problems)
    {
        let add = arguments(&mut fields, "add");
        let remove = arguments(&mut fields, "remove");
        fields.finish();
        for one in &add {
            // `remove: [console]` with `add: [console=tty1]` replaces one by the other.
            if let Some(both) = remove.iter().find(|other| other.value == one.value) {
                problems.conflict(
                    &one.place,
                    format!("{} cannot be both added and removed", one.value),
                    "keep one of them",
                    (&both.place, "removed here"),
                );
            }
        }
        boot.add = add.into_iter().map(|argument| argument.value).collect();
        boot.remove = remove.into_iter().map(|argument| argument.value).collect();
    }
    if let Some(value) = fields.take("config") {
        boot.config = config(value, problems);
    }
    fields.finish();
    boot
}

fn arguments(fields: &mut Fields<'_>, name: &'static str) -> Vec<Spanned<String>> {
    let problems = fields.problems;
    let mut found: Vec<Spanned<String>> = Vec::new();
    for argument in fields.scalars(name) {
        if !is_argument(&argument.value) {
            let message = format!("{:?} is not one kernel argument", argument.value);
            let help = "write each argument as an item of its own: [quiet, \"fsck.repair=yes\"]";
            problems.add(&argument.place, message, help);
        } else if !found.iter().any(|other| other.value == argument.value) {
            found.push(argument);
        }
    }
    found
}

/// Returns whether a text is one argument of printable ASCII: spaces are quoted, and no
/// variable of a boot script begins in it.
fn is_argument(text: &str) -> bool {
    let mut quoted = false;
    let fits = |c: char| {
        quoted ^= c == '"';
        (c.is_ascii_graphic() || (c == ' ' && quoted)) && !matches!(c, '$' | '\\' | '\'' | ';')
    };
    !text.is_empty() && !text.starts_with(['#', '=']) && text.chars().all(fits) && !quoted
}

fn config(value: Value, problems: &Problems) -> Vec<(String, Vec<String>)> {
    let place = value.place.clone();
    let Kind::Map(entries) = value.kind else {
        let message = format!(
            "`config` must be a mapping of config.txt's keys to values, not {}",
            value.kind.describe()
        );
        problems.add(&place, message, "for example: `config: {enable_uart: 1}`");
        return Vec::new();
    };
    entries.into_iter().filter_map(|(key, value)| setting(&key, value, problems)).collect()
}

fn setting(key: &Key, value: Value, problems: &Problems) -> Option<(String, Vec<String>)> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-' | '.');
    if key.name.is_empty() || !key.name.chars().all(fits) {
        let message = format!("{:?} is not a key of config.txt", key.name);
        problems.add(&key.place, message, "write a key such as enable_uart or dtoverlay");
        return None;
    }
    let items = match value.kind {
        Kind::List(items) => items,
        Kind::Null => {
            let message = format!("{} has no value", key.name);
            problems.add(&key.place, message, "write a value, or remove the key");
            return None;
        }
        _ => vec![value],
    };
    let mut values: Vec<String> = Vec::new();
    for item in items {
        let Some(Spanned { value, place }) = scalar(item, &key.name, problems) else { continue };
        if check_value(&key.name, &value, &place, problems) && !values.contains(&value) {
            values.push(value);
        }
    }
    (!values.is_empty()).then(|| (key.name.clone(), values))
}

fn check_value(key: &str, value: &str, place: &Place, problems: &Problems) -> bool {
    let is_text = value.trim() == value && value.chars().all(|c| c == ' ' || c.is_ascii_graphic());
    if !is_text || value.contains('#') {
        let message = format!("{value:?} is not a value of config.txt");
        problems.add(place, message, "write one line of plain characters without `#`");
        return false;
    }
    if key.len() + 1 + value.len() > LONGEST_LINE {
        let message = format!("a line of config.txt has at most {LONGEST_LINE} characters");
        problems.add(place, message, "split it: an overlay's parameters can be dtparam lines");
        return false;
    }
    true
}
