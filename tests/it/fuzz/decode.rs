//! Bytes of a peer that means no good.

use super::link::Link;
use super::source::Source;

/// A decoder survives any bytes, and gives the same however they are cut.
pub fn decode(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let link = Link::read(&mut source);
    let mut seed = u32::from(source.byte());
    let stream = source.rest();
    let whole = link.decode(stream, || usize::MAX);
    let one_by_one = link.decode(stream, || 1);
    assert_eq!(whole, one_by_one, "in one piece and byte by byte");
    let in_chunks = link.decode(stream, || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        usize::try_from(seed >> 24).unwrap_or_default() >> (seed >> 8 & 7)
    });
    assert_eq!(whole, in_chunks, "in one piece and in chunks");
}
