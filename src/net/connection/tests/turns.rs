//! Within one poll of a connection neither its writes nor its reads keep the others waiting.

use std::collections::VecDeque;
use std::mem;
use std::sync::Mutex;
use std::task::Waker;

use tokio::io::ReadBuf;

use super::*;

/// Bytes that an eager transport takes at a time.
const TAKEN: usize = 16;

/// A transport that is always ready to take so much, and gives a packet at a time.
struct Eager(Arc<Mutex<Wire>>);

#[derive(Default)]
struct Wire {
    taken: usize,
    packets: VecDeque<&'static [u8]>,
    /// What was done with it: `w` and `r`.
    done: String,
    waker: Option<Waker>,
}

impl Wire {
    fn new(taken: usize, packets: impl IntoIterator<Item = &'static [u8]>) -> Arc<Mutex<Self>> {
        let packets = packets.into_iter().collect();
        Arc::new(Mutex::new(Self { taken, packets, ..Self::default() }))
    }

    fn say(&mut self, packet: &'static [u8]) {
        self.packets.push_back(packet);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl AsyncRead for Eager {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.lock().unwrap();
        wire.waker = Some(context.waker().clone());
        let Some(packet) = wire.packets.pop_front() else { return Poll::Pending };
        wire.done.push('r');
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
        let mut wire = self.0.lock().unwrap();
        wire.done.push('w');
        Poll::Ready(Ok(bytes.len().min(wire.taken)))
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
    let wire = Wire::new(TAKEN, [CONNECT_3_1_1].into_iter().chain([PINGREQ; PINGS]));
    let mut record = Record::new();
    let service: Arc<dyn Service> = record.service.clone();
    let task = tokio::spawn(serve(Eager(Arc::clone(&wire)), service, peer(), terms()));
    assert!(matches!(record.next().await, Seen::Opened { .. }));
    assert!(matches!(record.next().await, Seen::Received(_)));
    wire.lock().unwrap().done.clear();
    let outbox = record.outbox(0);
    outbox.push(welcome());
    outbox.push(publish(2 * PINGS * TAKEN));
    while !record.is_quiet().await {}
    let done = mem::take(&mut wire.lock().unwrap().done);
    let (both, rest) = done.split_at(2 * PINGS);
    assert_eq!(both, "wr".repeat(PINGS));
    assert!(!rest.is_empty() && rest.chars().all(|it| it == 'w'), "{rest}");
    task.abort();
}

/// Answers at once; messages go to the second client.
#[derive(Default)]
struct Relay(Mutex<Vec<Arc<Outbox>>>);

impl Service for Relay {
    fn opened(&self, _peer: Peer, outbox: Arc<Outbox>) -> ConnectionId {
        let mut outboxes = self.0.lock().unwrap();
        let id = u64::try_from(outboxes.len()).unwrap();
        outboxes.push(outbox);
        ConnectionId(id)
    }

    fn received(&self, connection: ConnectionId, packets: &mut Vec<Packet>) {
        let outboxes = self.0.lock().unwrap();
        let own = &outboxes[usize::try_from(connection.0).unwrap()];
        for packet in packets.drain(..) {
            match packet {
                Packet::Connect(_) => own.push(welcome()),
                Packet::PingReq => own.push(Packet::PingResp),
                message => outboxes[1].push(message),
            }
        }
    }

    fn refused(&self, _peer: &Peer, _user: &str, _refusal: Refusal) {}
    fn malformed(&self, _connection: ConnectionId, _error: DecodeError) {}
    fn written(&self, _connection: ConnectionId, _bytes: usize) {}
    fn closed(&self, _connection: ConnectionId) {}
}

#[tokio::test(start_paused = true)]
async fn what_others_say_at_the_same_time_goes_with_the_answer_in_one_write() {
    const MESSAGE: &[u8] = b"\x30\x04\x00\x01tx";
    let service: Arc<dyn Service> = Arc::new(Relay::default());
    let wires = [(); 2].map(|()| Wire::new(usize::MAX, [CONNECT_3_1_1]));
    for wire in &wires {
        tokio::spawn(serve(Eager(Arc::clone(wire)), Arc::clone(&service), peer(), terms()));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(mem::take(&mut wire.lock().unwrap().done), "rw");
    }
    for order in [[0, 1], [1, 0], [0, 1]] {
        for wire in order {
            wires[wire].lock().unwrap().say([MESSAGE, PINGREQ][wire]);
        }
        assert_eq!(done(&wires).await, ["r", "rw"]);
        for _ in 0..3 {
            wires[0].lock().unwrap().say(MESSAGE);
        }
        assert_eq!(done(&wires).await, ["rrr", "w"], "there was nothing to answer in between");
    }
}

/// What has been done since that was last asked.
async fn done(wires: &[Arc<Mutex<Wire>>; 2]) -> [String; 2] {
    sleep(Duration::from_secs(1)).await;
    wires.each_ref().map(|wire| mem::take(&mut wire.lock().unwrap().done))
}
