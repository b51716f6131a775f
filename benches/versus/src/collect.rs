//! One subscriber that takes all that comes.

use std::time::Duration;

use anyhow::{Result, bail};
use mio::{Events, Interest, Poll, Token};

use crate::client::{Client, PUBACK, PUBLISH};

const SILENCE_MAX: Duration = Duration::from_secs(20);
const BUFFER_BYTES: usize = 256 * 1024;

/// Takes so many messages, acknowledging as many at once as came at once.
pub fn collect(client: &mut Client, messages: u64) -> Result<()> {
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(8));
    let interest = Interest::READABLE | Interest::WRITABLE;
    poll.registry().register(client.stream.socket(), Token(0), interest)?;
    let (mut heard, mut buffer) = (0, vec![0; BUFFER_BYTES]);
    loop {
        client.flush()?;
        client.read(&mut buffer, |client, kind, body| {
            if kind & 0xF0 != PUBLISH {
                return;
            }
            heard += 1;
            if kind & 0x06 != 0 {
                let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
                client.acknowledge(PUBACK, &body[2 + topic..4 + topic]);
            }
        })?;
        client.flush()?;
        if heard >= messages {
            break;
        }
        poll.poll(&mut events, Some(SILENCE_MAX))?;
        if events.is_empty() {
            bail!("{heard} of {messages} messages arrived");
        }
    }
    poll.registry().deregister(client.stream.socket())?;
    Ok(())
}
