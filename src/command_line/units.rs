//! Parses and formats values with a unit: durations (`500ms`, `30s`, `12h`, `30d`) and sizes (`64KiB`, `8MiB`, `1GiB`).
//!
//! All options share one grammar: a decimal number, optional blanks, a unit. Units of durations are in lower case, so that `500M`, which
//! looks like megabytes, is an error. Units of sizes may be in any case; `KB`, `MB`, `GB` and `TB` mean the same as `KiB`, `MiB`, `GiB`
//! and `TiB`, because `--keep 1gb` always meant 2³⁰ bytes. A finer fraction is rounded up to whole milliseconds or bytes, so that a small
//! value never becomes 0, which switches many limits off.
//!
//! No crate is used, because none has this grammar for both: `humantime` takes no bare number, and reads `1M` as a month; `parse-size`
//! also takes exponents, and reads `5m` as megabytes, which are minutes in `--keep`; `bytesize` reads `1gb` as 10⁹ bytes.
#![deny(clippy::disallowed_types, clippy::disallowed_methods)]

use std::ops::RangeInclusive;
use std::time::Duration;

/// The units of durations, in milliseconds, the smallest first.
const TIME_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// A number without a unit is a number of seconds.
const BARE_TIME: (&str, u64) = ("", 1000);

/// The units of sizes, in bytes, the smallest first.
const SIZE_UNITS: [(&str, u64); 5] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];

/// Other names of these units.
const SIZE_ALIASES: [(&str, u64); 4] = [("KB", 1 << 10), ("MB", 1 << 20), ("GB", 1 << 30), ("TB", 1 << 40)];

/// A number without a unit is a number of bytes.
const BARE_SIZE: (&str, u64) = ("", 1);

/// Parses a duration; a number without a unit is a number of seconds.
///
/// # Errors
///
/// Not a duration. The error has examples.
pub fn parse_duration(raw: &str) -> Result<Duration, String> {
    let parsed = parse_value(raw, TIME_UNITS.iter().chain([&BARE_TIME]));
    parsed.map(Duration::from_millis).ok_or_else(|| "expected a duration, such as 500ms, 30s or 5m".to_owned())
}

/// Parses a duration within a range and returns its seconds; a number without a unit is a number of seconds, too.
///
/// # Errors
///
/// Not a duration, out of range, or not a whole number of seconds. The error has examples and the range.
pub fn parse_seconds(raw: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let parsed = parse_value(raw, TIME_UNITS.iter().chain([&BARE_TIME]));
    let seconds = parsed.filter(|ms| ms.is_multiple_of(1000)).map(|ms| ms / 1000);
    seconds.filter(|seconds| range.contains(seconds)).ok_or_else(|| {
        let [first, last] = [range.start(), range.end()].map(|&seconds| format_duration(Duration::from_secs(seconds)));
        format!("expected a duration in whole seconds from {first} to {last}, such as 30s, 5m or 12h")
    })
}

/// Parses a size within a range and returns its bytes; a number without a unit is a number of bytes.
///
/// # Errors
///
/// Not a size, or out of range. The error has the range.
pub fn parse_size(raw: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let parsed = parse_value(raw, SIZE_UNITS.iter().chain(&SIZE_ALIASES).chain([&BARE_SIZE]));
    parsed.filter(|bytes| range.contains(bytes)).ok_or_else(|| {
        let [first, last] = [range.start(), range.end()].map(|&bytes| format_size(bytes));
        format!("expected a size from {first} to {last}")
    })
}

/// Parses a duration with a unit. `None` for other values, and for a bare number.
pub fn duration_with_unit(raw: &str) -> Option<Duration> {
    parse_value(raw, TIME_UNITS.iter()).map(Duration::from_millis)
}

/// Parses a size with a unit to bytes. `None` for other values, and for a bare number.
pub fn size_with_unit(raw: &str) -> Option<u64> {
    parse_value(raw, SIZE_UNITS.iter().chain(&SIZE_ALIASES))
}

/// Parses a whole number of things with their name, such as `100000 messages`. `None` for other values, and for a bare number.
pub fn count_with_unit(raw: &str, singular: &str, plural: &str) -> Option<u64> {
    parse_value(raw, [&(singular, 1), &(plural, 1)].into_iter()).filter(|_| !raw.contains('.'))
}

/// Formats a duration in the largest unit that has a whole number for it.
pub fn format_duration(duration: Duration) -> String {
    format_value(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), &TIME_UNITS)
}

/// Formats a size in the largest unit that has a whole number for it.
pub fn format_size(bytes: u64) -> String {
    format_value(bytes, &SIZE_UNITS)
}

/// Parses a number and a unit to the number of smallest units, rounded up. `None` if it has another form, or if it is too large.
fn parse_value<'a>(raw: &str, mut units: impl Iterator<Item = &'a (&'a str, u64)>) -> Option<u64> {
    let (number, unit) = raw.split_at(raw.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(raw.len()));
    // Blanks at the end stay, so they fail as an unknown unit.
    let unit = Some(unit.trim_start_matches(' ')).filter(|unit| !unit.is_empty()).unwrap_or(unit);
    // The units of sizes end in B.
    let is_unit = |name: &str| name == unit || name.ends_with('B') && name.eq_ignore_ascii_case(unit);
    let (_, scale) = units.find(|(name, _)| is_unit(name))?;
    // `.5` and `5.` are numbers; `.` is not.
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() && !decimals.is_empty() { 0 } else { whole.parse().ok()? };
    whole.checked_mul(*scale)?.checked_add(parse_decimals(decimals, *scale)?)
}

/// The value of decimals, such as the `25` of `0.25`, in smallest units, rounded up.
fn parse_decimals(decimals: &str, scale: u64) -> Option<u64> {
    let is_number = decimals.bytes().all(|byte| byte.is_ascii_digit());
    // From the last decimal to the first: the exact value, rounded up once.
    let add = |rest: u64, decimal: u8| (u64::from(decimal - b'0') * scale + rest).div_ceil(10);
    is_number.then(|| decimals.bytes().rev().fold(0, add))
}

fn format_value(value: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, scale): &&(&str, u64)| value.is_multiple_of(*scale);
    match units.iter().rfind(fits) {
        Some((unit, scale)) if value > 0 => format!("{}{unit}", value / scale),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;
    const DAY: u64 = 86_400_000;

    #[track_caller]
    fn check_duration(raw: &str, ms: Option<u64>) {
        assert_eq!(parse_duration(raw).ok(), ms.map(Duration::from_millis), "{raw:?}");
    }

    #[track_caller]
    fn check_size(raw: &str, bytes: Option<u64>) {
        assert_eq!(parse_size(raw, 0..=u64::MAX).ok(), bytes, "{raw:?}");
    }

    #[test]
    fn units_of_durations() {
        check_duration("500ms", Some(500));
        check_duration("30s", Some(30 * SECOND));
        check_duration("5m", Some(300 * SECOND));
        check_duration("12h", Some(DAY / 2));
        check_duration("30d", Some(30 * DAY));
    }

    #[test]
    fn units_of_sizes() {
        check_size("7B", Some(7));
        check_size("64KiB", Some(64 << 10));
        check_size("8MiB", Some(8 << 20));
        check_size("1GiB", Some(1 << 30));
        check_size("2TiB", Some(2 << 40));
    }

    #[test]
    fn decimal_names_of_sizes_are_powers_of_1024_too() {
        for (alias, unit) in [("1KB", "1KiB"), ("1MB", "1MiB"), ("1GB", "1GiB"), ("1TB", "1TiB"), ("500mb", "500MiB")] {
            check_size(alias, parse_size(unit, 0..=u64::MAX).ok());
        }
    }

    #[test]
    fn bare_number_is_seconds_or_bytes() {
        check_duration("0", Some(0));
        check_duration("60", Some(60 * SECOND));
        check_duration("0.1", Some(100));
        check_size("0", Some(0));
        check_size("1048576", Some(1 << 20));
    }

    #[test]
    fn units_of_sizes_only_may_be_in_any_case() {
        for raw in ["500M", "500MS", "30S", "30D"] {
            check_duration(raw, None);
        }
        check_size("1gib", Some(1 << 30));
        check_size("1GIB", Some(1 << 30));
        check_size("1gb", Some(1 << 30));
        check_size("7b", Some(7));
    }

    #[test]
    fn blanks_may_separate_number_and_unit_only() {
        check_size("1 GiB", Some(1 << 30));
        check_duration("30  d", Some(30 * DAY));
        for raw in [" 1GiB", "1GiB ", "1 ", " 1", " ", "1\tGiB", "1\u{a0}GiB", "1 0GiB", "1G iB", "1 . 5GiB", "1\nGiB"]
        {
            check_size(raw, None);
        }
        for raw in [" 30", "30 ", " ", "3 0", "30\td"] {
            check_duration(raw, None);
        }
    }

    #[test]
    fn fractions_are_exact_and_rounded_up() {
        check_duration("1.5h", Some(5400 * SECOND));
        check_duration("0.25d", Some(DAY / 4));
        check_duration("0.001", Some(1));
        check_duration("0.0001", Some(1));
        check_duration("0.00100000000000000000000000000000000000000001s", Some(2));
        check_duration("0.000s", Some(0));
        check_duration("0.9999999s", Some(SECOND));
        check_size("1.5GiB", Some(3 << 29));
        check_size("0.1KiB", Some(103));
        check_size("0.5", Some(1));
        check_size("0.9999999999999999999999TiB", Some(1 << 40));
        check_duration(".5", Some(500));
        check_duration("5.", Some(5 * SECOND));
        check_duration(".5m", Some(30 * SECOND));
        for raw in [".", "1.5.0", "1..5", "1,5", ".s", "1.-5", "1.+5", "1.5e3"] {
            check_duration(raw, None);
        }
    }

    #[test]
    fn too_large_values_are_refused() {
        check_size("18446744073709551615", Some(u64::MAX));
        check_size("18446744073709551616", None);
        check_size("18446744073709551615.0", Some(u64::MAX));
        check_size("18446744073709551615.1", None);
        check_size("16777215TiB", Some(((1 << 24) - 1) << 40));
        check_size("16777216TiB", None);
        check_size("18446744073709551615KiB", None);
        check_size(&"9".repeat(1000), None);
        check_duration("18446744073709551615ms", Some(u64::MAX));
        check_duration("18446744073709551615", None);
        check_duration("99999999999999999999d", None);
    }

    #[test]
    fn other_forms_are_refused() {
        for raw in [
            "", "s", "d", "ms", "-1", "-1s", "+1", "+1s", "1e3", "inf", "NaN", "1h30m", "1w", "1y", "1µs", "1s1", "s1",
            "x",
        ] {
            check_duration(raw, None);
        }
        for raw in [
            "", "GiB", "KB", "-1", "-1MiB", "+1", "1K", "1M", "1G", "1Gi", "1PiB", "1bit", "1s", "0x10", "1_000",
            "1 000",
        ] {
            check_size(raw, None);
        }
    }

    #[test]
    fn unit_is_required_where_a_bare_number_is_none() {
        assert_eq!(duration_with_unit("30d"), Some(Duration::from_millis(30 * DAY)));
        assert_eq!(duration_with_unit("30"), None);
        assert_eq!(size_with_unit("1GiB"), Some(1 << 30));
        assert_eq!(size_with_unit("1gb"), Some(1 << 30));
        assert_eq!(size_with_unit("1"), None);
    }

    #[test]
    fn count_is_whole_and_has_its_name() {
        let count = |raw| count_with_unit(raw, "message", "messages");
        assert_eq!(count("100000 messages"), Some(100_000));
        assert_eq!(count("100000messages"), Some(100_000));
        assert_eq!(count("1 message"), Some(1));
        for raw in
            ["", "messages", "5", "5 m", "1.5 messages", "1.0 messages", "-5 messages", "5 messages ", "5 message s"]
        {
            assert_eq!(count(raw), None, "{raw:?}");
        }
    }

    #[test]
    fn seconds_are_whole_and_in_range() {
        let seconds = |raw| parse_seconds(raw, 8..=86_400);
        assert_eq!(seconds("8"), Ok(8));
        assert_eq!(seconds("8s"), Ok(8));
        assert_eq!(seconds("1.5m"), Ok(90));
        assert_eq!(seconds("1d"), Ok(86_400));
        assert_eq!(seconds("9000ms"), Ok(9));
        let error = "expected a duration in whole seconds from 8s to 1d, such as 30s, 5m or 12h";
        for raw in ["7", "7999ms", "8500ms", "8.5", "86401", "25h", "-8", "", "soon"] {
            assert_eq!(seconds(raw).unwrap_err(), error, "{raw:?}");
        }
    }

    #[test]
    fn size_is_in_range() {
        let size = |raw| parse_size(raw, 1 << 20..=1 << 40);
        assert_eq!(size("1MiB"), Ok(1 << 20));
        assert_eq!(size("1048576"), Ok(1 << 20));
        assert_eq!(size("1TiB"), Ok(1 << 40));
        let error = "expected a size from 1MiB to 1TiB";
        for raw in ["12", "1048575", "1023KiB", "1.1TiB", "many", "99999999999TiB"] {
            assert_eq!(size(raw).unwrap_err(), error, "{raw:?}");
        }
    }

    #[test]
    fn value_is_formatted_in_the_largest_whole_unit() {
        for (ms, expected) in
            [(0, "0"), (1, "1ms"), (1500, "1500ms"), (90_000, "90s"), (7_200_000, "2h"), (366 * DAY, "366d")]
        {
            assert_eq!(format_duration(Duration::from_millis(ms)), expected);
        }
        for (bytes, expected) in
            [(0, "0"), (1, "1B"), (1025, "1025B"), (1 << 20, "1MiB"), (3 << 29, "1536MiB"), (1 << 50, "1024TiB")]
        {
            assert_eq!(format_size(bytes), expected);
        }
    }

    #[test]
    fn formatted_value_parses_to_itself() {
        arbtest::arbtest(|u| {
            let (value, shift) = (u.arbitrary::<u64>()?, u.int_in_range(0..=63)?);
            for value in [value, value >> shift, value << shift] {
                let duration = Duration::from_millis(value);
                assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
                assert_eq!(parse_size(&format_size(value), 0..=u64::MAX), Ok(value));
            }
            Ok(())
        });
    }
}
