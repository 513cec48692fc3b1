//! Adding and removing arguments without touching anything else of the file.

use super::{Argument, CommandLine, CommandLineFormat, formats};

/// Returns a file's contents with kernel arguments added and removed, or `None` if the file
/// is not of a known kind or its arguments cannot be edited (boot.cmd).
///
/// An argument to remove is a key (`resize` removes `resize` and `resize=…`) or a whole
/// argument (`init=/sbin/setup`). It is removed wherever the file has it. An argument to add
/// goes to the end of each command line that the boot loader may use, unless it is there. A
/// file of variables that has none for arguments gets one.
pub fn edit(path: &str, contents: &[u8], add: &[&str], remove: &[&str]) -> Option<Vec<u8>> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_environment = formats::ENVIRONMENT_FILES.contains(&name);
    let lines = match name {
        "boot.ini" => formats::set_environment(path, contents, false),
        "extlinux.conf" => formats::extlinux(path, contents),
        _ if is_environment => formats::environment(path, contents),
        "boot.cmd" => return None,
        _ if name.ends_with(".txt") => {
            let mut line = formats::plain(path, contents);
            line.counts = true;
            vec![line]
        }
        _ => return None,
    };
    let goes = |argument: &Argument| {
        remove
            .iter()
            .any(|one| argument.text == *one || (!one.contains('=') && argument.key == *one))
    };
    let stays = |text: &str| {
        lines.iter().any(|l| l.counts && l.arguments.iter().any(|a| a.text == text && !goes(a)))
    };
    let missing: Vec<&str> = {
        let mut missing: Vec<&str> = Vec::new();
        for one in add {
            if !missing.contains(one) && (name == "extlinux.conf" || !stays(one)) {
                missing.push(one);
            }
        }
        missing
    };
    let targets = targets(&lines);
    // From the end, so that earlier spans stay as they are.
    let mut out = contents.to_vec();
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(lines[*index].span.start));
    for index in order {
        let line = &lines[index];
        if targets.contains(&index) {
            append(&mut out, line, &missing, &goes);
        }
        for argument in line.arguments.iter().rev().filter(|argument| goes(argument)) {
            cut(&mut out, line, argument);
        }
    }
    if targets.is_empty() && !missing.is_empty() {
        if !is_environment {
            return None;
        }
        if !out.is_empty() && !out.ends_with(b"\n") {
            out.push(b'\n');
        }
        let variable = if name == "uEnv.txt" { "optargs" } else { "extraargs" };
        out.extend(format!("{variable}={}\n", missing.join(" ")).bytes());
    }
    Some(out)
}

/// Returns the lines that added arguments go to: every label of extlinux.conf, since a menu
/// may choose any; every `setenv bootargs`, of which conditions choose one, unless a later
/// one only extends it; the variable that is meant for the owner in other files.
fn targets(lines: &[CommandLine]) -> Vec<usize> {
    let mut targets = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let wanted = match &line.format {
            CommandLineFormat::Plain | CommandLineFormat::Extlinux { .. } => true,
            CommandLineFormat::BootIni { variable } => variable == "bootargs",
            CommandLineFormat::Environment { .. } => line.counts,
            CommandLineFormat::BootScript { .. } => false,
        };
        if wanted {
            targets.push(index);
        }
    }
    let environment = |index: &usize| match &lines[*index].format {
        CommandLineFormat::Environment { variable } => Some(variable.as_str()),
        _ => None,
    };
    if targets.first().is_some_and(|first| environment(first).is_some()) {
        for wanted in ["extraargs", "cmdline", "optargs", "user_bootargs", "bootargs"] {
            if let Some(one) = targets.iter().find(|index| environment(index) == Some(wanted)) {
                return vec![*one];
            }
        }
        return Vec::new();
    }
    targets
}

fn append(
    out: &mut Vec<u8>,
    line: &CommandLine,
    missing: &[&str],
    goes: &dyn Fn(&Argument) -> bool,
) {
    let here = |text: &str| line.arguments.iter().any(|a| a.text == text && !goes(a));
    let new: Vec<&str> = missing.iter().copied().filter(|text| !here(text)).collect();
    if new.is_empty() {
        return;
    }
    let mut text = new.join(" ");
    let end = line.span.end;
    if !line.span.is_empty() && !out[end - 1].is_ascii_whitespace() {
        text.insert(0, ' ');
    } else if line.span.is_empty() && end > 0 && out[end - 1].is_ascii_alphanumeric() {
        // `append` without arguments.
        text.insert(0, ' ');
    }
    out.splice(end..end, text.bytes());
}

/// Removes an argument and the white space in front of it, or behind the first one.
fn cut(out: &mut Vec<u8>, line: &CommandLine, argument: &Argument) {
    let (mut start, mut end) = (argument.span.start, argument.span.end);
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    if start > line.span.start {
        while start > line.span.start && blank(&out[start - 1]) {
            start -= 1;
        }
    } else {
        while out.get(end).is_some_and(blank) {
            end += 1;
        }
    }
    out.drain(start..end);
}
