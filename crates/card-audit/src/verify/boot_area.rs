//! The boot area: the code in sector 0, and all sectors before the first partition.

use std::ops::Range;

use part_table::SECTOR_SIZE;

use crate::{Card, Finding, FindingCode, FixAction, inspect::environment_sectors};

/// Where the code in sector 0 ends, and the disk id and partition table begin.
const CODE: usize = 440;
/// No boot area is larger; what follows is not compared.
const LARGEST: u64 = 32 << 20;
/// A GPT's primary copy: its header and its entries.
const GPT: Range<u64> = 1..34;

/// Returns how a card's boot area differs from the base's.
pub(super) fn compare(card: &Card, base: &Card) -> block_io::Result<Vec<Finding>> {
    let (Some(end), Some(base_end)) = (first_partition(card), first_partition(base)) else {
        return Ok(Vec::new());
    };
    if end != base_end {
        let what = "the first partition does not begin where it does in the base image";
        let finding = Finding::error(FindingCode::BootArea, what, FixAction::Rebuild);
        let at = |end: u64| format!("sector {}", end / SECTOR_SIZE);
        return Ok(vec![finding.expected(at(base_end)).found(at(end))]);
    }
    let length = end.min(LARGEST) as usize;
    let ours = card.storage().read_vec(0, length)?;
    let theirs = base.storage().read_vec(0, length)?;
    let mut different = Vec::new();
    let sectors = ours.chunks(SECTOR_SIZE as usize).zip(theirs.chunks(SECTOR_SIZE as usize));
    for (sector, (ours, theirs)) in (0u64..).zip(sectors) {
        let differs = match sector {
            0 => ours.get(..CODE) != theirs.get(..CODE),
            _ if card.layout().table().is_gpt() && GPT.contains(&sector) => false,
            _ => ours != theirs,
        };
        if differs {
            different.push(sector);
        }
    }
    let environment = environment_sectors(&theirs);
    let only_environment = |sectors: &[u64]| {
        environment.as_ref().is_some_and(|at| sectors.iter().all(|sector| at.contains(sector)))
    };
    Ok(match different.as_slice() {
        [] => Vec::new(),
        sectors if only_environment(sectors) => {
            let what = "the boot loader's settings were saved since the card was made";
            vec![Finding::note(FindingCode::BootEnvironment, what, FixAction::NothingIfSaved)]
        }
        sectors => {
            let what = "the boot area differs from the base image's";
            let finding = Finding::error(FindingCode::BootArea, what, FixAction::Rebuild);
            vec![finding.found(format!("other bytes in {}", ranges(sectors)))]
        }
    })
}

fn first_partition(card: &Card) -> Option<u64> {
    let starts = card.layout().table().partitions().iter().map(|partition| partition.bytes().start);
    starts.min()
}

/// Returns sectors as people write them: `sectors 1 to 3, 9`.
fn ranges(sectors: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &sector in sectors {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == sector => *last = sector,
            _ => runs.push((sector, sector)),
        }
    }
    let show = |&(first, last): &(u64, u64)| {
        if first == last { first.to_string() } else { format!("{first} to {last}") }
    };
    let shown: Vec<String> = runs.iter().take(8).map(show).collect();
    let more = if runs.len() > 8 { " and more" } else { "" };
    let word = if sectors.len() == 1 { "sector" } else { "sectors" };
    format!("{word} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs_of_sectors_are_short() {
        assert_eq!(super::ranges(&[1, 2, 3, 9]), "sectors 1 to 3, 9");
        assert_eq!(super::ranges(&[7]), "sector 7");
    }
}
