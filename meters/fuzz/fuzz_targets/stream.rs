//! Any octets over a connection, in any pieces: the stream must neither panic nor keep more than one message.

#![no_main]

use meters::collector::Stream;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut stream = Stream::default();
    let Some((piece, data)) = data.split_first() else { return };
    for octets in data.chunks(usize::from(*piece).max(1)) {
        let fine = stream.feed(octets, &mut |message| assert!(message.len() >= 16));
        assert!(stream.pending() < 65_536);
        if fine.is_err() {
            return;
        }
    }
});
