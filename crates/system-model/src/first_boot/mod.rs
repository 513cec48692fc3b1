//! First-boot programs that are known by name: what they change, how each is disarmed.
//!
//! The facts come from the sources of the images: RPi-Distro/pi-gen, raspberrypi-sys-mods and
//! userconf-pi, armbian/build, MichaIng/DietPi, raspi-team/image-specs, Hardkernel's images,
//! orangepi-xunlong/orangepi-build, radxa-repo/rbuild, beagleboard/image-builder.

mod files;
mod table;

use crate::{
    Disarm, Effect, Family, Location, SystemError, SystemFiles, command_line::CommandLines,
    systemd::Systemd,
};

/// A known program of an image that will run at boot, or at the first login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownProgram {
    /// The family of images that it belongs to; `None` where several have it.
    pub family: Option<Family>,
    /// Its name: a unit, a script, an argument or a file.
    pub name: String,
    /// What it does, as a phrase: "resizes the root partition".
    pub what: &'static str,
    /// What of a card it changes.
    pub effects: Vec<Effect>,
    /// What it was recognized by.
    pub evidence: Location,
    /// How it is kept from doing so.
    pub disarm: Vec<Disarm>,
}

/// What the recognizers look at.
pub(crate) struct Look<'a> {
    pub(crate) files: &'a dyn SystemFiles,
    pub(crate) systemd: &'a Systemd,
    pub(crate) lines: &'a CommandLines,
    pub(crate) family: Option<Family>,
}

impl Look<'_> {
    fn exists(&self, path: &str) -> Result<bool, SystemError> {
        self.files.exists(path)
    }

    fn text(&self, path: &str) -> Result<Option<String>, SystemError> {
        self.files.read_text(path)
    }

    /// Returns a line of a file that contains a text, counted from 1.
    fn line_with(&self, path: &str, text: &str) -> Result<Option<usize>, SystemError> {
        let contents = self.text(path)?.unwrap_or_default();
        let mut lines = contents.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        Ok(lines.find(|(_, l)| !l.starts_with('#') && l.contains(text)).map(|(n, _)| n))
    }
}

/// Names of known programs, and what they would change if they were armed.
pub(crate) type Settled = Vec<(String, Vec<Effect>)>;

/// Returns the known programs that are armed, and those that run but do no harm.
pub(crate) fn recognize(look: &Look<'_>) -> Result<(Vec<KnownProgram>, Settled), SystemError> {
    let (mut found, mut settled) = (Vec::new(), Vec::new());
    table::units(look, &mut found, &mut settled)?;
    files::arguments(look, &mut found);
    files::markers(look, &mut found, &mut settled)?;
    files::consoles(look, &mut found)?;
    Ok((found, settled))
}

#[cfg(test)]
mod tests;
