//! Overlays over the root filesystem, which lose what a node needs to keep over a reboot.
//!
//! An overlay is its owner's decision, so it is never removed: where nothing has to be kept it is
//! noted, and otherwise no card is made.

use std::fmt;

use system_model::{BootModel, Mounts, OverlayUpper, RootOverlay, Systemd, UnitState, docker};

use super::{RenderError, context::Context, first_boot};
use crate::{Cluster, Note, SystemError, SystemFiles};

/// The units that start Docker's daemon.
const DOCKER_UNITS: [&str; 3] = ["docker.service", "docker.socket", "snap.docker.dockerd.service"];

/// An overlay over the root filesystem of a card, and what of a node it does not keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverlayVerdict {
    /// The overlay.
    pub overlay: RootOverlay,
    /// What every reboot loses and the node needs, and the directory that has it.
    pub loses: Option<(&'static str, String)>,
}

impl OverlayVerdict {
    /// Judges what a system does at its boots. `later` has the units that start at boots after
    /// the first.
    ///
    /// # Errors
    /// [`SystemError`] if a file cannot be read.
    pub fn of(
        cluster: &Cluster,
        system: &dyn SystemFiles,
        boot: &BootModel,
        later: &Systemd,
    ) -> Result<Option<Self>, SystemError> {
        let Some(overlay) = boot.root_overlay() else { return Ok(None) };
        let what = if cluster.swarm.is_some() {
            Some("the swarm's state")
        } else if starts_docker(system, later)? {
            Some("Docker's data")
        } else {
            None
        };
        let mut loses = None;
        if let Some(what) = what {
            let mounts = Mounts::read(system, later)?;
            // The first is the one that Docker uses.
            let root = docker::data_roots(system)?.into_iter().next();
            // What is mounted on the directory itself hides what is in it.
            let lost = root.filter(|root| overlay.loses(&format!("{}/x", root.path), &mounts));
            loses = lost.map(|root| (what, root.path));
        }
        Ok(Some(OverlayVerdict { overlay: overlay.clone(), loses }))
    }

    /// Returns what to do about it.
    pub fn fix(&self) -> String {
        let RootOverlay { text, location, is_argument, .. } = &self.overlay;
        let fix = if *is_argument {
            format!("set `boot: {{cmdline: {{remove: ['{text}']}}}}` in the profile")
        } else {
            format!("set `overlayroot=disabled` in {} of the base image", location.path)
        };
        plain_text::escaped(&fix)
    }
}

impl fmt::Display for OverlayVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RootOverlay { text, location, upper, .. } = &self.overlay;
        let text = match (&self.loses, upper) {
            (Some((what, path)), _) => format!(
                "`{text}` ({location}) keeps in memory what programs write, so every reboot loses \
                 {what} in {path}"
            ),
            (None, OverlayUpper::Memory) => format!(
                "`{text}` ({location}) keeps in memory what programs write, so every reboot loses it"
            ),
            (None, OverlayUpper::Device(device)) => format!(
                "`{text}` ({location}) puts what programs write on {device}; files that are there \
                 hide those of the card"
            ),
        };
        f.write_str(&plain_text::escaped(&text))
    }
}

/// Returns whether Docker's daemon starts. Without any unit, something else may start it.
fn starts_docker(system: &dyn SystemFiles, systemd: &Systemd) -> Result<bool, SystemError> {
    if !docker::is_installed(system)? && !system.exists("/snap/docker")? {
        return Ok(false);
    }
    let no_unit = DOCKER_UNITS.iter().all(|unit| systemd.state(unit) == UnitState::Missing);
    Ok(no_unit || DOCKER_UNITS.iter().any(|unit| systemd.running(unit).is_some()))
}

/// Notes an overlay of the finished card. Returns the reason to refuse the card if the node needs
/// what is lost.
pub(super) fn check(to: &mut Context<'_>) -> Result<Option<RenderError>, RenderError> {
    let edited = to.edited()?;
    let boot = first_boot::model(&edited)?;
    // A card has a machine id, so that its first boot is like later ones.
    let verdict = OverlayVerdict::of(to.cluster, &edited, &boot, boot.systemd())?;
    drop(edited);
    match verdict {
        Some(verdict) if verdict.loses.is_some() => {
            Ok(Some(RenderError::NothingKept(Box::new(verdict))))
        }
        Some(verdict) => {
            to.note(Note::RootOverlay(Box::new(verdict)));
            Ok(None)
        }
        None => Ok(None),
    }
}
