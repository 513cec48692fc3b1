//! The libraries that a program is linked with (elf(5)).

/// As many entries of a table are looked at.
const MAX_ENTRIES: usize = 4096;
const PT_LOAD: u64 = 1;
const PT_DYNAMIC: u64 = 2;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;

struct Elf<'a> {
    bytes: &'a [u8],
    is_64: bool,
    is_little: bool,
}

impl Elf<'_> {
    /// Returns a number of `size` bytes.
    fn number(&self, at: usize, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(size)?)?;
        let add = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Some(if self.is_little {
            bytes.iter().rev().fold(0, add)
        } else {
            bytes.iter().fold(0, add)
        })
    }

    /// Returns a field whose offset and size depend on the class.
    fn field(&self, base: usize, [in_32, in_64]: [usize; 2]) -> Option<u64> {
        let (at, size) = if self.is_64 { (in_64, 8) } else { (in_32, 4) };
        self.number(base.checked_add(at)?, size)
    }
}

/// Returns the names of the shared libraries that a program needs; `None` if it is not an ELF
/// file.
pub(crate) fn needed(bytes: &[u8]) -> Option<Vec<String>> {
    if bytes.get(..4)? != b"\x7fELF" {
        return None;
    }
    let elf = Elf { bytes, is_64: *bytes.get(4)? == 2, is_little: *bytes.get(5)? != 2 };
    Some(needed_of(&elf).unwrap_or_default())
}

fn needed_of(elf: &Elf<'_>) -> Option<Vec<String>> {
    let table = usize::try_from(elf.field(0, [28, 32])?).ok()?;
    let [size, count] = if elf.is_64 { [54, 56] } else { [42, 44] };
    let size = usize::try_from(elf.number(size, 2)?).ok()?;
    let count = usize::try_from(elf.number(count, 2)?).ok()?.min(MAX_ENTRIES);
    let (mut loads, mut dynamic) = (Vec::new(), None);
    for index in 0..count {
        let at = table.checked_add(index.checked_mul(size)?)?;
        let offset = elf.field(at, [4, 8])?;
        let (address, length) = (elf.field(at, [8, 16])?, elf.field(at, [16, 32])?);
        match elf.number(at, 4)? {
            PT_LOAD => loads.push((address, offset, length)),
            PT_DYNAMIC => dynamic = Some((offset, length)),
            _ => {}
        }
    }
    let (start, length) = dynamic?;
    let (start, length) = (usize::try_from(start).ok()?, usize::try_from(length).ok()?);
    let width = if elf.is_64 { 8 } else { 4 };
    let (mut names, mut strings) = (Vec::new(), None);
    for index in 0..(length / (2 * width)).min(MAX_ENTRIES) {
        let at = start.checked_add(index * 2 * width)?;
        let value = elf.number(at.checked_add(width)?, width)?;
        match elf.number(at, width)? {
            0 => break,
            DT_NEEDED => names.push(value),
            DT_STRTAB => strings = Some(value),
            _ => {}
        }
    }
    // The table of strings is given by its address in memory.
    let strings = strings?;
    let in_file = |(address, offset, length): &(u64, u64, u64)| {
        let inside = strings.checked_sub(*address).filter(|inside| inside < length)?;
        offset.checked_add(inside)
    };
    let strings = loads.iter().find_map(in_file)?;
    let name = |at: u64| {
        let at = usize::try_from(strings.checked_add(at)?).ok()?;
        let rest = elf.bytes.get(at..)?;
        let end = rest.iter().take(256).position(|byte| *byte == 0)?;
        rest.get(..end).map(|name| String::from_utf8_lossy(name).into_owned())
    };
    Some(names.into_iter().filter_map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_libraries_of_this_very_program() {
        let program = std::env::current_exe().expect("a path");
        let bytes = std::fs::read(program).expect("readable");
        if cfg!(target_env = "gnu") {
            let names = needed(&bytes).expect("an ELF file");
            assert!(names.iter().any(|name| name.starts_with("libc.so")), "{names:?}");
        }
        assert_eq!(needed(b"#!/bin/sh\n"), None);
        // A program that is cut off, or whose tables lead nowhere.
        for end in [4, 6, 40, 64, 100, 4000] {
            let _ = needed(bytes.get(..end).unwrap_or(&bytes));
        }
        let mut wrong = bytes.get(..8192).unwrap_or(&bytes).to_vec();
        for at in 16..wrong.len().min(400) {
            wrong[at] = 0xff;
            let _ = needed(&wrong);
        }
    }
}
