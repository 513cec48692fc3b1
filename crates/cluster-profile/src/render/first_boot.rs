//! First-boot programs that would undo what a card is made with: resizers, and makers of
//! host keys.

use super::{RenderError, context::Context, text, units};
use crate::{Attributes, FirstBootPart, Purpose};

const PROGRAM: Purpose = Purpose::FirstBoot(FirstBootPart::Program);
const SETTINGS: Purpose = Purpose::FirstBoot(FirstBootPart::Settings);

/// Disarms those that the image has, and notes each.
pub(super) fn disarm(to: &mut Context<'_>) -> Result<(), RenderError> {
    hardkernel(to)?;
    armbian(to)?;
    ubuntu_on_odroid(to)?;
    others(to)
}

/// While `/.first_boot` exists, `/aafirstboot` makes partition 2 again, smaller than the
/// filesystem in it. The line in /etc/rc.local that runs it can stay: it checks for the
/// file first.
fn hardkernel(to: &mut Context<'_>) -> Result<(), RenderError> {
    let script = to.remove_if_there(PROGRAM, "/aafirstboot")?;
    let mark = to.remove_if_there(PROGRAM, "/.first_boot")?;
    if script || mark {
        to.note(
            "disarmed Hardkernel's first-boot resizer (/aafirstboot, /.first_boot): the card is \
             already grown",
        );
    }
    Ok(())
}

fn armbian(to: &mut Context<'_>) -> Result<(), RenderError> {
    const RESIZER: &str = "armbian-resize-filesystem.service";
    const FIRST_RUN: &str = "armbian-firstrun.service";
    const DEFAULTS: &str = "/etc/default/armbian-firstrun";
    const WIZARD: &str = "/root/.not_logged_in_yet";
    let resizer = units::text(to, RESIZER)?.is_some()
        || to.exists("/usr/lib/armbian/armbian-resize-filesystem")?;
    if resizer {
        let armed = units::disable(to, RESIZER)?;
        to.write(SETTINGS, "/root/.no_rootfs_resize", "", Attributes::root(0o644));
        if armed {
            to.note(format!(
                "disarmed Armbian's first-boot resizer ({RESIZER}): the card is already grown"
            ));
        }
    }
    let defaults = to.read(DEFAULTS)?;
    if defaults.is_some() || units::text(to, FIRST_RUN)?.is_some() {
        let old = defaults.unwrap_or_default();
        let new = set_variable(&old, "OPENSSHD_REGENERATE_HOST_KEYS", "false");
        if old != new {
            to.rewrite(SETTINGS, DEFAULTS, &old, &new);
            to.note(format!(
                "configured Armbian's first run to keep the card's host keys ({DEFAULTS})"
            ));
        }
    }
    // The first login, also by key, would be stopped by the wizard's questions.
    if to.remove_if_there(Purpose::FirstBoot(FirstBootPart::Wizard), WIZARD)? {
        to.note(format!(
            "removed {WIZARD}, so that Armbian's wizard does not stop the first login; the \
             passwords are still the image's"
        ));
        // Armbian logs root in on the console without a password, for the wizard.
        for getty in ["getty@.service.d", "serial-getty@.service.d"] {
            let path = format!("/etc/systemd/system/{getty}/override.conf");
            if to.read(&path)?.is_some_and(|text| text.contains("--autologin root")) {
                to.remove(Purpose::FirstBoot(FirstBootPart::Wizard), path.clone());
                to.note(format!("removed {path}, which logged root in without a password"));
            }
        }
    }
    Ok(())
}

/// `firstboot.service` is a common name: only the unit that runs this script is disarmed.
fn ubuntu_on_odroid(to: &mut Context<'_>) -> Result<(), RenderError> {
    const UNIT: &str = "firstboot.service";
    const SCRIPT: &str = "/root/firstboot.sh";
    let text = units::text(to, UNIT)?;
    let is_ubuntus = text.map_or(to.exists(SCRIPT)?, |text| text.contains("firstboot.sh"));
    if is_ubuntus && units::disable(to, UNIT)? {
        to.note(format!(
            "disarmed {UNIT} ({SCRIPT}), which resizes the root filesystem and makes host keys: \
             the card is already grown and has its key"
        ));
    }
    Ok(())
}

fn others(to: &mut Context<'_>) -> Result<(), RenderError> {
    for (unit, what) in [
        ("resize2fs_once.service", "resizes the root filesystem"),
        ("resize2fs.service", "resizes the root filesystem"),
        ("rpi-resizerootfs.service", "resizes the root filesystem"),
        ("dietpi-fs_partition_resize.service", "resizes the root filesystem"),
        ("regenerate_ssh_host_keys.service", "replaces the host keys"),
        ("ssh-regenerate-host-keys.service", "replaces the host keys"),
    ] {
        if units::disable(to, unit)? {
            to.note(format!("disarmed {unit}, which {what} at the first boot"));
        }
    }
    // System V style, as on Raspberry Pi images and older Armbian ones.
    for script in ["resize2fs_once", "resize2fs", "regenerate_ssh_host_keys"] {
        let mut armed = false;
        for level in ["rcS.d", "rc2.d", "rc3.d", "rc4.d", "rc5.d"] {
            for name in to.list(&format!("/etc/{level}"))? {
                let number = name.strip_prefix('S').and_then(|rest| rest.strip_suffix(script));
                if number.is_some_and(|n| n.len() == 2 && n.bytes().all(|b| b.is_ascii_digit())) {
                    to.remove(PROGRAM, format!("/etc/{level}/{name}"));
                    armed = true;
                }
            }
        }
        if armed {
            to.note(format!("disarmed /etc/init.d/{script}, which would run at the first boot"));
        }
    }
    Ok(())
}

/// Returns a file of shell variables with this value for `name`; other lines survive.
fn set_variable(text: &str, name: &str, value: &str) -> String {
    let wanted = format!("{name}={value}\n");
    let assigns = |line: &str| line.trim_start().split('=').next() == Some(name);
    let mut out = String::with_capacity(text.len() + wanted.len());
    let mut done = false;
    for line in text::lines(text) {
        match (assigns(line), done) {
            (true, false) => out.push_str(&wanted),
            (true, true) => continue,
            (false, _) => out.push_str(line),
        }
        done |= assigns(line);
    }
    if !done {
        text::end_last_line(&mut out);
        out.push_str(&wanted);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::set_variable;

    #[test]
    fn one_variable_changes_and_the_rest_survives() {
        assert_eq!(set_variable("", "A", "1"), "A=1\n");
        assert_eq!(set_variable("# A=0\nB=2", "A", "1"), "# A=0\nB=2\nA=1\n");
        assert_eq!(set_variable("A=0\nAB=2\n A=3\n", "A", "1"), "A=1\nAB=2\n");
        assert_eq!(set_variable("A=1\n", "A", "1"), "A=1\n");
    }
}
