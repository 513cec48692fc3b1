//! The boot loader of an Exynos board, detected by its raw sectors.
//!
//! The layouts are those of Hardkernel's U-Boot of 2012 and of 2017 (which Armbian uses too)
//! and of mainline U-Boot. Names are not trusted: a part is present if its first sector is
//! not empty, and saved settings are recognized by their checksum.

use std::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc};
use part_table::SECTOR_SIZE;
use serde::Serialize;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const SECTOR: usize = SECTOR_SIZE as usize;

/// A layout of a boot loader.
struct Layout {
    name: &'static str,
    /// The first sector of the trusted firmware.
    tzsw: u64,
    /// The first sectors at which settings can be saved.
    environment: &'static [u64],
}

const LAYOUTS: [Layout; 3] = [
    Layout { name: "Hardkernel u-boot 2012.07 (328 KiB)", tzsw: 719, environment: &[1231] },
    Layout { name: "Hardkernel u-boot 2017.05 (720 KiB)", tzsw: 1503, environment: &[2015] },
    Layout { name: "mainline u-boot (1 MiB)", tzsw: 2111, environment: &[2560, 6272] },
];
/// The first sectors of the stages that are at the same place in every layout.
const BL1: u64 = 1;
const BL2: u64 = 31;
const U_BOOT: u64 = 63;
/// The length of the settings in sectors, with their checksum.
const ENVIRONMENT: u64 = 32;

/// A boot loader, as far as it can be detected by its sectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BootLoader {
    /// The layout that matches.
    pub kind: Option<&'static str>,
    /// The version in U-Boot's own text.
    pub version: Option<String>,
    /// Its parts, in the order of their sectors.
    pub parts: Vec<BootPart>,
}

/// One part of a boot loader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BootPart {
    /// Its name.
    pub name: &'static str,
    /// Its first sector.
    pub sector: u64,
    /// What its contents are.
    pub state: &'static str,
}

fn sector(area: &[u8], number: u64) -> Option<&[u8]> {
    let start = usize::try_from(number).ok()?.checked_mul(SECTOR)?;
    area.get(start..start.checked_add(SECTOR)?)
}

fn is_used(area: &[u8], number: u64) -> bool {
    sector(area, number).is_some_and(|sector| sector.iter().any(|byte| *byte != 0))
}

/// Returns whether there are settings with a valid checksum at a sector.
fn has_environment(area: &[u8], at: u64) -> bool {
    let start = at as usize * SECTOR;
    let Some(bytes) = area.get(start..start + ENVIRONMENT as usize * SECTOR) else { return false };
    let Some((stored, data)) = bytes.split_first_chunk::<4>() else { return false };
    data.first().is_some_and(|byte| *byte != 0) && CRC.checksum(data) == u32::from_le_bytes(*stored)
}

/// Detects the layout by saved settings, or else by the end of U-Boot.
fn layout(area: &[u8]) -> Option<&'static Layout> {
    let has_settings =
        |layout: &&Layout| layout.environment.iter().any(|at| has_environment(area, *at));
    if let Some(layout) = LAYOUTS.iter().find(has_settings) {
        return Some(layout);
    }
    if !is_used(area, BL1) || !is_used(area, U_BOOT) {
        return None;
    }
    // U-Boot fills its sectors without a gap, and the trusted firmware starts after padding.
    let has_firmware = |layout: &&Layout| has_trusted_firmware(area, layout.tzsw);
    LAYOUTS.iter().find(has_firmware).or_else(|| {
        // In a longer layout, the place of a shorter one's firmware is inside U-Boot.
        LAYOUTS.iter().rev().find(|layout| is_used(area, layout.tzsw))
    })
}

/// Returns whether trusted firmware starts at a sector: the one before it, which is U-Boot's
/// padding, is zero.
fn has_trusted_firmware(area: &[u8], at: u64) -> bool {
    is_used(area, at) && !is_used(area, at - 1)
}

/// Returns the sectors of the boot loader's settings in a boot area.
pub(crate) fn environment_sectors(area: &[u8]) -> Option<Range<u64>> {
    let layout = layout(area)?;
    let saved = layout.environment.iter().find(|at| has_environment(area, **at));
    let first = saved.or(layout.environment.first())?;
    Some(*first..*first + ENVIRONMENT)
}

/// Detects the boot loader in a boot area, which are the bytes before the first partition.
pub(super) fn detect(area: &[u8]) -> Option<BootLoader> {
    let layout = layout(area);
    let version = version(area);
    let mut parts = Vec::new();
    if let Some(layout) = layout {
        let stages = [("bl1", BL1), ("bl2", BL2), ("u-boot", U_BOOT), ("tzsw", layout.tzsw)];
        for (name, sector) in stages {
            let state = if is_used(area, sector) { "present" } else { "empty" };
            parts.push(BootPart { name, sector, state });
        }
        for &sector in layout.environment {
            let is_saved = has_environment(area, sector);
            let state = if is_saved {
                "saved settings, valid checksum"
            } else if is_used(area, sector) {
                "no settings: the checksum does not match"
            } else {
                "empty: U-Boot uses its built-in settings"
            };
            if is_saved || Some(&sector) == layout.environment.first() {
                parts.push(BootPart { name: "env", sector, state });
            }
        }
    }
    let is_known = layout.is_some() || version.is_some();
    is_known.then(|| BootLoader { kind: layout.map(|layout| layout.name), version, parts })
}

/// Returns U-Boot's version, as in its own text: `U-Boot 2017.05-…`.
fn version(area: &[u8]) -> Option<String> {
    const MARK: &[u8] = b"U-Boot ";
    let mut at = 0;
    while let Some(found) = area.get(at..)?.windows(MARK.len()).position(|window| window == MARK) {
        let start = at + found;
        let rest = area.get(start..(start + 80).min(area.len()))?;
        let end = rest.iter().position(|byte| !(b' '..=b'~').contains(byte)).unwrap_or(rest.len());
        let text = String::from_utf8_lossy(rest.get(..end)?).into_owned();
        let digits =
            text.get(MARK.len()..).is_some_and(|t| t.starts_with(|c: char| c.is_ascii_digit()));
        if digits {
            return Some(text);
        }
        at = start + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn area(tzsw: u64, version: &[u8]) -> Vec<u8> {
        let mut area = vec![0; 4096 * SECTOR];
        for at in [BL1, BL2, U_BOOT, tzsw] {
            area[at as usize * SECTOR] = 0xea;
        }
        let at = (U_BOOT as usize + 3) * SECTOR + 17;
        area[at..at + version.len()].copy_from_slice(version);
        area
    }

    #[test]
    fn layouts_are_detected_by_their_sectors() {
        for (tzsw, name) in [(719, "2012"), (1503, "2017"), (2111, "mainline")] {
            let loader = detect(&area(tzsw, b"U-Boot 2017.05-g1a2b (x)\0")).unwrap();
            assert!(loader.kind.unwrap().contains(name), "{loader:?}");
            assert_eq!(loader.version.as_deref(), Some("U-Boot 2017.05-g1a2b (x)"));
        }
        assert_eq!(detect(&vec![0; 2048 * SECTOR]), None);
        assert_eq!(detect(&[]), None);
    }

    #[test]
    fn saved_settings_are_detected_by_their_checksum() {
        let mut area = area(2111, b"U-Boot nothing");
        let start = 6272 * SECTOR;
        area.resize(8192 * SECTOR, 0);
        area[start + 4..start + 14].copy_from_slice(b"bootdelay=");
        let sum = CRC.checksum(&area[start + 4..start + 32 * SECTOR]);
        area[start..start + 4].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(environment_sectors(&area), Some(6272..6304));
        area[start + 100] ^= 1;
        assert_eq!(environment_sectors(&area), Some(2560..2592));
        assert_eq!(detect(&area).unwrap().version, None);
    }
}
