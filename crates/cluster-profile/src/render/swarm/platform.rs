//! Checks whether the image can run a swarm, and the images of its services.

use super::Swarm;
use crate::{
    Note, has_docker,
    render::{RenderError, context::Context},
};

/// Small programs, of which every system has at least one.
const PROGRAMS: [&str; 3] = ["/bin/sh", "/usr/bin/env", "/sbin/init"];

/// Rejects an image without Docker, and archives for another processor.
pub(super) fn check(to: &mut Context<'_>, swarm: &Swarm) -> Result<(), RenderError> {
    if !has_docker(to.system)? {
        return Err(RenderError::NoDocker);
    }
    const SETTINGS: &str = "/etc/docker/daemon.json";
    let settings = to.read(SETTINGS)?.unwrap_or_default();
    let words: String = settings.split_ascii_whitespace().collect();
    let replaced = to.cluster.files.iter().any(|file| file.path == SETTINGS);
    if words.contains("\"live-restore\":true") && !replaced {
        to.refused.add(RenderError::LiveRestore)?;
    }
    let Some(system) = architecture(to)? else {
        if !swarm.images.is_empty() {
            to.note(Note::UnknownProcessor);
        }
        return Ok(());
    };
    for archive in &swarm.images {
        for image in archive.images.iter().filter(|image| image.architecture != system) {
            let name = image.names.first().cloned().unwrap_or_default();
            let architecture = image.architecture.clone();
            // Most of these processors also run the other's programs.
            if matches!((&*architecture, system), ("arm", "arm64") | ("386", "amd64")) {
                let system = system.to_owned();
                to.note(Note::OtherProcessor { image: name, architecture, system });
                continue;
            }
            let archive = archive.path.clone();
            to.refused.add(RenderError::ImageArchitecture {
                archive,
                image: name,
                architecture,
                system,
            })?;
        }
    }
    Ok(())
}

/// Returns the processor that the image's programs are for, by Go's name; `None` for one
/// that is not known here.
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

/// Returns `e_machine` of an ELF header (elf(5)), by Go's name.
fn elf_machine(program: &[u8]) -> Option<&'static str> {
    let header = program.get(..20).filter(|header| header.starts_with(b"\x7fELF"))?;
    // All of these are little-endian.
    match (header.get(5)?, header.get(18)?, header.get(19)?) {
        (1, 3, 0) => Some("386"),
        (1, 40, 0) => Some("arm"),
        (1, 62, 0) => Some("amd64"),
        (1, 183, 0) => Some("arm64"),
        (1, 243, 0) => Some("riscv64"),
        _ => None,
    }
}
