//! Durations as users type them.

use std::time::Duration;

/// The units, with their seconds.
const UNITS: [(char, u64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];

/// Why a word is not a duration, although it looks like one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidDuration;

/// Parses a number and a unit: `30s`, `10m`, `2h`, `7d`, `1w`. `None`: the word does not look like a duration.
///
/// # Errors
/// The word is a number, with something after it that is not one of these units, or it is 0 or more than `max`.
pub fn parse_duration(word: &str, max: Duration) -> Option<Result<Duration, InvalidDuration>> {
    let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = word.split_at(digits);
    let looks_like_one = digits > 0 && unit.chars().all(char::is_alphabetic);
    looks_like_one.then(|| {
        let unit = UNITS.into_iter().find(|(letter, _)| unit.eq_ignore_ascii_case(letter.encode_utf8(&mut [0; 4])));
        let seconds =
            number.parse::<u64>().ok().zip(unit).and_then(|(number, (_, seconds))| number.checked_mul(seconds));
        let duration = seconds.map(Duration::from_secs).filter(|duration| !duration.is_zero() && *duration <= max);
        duration.ok_or(InvalidDuration)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duration_is_a_number_and_a_unit() {
        let max = Duration::from_hours(24 * 366);
        let seconds = |word| parse_duration(word, max).map(|parsed| parsed.map(|duration| duration.as_secs()));
        for (word, expected) in
            [("30s", 30), ("10m", 600), ("2H", 7_200), ("7d", 604_800), ("1w", 604_800), ("366d", 31_622_400)]
        {
            assert_eq!(seconds(word), Some(Ok(expected)), "{word}");
        }
        for word in ["0s", "367d", "7", "7x", "7dd", "7days", "99999999999999999999s", "18446744073709551615w"] {
            assert_eq!(seconds(word), Some(Err(InvalidDuration)), "{word}");
        }
        // The beginning of a reason.
        for word in ["", "spam", "m", "d7", "7-up", "3:00", "2nd,", "10%"] {
            assert_eq!(seconds(word), None, "{word}");
        }
    }
}
