//! Any bytes go through the packet parser; the key answers for itself forwards and backwards.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (Option<u16>, &[u8])| {
    let key = csn::packet::parse(data.1, data.0);
    for (field, value) in key.fields() {
        assert!(field.domain().contains(value), "{field} = {value}");
    }
    assert_eq!(key.reversed().reversed(), key);
});
