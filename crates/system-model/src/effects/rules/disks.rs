//! Programs that change partitions, filesystems and their ids.

use super::{Arguments, if_any};
use crate::Effect;

/// Options of sfdisk and sgdisk that only print.
const PRINTS: [&str; 18] = [
    "-l",
    "-d",
    "-J",
    "-s",
    "-g",
    "-F",
    "-V",
    "-p",
    "-v",
    "--dump",
    "--list",
    "--json",
    "--show-size",
    "--print",
    "--verify",
    "--part-type",
    "--part-uuid",
    "--version",
];

pub(super) fn judge(name: &str, arguments: &Arguments<'_>) -> Option<Vec<Effect>> {
    let is_given = arguments.operands().next().is_some();
    Some(match name {
        "resize2fs" | "growpart" | "xfs_growfs" | "resize.f2fs" | "resize_root" | "resizefs" => {
            if_any(!arguments.has_any(&["--dry-run", "--version", "--help"]), Effect::Sizes)
        }
        "systemd-growfs" | "systemd-makefs" => if_any(is_given, Effect::Sizes),
        "systemd-repart" => {
            let acts = arguments.value("--dry-run", "--dry-run") == Some("no");
            if_any(acts, Effect::Sizes)
        }
        "pvresize" | "lvextend" | "lvresize" | "resizepart" | "delpart" | "addpart" => {
            if_any(is_given, Effect::Sizes)
        }
        "partprobe" | "kpartx" => {
            let reads = arguments.has_any(&["-d", "-s", "-l", "-h", "-v"]);
            if_any(!reads && name == "partprobe", Effect::Sizes)
        }
        "partx" => if_any(arguments.has_any(&["-u", "--update"]), Effect::Sizes),
        "parted" => {
            const CHANGES: [&str; 6] =
                ["resizepart", "mkpart", "rm", "resize", "mklabel", "mktable"];
            let mut words = arguments.all.iter().flat_map(|word| word.split_whitespace());
            let changes = words.any(|word| CHANGES.contains(&word));
            let is_fed = arguments.all.iter().all(|word| word.starts_with(['-', '/', '$']));
            let lists =
                arguments.mentions("print") || arguments.has_any(&["-l", "-v", "--version"]);
            if_any(changes || (is_fed && !lists && !arguments.all.is_empty()), Effect::Sizes)
        }
        "sfdisk" | "sgdisk" => {
            let reads = arguments.has_any(&PRINTS);
            if arguments.has_any(&["--disk-id", "-G", "--randomize-guids"]) {
                if_any(arguments.all.len() > 2 || name == "sgdisk", Effect::DiskId)
            } else {
                if_any(!reads && !arguments.all.is_empty(), Effect::Sizes)
            }
        }
        "fdisk" | "gdisk" | "cfdisk" => {
            let is_list = |word: &String| word.starts_with("-l") || word == "--list";
            let lists = arguments.all.iter().any(is_list);
            if_any(!lists && !arguments.all.is_empty(), Effect::Sizes)
        }
        "btrfs" => if_any(arguments.has("resize"), Effect::Sizes),
        "wipefs" => {
            let acts = arguments.has_letter('a') || arguments.has("--all");
            if_any(acts && is_given && !arguments.has_any(&["-n", "--no-act"]), Effect::Sizes)
        }
        "tune2fs" => if_any(arguments.has("-U"), Effect::DiskId),
        name if name == "mke2fs" || name == "mkdosfs" || name.starts_with("mkfs") => {
            if_any(is_given && !arguments.has_any(&["-n", "-V"]), Effect::Sizes)
        }
        _ => return None,
    })
}
