//! Directories and their entries.

use std::collections::HashMap;

use super::{census::Census, fields::wrong};
use crate::{
    Error, Result,
    dir::Entry,
    features::flag,
    files::verify_directory,
    inode::{ENCRYPT, INDEX, Inode, ROOT},
    source::{Source, Stored},
};

/// A directory with more links has a count of one (`dir_nlink`).
const MAX_LINKS: u32 = 65000;
/// The smallest size of a directory with that many names, in bytes. They have three bytes at least,
/// and directories do not shrink.
const SMALLEST_WITH_MAX_LINKS: u64 = MAX_LINKS as u64 * 12;
/// The shortest encrypted name, in bytes.
const SHORTEST_ENCRYPTED: usize = 16;

/// The place of a directory in the tree, as far as it is known.
#[derive(Debug, Default, Clone, Copy)]
struct Place {
    /// The directory that holds its name; 0 if none was found yet.
    parent: u32,
    /// The inode of its entry `..`.
    dotdot: u32,
    /// It can be reached from the root.
    reached: bool,
}

/// Checks all directories, that they form a tree, and all counts of links.
pub(super) fn check(source: &Stored<'_>, census: &mut Census) -> Result<()> {
    let numbers: Vec<u32> =
        census.iter().filter(|found| found.is_dir()).map(|found| found.number).collect();
    let mut places: HashMap<u32, Place> =
        numbers.iter().map(|&number| (number, Place::default())).collect();
    for &number in &numbers {
        let inode = source.inode(number)?;
        check_directory(source, &inode, census, &mut places)?;
    }
    check_tree(&numbers, &mut places)?;
    check_links(source, census)
}

fn check_directory(
    source: &Stored<'_>,
    inode: &Inode,
    census: &mut Census,
    places: &mut HashMap<u32, Place>,
) -> Result<()> {
    let own = inode.number();
    let filetype = source.fs.superblock.features().has(flag::FILETYPE);
    let mut names = Vec::new();
    let mut position = 0;
    verify_directory(source, inode, |index, entry| {
        let wrong = |reason| Err(Error::Directory { inode: own, index, reason });
        let dots: &[u8] = match position {
            0 => b".",
            1 => b"..",
            _ => b"",
        };
        position += 1;
        let Entry { inode: number, file_type, ref name } = *entry;
        if entry.is_dots() != (name == dots) || (!dots.is_empty() && name != dots) {
            return wrong("its entries . and .. are not at its beginning");
        }
        let Some(found) = census.get_mut(number).filter(|found| !found.hidden) else {
            return wrong("an entry refers to an inode that is not in use or is not a file");
        };
        if filetype && file_type != found.file_type {
            return wrong("an entry has another type than its inode");
        }
        found.counted = found.counted.saturating_add(1);
        match position {
            1 if number != own => return wrong("its entry . does not refer to itself"),
            1 => return Ok(()),
            2 => {
                places.entry(own).or_default().dotdot = number;
                return if found.is_dir() {
                    Ok(())
                } else {
                    wrong("its entry .. does not refer to a directory")
                };
            }
            _ => {}
        }
        if found.is_dir() {
            let place = places.entry(number).or_default();
            if number == ROOT || place.parent != 0 {
                return wrong("an entry refers to a directory that already has a name");
            }
            place.parent = own;
        }
        let encrypted = inode.has_flag(ENCRYPT);
        if encrypted && name.len() < SHORTEST_ENCRYPTED {
            return wrong("a name is too short to be encrypted");
        }
        if !encrypted && name.iter().any(|byte| matches!(byte, 0 | b'/')) {
            return wrong("a name has a NUL or a slash");
        }
        names.push(name.clone());
        Ok(())
    })?;
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        let reason = "it has the same name twice";
        return Err(Error::Directory { inode: own, index: 0, reason });
    }
    Ok(())
}

/// Checks that all directories can be reached from the root, and that `..` leads back.
fn check_tree(numbers: &[u32], places: &mut HashMap<u32, Place>) -> Result<()> {
    let wrong = |inode, reason| Err(Error::Directory { inode, index: 0, reason });
    let Some(root) = places.get_mut(&ROOT) else { return wrong(ROOT, "it does not exist") };
    root.parent = ROOT;
    root.reached = true;
    for &number in numbers {
        let mut way = Vec::new();
        let mut here = number;
        while let Some(place) = places.get_mut(&here)
            && !place.reached
        {
            if place.parent == 0 {
                return wrong(here, "it has no name");
            }
            // All directories on the way are reached, unless they form a loop.
            if way.len() > numbers.len() {
                return wrong(number, "it cannot be reached from the root");
            }
            way.push(here);
            here = place.parent;
        }
        for passed in way {
            places.entry(passed).or_default().reached = true;
        }
        if places.get(&number).is_some_and(|place| place.parent != place.dotdot) {
            return wrong(number, "its entry .. does not refer to its parent");
        }
    }
    Ok(())
}

fn check_links(source: &Stored<'_>, census: &Census) -> Result<()> {
    let uncounted = source.fs.superblock.features().has(flag::DIR_NLINK);
    for found in census.iter().filter(|found| !found.hidden) {
        let links = u32::from(found.links);
        if links == found.counted && links <= MAX_LINKS {
            continue;
        }
        let inode = source.inode(found.number)?;
        // A count of one stays when the subdirectories become fewer again.
        let had_many = inode.has_flag(INDEX) && inode.i_size() >= SMALLEST_WITH_MAX_LINKS;
        if !(found.is_dir() && uncounted && links == 1 && had_many) {
            let reason = "another number of names refers to the inode";
            return wrong(&inode, "i_links_count", found.links, reason);
        }
    }
    Ok(())
}
