//! Grows an ext4 filesystem to the end of its image or device:
//!
//!     cargo run --example grow -- IMAGE[:BYTE]

mod common;

use std::{error::Error, time::SystemTime};

use ext4_offline::{Timestamp, check, grow, recover};

fn main() -> Result<(), Box<dyn Error>> {
    let image = std::env::args().nth(1).ok_or("usage: grow IMAGE[:BYTE]")?;
    let storage = common::open_writable(&image)?;
    let now = Timestamp::try_from(SystemTime::now())?;
    recover(&storage, now)?;
    check(&storage)?;
    let grown = grow(&storage, storage.size(), now)?;
    println!("{} blocks of {} bytes, were {}", grown.blocks, grown.block_size, grown.old_blocks);
    Ok(())
}
