//! Any messages of NetFlow v9, one after the other, to one collector: it must neither panic nor grow beyond its limits.

#![no_main]

mod messages;

libfuzzer_sys::fuzz_target!(|data: &[u8]| messages::collect(9, data));
