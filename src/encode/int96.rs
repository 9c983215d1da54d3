//! Timestamps as INT96: nanoseconds of the day and the Julian day, as Hive has always written them.

use parquet::data_type::Int96;

const MICROS_A_DAY: i64 = 86_400_000_000;
/// Julian day of 1970-01-01.
const EPOCH_DAY: i64 = 2_440_588;

/// Microseconds since 1970 UTC as INT96. Readers take the day as a signed number, so that any instant fits.
pub(super) fn from_micros(micros: i64) -> Int96 {
    let nanos_of_day = micros.rem_euclid(MICROS_A_DAY) as u64 * 1000;
    let day = micros.div_euclid(MICROS_A_DAY) + EPOCH_DAY;
    let mut v = Int96::new();
    v.set_data(nanos_of_day as u32, (nanos_of_day >> 32) as u32, day as u32);
    v
}

/// Microseconds since 1970 UTC; wider than those that [`from_micros`] takes, since a file may hold any bits.
pub(super) fn to_micros(v: &Int96) -> i128 {
    let [low, high, day] = *v.data() else { return 0 };
    let nanos_of_day = (i128::from(high) << 32) | i128::from(low);
    let days = i128::from(day as i32) - i128::from(EPOCH_DAY);
    days * i128::from(MICROS_A_DAY) + nanos_of_day / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_begin_at_midnight_and_nanoseconds_are_never_negative() {
        assert_eq!(from_micros(0).data(), [0, 0, 2_440_588]);
        assert_eq!(from_micros(1).data(), [1000, 0, 2_440_588]);
        let last_of_1969: u64 = 86_399_999_999_000;
        assert_eq!(from_micros(-1).data(), [last_of_1969 as u32, (last_of_1969 >> 32) as u32, 2_440_587]);
    }

    #[test]
    fn every_instant_comes_back() {
        for micros in
            [0, 1, -1, i64::MIN, i64::MAX, 1_627_669_098_123_456, -301_232_096_876_544, MICROS_A_DAY, -MICROS_A_DAY]
        {
            assert_eq!(to_micros(&from_micros(micros)), i128::from(micros));
        }
    }
}
