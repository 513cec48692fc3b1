//! Damaging metadata.

use crate::common::{
    Random,
    anatomy::{Anatomy, Kind, Piece},
};

/// Changes one to three pieces of metadata, mostly with checksums that match. Returns a
/// description.
pub fn damage(image: &mut [u8], anatomy: &Anatomy, random: &mut Random) -> String {
    let mut classes: Vec<u32> = anatomy.pieces.iter().map(|piece| piece.kind.class()).collect();
    classes.sort_unstable();
    classes.dedup();
    let mut done = String::new();
    for _ in 0..*random.pick(&[1, 1, 1, 2, 3]) {
        let class = *random.pick(&classes);
        let pieces: Vec<&Piece> =
            anatomy.pieces.iter().filter(|piece| piece.kind.class() == class).collect();
        let piece = **random.pick(&pieces);
        for _ in 0..*random.pick(&[1, 1, 2]) {
            let limit = match random.below(3) {
                0 => piece.length,
                1 => piece.length.min(128),
                _ => piece.length.min(48),
            };
            let at = piece.offset + random.below(limit as u64) as usize;
            let before = image[at];
            done += &format!("{:?} byte {:#x} {before:#x}", piece.kind, at - piece.offset);
            change(image, at, anatomy, random);
            done += &format!(" to {:#x}, ", image[at]);
        }
        if random.below(4) > 0 {
            anatomy.reseal(image, &piece);
            done += "resealed; ";
        }
    }
    done
}

/// How many values a pair of bytes gets.
const VALUES: usize = 8;
/// The number of changes by [`superblock`].
pub const SUPERBLOCK_CASES: u64 = (1024 / 2 * VALUES) as u64;

/// Gives two bytes of the superblock another value, and a checksum that matches. Returns a
/// description.
pub fn superblock(image: &mut [u8], anatomy: &Anatomy, number: usize) -> String {
    let superblock = anatomy.pieces.iter().find(|piece| piece.kind == Kind::Superblock).unwrap();
    let at = superblock.offset + number / VALUES * 2;
    let before = u16::from_le_bytes([image[at], image[at + 1]]);
    let values = [0, 1, 2, 86, 0x8000, 0xffff, before.wrapping_add(1), before.wrapping_sub(1)];
    let value = values[number % VALUES];
    image[at..at + 2].copy_from_slice(&value.to_le_bytes());
    anatomy.reseal(image, superblock);
    format!("superblock {:#x}: {before:#x} to {value:#x}", at - superblock.offset)
}

fn change(image: &mut [u8], at: usize, anatomy: &Anatomy, random: &mut Random) {
    match random.below(8) {
        0 => image[at] = 0,
        1 => image[at] = 0xff,
        2 | 3 => image[at] ^= 1 << random.below(8),
        4 => image[at] = image[at].wrapping_add(1),
        5 => image[at] = random.below(256) as u8,
        // Values that may be numbers of inodes or blocks.
        _ => {
            let at = at & !3;
            let limit = *random.pick(&[16, 100, anatomy.geometry.blocks]);
            let number = (random.below(limit) as u32).to_le_bytes();
            if let Some(place) = image.get_mut(at..at + 4) {
                place.copy_from_slice(&number);
            }
        }
    }
}
