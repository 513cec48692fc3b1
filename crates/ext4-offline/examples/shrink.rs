//! Shrinks an ext4 filesystem, as far as possible or to a size in bytes. The image or device keeps
//! its size:
//!
//!     cargo run --example shrink -- IMAGE[:BYTE] [SIZE]

mod common;

use std::{error::Error, sync::Arc, time::SystemTime};

use block_io::ReadAt;
use ext4_offline::{ShrinkPlan, Timestamp, recover};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let image = arguments.next().ok_or("usage: shrink IMAGE[:BYTE] [SIZE]")?;
    let storage = common::open_writable(&image)?;
    let now = Timestamp::try_from(SystemTime::now())?;
    recover(&storage, now)?;
    let source: Arc<dyn ReadAt> = Arc::new(storage.clone());
    let plan = match arguments.next() {
        Some(size) => ShrinkPlan::to_size(&source, size.parse()?, now)?,
        None => ShrinkPlan::to_minimum(&source, now)?,
    };
    let shrunk = plan.apply(&storage)?;
    println!(
        "{} blocks of {} bytes, were {}; {} bytes of contents and {} inodes moved, {} bytes written",
        shrunk.blocks,
        shrunk.block_size,
        shrunk.old_blocks,
        shrunk.bytes_moved,
        shrunk.inodes_moved,
        shrunk.bytes_written
    );
    if let Some(limit) = plan.limit() {
        println!("not smaller: {limit}");
    }
    Ok(())
}
