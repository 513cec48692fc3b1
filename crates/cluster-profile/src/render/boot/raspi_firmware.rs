//! Debian's package raspi-firmware, which writes cmdline.txt and config.txt anew at every update of
//! a kernel or an initramfs, and at the first boot of Debian's images for the Raspberry Pi.
//!
//! Source: its /etc/kernel/postinst.d/z50-raspi-firmware, version 1.20220830. It appends these two
//! files of the administrator's, so what the profile adds has to be in them too.

use super::{COMMAND_LINE, CONFIG, current, set, write_if_changed};
use crate::{
    Note,
    render::{RenderError, context::Context, text},
};

const HOOK: &str = "/etc/kernel/postinst.d/z50-raspi-firmware";
/// One line of arguments, which cmdline.txt ends with.
const ARGUMENTS: &str = "/etc/default/raspi-extra-cmdline";
/// Lines that config.txt ends with.
const LINES: &str = "/etc/default/raspi-firmware-custom";
/// Arguments that the hook itself writes, and that no setting takes out.
const OWN: [&str; 5] = ["root", "rw", "fsck.repair", "net.ifnames", "rootwait"];

/// What the image's hook has to do with one of the files that firmware reads.
enum Hook {
    /// It leaves the file alone, or is not there. Raspberry Pi OS has one that copies kernels only.
    None,
    /// It writes the file with what the administrator's file has.
    Appends,
    /// It writes the file, in a version that reads no other.
    Overwrites,
}

fn hook(from: &Context<'_>, written: &str, read: &str) -> Result<Hook, RenderError> {
    let text = from.system.read(HOOK)?.map(|bytes| text::decode(&bytes)).unwrap_or_default();
    let writes = |line: &str| {
        let line = line.split_once('>').filter(|_| !line.trim_start().starts_with('#'));
        line.is_some_and(|(_, target)| target.contains(written))
    };
    Ok(match (text.lines().any(writes), text.contains(read)) {
        (false, _) => Hook::None,
        (true, true) => Hook::Appends,
        (true, false) => Hook::Overwrites,
    })
}

/// Has the hook write the arguments that the profile adds, and not those that it removes.
pub(super) fn keep_arguments(
    to: &mut Context<'_>,
    add: &[&str],
    remove: &[&str],
) -> Result<(), RenderError> {
    match hook(to, "cmdline.txt", ARGUMENTS)? {
        Hook::None => return Ok(()),
        Hook::Appends => {}
        Hook::Overwrites => {
            to.note(Note::NoPlaceForArguments { path: HOOK.to_owned() });
            return Ok(());
        }
    }
    let key = |argument: &str| argument.split('=').next().unwrap_or_default().to_owned();
    for argument in remove.iter().filter(|one| OWN.contains(&key(one).as_str())) {
        let (argument, path) = ((*argument).to_owned(), HOOK.to_owned());
        to.note(Note::ArgumentComesBack { argument, path });
    }
    let old = current(to, ARGUMENTS)?.unwrap_or_default();
    let before = text::decode(&old);
    let mut words: Vec<&str> = before.split_ascii_whitespace().collect();
    words.retain(|word| !remove.iter().any(|one| word == one || key(word) == *one));
    let missing: Vec<&str> = add.iter().copied().filter(|one| !words.contains(one)).collect();
    words.extend(missing);
    // Without a change the file stays as it is written.
    if !words.iter().copied().eq(before.split_ascii_whitespace()) {
        let new = format!("{}\n", words.join(" "));
        write_if_changed(to, COMMAND_LINE, ARGUMENTS.to_owned(), &old, text::encode(&new));
    }
    Ok(())
}

/// Has the hook write the profile's lines of config.txt.
pub(super) fn keep_config(to: &mut Context<'_>) -> Result<(), RenderError> {
    match hook(to, "config.txt", LINES)? {
        Hook::None => return Ok(()),
        Hook::Appends => {}
        Hook::Overwrites => {
            to.note(Note::ConfigOverwritten { path: HOOK.to_owned() });
            return Ok(());
        }
    }
    let old = current(to, LINES)?.unwrap_or_default();
    let lines = to.cluster.boot.config.iter();
    let new = lines.fold(text::decode(&old), |text, (key, values)| set(&text, key, values));
    write_if_changed(to, CONFIG, LINES.to_owned(), &old, text::encode(&new));
    Ok(())
}
