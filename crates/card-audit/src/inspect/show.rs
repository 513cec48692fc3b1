//! The display form of an inspection, in 80 columns.

use std::{cmp::Ordering, fmt};

use plain_text::{count, printable, short_size, size};

use super::Inspection;

/// The width of the map in columns, without its left border.
const WIDTH: u64 = 76;
/// The smallest width of a piece, however few bytes it has.
const NARROWEST: u64 = 4;

/// A piece of a card on the map.
struct Piece {
    label: String,
    size: u64,
}

/// Returns all pieces of a card, including the gaps between partitions.
fn pieces(inspection: &Inspection) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    let gap = |from: u64, to: u64, pieces: &mut Vec<Piece>| {
        // Smaller gaps are alignment.
        if to > from + (1 << 20) || (from == 0 && to > 0) {
            let label = if from == 0 { "boot" } else { "free" };
            pieces.push(Piece { label: label.into(), size: to - from });
        }
    };
    for partition in &inspection.partitions {
        gap(at, partition.start, &mut pieces);
        let label = format!("p{}{}", partition.number, if partition.root { " root" } else { "" });
        pieces.push(Piece { label, size: partition.size });
        at = at.max(partition.start + partition.size);
    }
    gap(at, inspection.size, &mut pieces);
    pieces
}

/// Returns the width of each piece, to scale as far as the smallest width allows.
fn widths(pieces: &[Piece]) -> Vec<u64> {
    let total: u64 = pieces.iter().map(|piece| piece.size).sum::<u64>().max(1);
    let room = WIDTH.saturating_sub(pieces.len() as u64);
    let share =
        |piece: &Piece| (u128::from(piece.size) * u128::from(room) / u128::from(total)) as u64;
    let mut widths: Vec<u64> = pieces.iter().map(|piece| share(piece).max(NARROWEST)).collect();
    // The widest piece makes up for the smallest width and for rounding.
    loop {
        let sum = widths.iter().sum::<u64>();
        let Some(widest) = widths.iter_mut().max_by_key(|width| **width) else { break };
        match sum.cmp(&room) {
            Ordering::Less => *widest += 1,
            Ordering::Greater if *widest > 1 => *widest -= 1,
            _ => break,
        }
    }
    widths
}

fn map(f: &mut fmt::Formatter<'_>, inspection: &Inspection) -> fmt::Result {
    let pieces = pieces(inspection);
    let widths = widths(&pieces);
    let border: String =
        widths.iter().map(|width| format!("+{}", "-".repeat(*width as usize))).collect();
    let row = |texts: Vec<String>| -> String {
        let cell = |(text, width): (String, &u64)| {
            let width = *width as usize;
            let text: String = text.chars().take(width).collect();
            format!("|{text:^width$}")
        };
        texts.into_iter().zip(&widths).map(cell).collect()
    };
    writeln!(f, "  {border}+")?;
    writeln!(f, "  {}|", row(pieces.iter().map(|piece| piece.label.clone()).collect()))?;
    writeln!(f, "  {}|", row(pieces.iter().map(|piece| short_size(piece.size)).collect()))?;
    writeln!(f, "  {border}+")
}

/// Writes words in lines of at most 78 columns, with a label and an indent.
fn wrapped(f: &mut fmt::Formatter<'_>, label: &str, words: &[String]) -> fmt::Result {
    let indent = " ".repeat(14);
    let mut line = format!("  {label:12}");
    let mut empty = true;
    for word in words {
        if !empty && line.chars().count() + 1 + word.chars().count() > 78 {
            writeln!(f, "{}", line.trim_end())?;
            line.clone_from(&indent);
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    writeln!(f, "{}", line.trim_end())
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let target = printable(&self.target);
        writeln!(f, "{target}: {}, {} {}\n", size(self.size), self.table, self.disk_id)?;
        map(f, self)?;
        for partition in &self.partitions {
            writeln!(
                f,
                "\n  partition {}: sectors {} to {}, {}, type {}",
                partition.number,
                partition.start / 512,
                (partition.start + partition.size).saturating_sub(512) / 512,
                size(partition.size),
                partition.kind
            )?;
            field(f, "holds", &partition.holds)?;
            if let Some(fs) = &partition.filesystem {
                let free = format!(
                    "{} of {}; {} of {} inodes",
                    size(fs.free),
                    size(fs.size),
                    fs.free_inodes,
                    fs.inodes
                );
                field(f, "free", &free)?;
                field(f, "state", &fs.state)?;
                wrapped(f, "features", &fs.features)?;
            } else if let Some(free) = partition.free {
                let free = format!("{} of {}", size(free), size(partition.size));
                field(f, "free", &free)?;
            }
        }
        writeln!(f)?;
        let words: Vec<String> = self.root_reason.split(' ').map(printable).collect();
        wrapped(f, "root", &words)?;
        self.show_boot_loader(f)?;
        self.show_system(f)
    }
}

fn paragraph(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    let words: Vec<String> = text.split_whitespace().map(printable).collect();
    wrapped(f, label, &words)
}

fn field(f: &mut fmt::Formatter<'_>, name: &str, value: &str) -> fmt::Result {
    writeln!(f, "  {name:12}{}", printable(value))
}

impl Inspection {
    fn show_boot_loader(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let Some(loader) = &self.boot_loader else {
            return field(f, "boot loader", "none detected before the first partition");
        };
        field(f, "boot loader", loader.kind.unwrap_or("at unknown sectors"))?;
        if let Some(version) = &loader.version {
            field(f, "", version)?;
        }
        for part in &loader.parts {
            field(f, "", &format!("{:7} sector {:<5} {}", part.name, part.sector, part.state))?;
        }
        Ok(())
    }

    fn show_system(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        let Some(system) = &self.system else {
            return field(f, "system", "none (there is no /etc/passwd)");
        };
        let or_none = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        field(f, "system", &or_none(&system.release))?;
        field(f, "host name", &or_none(&system.identity.hostname))?;
        field(f, "machine id", &or_none(&system.identity.machine_id))?;
        for key in &system.host_keys {
            let name = key.path.trim_start_matches("/etc/ssh/").trim_end_matches(".pub");
            let fingerprint = key.fingerprint.as_deref().unwrap_or("not readable");
            field(f, "host key", &format!("{name} {fingerprint}"))?;
        }
        for user in &system.users {
            let keys = count(user.authorized_keys, "authorized key");
            let password = match user.password {
                "default" => "default password".to_owned(),
                state => format!("password {state}"),
            };
            let says = format!("{} ({}): {password}, {keys}", user.name, user.uid);
            field(f, "user", &says)?;
        }
        let sets = match system.back_end {
            Some(back_end) => format!("{back_end} sets the address of {}", system.interface),
            None => format!("nothing sets the address of {}", system.interface),
        };
        field(f, "at boot", &sets)?;
        for part in &system.network {
            field(f, "network", &format!("{}, {}", part.back_end, part.path))?;
            for says in &part.says {
                field(f, "", says)?;
            }
        }
        self.show_first_boot(f)
    }

    /// Shows the family, and what building a card changes of the first boot.
    fn show_first_boot(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(boot) = &self.first_boot else { return Ok(()) };
        if let Some(family) = &boot.family {
            let evidence = boot.evidence.first().map_or("", String::as_str);
            paragraph(f, "family", &format!("{family} {}, by {evidence}", boot.release))?;
        }
        if let Some(why) = &boot.refused {
            paragraph(f, "build", &format!("refuses it: {why}"))?;
        }
        for (index, program) in boot.programs.iter().enumerate() {
            let label = if index == 0 { "first boot" } else { "" };
            let (name, what, path) = (&program.name, &program.what, &program.path);
            let changes = program.changes.join(", ");
            let text = match (program.disarmed, name.as_str()) {
                (true, "cloud-init") => {
                    format!("cloud-init ({path}) changes {changes}; build turns it off")
                }
                (true, _) if name == path => format!("{name} {what}; build disarms it"),
                (true, _) => format!("{name} ({path}) {what}; build disarms it"),
                (false, _) => {
                    format!("{name} ({path}) seems to change {changes}: {what}; build leaves it")
                }
            };
            paragraph(f, label, &text.replace(": ;", ";"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_map_is_to_scale_and_as_wide_as_the_page() {
        let piece = |size| Piece { label: String::new(), size };
        for sizes in [vec![1 << 20, 8 << 20, 7 << 30, 1 << 20], vec![5], vec![1; 15], vec![0, 9]] {
            let pieces: Vec<Piece> = sizes.iter().copied().map(piece).collect();
            let widths = widths(&pieces);
            let sum: u64 = widths.iter().sum();
            assert_eq!(sum + pieces.len() as u64, WIDTH, "{widths:?}");
        }
        let two = widths(&[piece(3 << 30), piece(1 << 30)]);
        assert!(two[0] >= two[1] * 3 - 3 && two[0] <= two[1] * 3 + 3, "{two:?}");
    }
}
