#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nodecard_fuzz::whole(data));
