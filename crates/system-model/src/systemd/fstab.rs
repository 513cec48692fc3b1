//! The mount units that systemd-fstab-generator(8) makes of /etc/fstab.
//!
//! Sources: fstab(5); systemd.mount(5), "fstab"; systemd's src/fstab-generator.

use super::{generators::Generated, mount_names};
use crate::{FileLine, SystemError, SystemFiles, command_line::CommandLines, units};

const FSTAB: &str = "/etc/fstab";

/// A line of /etc/fstab that is about a directory, or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FstabMount {
    /// What is mounted.
    pub source: String,
    /// Where, simplified.
    pub point: String,
    /// The line.
    pub at: FileLine,
    options: Vec<String>,
}

impl FstabMount {
    /// Reads /etc/fstab. Of two lines for one directory the first counts.
    ///
    /// # Errors
    /// [`SystemError`] if the file cannot be read.
    pub fn read(files: &dyn SystemFiles) -> Result<Vec<Self>, SystemError> {
        let text = files.read_text(FSTAB)?.unwrap_or_default();
        let mut found: Vec<FstabMount> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let Some(mount) = of_line(line, FileLine::new(FSTAB, index + 1)) else { continue };
            if found.iter().all(|known| known.point != mount.point) {
                found.push(mount);
            }
        }
        Ok(found)
    }

    /// Returns whether the line has an option.
    pub fn has(&self, name: &str) -> bool {
        self.options.iter().any(|option| option == name)
    }

    /// Returns the name of the mount's unit, without its suffix.
    pub fn name(&self) -> String {
        mount_names::escaped(&self.point)
    }

    /// Returns the units that pull the mount in, besides those of its own.
    fn wanted_by(&self) -> Vec<String> {
        let keys = ["x-systemd.wanted-by=", "x-systemd.required-by="];
        let values = self
            .options
            .iter()
            .filter_map(|option| keys.iter().find_map(|key| option.strip_prefix(key)));
        values.map(str::to_owned).collect()
    }
}

fn of_line(line: &str, at: FileLine) -> Option<FstabMount> {
    let mut fields = line.split_ascii_whitespace();
    let source = unescaped(fields.next()?);
    let point = unescaped(fields.next()?);
    let kind = fields.next().unwrap_or_default();
    if source.starts_with('#') || kind == "swap" {
        return None;
    }
    let options = fields.next().unwrap_or_default().split(',').map(str::to_owned).collect();
    let point = mount_names::simplified(&point).filter(|point| point != "/")?;
    Some(FstabMount { source, point, at, options })
}

/// Returns the units that the generator makes, and what pulls them in.
pub(crate) fn generated(
    files: &dyn SystemFiles,
    lines: &CommandLines,
) -> Result<Vec<Generated>, SystemError> {
    let is_off = ["fstab", "systemd.fstab"].iter().any(|key| {
        let value = lines.last(key).and_then(|argument| argument.value.as_deref());
        value.and_then(units::boolean) == Some(false)
    });
    if is_off {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let mut add = |name: String, target: String, is_required: bool| {
        let by = "systemd-fstab-generator";
        let (execs, links) = (Vec::new(), Vec::new());
        found.push(Generated { name, by, target, is_unit: true, is_required, execs, links });
    };
    for mount in FstabMount::read(files)? {
        let name = mount.name();
        // What is on the network starts with another target of the same.
        let usual = || "local-fs.target".to_owned();
        let wanted_by = mount.wanted_by();
        if mount.has("x-systemd.automount") {
            add(format!("{name}.automount"), usual(), !mount.has("nofail"));
            add(format!("{name}.mount"), String::new(), false);
        } else if !wanted_by.is_empty() {
            for unit in wanted_by {
                add(format!("{name}.mount"), unit, false);
            }
        } else if mount.has("noauto") {
            add(format!("{name}.mount"), String::new(), false);
        } else {
            add(format!("{name}.mount"), usual(), !mount.has("nofail"));
        }
    }
    Ok(found)
}

/// Replaces the octal escapes of fstab(5), such as `\040` for a space.
fn unescaped(field: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = field.as_bytes();
    while let [first, after @ ..] = rest {
        let digits = after.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit));
        let value =
            digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match value.filter(|_| *first == b'\\') {
            Some(value) => {
                bytes.push(value);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
