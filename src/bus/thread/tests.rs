use std::sync::Mutex;

use crate::bus::clock::ManualClock;
use crate::sampling::{Calibration, Reason, Report, Rules, Sensor, SensorSettings, State};
use crate::sensors::catalog::Promise;
use crate::units::MilliCelsius;

use super::*;

const INTERVAL: Duration = Duration::from_secs(10);

/// Answers as a function says.
struct Scripted<F>(F);

impl<F> Bus for Scripted<F>
where
    F: FnMut(&[SensorId], &mut dyn FnMut(SensorId, Result<Measurement, Fault>)) + Send,
{
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        (self.0)(sensors, answer);
    }
}

fn sampler(sensors: usize) -> Sampler {
    Sampler::new((0..sensors).map(sensor).collect(), 0, Tick::ZERO)
}

fn sensor(number: usize) -> Sensor {
    let settings = SensorSettings {
        interval: INTERVAL,
        retries: 0,
        heartbeat: 10 * INTERVAL,
        stale_after: 3 * INTERVAL,
        temperature: Rules {
            promise: Promise::Always,
            lowest: MilliCelsius::new(-55_000).value(),
            highest: MilliCelsius::new(125_000).value(),
            rate_per_minute: None,
            calibration: Calibration::Offset(MilliCelsius::new(0).value()),
            median: 1,
            alpha: 1000,
            decimals: 1,
            deadband: 0,
        },
        humidity: None,
        pressure: None,
    };
    Sensor { id: SensorId(number), label: format!("sensor {number}").into(), settings }
}

/// A round of the thread, without the thread.
fn round<F>(
    sensors: usize,
    clock: &Arc<ManualClock>,
    bus: F,
) -> (Round, Arc<Reports>, Sender<Order>)
where
    F: FnMut(&[SensorId], &mut dyn FnMut(SensorId, Result<Measurement, Fault>)) + Send + 'static,
{
    let reports = Arc::new(Reports::default());
    let (order, orders) = mpsc::channel();
    let desk = Desk {
        sampler: sampler(sensors),
        clock: Arc::<ManualClock>::clone(clock),
        reports: Arc::clone(&reports),
        beat: Arc::default(),
        to_read: VecDeque::new(),
    };
    let bus = Box::new(Scripted(bus));
    let round = Round { name: "test".to_owned(), bus, desk, orders, refits: Vec::new() };
    (round, reports, order)
}

fn warm(thousandths: i32) -> Measurement {
    Measurement::of(MilliCelsius::new(thousandths))
}

fn take_all(reports: &Reports) -> Vec<Report> {
    let mut all: Vec<Report> = std::iter::from_fn(|| reports.take()).collect();
    all.sort_by_key(|report| report.sensor);
    all
}

fn states(reports: &Reports) -> Vec<(SensorId, State)> {
    take_all(reports).into_iter().map(|report| (report.sensor, report.state)).collect()
}

fn failed(fault: Fault) -> State {
    State::Failed(Reason::Fault(fault))
}

#[test]
fn a_reading_is_in_the_mailbox_before_the_next_chip_is_read() {
    let clock = Arc::new(ManualClock::default());
    let waiting_then = Arc::new(Mutex::new(0));
    let mailbox: Arc<Mutex<Option<Arc<Reports>>>> = Arc::default();
    let (counted, seen) = (Arc::clone(&waiting_then), Arc::clone(&mailbox));
    let (mut round, reports, _order) = round(2, &clock, move |sensors, answer| {
        answer(sensors[0], Ok(warm(21_400)));
        let reports = seen.lock().unwrap().clone().unwrap();
        *counted.lock().unwrap() = take_all(&reports).len();
        answer(sensors[1], Ok(warm(19_000)));
    });
    *mailbox.lock().unwrap() = Some(Arc::clone(&reports));
    assert_eq!(round.turn(), Life::GoesOn);
    assert_eq!(*waiting_then.lock().unwrap(), 1);
    let last = take_all(&reports);
    assert_eq!(last.len(), 1);
    assert_eq!(last[0].value.unwrap().value, MilliCelsius::new(19_000).value());
}

#[test]
fn a_sensor_the_bus_says_nothing_of_is_absent() {
    let clock = Arc::new(ManualClock::default());
    let (mut round, reports, _order) = round(3, &clock, |sensors, answer| {
        answer(sensors[1], Ok(warm(20_000)));
        answer(sensors[1], Err(Fault::Crc));
        answer(SensorId(77), Ok(warm(20_000)));
    });
    assert_eq!(round.turn(), Life::GoesOn);
    let expected = [
        (SensorId(0), failed(Fault::Absent)),
        (SensorId(1), State::Ok),
        (SensorId(2), failed(Fault::Absent)),
    ];
    assert_eq!(states(&reports), expected);
}

#[test]
fn a_driver_that_panics_is_a_fault_and_is_asked_again() {
    let clock = Arc::new(ManualClock::default());
    let mut reads = 0;
    let (mut round, reports, _order) = round(2, &clock, move |sensors, answer| {
        reads += 1;
        answer(sensors[0], Ok(warm(20_000)));
        assert!(reads > 1, "the driver's own");
        answer(sensors[1], Ok(warm(20_000)));
    });
    assert_eq!(round.turn(), Life::GoesOn);
    let expected = [(SensorId(0), State::Ok), (SensorId(1), failed(Fault::Bus))];
    assert_eq!(states(&reports), expected);
    clock.advance(2 * INTERVAL);
    assert_eq!(round.turn(), Life::GoesOn);
    assert!(states(&reports).contains(&(SensorId(1), State::Ok)));
}

#[test]
fn nothing_is_read_once_it_was_told_to_stop() {
    let clock = Arc::new(ManualClock::default());
    let (mut round, reports, order) =
        round(1, &clock, |_, _| panic!("read after the order to stop"));
    order.send(Order::Stop).unwrap();
    assert_eq!(round.turn(), Life::Ends);
    assert_eq!(take_all(&reports), []);
}

#[test]
fn the_beat_follows_the_answers() {
    let clock = Arc::new(ManualClock::default());
    let slow = Arc::clone(&clock);
    let (mut round, _reports, _order) = round(2, &clock, move |sensors, answer| {
        for &sensor in sensors {
            slow.advance(Duration::from_millis(750));
            answer(sensor, Ok(warm(20_000)));
        }
    });
    let beat = Arc::clone(&round.desk.beat);
    round.turn();
    assert_eq!(beat.load(Ordering::Relaxed), 1_500_000);
}

#[test]
fn a_thread_reads_again_and_again_until_it_is_stopped() {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::stepping(INTERVAL));
    let reports = Arc::new(Reports::default());
    let (done, heard) = mpsc::channel();
    let mut thousandths = 20_000;
    let bus = Scripted(
        move |sensors: &[SensorId],
              answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>)| {
            thousandths += 100;
            answer(sensors[0], Ok(warm(thousandths)));
            // Nobody listens any more after the third.
            let _ = done.send(());
        },
    );
    let thread = spawn("test", sampler(1), Box::new(bus), clock, Arc::clone(&reports)).unwrap();
    for _ in 0..3 {
        heard.recv().unwrap();
    }
    assert!(thread.beat() > Tick::ZERO.after(INTERVAL));
    thread.stop(limits::BUS_STOP_TIMEOUT);
    assert!(heard.try_iter().count() < 1000);
    assert_eq!(heard.recv(), Err(mpsc::RecvError), "its bus is gone");
    assert!(take_all(&reports).len() >= 2);
}

#[test]
fn a_thread_that_hangs_in_a_read_does_not_hold_the_stop() {
    let (release, held) = mpsc::channel::<()>();
    let (entered, hangs) = mpsc::channel();
    let bus =
        Scripted(move |_: &[SensorId], _: &mut dyn FnMut(SensorId, Result<Measurement, Fault>)| {
            entered.send(()).unwrap();
            held.recv().unwrap_err();
        });
    let clock = Arc::new(ManualClock::default());
    let reports = Arc::new(Reports::default());
    let thread = spawn("test", sampler(1), Box::new(bus), clock, reports).unwrap();
    hangs.recv().unwrap();
    thread.stop(Duration::ZERO);
    drop(release);
    assert_eq!(hangs.recv(), Err(mpsc::RecvError), "it ends by itself");
}

#[test]
fn other_sensors_are_read_at_once_and_those_that_stay_keep_their_state() {
    let clock = Arc::new(ManualClock::default());
    let (mut round, reports, order) = round(2, &clock, |sensors, answer| {
        for sensor in sensors {
            answer(*sensor, Ok(warm(20_000)));
        }
    });
    assert_eq!(round.turn(), Life::GoesOn);
    assert_eq!(take_all(&reports).len(), 2);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let bus = Box::new(Scripted(
        move |sensors: &[SensorId],
              answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>)| {
            seen.lock().unwrap().push(sensors.to_vec());
            for sensor in sensors {
                answer(*sensor, Ok(warm(20_000)));
            }
        },
    ));
    order.send(Order::Refit(Refit { bus, gone: vec![SensorId(1)], new: vec![sensor(7)] })).unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(round.sleep(), Life::GoesOn);
    assert_eq!(round.turn(), Life::GoesOn);
    assert_eq!(*asked.lock().unwrap(), [[SensorId(0), SensorId(7)]]);
    let numbers: Vec<_> = take_all(&reports)
        .into_iter()
        .map(|report| (report.sensor.0, report.value.map(|reading| reading.number)))
        .collect();
    assert_eq!(numbers, [(0, Some(2)), (7, Some(1))]);
}
