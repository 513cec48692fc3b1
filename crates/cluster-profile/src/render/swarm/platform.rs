//! Whether the image can run a swarm, and its services' images.

use super::Swarm;
use crate::render::{RenderError, context::Context};

/// Programs that every system has, one of them at least, small enough to be read.
const PROGRAMS: [&str; 3] = ["/bin/sh", "/usr/bin/env", "/sbin/init"];

/// Refuses an image without Docker, and archives for another processor.
pub(super) fn check(to: &mut Context<'_>, swarm: &Swarm) -> Result<(), RenderError> {
    let docker = ["/usr/bin/dockerd", "/usr/sbin/dockerd", "/usr/local/bin/dockerd"];
    let mut found = false;
    for path in docker {
        found |= to.exists(path)?;
    }
    if !found {
        return Err(RenderError::NoDocker);
    }
    let settings = to.read("/etc/docker/daemon.json")?.unwrap_or_default();
    let words: String = settings.split_ascii_whitespace().collect();
    if words.contains("\"live-restore\":true") {
        to.hindrance(
            "/etc/docker/daemon.json in the image sets live-restore, with which Docker makes no \
             swarm; change it in the base image or with `files:`",
        );
    }
    let Some(system) = architecture(to)? else {
        if !swarm.images.is_empty() {
            to.note("what processor the image is for could not be told, so `swarm.images` may be for another");
        }
        return Ok(());
    };
    let images =
        swarm.images.iter().flat_map(|archive| archive.images.iter().map(move |i| (archive, i)));
    let mut others = images.filter(|(_, image)| image.architecture != system);
    match others.next() {
        None => Ok(()),
        Some((archive, image)) => Err(RenderError::ImageArchitecture {
            archive: archive.path.clone(),
            image: image.names.first().cloned().unwrap_or_default(),
            architecture: image.architecture.clone(),
            system,
        }),
    }
}

/// The processor that the image's programs are for, in Go's words; `None` for one that
/// is not known here.
fn architecture(from: &Context<'_>) -> Result<Option<&'static str>, RenderError> {
    for path in PROGRAMS {
        if let Some(program) = from.system.read(path)?
            && let Some(machine) = elf_machine(&program)
        {
            return Ok(Some(machine));
        }
    }
    Ok(None)
}

/// `e_machine` of an ELF header (elf(5)), in Go's words.
fn elf_machine(program: &[u8]) -> Option<&'static str> {
    let header = program.get(..20).filter(|header| header.starts_with(b"\x7fELF"))?;
    // All that follow are little-endian.
    match (header.get(5)?, header.get(18)?, header.get(19)?) {
        (1, 3, 0) => Some("386"),
        (1, 40, 0) => Some("arm"),
        (1, 62, 0) => Some("amd64"),
        (1, 183, 0) => Some("arm64"),
        (1, 243, 0) => Some("riscv64"),
        _ => None,
    }
}
