//! Decides when the wall clock may be trusted with deleting messages by their age.
//!
//! A wall clock can be wrong by years (an empty battery, a typing error), and messages that it deletes wrongly are lost. So its
//! readings are compared with a reference: the last trusted reading, advanced by the steady clock, which only counts the time
//! that passes. While the wall clock is far from the reference, it is doubted and nothing is deleted by age. It is trusted again
//! when it comes back, or at the end of its trial: when it has run steadily for so long that it is more likely right than the
//! reference. A trial continues over a restart only if the clock shows about the time at which it stopped. Otherwise it cannot be
//! told whether the server was off or the clock was set, and the trial begins again.
//!
//! At the end of a trial either the reference was wrong, or the server was off. In both cases the reference has counted the time
//! for which a message was certainly kept. So the difference is reported with [`ClockChange::Trusted`], and the caller must add it to
//! the times of all messages that were stored before.
//!
//! Pure: the caller reads both clocks. It calls [`TrustedClock::resume`] with the notes in the file, then
//! [`TrustedClock::observe`] before each decision and [`TrustedClock::notes`] with each commit.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::time::Duration;

use crate::limits::{
    CLOCK_STEP_AGE_SHARE, CLOCK_STEP_SECONDS_MAX, CLOCK_STEP_SECONDS_MIN, CLOCK_TRIAL_SECONDS_MAX,
    CLOCK_TRIAL_WARNING_SECONDS,
};
use crate::protocol::Timestamp;

/// Both clocks, read at the same moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockReading {
    pub(super) wall: Timestamp,
    /// Time since an arbitrary moment before the server started. Advances while the machine sleeps, and cannot be set.
    pub(super) steady: Duration,
}

impl ClockReading {
    /// The reading of a correct wall clock at a later time of the steady clock.
    fn expected_at(self, steady: Duration) -> Timestamp {
        self.wall.plus(steady.saturating_sub(self.steady))
    }
}

/// State that the file keeps, so that a restart does not make a wrong clock look right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ClockNotes {
    /// The reference; `None` in a new file.
    pub(super) trusted: Option<Timestamp>,
    /// If the clock is doubted: its last reading, and how long it has run steadily.
    pub(super) doubted: Option<(Timestamp, Duration)>,
}

/// A change that [`TrustedClock::observe`] detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClockChange {
    /// The wall clock is far from this expected time. It is doubted.
    Doubted(Timestamp),
    /// It is still doubted, and will be trusted after this time.
    TrialEndsIn(Duration),
    /// It is trusted again. After a trial, `ahead_ms` is how far it is ahead of the reference that it replaces (negative: behind);
    /// zero if it came back to the reference.
    Trusted { ahead_ms: i64 },
}

#[derive(Debug)]
pub(super) struct TrustedClock {
    limits: ClockLimits,
    /// The last reading that was trusted.
    trusted: ClockReading,
    doubt: Option<Doubt>,
    /// Last state reported to the caller.
    is_trusted: bool,
}

#[derive(Clone, Copy, Debug)]
struct ClockLimits {
    /// Largest step of the wall clock that counts as a correction.
    step: Duration,
    /// Time after which a doubted clock that runs steadily is trusted.
    trial: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Doubt {
    last: ClockReading,
    steady_for: Duration,
}

impl TrustedClock {
    /// Continues from the notes in the file. `age` is that of `--keep`, if it is set.
    pub(super) fn resume(age: Option<Duration>, notes: ClockNotes, now: ClockReading) -> Self {
        let limits = ClockLimits::for_age(age);
        let trusted = ClockReading { wall: notes.trusted.unwrap_or(now.wall), ..now };
        let is_continued = |wall: Timestamp| is_near(wall, now.wall, limits.step);
        let doubt = notes.doubted.filter(|(wall, _)| is_continued(*wall));
        let doubt = doubt.map(|(_, steady_for)| Doubt { last: now, steady_for });
        Self { limits, trusted, doubt, is_trusted: true }
    }

    /// Compares the wall clock with the reference.
    pub(super) fn observe(&mut self, now: ClockReading) -> Option<ClockChange> {
        let expected = self.trusted.expected_at(now.steady);
        let is_back = self.is_near(expected, now.wall);
        let before = self.doubt;
        self.doubt = if is_back { None } else { self.doubt_at(now) };
        let was_trusted = std::mem::replace(&mut self.is_trusted, self.doubt.is_none());
        let Some(doubt) = self.doubt else {
            self.trusted = now;
            let ahead_ms = if is_back { 0 } else { now.wall.0.saturating_sub(expected.0) };
            // The first observation can end a trial from before a restart.
            return (!was_trusted || !is_back).then_some(ClockChange::Trusted { ahead_ms });
        };
        if was_trusted {
            return Some(ClockChange::Doubted(expected));
        }
        let is_due = before.is_some_and(|before| self.limits.is_warning_due(before.steady_for, doubt.steady_for));
        is_due.then(|| ClockChange::TrialEndsIn(self.trial_left()))
    }

    /// The doubt about a clock that is far from the reference; `None` once it has run steadily for long enough.
    fn doubt_at(&self, now: ClockReading) -> Option<Doubt> {
        let before = self.doubt.filter(|doubt| self.is_near(doubt.last.expected_at(now.steady), now.wall));
        let steady_for =
            before.map_or(Duration::ZERO, |doubt| doubt.steady_for + now.steady.saturating_sub(doubt.last.steady));
        (before.is_none() || steady_for < self.limits.trial).then_some(Doubt { last: now, steady_for })
    }

    fn is_near(&self, one: Timestamp, other: Timestamp) -> bool {
        is_near(one, other, self.limits.step)
    }

    /// Whether messages may be deleted by their age.
    pub(super) fn is_trusted(&self) -> bool {
        self.is_trusted
    }

    /// The time to judge ages by: the last reading, if it was trusted. Another reading of the wall clock could be wrong again.
    pub(super) fn trusted_time(&self) -> Option<Timestamp> {
        self.is_trusted.then_some(self.trusted.wall)
    }

    /// How long a doubted clock must still run steadily before it is trusted.
    pub(super) fn trial_left(&self) -> Duration {
        self.limits.trial.saturating_sub(self.doubt.map_or(Duration::ZERO, |doubt| doubt.steady_for))
    }

    /// Maximum age of the notes in the file: short enough that a server which was killed finds its clock near the reference.
    pub(super) fn note_interval(&self) -> Duration {
        self.limits.step / 4
    }

    /// The notes to store in the file.
    pub(super) fn notes(&self, now: ClockReading) -> ClockNotes {
        ClockNotes {
            trusted: Some(self.trusted.expected_at(now.steady)),
            doubted: self.doubt.map(|doubt| (doubt.last.wall, doubt.steady_for)),
        }
    }
}

impl ClockLimits {
    /// The shorter messages are kept, the smaller the step that would delete some of them too early. The trial is at most `age`:
    /// after that time, all messages from before the start are too old by any clock.
    fn for_age(age: Option<Duration>) -> Self {
        let (step_min, step_max) =
            (Duration::from_secs(CLOCK_STEP_SECONDS_MIN), Duration::from_secs(CLOCK_STEP_SECONDS_MAX));
        let trial_max = Duration::from_secs(CLOCK_TRIAL_SECONDS_MAX);
        Self {
            step: age.map_or(step_max, |age| (age / CLOCK_STEP_AGE_SHARE).clamp(step_min, step_max)),
            trial: age.map_or(trial_max, |age| age.min(trial_max)),
        }
    }

    /// Whether a warning is due between these two times of the trial: at half of it, and shortly before its end.
    fn is_warning_due(&self, before: Duration, after: Duration) -> bool {
        let half = self.trial / 2;
        let late = self.trial.saturating_sub(Duration::from_secs(CLOCK_TRIAL_WARNING_SECONDS)).max(half);
        [half, late].iter().any(|due| (before < *due) && (*due <= after))
    }
}

fn is_near(one: Timestamp, other: Timestamp, step: Duration) -> bool {
    u128::from(one.0.abs_diff(other.0)) <= step.as_millis()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);
    const DAY: Duration = Duration::from_hours(24);
    const YEAR: Duration = Duration::from_hours(365 * 24);
    /// Interval between two observations.
    const STEP: Duration = Duration::from_mins(10);

    /// The clock came back to the reference.
    const BACK: ClockChange = ClockChange::Trusted { ahead_ms: 0 };

    /// Some day in 2027.
    const START: Timestamp = Timestamp(1_800_000_000_000);

    /// A server with both its clocks, and the notes in its file.
    struct Server {
        clock: TrustedClock,
        now: ClockReading,
        age: Duration,
    }

    impl Server {
        fn start(age: Duration) -> Self {
            let now = ClockReading { wall: START, steady: Duration::ZERO };
            let mut server = Self { clock: TrustedClock::resume(Some(age), ClockNotes::default(), now), now, age };
            assert_eq!(server.clock.observe(now), None);
            server
        }

        /// Restarts the server after this time, with a wall clock that shows `wall`.
        fn restart(&mut self, off: Duration, wall: Timestamp) -> Option<ClockChange> {
            let notes = self.clock.notes(self.now);
            self.now = ClockReading { wall, steady: self.now.steady + off };
            self.clock = TrustedClock::resume(Some(self.age), notes, self.now);
            self.clock.observe(self.now)
        }

        /// Lets both clocks run, and observes them every [`STEP`]. Returns the changes except warnings.
        fn run(&mut self, time: Duration) -> Vec<ClockChange> {
            let mut changes = self.run_with_warnings(time);
            changes.retain(|change| !matches!(change, ClockChange::TrialEndsIn(_)));
            changes
        }

        fn run_with_warnings(&mut self, time: Duration) -> Vec<ClockChange> {
            let (mut changes, end) = (Vec::new(), self.now.steady + time);
            while self.now.steady < end {
                let passed = end.saturating_sub(self.now.steady).min(STEP);
                self.now = ClockReading { wall: self.now.wall.plus(passed), steady: self.now.steady + passed };
                changes.extend(self.clock.observe(self.now));
            }
            changes
        }

        /// How far the wall clock is ahead of the reference.
        fn ahead(&self) -> ClockChange {
            ClockChange::Trusted { ahead_ms: self.now.wall.0 - self.clock.trusted.expected_at(self.now.steady).0 }
        }

        /// Sets the wall clock.
        fn set(&mut self, wall: Timestamp) -> Option<ClockChange> {
            self.now.wall = wall;
            self.clock.observe(self.now)
        }
    }

    #[test]
    fn clock_jump_ahead_is_doubted_until_it_jumps_back() {
        let mut server = Server::start(30 * DAY);
        server.run(HOUR);
        let right = server.now.wall;
        assert_eq!(server.set(right.plus(2 * YEAR)), Some(ClockChange::Doubted(right)));
        assert_eq!((server.run(HOUR), server.clock.is_trusted()), (vec![], false));
        assert_eq!(server.set(right.plus(HOUR)), Some(BACK));
        assert!(server.clock.is_trusted());
    }

    #[test]
    fn clock_jump_back_is_doubted_and_leaves_the_reference_alone() {
        let mut server = Server::start(30 * DAY);
        assert_eq!(server.set(START.minus(2 * YEAR)), Some(ClockChange::Doubted(START)));
        server.run(HOUR);
        assert_eq!(server.set(START.plus(HOUR)), Some(BACK));
    }

    #[test]
    fn flapping_clock_stays_doubted() {
        let mut server = Server::start(30 * DAY);
        for round in 0..100 {
            let by = if round % 2 == 0 { 2 * YEAR } else { 3 * YEAR };
            server.set(server.clock.trusted.wall.plus(by));
            server.run(12 * HOUR);
            assert!(!server.clock.is_trusted(), "after {round} rounds");
        }
    }

    #[test]
    fn doubted_clock_is_trusted_after_a_steady_trial() {
        let mut server = Server::start(30 * DAY);
        server.set(START.plus(YEAR));
        assert_eq!(server.run(23 * HOUR + 5 * STEP), []);
        let ahead_ms = i64::try_from(YEAR.as_millis()).unwrap();
        assert_eq!(server.run(STEP), [ClockChange::Trusted { ahead_ms }]);
        assert_eq!((server.run(DAY), server.clock.is_trusted()), (vec![], true));
    }

    #[test]
    fn doubted_clock_that_steps_begins_its_trial_again() {
        let mut server = Server::start(30 * DAY);
        server.set(START.plus(YEAR));
        server.run(23 * HOUR);
        assert_eq!(server.set(START.plus(2 * YEAR)), None);
        assert_eq!(server.run(23 * HOUR), []);
        let expected = server.ahead();
        assert_eq!(server.run(HOUR), [expected]);
    }

    #[test]
    fn clock_wrong_at_start_is_doubted() {
        let mut server = Server::start(30 * DAY);
        let noted = server.clock.notes(server.now).trusted;
        assert_eq!(server.restart(HOUR, START.plus(2 * YEAR)), Some(ClockChange::Doubted(START)));
        assert_eq!(server.clock.notes(server.now).trusted, noted, "the reference stays");
        assert_eq!(
            server.restart(HOUR, START.plus(2 * YEAR)),
            Some(ClockChange::Doubted(START)),
            "each start must report the doubt"
        );
        assert_eq!(server.restart(HOUR, START.minus(2 * YEAR)), Some(ClockChange::Doubted(START)));
        assert_eq!(server.restart(HOUR, START.plus(4 * HOUR)), None);
        assert!(server.clock.is_trusted());
    }

    #[test]
    fn trial_continues_over_short_restarts() {
        let mut server = Server::start(30 * DAY);
        server.restart(7 * DAY, START.plus(7 * DAY));
        // Up for four hours a day.
        for day in 1..=5 {
            assert_eq!(server.run(4 * HOUR), [], "day {day}");
            let start = server.now.wall.plus(20 * HOUR);
            assert!(matches!(server.restart(20 * HOUR, start), Some(ClockChange::Doubted(_))), "day {day}");
            assert_eq!(server.clock.trial_left(), (6 - day) * 4 * HOUR, "the time while it is off does not count");
        }
        let ahead = server.ahead();
        assert_eq!(server.run(4 * HOUR), [ahead]);
        assert_eq!(server.restart(HOUR, server.now.wall.plus(HOUR)), None, "it stays trusted");
    }

    /// A clock that runs seven days ahead looks like a clock that was set.
    #[test]
    fn trial_begins_again_after_a_week_off() {
        let mut server = Server::start(30 * DAY);
        // Up for four hours once a week.
        for week in 1..=20 {
            let start = server.now.wall.plus(7 * DAY);
            assert!(matches!(server.restart(7 * DAY, start), Some(ClockChange::Doubted(_))), "week {week}");
            assert_eq!((server.run(4 * HOUR), server.clock.trial_left()), (vec![], 20 * HOUR), "week {week}");
        }
        let ahead = server.ahead();
        assert_eq!(server.run(20 * HOUR), [ahead], "a trial in one go");
    }

    #[test]
    fn trial_begins_again_when_the_clock_jumps_over_a_restart() {
        let wrong = [START.minus(2 * YEAR), START.plus(2 * YEAR)];
        for (first, second) in [(wrong[0], wrong[1]), (wrong[1], wrong[0]), (wrong[1], wrong[1].plus(3 * DAY))] {
            let mut server = Server::start(30 * DAY);
            server.restart(HOUR, first);
            server.run(23 * HOUR + 5 * STEP);
            assert!(matches!(server.restart(HOUR, second), Some(ClockChange::Doubted(_))));
            assert_eq!((server.run(23 * HOUR + 5 * STEP), server.clock.is_trusted()), (vec![], false));
        }
    }

    #[test]
    fn trial_that_ended_before_a_restart_reports_the_difference() {
        let mut server = Server::start(30 * DAY);
        server.restart(HOUR, START.plus(YEAR));
        server.run(5 * HOUR);
        // A shorter age makes the trial shorter.
        server.age = 3 * HOUR;
        let ahead = server.ahead();
        assert_eq!(server.restart(Duration::ZERO, server.now.wall), Some(ahead));
    }

    #[test]
    fn trial_warns_at_half_time_and_before_its_end() {
        for (age, expected) in [
            (30 * DAY, vec![12 * HOUR, HOUR]),
            (3 * HOUR, vec![9 * STEP, HOUR]),
            (2 * HOUR, vec![HOUR]),
            (HOUR, vec![3 * STEP]),
        ] {
            let mut server = Server::start(age);
            server.set(START.minus(YEAR));
            let changes = server.run_with_warnings(age.min(DAY).saturating_sub(STEP));
            assert_eq!(changes, expected.into_iter().map(ClockChange::TrialEndsIn).collect::<Vec<_>>(), "{age:?}");
            let ahead = server.ahead();
            assert_eq!(server.run_with_warnings(STEP), [ahead], "{age:?}");
        }
    }

    #[test]
    fn restart_after_less_than_a_step_is_trusted() {
        for (age, off) in [(30 * DAY, DAY), (HOUR, HOUR / 2), (Duration::from_secs(1), Duration::from_mins(1))] {
            let mut server = Server::start(age);
            assert_eq!(server.restart(off, START.plus(off)), None, "{age:?}");
            let long = off + Duration::from_secs(1);
            let expected = Some(ClockChange::Doubted(server.now.wall));
            assert_eq!(server.restart(long, server.now.wall.plus(long)), expected, "{age:?}");
            let ahead = server.ahead();
            assert_eq!(server.run(age.min(DAY)), [ahead], "{age:?}");
        }
    }

    #[test]
    fn machine_sleep_is_not_a_step() {
        let mut server = Server::start(30 * DAY);
        server.now = ClockReading { wall: START.plus(YEAR), steady: YEAR };
        assert_eq!(server.clock.observe(server.now), None);
    }

    #[test]
    fn clock_at_the_ends_of_time_is_doubted() {
        for wall in [Timestamp::MIN, Timestamp::MAX] {
            let mut server = Server::start(30 * DAY);
            assert_eq!(server.set(wall), Some(ClockChange::Doubted(START)));
            server.run(HOUR);
            assert_eq!(server.set(START.plus(HOUR)), Some(BACK));
        }
        let mut server = Server::start(Duration::MAX);
        server.set(Timestamp::MAX);
        server.run(2 * DAY);
        assert_eq!(server.clock.notes(server.now).trusted, Some(Timestamp::MAX));
    }
}
