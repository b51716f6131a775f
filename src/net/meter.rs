//! What goes over the wire: bytes as the network sees them, those of TLS and its handshakes
//! included.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Counters of all listeners together. They only grow.
#[derive(Debug, Default)]
pub struct Meter {
    sockets: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
}

/// What a [`Meter`] shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metered {
    /// Peers that were admitted.
    pub sockets: u64,
    /// Bytes from them.
    pub bytes_received: u64,
    /// Bytes to them.
    pub bytes_sent: u64,
}

impl Meter {
    /// Takes a reading.
    pub fn read(&self) -> Metered {
        Metered {
            sockets: self.sockets.load(Ordering::Relaxed),
            bytes_received: self.received.load(Ordering::Relaxed),
            bytes_sent: self.sent.load(Ordering::Relaxed),
        }
    }

    /// Counts a peer, and from now on its bytes.
    pub(super) fn attach<S>(self: &Arc<Self>, stream: S) -> Counted<S> {
        self.sockets.fetch_add(1, Ordering::Relaxed);
        Counted { stream, meter: Arc::clone(self) }
    }
}

/// A stream whose bytes are counted.
#[derive(Debug)]
pub(super) struct Counted<S> {
    stream: S,
    meter: Arc<Meter>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        count(&self.meter.received, buffer.filled().len().saturating_sub(before));
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S> Counted<S> {
    /// The stream itself.
    pub(super) const fn inner(&self) -> &S {
        &self.stream
    }

    fn written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(bytes)) = written {
            count(&self.meter.sent, bytes);
        }
        written
    }
}

fn count(counter: &AtomicU64, bytes: usize) {
    if bytes > 0 {
        counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn bytes_are_counted_once_each_way_whatever_way_they_are_written() {
        let meter = Arc::new(Meter::default());
        let (near, mut far) = tokio::io::duplex(8);
        let mut near = meter.attach(near);
        let peer = tokio::spawn(async move {
            far.write_all(b"12345").await.unwrap();
            let mut heard = Vec::new();
            far.read_to_end(&mut heard).await.unwrap();
            heard
        });
        let mut buffer = [0; 5];
        near.read_exact(&mut buffer).await.unwrap();
        near.write_all(b"a longer one than fits at once").await.unwrap();
        let slices = [IoSlice::new(b"x"), IoSlice::new(b"yz")];
        let vectored = near.write_vectored(&slices).await.unwrap();
        near.shutdown().await.unwrap();
        let heard = peer.await.unwrap().len();
        assert!(heard == 30 + vectored && vectored > 0, "{heard}");
        let expected =
            Metered { sockets: 1, bytes_received: 5, bytes_sent: u64::try_from(heard).unwrap() };
        assert_eq!(meter.read(), expected);
    }
}
