//! Messages, sessions and subscriptions as columns, and back.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::types::ValueRef;

use super::key::{Slot, split};
use super::row::{Columns, ReadError};
use crate::access::Principal;
use crate::broker::record::{
    Place, Queued, RetainedRecord, SessionId, SessionRecord, Share, Subscription,
};
use crate::mqtt::{Message, MessageProperties, PacketId, QoS, TopicName, Will, WillProperties};
use crate::store::lives::{Life, LifeId};
use crate::time::Tick;

/// The number of a large payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct PayloadId(pub(super) u64);

/// Whose payload is in the row, or where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Payload<'row> {
    Inline(&'row [u8]),
    Large(PayloadId),
}

impl<'row> Payload<'row> {
    fn columns(self) -> [ValueRef<'row>; 2] {
        match self {
            Self::Inline(bytes) => [ValueRef::Blob(bytes), ValueRef::Null],
            Self::Large(id) => [ValueRef::Null, integer(id.0)],
        }
    }

    fn read(columns: &Columns<'row>, index: usize) -> Result<Self, ReadError> {
        let large = columns.number(index.saturating_add(1))?.map(PayloadId);
        match (columns.bytes(index)?, large) {
            (Some(bytes), None) => Ok(Self::Inline(bytes)),
            (None, Some(id)) => Ok(Self::Large(id)),
            _ => Err(ReadError::Row("a payload is absent")),
        }
    }
}

/// Saturating: what is beyond is for ever anyway.
pub(super) fn integer(number: u64) -> ValueRef<'static> {
    ValueRef::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

fn optional(number: Option<u64>) -> ValueRef<'static> {
    number.map_or(ValueRef::Null, integer)
}

fn flag(flag: bool) -> ValueRef<'static> {
    ValueRef::Integer(flag.into())
}

fn quality(qos: QoS) -> ValueRef<'static> {
    ValueRef::Integer(qos.bits().into())
}

fn text(text: &str) -> ValueRef<'_> {
    ValueRef::Text(text.as_bytes())
}

fn blob(bytes: &Bytes) -> ValueRef<'_> {
    ValueRef::Blob(bytes)
}

/// [`Tick::MAX`] stays what it is.
fn tick(tick: Option<Tick>) -> ValueRef<'static> {
    optional(tick.map(Tick::as_micros))
}

fn tick_from(micros: i64) -> Tick {
    if micros == i64::MAX { Tick::MAX } else { Tick::from_micros(micros.unsigned_abs()) }
}

fn duration_from(micros: i64) -> Duration {
    if micros == i64::MAX { Duration::MAX } else { Duration::from_micros(micros.unsigned_abs()) }
}

fn properties(message: &Message) -> Option<Bytes> {
    message.properties.as_ref().map(|properties| properties.to_section())
}

/// Writes a row of `queued`.
pub(super) fn queued<T>(
    key: i64,
    life: LifeId,
    packet_id: Option<PacketId>,
    queued: &Queued,
    payload: Payload<'_>,
    write: impl FnOnce(&[ValueRef]) -> T,
) -> T {
    let Queued { message, qos, retain, subscription_ids, share, expires } = queued;
    let section = properties(message);
    let ids = (!subscription_ids.is_empty()).then(|| join(subscription_ids));
    let [inline, large] = payload.columns();
    write(&[
        ValueRef::Integer(key),
        text(message.topic.as_str()),
        inline,
        large,
        quality(*qos),
        flag(*retain),
        optional(packet_id.map(|id| id.get().into())),
        tick(*expires),
        expires.map_or(ValueRef::Null, |_| integer(life.0)),
        section.as_ref().map_or(ValueRef::Null, blob),
        ids.as_deref().map_or(ValueRef::Null, text),
        share.as_ref().map_or(ValueRef::Null, |share| text(&share.group)),
        share.as_ref().map_or(ValueRef::Null, |share| quality(share.qos)),
        share.as_ref().map_or(ValueRef::Null, |share| flag(share.retain)),
    ])
}

/// What a row of `queued` says, but for a large payload.
pub(super) struct QueuedRow {
    pub(super) place: Place,
    pub(super) packet_id: Option<PacketId>,
    pub(super) message: Queued,
    pub(super) large: Option<PayloadId>,
}

/// `translate` turns a tick of a life into one of this life.
pub(super) fn read_queued(
    columns: &Columns<'_>,
    translate: impl Fn(LifeId, Tick) -> Tick,
) -> Result<QueuedRow, ReadError> {
    let (_, place) = split(columns.required(0)?).ok_or(ReadError::Row("a key is negative"))?;
    let (message, large) = message(columns, 1, 2, 9)?;
    let (expires, _) = expires(columns, 7, translate)?;
    let share = match columns.text(11)? {
        None => None,
        Some(group) => {
            let (qos, retain) = (qos(columns, 12)?, columns.flag(13)?);
            Some(Share { group: group.into(), qos, retain })
        }
    };
    let packet_id = columns.number::<u16>(6)?.and_then(PacketId::new);
    let message = Queued {
        message,
        qos: qos(columns, 4)?,
        retain: columns.flag(5)?,
        subscription_ids: columns.text(10)?.map_or(Ok(Vec::new()), split_ids)?,
        share,
        expires,
    };
    Ok(QueuedRow { place, packet_id, message, large })
}

/// Writes a row of `retained`.
pub(super) fn retained<T>(
    life: LifeId,
    record: &RetainedRecord,
    payload: Payload<'_>,
    write: impl FnOnce(&[ValueRef]) -> T,
) -> T {
    let RetainedRecord { message, qos, expires } = record;
    let section = properties(message);
    let [inline, large] = payload.columns();
    write(&[
        text(message.topic.as_str()),
        inline,
        large,
        quality(*qos),
        tick(*expires),
        expires.map_or(ValueRef::Null, |_| integer(life.0)),
        section.as_ref().map_or(ValueRef::Null, blob),
    ])
}

/// What a row of `retained` says, but for a large payload.
pub(super) struct RetainedRow {
    pub(super) record: RetainedRecord,
    pub(super) large: Option<PayloadId>,
    pub(super) life: Option<LifeId>,
}

pub(super) fn read_retained(
    columns: &Columns<'_>,
    translate: impl Fn(LifeId, Tick) -> Tick,
) -> Result<RetainedRow, ReadError> {
    let (message, large) = message(columns, 0, 1, 6)?;
    let (expires, life) = expires(columns, 4, translate)?;
    let record = RetainedRecord { message, qos: qos(columns, 3)?, expires };
    Ok(RetainedRow { record, large, life })
}

/// Topic, payload (and the number of a large one in the column after it) and properties.
fn message(
    columns: &Columns<'_>,
    topic: usize,
    payload: usize,
    properties: usize,
) -> Result<(Message, Option<PayloadId>), ReadError> {
    let topic = topic_name(columns.required_text(topic)?)?;
    let (payload, large) = match Payload::read(columns, payload)? {
        Payload::Inline(bytes) => (Bytes::copy_from_slice(bytes), None),
        Payload::Large(id) => (Bytes::new(), Some(id)),
    };
    let properties = read_properties(columns, properties)?;
    Ok((Message { topic, payload, properties }, large))
}

fn topic_name(text: &str) -> Result<TopicName, ReadError> {
    TopicName::new(text).map_err(|_| ReadError::Row("a topic is no topic"))
}

fn read_properties(
    columns: &Columns<'_>,
    index: usize,
) -> Result<Option<Arc<MessageProperties>>, ReadError> {
    let Some(section) = columns.bytes(index)? else { return Ok(None) };
    let properties = MessageProperties::from_section(Bytes::copy_from_slice(section));
    let properties = properties.map_err(|_| ReadError::Row("properties are none"))?;
    Ok(Some(Arc::new(properties)))
}

fn qos(columns: &Columns<'_>, index: usize) -> Result<QoS, ReadError> {
    QoS::from_bits(columns.required(index)?).ok_or(ReadError::Row("a QoS is none"))
}

/// A tick, and in the column after it the life it is of.
fn expires(
    columns: &Columns<'_>,
    index: usize,
    translate: impl Fn(LifeId, Tick) -> Tick,
) -> Result<(Option<Tick>, Option<LifeId>), ReadError> {
    let Some(at) = columns.number(index)? else { return Ok((None, None)) };
    let life = LifeId(columns.required(index.saturating_add(1))?);
    Ok((Some(translate(life, tick_from(at))), Some(life)))
}

fn join(ids: &[u32]) -> String {
    let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
    ids.join(",")
}

fn split_ids(text: &str) -> Result<Vec<u32>, ReadError> {
    let ids: Result<_, _> = text.split(',').map(str::parse).collect();
    ids.map_err(|_| ReadError::Row("subscription identifiers are none"))
}

/// Writes a row of `sessions`.
pub(super) fn session<T>(
    slot: Slot,
    life: LifeId,
    record: &SessionRecord,
    write: impl FnOnce(&[ValueRef]) -> T,
) -> T {
    let SessionRecord { id, principal, client_id, expiry, expires, will, will_at } = record;
    let (kind, user) = match principal {
        Principal::Gateway => ("gateway", ValueRef::Null),
        Principal::Anonymous => ("anonymous", ValueRef::Null),
        Principal::User(name) => ("user", text(name)),
    };
    let will = will.as_ref();
    let section = will.and_then(|will| properties(&will.message));
    let of_will = |column: fn(&Will) -> ValueRef<'_>| will.map_or(ValueRef::Null, column);
    write(&[
        integer(id.0),
        ValueRef::Integer(slot.column()),
        text(kind),
        user,
        text(client_id),
        integer(u64::try_from(expiry.as_micros()).unwrap_or(u64::MAX)),
        tick(*expires),
        tick(*will_at),
        integer(life.0),
        of_will(|will| text(will.message.topic.as_str())),
        of_will(|will| blob(&will.message.payload)),
        of_will(|will| quality(will.qos)),
        of_will(|will| flag(will.retain)),
        of_will(|will| integer(will.properties.delay.as_secs())),
        section.as_ref().map_or(ValueRef::Null, blob),
    ])
}

/// What a row of `sessions` says.
pub(super) struct SessionRow {
    pub(super) slot: Slot,
    pub(super) record: SessionRecord,
    pub(super) life: LifeId,
}

pub(super) fn read_session(
    columns: &Columns<'_>,
    translate: impl Fn(LifeId, Tick) -> Tick,
) -> Result<SessionRow, ReadError> {
    let slot = Slot::from_column(columns.required(1)?).ok_or(ReadError::Row("no such slot"))?;
    let principal = match (columns.required_text(2)?, columns.text(3)?) {
        ("gateway", None) => Principal::Gateway,
        ("anonymous", None) => Principal::Anonymous,
        ("user", Some(name)) => Principal::User(name.into()),
        _ => return Err(ReadError::Row("a principal is none")),
    };
    let life = LifeId(columns.required(8)?);
    let at = |index| -> Result<Option<Tick>, ReadError> {
        Ok(columns.number(index)?.map(|at| translate(life, tick_from(at))))
    };
    let record = SessionRecord {
        id: SessionId(columns.required(0)?),
        principal,
        client_id: columns.required_text(4)?.into(),
        expiry: duration_from(columns.required(5)?),
        expires: at(6)?,
        will: will(columns)?,
        will_at: at(7)?,
    };
    Ok(SessionRow { slot, record, life })
}

fn will(columns: &Columns<'_>) -> Result<Option<Will>, ReadError> {
    let Some(topic) = columns.text(9)? else { return Ok(None) };
    let payload = columns.bytes(10)?.ok_or(ReadError::Row("a will has no payload"))?;
    let message = Message {
        topic: topic_name(topic)?,
        payload: Bytes::copy_from_slice(payload),
        properties: read_properties(columns, 14)?,
    };
    let properties = WillProperties { delay: Duration::from_secs(columns.required(13)?) };
    let (qos, retain) = (qos(columns, 11)?, columns.flag(12)?);
    Ok(Some(Will { message, qos, retain, properties }))
}

/// Writes a row of `subscriptions`.
pub(super) fn subscription<T>(
    session: SessionId,
    filter: &str,
    subscription: Subscription,
    write: impl FnOnce(&[ValueRef]) -> T,
) -> T {
    let Subscription { qos, id, no_local, retain_as_published } = subscription;
    write(&[
        integer(session.0),
        text(filter),
        quality(qos),
        optional(id.map(|id| id.get().into())),
        flag(no_local),
        flag(retain_as_published),
    ])
}

/// What a row of `subscriptions` says.
pub(super) fn read_subscription(
    columns: &Columns<'_>,
) -> Result<(SessionId, Arc<str>, Subscription), ReadError> {
    let subscription = Subscription {
        qos: qos(columns, 2)?,
        id: columns.number::<u32>(3)?.and_then(NonZeroU32::new),
        no_local: columns.flag(4)?,
        retain_as_published: columns.flag(5)?,
    };
    Ok((SessionId(columns.required(0)?), columns.required_text(1)?.into(), subscription))
}

/// Writes a row of `lives`.
pub(super) fn life<T>(id: LifeId, life: Life, write: impl FnOnce(&[ValueRef]) -> T) -> T {
    let Life { began, seen, offset, synchronised } = life;
    write(&[
        integer(id.0),
        tick(Some(began)),
        tick(Some(seen)),
        ValueRef::Integer(offset),
        flag(synchronised),
    ])
}

/// What a row of `lives` says.
pub(super) fn read_life(columns: &Columns<'_>) -> Result<(LifeId, Life), ReadError> {
    let life = Life {
        began: tick_from(columns.required(1)?),
        seen: tick_from(columns.required(2)?),
        offset: columns.required(3)?,
        synchronised: columns.flag(4)?,
    };
    Ok((LifeId(columns.required(0)?), life))
}
