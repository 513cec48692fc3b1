//! The boot loader of an Exynos board, by its raw sectors.
//!
//! The places are those of Hardkernel's u-boot of 2012 and 2017 (which Armbian has as
//! well) and of mainline's. Nothing is taken from a name: a part is there if its first
//! sector holds anything, and saved settings are known by their checksum.

use std::ops::Range;

use crc::{CRC_32_ISO_HDLC, Crc};
use part_table::SECTOR_SIZE;
use serde::Serialize;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);
const SECTOR: usize = SECTOR_SIZE as usize;

/// A layout of boot loader parts: name, and where tzsw and the settings are.
struct Kind {
    name: &'static str,
    tzsw: u64,
    environment: &'static [u64],
}

const KINDS: [Kind; 3] = [
    Kind { name: "Hardkernel u-boot 2012.07 (328 KiB)", tzsw: 719, environment: &[1231] },
    Kind { name: "Hardkernel u-boot 2017.05 (720 KiB)", tzsw: 1503, environment: &[2015] },
    Kind { name: "mainline u-boot (1 MiB)", tzsw: 2111, environment: &[2560, 6272] },
];
/// First stages, before them all.
const BL1: u64 = 1;
const BL2: u64 = 31;
const U_BOOT: u64 = 63;
/// The settings are 32 sectors long: a checksum, and the rest.
const ENVIRONMENT: u64 = 32;

/// A boot loader, as far as its sectors tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BootLoader {
    /// The layout that fits.
    pub kind: Option<&'static str>,
    /// What u-boot calls itself.
    pub version: Option<String>,
    /// Its parts and their first sectors.
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
    /// What its contents say of it.
    pub state: &'static str,
}

fn sector(area: &[u8], number: u64) -> Option<&[u8]> {
    let start = usize::try_from(number).ok()?.checked_mul(SECTOR)?;
    area.get(start..start.checked_add(SECTOR)?)
}

fn is_used(area: &[u8], number: u64) -> bool {
    sector(area, number).is_some_and(|sector| sector.iter().any(|byte| *byte != 0))
}

/// Whether saved settings with the right checksum are at a sector.
fn has_environment(area: &[u8], at: u64) -> bool {
    let start = at as usize * SECTOR;
    let Some(bytes) = area.get(start..start + ENVIRONMENT as usize * SECTOR) else { return false };
    let Some((stored, data)) = bytes.split_first_chunk::<4>() else { return false };
    data.first().is_some_and(|byte| *byte != 0) && CRC.checksum(data) == u32::from_le_bytes(*stored)
}

/// The layout that fits best: by saved settings, else by where u-boot ends.
fn kind(area: &[u8]) -> Option<&'static Kind> {
    let has = |kind: &&Kind| kind.environment.iter().any(|at| has_environment(area, *at));
    if let Some(kind) = KINDS.iter().find(has) {
        return Some(kind);
    }
    if !is_used(area, BL1) || !is_used(area, U_BOOT) {
        return None;
    }
    // u-boot is one run of sectors: tzsw begins where it is padded, or a new part begins.
    let text = |kind: &&Kind| has_trusted_firmware(area, kind.tzsw);
    KINDS.iter().find(text).or_else(|| {
        // The last place that holds anything, since shorter layouts are within longer ones.
        KINDS.iter().rev().find(|kind| is_used(area, kind.tzsw))
    })
}

/// Trusted firmware begins anew: with zeros right before, where u-boot was padded.
fn has_trusted_firmware(area: &[u8], at: u64) -> bool {
    is_used(area, at) && !is_used(area, at - 1)
}

/// The sectors of the settings of the boot loader in a boot area.
pub(crate) fn environment_sectors(area: &[u8]) -> Option<Range<u64>> {
    let kind = kind(area)?;
    let saved = kind.environment.iter().find(|at| has_environment(area, **at));
    let first = saved.or(kind.environment.first())?;
    Some(*first..*first + ENVIRONMENT)
}

/// What boot loader a boot area holds: the bytes before the first partition.
pub(super) fn detect(area: &[u8]) -> Option<BootLoader> {
    let kind = kind(area);
    let version = version(area);
    let mut parts = Vec::new();
    if let Some(kind) = kind {
        for (name, sector) in [("bl1", BL1), ("bl2", BL2), ("u-boot", U_BOOT), ("tzsw", kind.tzsw)]
        {
            let state = if is_used(area, sector) { "present" } else { "empty" };
            parts.push(BootPart { name, sector, state });
        }
        for &sector in kind.environment {
            let state = match (has_environment(area, sector), is_used(area, sector)) {
                (true, _) => "saved settings, checksum right",
                (false, true) => "no settings: the checksum does not match",
                (false, false) => "empty: u-boot's own settings",
            };
            if state.starts_with("saved") || Some(&sector) == kind.environment.first() {
                parts.push(BootPart { name: "env", sector, state });
            }
        }
    }
    let known = kind.is_some() || version.is_some();
    known.then(|| BootLoader { kind: kind.map(|kind| kind.name), version, parts })
}

/// `U-Boot 2017.05-…`, as it stands in u-boot's own text.
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
    fn each_layout_is_known_by_its_sectors() {
        for (tzsw, name) in [(719, "2012"), (1503, "2017"), (2111, "mainline")] {
            let loader = detect(&area(tzsw, b"U-Boot 2017.05-g1a2b (x)\0")).unwrap();
            assert!(loader.kind.unwrap().contains(name), "{loader:?}");
            assert_eq!(loader.version.as_deref(), Some("U-Boot 2017.05-g1a2b (x)"));
        }
        assert_eq!(detect(&vec![0; 2048 * SECTOR]), None);
        assert_eq!(detect(&[]), None);
    }

    #[test]
    fn saved_settings_are_known_by_their_checksum() {
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
