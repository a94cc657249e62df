//! The picture of a server's state over time: bars, which the page draws as SVG.

use std::time::Duration;

use mail_implicit_tls::monitor::{State, Timestamp};

use super::history::{MAX_GAP, Segment};

/// The width of a picture in units of its own; the page stretches it.
const WIDTH: u64 = 1_000;

/// The height of a picture.
const HEIGHT: u64 = 28;

/// The least width of a bar.
const LEAST_WIDTH: u64 = 3;

/// The time that a picture shows.
pub(super) const SHOWN: Duration = Duration::from_secs(30 * 24 * 3_600);

/// A state in the page: the name of its style, and its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) class: &'static str,
    pub(super) word: &'static str,
}

impl From<State> for Shown {
    fn from(state: State) -> Self {
        Self {
            class: state.name(),
            word: match state {
                State::NotKnown => "not known",
                state => state.name(),
            },
        }
    }
}

/// A part of a picture: a state between two times.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    from: Duration,
    until: Duration,
    state: State,
}

/// Returns the parts that states fill. The time between two observations belongs to the earlier state, unless it is
/// longer than [`MAX_GAP`].
fn parts(segments: &[Segment], begin: Duration, end: Duration) -> Vec<Part> {
    let mut parts = Vec::new();
    for (index, segment) in segments.iter().enumerate() {
        let next = segments.get(index.saturating_add(1));
        let following = next.map_or(end, |next| next.begins);
        let is_near = following.saturating_sub(segment.seen) <= MAX_GAP;
        let until = if is_near { following } else { segment.seen };
        let (from, until) = (segment.begins.max(begin), until.min(end));
        if until > from || next.is_none() && segment.seen >= end {
            parts.push(Part {
                from,
                until,
                state: segment.state,
            });
        }
    }
    parts
}

/// Returns the place of a time in the picture.
fn place(time: Duration, begin: Duration, end: Duration) -> u64 {
    let whole = end.saturating_sub(begin).as_secs();
    let part = time.saturating_sub(begin).as_secs();
    part.saturating_mul(WIDTH)
        .checked_div(whole)
        .unwrap_or_default()
}

/// A bar of the picture, as high as its state is urgent, so that colours are not needed to read it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Bar {
    pub(super) state: Shown,
    pub(super) left: u64,
    pub(super) width: u64,
    pub(super) top: u64,
    pub(super) height: u64,
    pub(super) from: String,
    pub(super) until: String,
}

/// Returns the height of the bar of a state.
const fn height(state: State) -> u64 {
    match state {
        State::Good => 8,
        State::Advice => 12,
        State::Warning => 18,
        State::NotKnown => 22,
        State::Bad => HEIGHT,
    }
}

/// Returns the bars of a picture that ends at this time.
pub(super) fn bars(segments: &[Segment], end: Duration) -> Vec<Bar> {
    let begin = end.saturating_sub(SHOWN);
    let bar = |part: Part| {
        // A state of one observation is visible too.
        let left = place(part.from, begin, end).min(WIDTH.saturating_sub(LEAST_WIDTH));
        let height = height(part.state);
        Bar {
            state: part.state.into(),
            left,
            width: place(part.until, begin, end)
                .saturating_sub(left)
                .max(LEAST_WIDTH),
            top: HEIGHT.saturating_sub(height),
            height,
            from: Timestamp(part.from).to_string(),
            until: Timestamp(part.until).to_string(),
        }
    };
    parts(segments, begin, end).into_iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3_600;

    fn segment(begins: u64, seen: u64, state: State) -> Segment {
        Segment {
            begins: Duration::from_secs(begins.saturating_mul(DAY)),
            seen: Duration::from_secs(seen.saturating_mul(DAY)),
            state,
        }
    }

    fn found(segments: &[Segment]) -> Vec<(u64, u64, State)> {
        let days = |time: Duration| time.as_secs() / DAY;
        let (begin, end) = (
            Duration::from_secs(70 * DAY),
            Duration::from_secs(100 * DAY),
        );
        parts(segments, begin, end)
            .into_iter()
            .map(|part| (days(part.from), days(part.until), part.state))
            .collect()
    }

    #[test]
    fn fills_the_time_between_observations_with_the_earlier_state() {
        assert_eq!(
            found(&[
                segment(60, 80, State::Good),
                segment(81, 90, State::Bad),
                segment(92, 99, State::Good),
            ]),
            [
                (70, 81, State::Good),
                (81, 92, State::Bad),
                (92, 100, State::Good)
            ]
        );
    }

    #[test]
    fn leaves_times_without_observations_empty() {
        assert_eq!(
            found(&[
                segment(72, 75, State::Good),
                segment(80, 85, State::Warning)
            ]),
            [(72, 75, State::Good), (80, 85, State::Warning)]
        );
        assert_eq!(found(&[segment(10, 20, State::Good)]), []);
    }

    #[test]
    fn places_parts_by_their_time() {
        let segments = [segment(85, 100, State::NotKnown)];
        let expected = Bar {
            state: State::NotKnown.into(),
            left: 500,
            width: 500,
            top: 6,
            height: 22,
            from: "1970-03-27T00:00Z".to_owned(),
            until: "1970-04-11T00:00Z".to_owned(),
        };
        assert_eq!(bars(&segments, Duration::from_secs(100 * DAY)), [expected]);
    }

    /// The first observation has no time after it yet.
    #[test]
    fn shows_a_state_of_one_observation() {
        let drawn = bars(
            &[segment(60, 99, State::Good), segment(100, 100, State::Bad)],
            Duration::from_secs(100 * DAY),
        );
        let drawn: Vec<_> = drawn
            .iter()
            .map(|it| (it.state.class, it.left, it.width))
            .collect();
        assert_eq!(drawn, [("good", 0, 1_000), ("bad", 997, 3)]);
    }
}
