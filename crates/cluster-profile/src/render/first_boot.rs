//! Programs of the image that would undo at boot what a card is made with.
//!
//! What runs at boot is decided by [`BootModel`]. Known programs of the image are disarmed; others
//! are left as they are and noted, with the line that says what they change, if they run on the
//! finished card: a condition may ask for a file that a card has and its image has not.

use std::collections::BTreeSet;

use system_model::{BootModel, Disarm, Effect, Family, KnownProgram, ReadOptions, Threat};

use super::{RenderError, context::Context, text};
use crate::{
    Attributes, Change, ExtraFileKind, FileEdit, FirstBootPart, Note, Purpose, SystemError,
    SystemFiles,
};

/// Returns what a card made from the image will do when it boots. Cards have a machine id, so
/// their first boot does not count as one for systemd.
pub(super) fn model(system: &dyn SystemFiles) -> Result<BootModel, SystemError> {
    BootModel::read_with(system, ReadOptions { first_boot: Some(false) })
}

/// Returns what in the image would make a user at its first boot or first login, in words. Only
/// cloud-init says who that is; the others ask, or read a file that the owner writes.
pub(super) fn maker_of(
    boot: &BootModel,
    system: &dyn SystemFiles,
    user: &str,
) -> Result<Option<String>, SystemError> {
    let wanted = format!("makes the user {user}");
    let changes = boot.cloud_init().map(|cloud_init| cloud_init.changes()).unwrap_or_default();
    if let Some(change) = changes.iter().find(|change| change.text == wanted) {
        return Ok(Some(format!("cloud-init ({})", change.location)));
    }
    let runs = |name: &str| boot.known_programs().iter().any(|program| program.name == name);
    let maker = if runs("userconfig.service") {
        "userconf, which names the first user,"
    } else if system.exists("/root/.not_logged_in_yet")? {
        "the wizard of the first login as root (/root/.not_logged_in_yet)"
    } else {
        match boot.family().map(|recognized| recognized.family) {
            Some(Family::Radxa) if user == "radxa" => "Radxa's first boot",
            Some(Family::DietPi) if user == "dietpi" => "DietPi's first boot",
            _ => return Ok(None),
        }
    };
    Ok(Some(maker.to_owned()))
}

/// Disarms the known programs and notes each; notes what other programs would change.
pub(super) fn disarm(to: &mut Context<'_>, boot: &BootModel) -> Result<(), RenderError> {
    let mut steps = Steps::default();
    for program in boot.known_programs() {
        let part = if program.effects.contains(&Effect::Console) {
            FirstBootPart::Wizard
        } else {
            FirstBootPart::Program
        };
        let mut is_disarmed = !program.disarm.is_empty();
        for step in &program.disarm {
            is_disarmed &= steps.carry_out(to, step, part)?;
        }
        let (name, what) = (name(program), program.what.to_string());
        let effects = program.effects.clone();
        to.note(if is_disarmed {
            let at = program.evidence.path.clone();
            let at = Some(at).filter(|at| !program.name.contains(at.as_str()));
            Note::Disarmed { program: name, at, what, effects }
        } else {
            Note::NotDisarmed { program: name, at: program.evidence.to_string(), what, effects }
        });
    }
    hardkernel(to, &mut steps)?;
    autologin(to, boot, &mut steps)?;
    steps.finish(to);
    Ok(())
}

/// Returns what to call a program.
fn name(program: &KnownProgram) -> String {
    match program.family {
        Some(family) => format!("{family}'s {}", program.name),
        None => program.name.clone(),
    }
}

/// Removes Hardkernel's resizer even where nothing starts it: while `/.first_boot` exists, it
/// makes partition 2 again, smaller than the filesystem in it.
fn hardkernel(to: &mut Context<'_>, steps: &mut Steps) -> Result<(), RenderError> {
    const FILES: [&str; 2] = ["/aafirstboot", "/.first_boot"];
    let mut removed = Vec::new();
    for path in FILES {
        if to.exists(path)? && !steps.done.contains(path) {
            steps.remove(to, path, FirstBootPart::Program)?;
            removed.push(path);
        }
    }
    if removed.len() == FILES.len() {
        to.note(Note::Disarmed {
            program: format!("Hardkernel's {}", removed.join(" and ")),
            at: None,
            what: "would resize the root partition".to_owned(),
            effects: Vec::new(),
        });
    }
    Ok(())
}

/// Removes the login without a password that Armbian's wizard needs, also for consoles that
/// the kernel's command line only adds at boot.
fn autologin(to: &mut Context<'_>, boot: &BootModel, steps: &mut Steps) -> Result<(), RenderError> {
    const WIZARD: &str = "/root/.not_logged_in_yet";
    if !boot.known_programs().iter().any(|program| program.name == WIZARD) {
        return Ok(());
    }
    for getty in ["getty@.service.d", "serial-getty@.service.d"] {
        let path = format!("/etc/systemd/system/{getty}/override.conf");
        let logs_in = to.read(&path)?.is_some_and(|text| text.contains("--autologin root"));
        if logs_in && !steps.done.contains(&path) {
            steps.remove(to, &path, FirstBootPart::Wizard)?;
            to.note(Note::RemovedAutologin { path });
        }
    }
    Ok(())
}

/// What each node gets later, for conditions that ask whether it is there: a name, a machine ID,
/// and the only host key.
fn of_a_node() -> Vec<FileEdit> {
    const FILES: [(&str, &str); 4] = [
        ("/etc/hostname", "node\n"),
        ("/etc/machine-id", "00000000000000000000000000000001\n"),
        ("/etc/ssh/ssh_host_ed25519_key", "x\n"),
        ("/etc/ssh/ssh_host_ed25519_key.pub", "x\n"),
    ];
    let edit = |(path, contents): (&str, &str)| FileEdit {
        path: path.to_owned(),
        change: Change::Write { contents: contents.into(), attributes: Attributes::root(0o644) },
        purpose: Purpose::ExtraFile(ExtraFileKind::Plain),
    };
    FILES.map(edit).into()
}

/// Notes what programs that are not known by name would change of the finished card.
pub(super) fn note_unknown(to: &mut Context<'_>) -> Result<(), RenderError> {
    let mut finished = to.edited()?;
    finished.apply(&of_a_node())?;
    let boot = model(&finished)?;
    let threats = boot.threats(&Effect::ALL);
    let mut seen = BTreeSet::new();
    for threat in threats.iter().filter(|threat| !threat.known) {
        let (program, only_names) = (&threat.program, threat.only_names);
        if !seen.insert((program.as_str(), only_names)) {
            continue;
        }
        let same = threats.iter().filter(|other| {
            !other.known && other.program == *program && other.only_names == only_names
        });
        let effects: BTreeSet<Effect> = same.map(|other| other.effect).collect();
        to.note(Note::MayChange {
            program: program.clone(),
            at_login: threat.at_login,
            effects: effects.into_iter().collect(),
            only_names,
            at: threat.location.to_string(),
            line: quoted(threat),
        });
    }
    Ok(())
}

/// Returns the line, unless it may hold a password.
fn quoted(threat: &Threat) -> Option<String> {
    match threat.effect {
        Effect::Passwords | Effect::Users => None,
        _ => Some(threat.text.clone()),
    }
}

/// The files that steps change. Several steps may change one file, so it is written once.
#[derive(Default)]
pub(super) struct Steps {
    texts: Vec<(String, FirstBootPart, Vec<u8>)>,
    done: BTreeSet<String>,
}

impl Steps {
    /// Carries out one step. Returns whether that is possible.
    pub(super) fn carry_out(
        &mut self,
        to: &mut Context<'_>,
        step: &Disarm,
        part: FirstBootPart,
    ) -> Result<bool, SystemError> {
        match step {
            Disarm::DisableUnit { links, .. } => {
                for link in links {
                    self.remove(to, link, FirstBootPart::Program)?;
                }
            }
            Disarm::RemoveFile { path } => self.remove(to, path, part)?,
            Disarm::RemoveSysvLink { path } => self.remove(to, path, FirstBootPart::Program)?,
            Disarm::MaskUnit { path, .. } => self.link(to, path, "/dev/null", FirstBootPart::Unit),
            Disarm::EnableUnit { link, target, .. } => {
                if !to.exists(link)? {
                    self.link(to, link, target, FirstBootPart::UnitLink);
                }
            }
            Disarm::RemoveArgument { path, argument } => {
                let Some(old) = self.read(to, path)? else { return Ok(true) };
                let Some(new) = system_model::edit_command_line(path, &old, &[], &[argument])
                else {
                    return Ok(false);
                };
                self.write(path, FirstBootPart::CommandLine, new);
            }
            Disarm::WriteFile { path, contents } => {
                self.write(path, FirstBootPart::Mark, contents.clone().into_bytes());
            }
            Disarm::SetVariable { path, name, value } => {
                let old = text::decode(&self.read(to, path)?.unwrap_or_default());
                let new = set_variable(&old, name, value);
                self.write(path, FirstBootPart::Settings, text::encode(&new));
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes the edits of files that are changed.
    pub(super) fn finish(self, to: &mut Context<'_>) {
        for (path, part, contents) in self.texts {
            to.write(Purpose::FirstBoot(part), path, contents, Attributes::root(0o644));
        }
    }

    fn read(&self, to: &Context<'_>, path: &str) -> Result<Option<Vec<u8>>, SystemError> {
        match self.texts.iter().find(|(other, ..)| other == path) {
            Some((.., contents)) => Ok(Some(contents.clone())),
            None => to.system.read(path),
        }
    }

    fn write(&mut self, path: &str, part: FirstBootPart, contents: Vec<u8>) {
        match self.texts.iter_mut().find(|(other, ..)| other == path) {
            Some((.., old)) => *old = contents,
            None => self.texts.push((path.to_owned(), part, contents)),
        }
    }

    fn remove(
        &mut self,
        to: &mut Context<'_>,
        path: &str,
        part: FirstBootPart,
    ) -> Result<(), SystemError> {
        if self.done.insert(path.to_owned()) {
            to.remove_if_there(Purpose::FirstBoot(part), path)?;
        }
        Ok(())
    }

    fn link(&mut self, to: &mut Context<'_>, path: &str, target: &str, part: FirstBootPart) {
        if self.done.insert(path.to_owned()) {
            let target = target.to_owned();
            to.edit(Purpose::FirstBoot(part), path, Change::Symlink { target });
        }
    }
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
