//! Within one poll of a connection neither its writes nor its reads keep the others waiting.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::io::ReadBuf;

use super::*;

/// Bytes that it takes at a time.
const TAKEN: usize = 16;

/// A transport that is always ready: it takes little at a time, and has packets to be read.
struct Eager {
    packets: VecDeque<&'static [u8]>,
    /// What was done with it: `w` and `r`.
    done: Arc<Mutex<String>>,
}

impl AsyncRead for Eager {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Some(packet) = self.packets.pop_front() else { return Poll::Pending };
        self.done.lock().unwrap().push('r');
        buffer.put_slice(packet);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Eager {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.done.lock().unwrap().push('w');
        Poll::Ready(Ok(bytes.len().min(TAKEN)))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn writes_and_reads_alternate_while_both_go_on() {
    const PINGS: usize = 50;
    let done = Arc::new(Mutex::new(String::new()));
    let packets = [CONNECT_3_1_1].into_iter().chain([PINGREQ; PINGS]).collect();
    let stream = Eager { packets, done: Arc::clone(&done) };
    let mut record = Record::new();
    let service: Arc<dyn Service> = record.service.clone();
    let task = tokio::spawn(serve(stream, service, peer(), terms()));
    assert!(matches!(record.next().await, Seen::Opened { .. }));
    assert!(matches!(record.next().await, Seen::Received(_)));
    done.lock().unwrap().clear();
    let outbox = record.outbox(0);
    outbox.push(welcome());
    outbox.push(publish(2 * PINGS * TAKEN));
    while !record.is_quiet().await {}
    let done = done.lock().unwrap().clone();
    let (both, rest) = done.split_at(2 * PINGS);
    assert_eq!(both, "wr".repeat(PINGS));
    assert!(!rest.is_empty() && rest.chars().all(|it| it == 'w'), "{rest}");
    task.abort();
}
