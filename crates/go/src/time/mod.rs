//! Owns Go's `time`: moments in a zone, the calendar, layouts ([`Time::format`], [`Time::parse`]), durations and zones by name.
//!
//! There is no clock and no local zone here: where Go takes the machine's zone, it is UTC.

mod duration;
mod layout;
mod zone;

pub use duration::{duration, parse_duration, round_duration, truncate_duration};
pub use zone::Zone;

/// `time.Time` without the monotonic clock.
#[derive(Clone, Copy, Debug)]
pub struct Time {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Nanoseconds of the second.
    pub nanos: u32,
    /// Where it is shown.
    pub zone: Zone,
}

/// `time.Months`' names.
pub const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
/// `time.Weekdays`' names.
pub const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A moment as clocks and calendars show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Civil {
    /// Year.
    pub year: i64,
    /// Month, from 1.
    pub month: u32,
    /// Day of the month, from 1.
    pub day: u32,
    /// Hour, from 0.
    pub hour: u32,
    /// Minute.
    pub minute: u32,
    /// Second.
    pub second: u32,
    /// Day of the week, Sunday is 0.
    pub weekday: u32,
    /// Day of the year, from 1.
    pub year_day: u32,
}

const DAY_SECONDS: i64 = 86_400;

/// Days since 1970 of a date of the Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_of(year: i64, month: u32, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let month = i64::from(month);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date of so many days since 1970: year, month, day.
fn date_of(days: i64) -> (i64, u32, u32) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted - era * 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = (of_year - (153 * month + 2) / 5 + 1) as u32;
    let month = if month < 10 { month + 3 } else { month - 9 } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(month: u32, year: i64) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl PartialEq for Time {
    /// As `Time.Equal`: the same moment, wherever it is shown.
    fn eq(&self, other: &Self) -> bool {
        (self.seconds, self.nanos) == (other.seconds, other.nanos)
    }
}

impl Eq for Time {}

impl Time {
    /// Go's zero time: the first of January of the year 1, UTC.
    pub const ZERO: Self = Self { seconds: -62_135_596_800, nanos: 0, zone: Zone::Utc };

    /// Returns the moment of seconds and nanoseconds since 1970, in UTC.
    pub fn unix(seconds: i64, nanos: i64) -> Self {
        let nanos_of = nanos.rem_euclid(1_000_000_000) as u32;
        Self { seconds: seconds.saturating_add(nanos.div_euclid(1_000_000_000)), nanos: nanos_of, zone: Zone::Utc }
    }

    /// Returns the moment of a date and time in a zone; months, days and hours beyond their range go on into the next, as `time.Date` does.
    pub fn date(year: i64, month: i64, day: i64, seconds_of_day: i64, nanos: u32, zone: Zone) -> Self {
        // Dates that no clock shows stay where the calendar ends.
        const YEARS: i64 = 200_000_000_000;
        let year = year.saturating_add((month - 1).div_euclid(12)).clamp(-YEARS, YEARS);
        let month = (month - 1).rem_euclid(12) as u32 + 1;
        let local =
            days_of(year, month, 1).saturating_add(day.saturating_sub(1)).saturating_mul(DAY_SECONDS).saturating_add(seconds_of_day);
        Self { seconds: zone.seconds_of_local(local), nanos, zone }
    }

    /// Returns the moment as its zone shows it.
    pub fn civil(self) -> Civil {
        let local = self.seconds.saturating_add(i64::from(self.offset()));
        let (days, second) = (local.div_euclid(DAY_SECONDS), local.rem_euclid(DAY_SECONDS) as u32);
        let (year, month, day) = date_of(days);
        Civil {
            year,
            month,
            day,
            hour: second / 3_600,
            minute: second / 60 % 60,
            second: second % 60,
            weekday: (days + 4).rem_euclid(7) as u32,
            year_day: (days - days_of(year, 1, 1) + 1) as u32,
        }
    }

    /// Returns the zone's offset then, in seconds.
    pub fn offset(self) -> i32 {
        self.zone.at(self.seconds).offset
    }

    /// Returns the zone's short name then; empty where it has none.
    pub fn zone_name(&self) -> String {
        self.zone.at(self.seconds).name.to_owned()
    }

    /// Returns the same moment, shown elsewhere.
    #[must_use]
    pub fn in_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// Returns the moment so many nanoseconds later.
    #[must_use]
    pub fn plus(self, nanos: i64) -> Self {
        let all = i64::from(self.nanos) + nanos.rem_euclid(1_000_000_000);
        let seconds = self.seconds.saturating_add(nanos.div_euclid(1_000_000_000)).saturating_add(all / 1_000_000_000);
        Self { seconds, nanos: (all % 1_000_000_000) as u32, ..self }
    }

    /// Returns the moment at the same time of day, so many years, months and days later (`Time.AddDate`).
    #[must_use]
    pub fn plus_date(self, years: i64, months: i64, days: i64) -> Self {
        let civil = self.civil();
        let of_day = i64::from(civil.hour) * 3_600 + i64::from(civil.minute) * 60 + i64::from(civil.second);
        let (month, day) = (i64::from(civil.month).saturating_add(months), i64::from(civil.day).saturating_add(days));
        Self::date(civil.year.saturating_add(years), month, day, of_day, self.nanos, self.zone)
    }

    /// Returns the duration from another moment to this one, in nanoseconds; the longest there is where it does not fit.
    pub fn since(self, other: Self) -> i64 {
        let seconds = i128::from(self.seconds) - i128::from(other.seconds);
        let nanos = seconds * 1_000_000_000 + i128::from(self.nanos) - i128::from(other.nanos);
        i64::try_from(nanos).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// Returns the moment cut down to a multiple of a duration since Go's zero time.
    #[must_use]
    pub fn truncated(self, nanos: i64) -> Self {
        if nanos <= 0 { self } else { self.plus(-self.beyond(nanos)) }
    }

    /// Returns the moment rounded to the nearest multiple of a duration since Go's zero time; half goes up.
    #[must_use]
    pub fn rounded(self, nanos: i64) -> Self {
        if nanos <= 0 {
            return self;
        }
        let beyond = self.beyond(nanos);
        if (beyond as u64) * 2 < nanos as u64 { self.plus(-beyond) } else { self.plus(nanos - beyond) }
    }

    /// How far it is past the last multiple of a duration.
    fn beyond(self, nanos: i64) -> i64 {
        let all = (i128::from(self.seconds) - i128::from(Self::ZERO.seconds)) * 1_000_000_000 + i128::from(self.nanos);
        all.rem_euclid(i128::from(nanos)) as i64
    }

    /// Returns the year and week of ISO 8601.
    pub fn iso_week(self) -> (i64, u32) {
        let civil = self.civil();
        // The week belongs to the year of its Thursday.
        let thursday = days_of(civil.year, civil.month, i64::from(civil.day)) + 3 - i64::from((civil.weekday + 6) % 7);
        let (year, ..) = date_of(thursday);
        (year, ((thursday - days_of(year, 1, 1)) / 7 + 1) as u32)
    }
}

impl std::fmt::Display for Time {
    /// As `Time.String` does, without the monotonic clock.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.format("2006-01-02 15:04:05.999999999 -0700 MST"))
    }
}

/// The quotes of package time's own errors: beyond printable ASCII every byte is written in hexadecimal.
fn quote(text: &[u8]) -> String {
    let mut out = String::from("\"");
    for byte in text {
        match byte {
            b'"' | b'\\' => out.extend(['\\', *byte as char]),
            b' '..=b'\x7f' => out.push(*byte as char),
            other => out.push_str(&format!("\\x{other:02x}")),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    //! The answers are Go 1.26's, on a machine whose zone is UTC.

    use super::*;

    #[test]
    fn zones_show_moments_as_in_go() {
        const LAYOUT: &str = "2006-01-02 15:04:05 -07:00 MST Mon 002";
        for (zone, seconds, expect) in [
            ("UTC", 0, "1970-01-01 00:00:00 +00:00 UTC Thu 001"),
            ("UTC", -5000000000, "1811-07-23 15:06:40 +00:00 UTC Tue 204"),
            ("UTC", 951782400, "2000-02-29 00:00:00 +00:00 UTC Tue 060"),
            ("UTC", 1143964800, "2006-04-02 08:00:00 +00:00 UTC Sun 092"),
            ("UTC", 1143961199, "2006-04-02 06:59:59 +00:00 UTC Sun 092"),
            ("UTC", 1130652000, "2005-10-30 06:00:00 +00:00 UTC Sun 303"),
            ("UTC", 1700000000, "2023-11-14 22:13:20 +00:00 UTC Tue 318"),
            ("UTC", 2540000000, "2050-06-28 03:33:20 +00:00 UTC Tue 179"),
            ("UTC", 4102444800, "2100-01-01 00:00:00 +00:00 UTC Fri 001"),
            ("UTC", -62135596800, "0001-01-01 00:00:00 +00:00 UTC Mon 001"),
            ("UTC", 1301752800, "2011-04-02 14:00:00 +00:00 UTC Sat 092"),
            ("America/New_York", 0, "1969-12-31 19:00:00 -05:00 EST Wed 365"),
            ("America/New_York", -5000000000, "1811-07-23 10:10:38 -04:56 LMT Tue 204"),
            ("America/New_York", 951782400, "2000-02-28 19:00:00 -05:00 EST Mon 059"),
            ("America/New_York", 1143964800, "2006-04-02 04:00:00 -04:00 EDT Sun 092"),
            ("America/New_York", 1143961199, "2006-04-02 01:59:59 -05:00 EST Sun 092"),
            ("America/New_York", 1130652000, "2005-10-30 01:00:00 -05:00 EST Sun 303"),
            ("America/New_York", 1700000000, "2023-11-14 17:13:20 -05:00 EST Tue 318"),
            ("America/New_York", 2540000000, "2050-06-27 23:33:20 -04:00 EDT Mon 178"),
            ("America/New_York", 4102444800, "2099-12-31 19:00:00 -05:00 EST Thu 365"),
            ("America/New_York", -62135596800, "0000-12-31 19:03:58 -04:56 LMT Sun 366"),
            ("America/New_York", 1301752800, "2011-04-02 10:00:00 -04:00 EDT Sat 092"),
            ("Europe/Berlin", 0, "1970-01-01 01:00:00 +01:00 CET Thu 001"),
            ("Europe/Berlin", -5000000000, "1811-07-23 16:00:08 +00:53 LMT Tue 204"),
            ("Europe/Berlin", 951782400, "2000-02-29 01:00:00 +01:00 CET Tue 060"),
            ("Europe/Berlin", 1143964800, "2006-04-02 10:00:00 +02:00 CEST Sun 092"),
            ("Europe/Berlin", 1143961199, "2006-04-02 08:59:59 +02:00 CEST Sun 092"),
            ("Europe/Berlin", 1130652000, "2005-10-30 07:00:00 +01:00 CET Sun 303"),
            ("Europe/Berlin", 1700000000, "2023-11-14 23:13:20 +01:00 CET Tue 318"),
            ("Europe/Berlin", 2540000000, "2050-06-28 05:33:20 +02:00 CEST Tue 179"),
            ("Europe/Berlin", 4102444800, "2100-01-01 01:00:00 +01:00 CET Fri 001"),
            ("Europe/Berlin", -62135596800, "0001-01-01 00:53:28 +00:53 LMT Mon 001"),
            ("Europe/Berlin", 1301752800, "2011-04-02 16:00:00 +02:00 CEST Sat 092"),
            ("Asia/Kolkata", 0, "1970-01-01 05:30:00 +05:30 IST Thu 001"),
            ("Asia/Kolkata", -5000000000, "1811-07-23 21:00:08 +05:53 LMT Tue 204"),
            ("Asia/Kolkata", 951782400, "2000-02-29 05:30:00 +05:30 IST Tue 060"),
            ("Asia/Kolkata", 1143964800, "2006-04-02 13:30:00 +05:30 IST Sun 092"),
            ("Asia/Kolkata", 1143961199, "2006-04-02 12:29:59 +05:30 IST Sun 092"),
            ("Asia/Kolkata", 1130652000, "2005-10-30 11:30:00 +05:30 IST Sun 303"),
            ("Asia/Kolkata", 1700000000, "2023-11-15 03:43:20 +05:30 IST Wed 319"),
            ("Asia/Kolkata", 2540000000, "2050-06-28 09:03:20 +05:30 IST Tue 179"),
            ("Asia/Kolkata", 4102444800, "2100-01-01 05:30:00 +05:30 IST Fri 001"),
            ("Asia/Kolkata", -62135596800, "0001-01-01 05:53:28 +05:53 LMT Mon 001"),
            ("Asia/Kolkata", 1301752800, "2011-04-02 19:30:00 +05:30 IST Sat 092"),
            ("Australia/Lord_Howe", 0, "1970-01-01 10:00:00 +10:00 AEST Thu 001"),
            ("Australia/Lord_Howe", -5000000000, "1811-07-24 01:43:00 +10:36 LMT Wed 205"),
            ("Australia/Lord_Howe", 951782400, "2000-02-29 11:00:00 +11:00 +11 Tue 060"),
            ("Australia/Lord_Howe", 1143964800, "2006-04-02 18:30:00 +10:30 +1030 Sun 092"),
            ("Australia/Lord_Howe", 1143961199, "2006-04-02 17:29:59 +10:30 +1030 Sun 092"),
            ("Australia/Lord_Howe", 1130652000, "2005-10-30 17:00:00 +11:00 +11 Sun 303"),
            ("Australia/Lord_Howe", 1700000000, "2023-11-15 09:13:20 +11:00 +11 Wed 319"),
            ("Australia/Lord_Howe", 2540000000, "2050-06-28 14:03:20 +10:30 +1030 Tue 179"),
            ("Australia/Lord_Howe", 4102444800, "2100-01-01 11:00:00 +11:00 +11 Fri 001"),
            ("Australia/Lord_Howe", -62135596800, "0001-01-01 10:36:20 +10:36 LMT Mon 001"),
            ("Australia/Lord_Howe", 1301752800, "2011-04-03 01:00:00 +11:00 +11 Sun 093"),
            ("America/Sao_Paulo", 0, "1969-12-31 21:00:00 -03:00 -03 Wed 365"),
            ("America/Sao_Paulo", -5000000000, "1811-07-23 12:00:12 -03:06 LMT Tue 204"),
            ("America/Sao_Paulo", 951782400, "2000-02-28 21:00:00 -03:00 -03 Mon 059"),
            ("America/Sao_Paulo", 1143964800, "2006-04-02 05:00:00 -03:00 -03 Sun 092"),
            ("America/Sao_Paulo", 1143961199, "2006-04-02 03:59:59 -03:00 -03 Sun 092"),
            ("America/Sao_Paulo", 1130652000, "2005-10-30 04:00:00 -02:00 -02 Sun 303"),
            ("America/Sao_Paulo", 1700000000, "2023-11-14 19:13:20 -03:00 -03 Tue 318"),
            ("America/Sao_Paulo", 2540000000, "2050-06-28 00:33:20 -03:00 -03 Tue 179"),
            ("America/Sao_Paulo", 4102444800, "2099-12-31 21:00:00 -03:00 -03 Thu 365"),
            ("America/Sao_Paulo", -62135596800, "0000-12-31 20:53:32 -03:06 LMT Sun 366"),
            ("America/Sao_Paulo", 1301752800, "2011-04-02 11:00:00 -03:00 -03 Sat 092"),
            ("Asia/Tehran", 0, "1970-01-01 03:30:00 +03:30 +0330 Thu 001"),
            ("Asia/Tehran", -5000000000, "1811-07-23 18:32:24 +03:25 LMT Tue 204"),
            ("Asia/Tehran", 951782400, "2000-02-29 03:30:00 +03:30 +0330 Tue 060"),
            ("Asia/Tehran", 1143964800, "2006-04-02 11:30:00 +03:30 +0330 Sun 092"),
            ("Asia/Tehran", 1143961199, "2006-04-02 10:29:59 +03:30 +0330 Sun 092"),
            ("Asia/Tehran", 1130652000, "2005-10-30 09:30:00 +03:30 +0330 Sun 303"),
            ("Asia/Tehran", 1700000000, "2023-11-15 01:43:20 +03:30 +0330 Wed 319"),
            ("Asia/Tehran", 2540000000, "2050-06-28 07:03:20 +03:30 +0330 Tue 179"),
            ("Asia/Tehran", 4102444800, "2100-01-01 03:30:00 +03:30 +0330 Fri 001"),
            ("Asia/Tehran", -62135596800, "0001-01-01 03:25:44 +03:25 LMT Mon 001"),
            ("Asia/Tehran", 1301752800, "2011-04-02 18:30:00 +04:30 +0430 Sat 092"),
            ("Etc/GMT+5", 0, "1969-12-31 19:00:00 -05:00 -05 Wed 365"),
            ("Etc/GMT+5", -5000000000, "1811-07-23 10:06:40 -05:00 -05 Tue 204"),
            ("Etc/GMT+5", 951782400, "2000-02-28 19:00:00 -05:00 -05 Mon 059"),
            ("Etc/GMT+5", 1143964800, "2006-04-02 03:00:00 -05:00 -05 Sun 092"),
            ("Etc/GMT+5", 1143961199, "2006-04-02 01:59:59 -05:00 -05 Sun 092"),
            ("Etc/GMT+5", 1130652000, "2005-10-30 01:00:00 -05:00 -05 Sun 303"),
            ("Etc/GMT+5", 1700000000, "2023-11-14 17:13:20 -05:00 -05 Tue 318"),
            ("Etc/GMT+5", 2540000000, "2050-06-27 22:33:20 -05:00 -05 Mon 178"),
            ("Etc/GMT+5", 4102444800, "2099-12-31 19:00:00 -05:00 -05 Thu 365"),
            ("Etc/GMT+5", -62135596800, "0000-12-31 19:00:00 -05:00 -05 Sun 366"),
            ("Etc/GMT+5", 1301752800, "2011-04-02 09:00:00 -05:00 -05 Sat 092"),
            ("EST", 0, "1969-12-31 19:00:00 -05:00 EST Wed 365"),
            ("EST", 951782400, "2000-02-28 19:00:00 -05:00 EST Mon 059"),
            ("EST", 1143964800, "2006-04-02 03:00:00 -05:00 EST Sun 092"),
            ("EST", 1143961199, "2006-04-02 01:59:59 -05:00 EST Sun 092"),
            ("EST", 1130652000, "2005-10-30 01:00:00 -05:00 EST Sun 303"),
            ("EST", 1700000000, "2023-11-14 17:13:20 -05:00 EST Tue 318"),
            ("EST", 2540000000, "2050-06-27 22:33:20 -05:00 EST Mon 178"),
            ("EST", 4102444800, "2099-12-31 19:00:00 -05:00 EST Thu 365"),
            ("EST", 1301752800, "2011-04-02 09:00:00 -05:00 EST Sat 092"),
            ("Pacific/Apia", 0, "1969-12-31 13:00:00 -11:00 -11 Wed 365"),
            ("Pacific/Apia", -5000000000, "1811-07-24 03:39:44 +12:33 LMT Wed 205"),
            ("Pacific/Apia", 951782400, "2000-02-28 13:00:00 -11:00 -11 Mon 059"),
            ("Pacific/Apia", 1143964800, "2006-04-01 21:00:00 -11:00 -11 Sat 091"),
            ("Pacific/Apia", 1143961199, "2006-04-01 19:59:59 -11:00 -11 Sat 091"),
            ("Pacific/Apia", 1130652000, "2005-10-29 19:00:00 -11:00 -11 Sat 302"),
            ("Pacific/Apia", 1700000000, "2023-11-15 11:13:20 +13:00 +13 Wed 319"),
            ("Pacific/Apia", 2540000000, "2050-06-28 16:33:20 +13:00 +13 Tue 179"),
            ("Pacific/Apia", 4102444800, "2100-01-01 13:00:00 +13:00 +13 Fri 001"),
            ("Pacific/Apia", -62135596800, "0001-01-01 12:33:04 +12:33 LMT Mon 001"),
            ("Pacific/Apia", 1301752800, "2011-04-02 03:00:00 -11:00 -11 Sat 092"),
            ("America/Caracas", 0, "1969-12-31 20:00:00 -04:00 -04 Wed 365"),
            ("America/Caracas", -5000000000, "1811-07-23 10:38:56 -04:27 LMT Tue 204"),
            ("America/Caracas", 951782400, "2000-02-28 20:00:00 -04:00 -04 Mon 059"),
            ("America/Caracas", 1143964800, "2006-04-02 04:00:00 -04:00 -04 Sun 092"),
            ("America/Caracas", 1143961199, "2006-04-02 02:59:59 -04:00 -04 Sun 092"),
            ("America/Caracas", 1130652000, "2005-10-30 02:00:00 -04:00 -04 Sun 303"),
            ("America/Caracas", 1700000000, "2023-11-14 18:13:20 -04:00 -04 Tue 318"),
            ("America/Caracas", 2540000000, "2050-06-27 23:33:20 -04:00 -04 Mon 178"),
            ("America/Caracas", 4102444800, "2099-12-31 20:00:00 -04:00 -04 Thu 365"),
            ("America/Caracas", -62135596800, "0000-12-31 19:32:16 -04:27 LMT Sun 366"),
            ("America/Caracas", 1301752800, "2011-04-02 09:30:00 -04:30 -0430 Sat 092"),
            ("Asia/Kathmandu", 0, "1970-01-01 05:30:00 +05:30 +0530 Thu 001"),
            ("Asia/Kathmandu", -5000000000, "1811-07-23 20:47:56 +05:41 LMT Tue 204"),
            ("Asia/Kathmandu", 951782400, "2000-02-29 05:45:00 +05:45 +0545 Tue 060"),
            ("Asia/Kathmandu", 1143964800, "2006-04-02 13:45:00 +05:45 +0545 Sun 092"),
            ("Asia/Kathmandu", 1143961199, "2006-04-02 12:44:59 +05:45 +0545 Sun 092"),
            ("Asia/Kathmandu", 1130652000, "2005-10-30 11:45:00 +05:45 +0545 Sun 303"),
            ("Asia/Kathmandu", 1700000000, "2023-11-15 03:58:20 +05:45 +0545 Wed 319"),
            ("Asia/Kathmandu", 2540000000, "2050-06-28 09:18:20 +05:45 +0545 Tue 179"),
            ("Asia/Kathmandu", 4102444800, "2100-01-01 05:45:00 +05:45 +0545 Fri 001"),
            ("Asia/Kathmandu", -62135596800, "0001-01-01 05:41:16 +05:41 LMT Mon 001"),
            ("Asia/Kathmandu", 1301752800, "2011-04-02 19:45:00 +05:45 +0545 Sat 092"),
        ] {
            let zone = Zone::find(zone).unwrap();
            assert_eq!(Time::unix(seconds, 0).in_zone(zone).format(LAYOUT), expect, "{zone:?}");
        }
        assert_eq!(Zone::find("europe/berlin"), None);
        assert_eq!(Zone::find("../etc/passwd"), None);
    }

    #[test]
    fn layouts_show_moments_as_in_go() {
        let times = [
            Time::date(2009, 2, 4, 18_417, 12_345_678, Zone::fixed(-28_710, b"PST")),
            Time::date(12_345, 12, 25, 43_200, 0, Zone::Utc),
            Time::date(-44, 3, 15, 1_805, 999_999_999, Zone::fixed(3_600, b"")),
        ];
        for (layout, expect) in [
            ("Mon Jan _2 15:04:05 2006", ["Wed Feb  4 05:06:57 2009", "Tue Dec 25 12:00:00 12345", "Thu Mar 15 00:30:05 -0044"]),
            (
                "Mon Jan _2 15:04:05 MST 2006",
                ["Wed Feb  4 05:06:57 PST 2009", "Tue Dec 25 12:00:00 UTC 12345", "Thu Mar 15 00:30:05 +0100 -0044"],
            ),
            (
                "Mon Jan 02 15:04:05 -0700 2006",
                ["Wed Feb 04 05:06:57 -0758 2009", "Tue Dec 25 12:00:00 +0000 12345", "Thu Mar 15 00:30:05 +0100 -0044"],
            ),
            ("02 Jan 06 15:04 MST", ["04 Feb 09 05:06 PST", "25 Dec 45 12:00 UTC", "15 Mar 44 00:30 +0100"]),
            ("02 Jan 06 15:04 -0700", ["04 Feb 09 05:06 -0758", "25 Dec 45 12:00 +0000", "15 Mar 44 00:30 +0100"]),
            (
                "Monday, 02-Jan-06 15:04:05 MST",
                ["Wednesday, 04-Feb-09 05:06:57 PST", "Tuesday, 25-Dec-45 12:00:00 UTC", "Thursday, 15-Mar-44 00:30:05 +0100"],
            ),
            (
                "Mon, 02 Jan 2006 15:04:05 MST",
                ["Wed, 04 Feb 2009 05:06:57 PST", "Tue, 25 Dec 12345 12:00:00 UTC", "Thu, 15 Mar -0044 00:30:05 +0100"],
            ),
            (
                "Mon, 02 Jan 2006 15:04:05 -0700",
                ["Wed, 04 Feb 2009 05:06:57 -0758", "Tue, 25 Dec 12345 12:00:00 +0000", "Thu, 15 Mar -0044 00:30:05 +0100"],
            ),
            ("2006-01-02T15:04:05Z07:00", ["2009-02-04T05:06:57-07:58", "12345-12-25T12:00:00Z", "-0044-03-15T00:30:05+01:00"]),
            (
                "2006-01-02T15:04:05.999999999Z07:00",
                ["2009-02-04T05:06:57.012345678-07:58", "12345-12-25T12:00:00Z", "-0044-03-15T00:30:05.999999999+01:00"],
            ),
            ("3:04PM", ["5:06AM", "12:00PM", "12:30AM"]),
            ("Jan _2 15:04:05", ["Feb  4 05:06:57", "Dec 25 12:00:00", "Mar 15 00:30:05"]),
            ("Jan _2 15:04:05.000", ["Feb  4 05:06:57.012", "Dec 25 12:00:00.000", "Mar 15 00:30:05.999"]),
            ("Jan _2 15:04:05.000000", ["Feb  4 05:06:57.012345", "Dec 25 12:00:00.000000", "Mar 15 00:30:05.999999"]),
            ("Jan _2 15:04:05.000000000", ["Feb  4 05:06:57.012345678", "Dec 25 12:00:00.000000000", "Mar 15 00:30:05.999999999"]),
            (
                "06 1 2 _2 __2 002 3 03 pm PM .000 .999 ,00 .9999999999 .0000000000x",
                [
                    "09 2 4  4  35 035 5 05 am AM .012 .012 ,01 .012345678 .012345678x",
                    "45 12 25 25 359 359 12 12 pm PM .000  ,00  .000000000x",
                    "44 3 15 15  75 075 12 12 am AM .999 .999 ,99 .999999999 .999999999x",
                ],
            ),
            (
                "Z07 Z0700 Z070000 Z07:00:00 -07 -070000 -07:00:00",
                [
                    "-07 -0758 -075830 -07:58:30 -07 -075830 -07:58:30",
                    "Z Z Z Z +00 +000000 +00:00:00",
                    "+01 +0100 +010000 +01:00:00 +01 +010000 +01:00:00",
                ],
            ),
            (
                "January Jan Janet Monday Mon Month MST 15h04m05s.00s",
                [
                    "February Feb Janet Wednesday Wed Month PST 05h06m57s.01s",
                    "December Dec Janet Tuesday Tue Month UTC 12h00m00s.00s",
                    "March Mar Janet Thursday Thu Month +0100 00h30m05s.99s",
                ],
            ),
            ("_2006 _2_2 ___2 2006é", ["_2009  4 4 _ 35 2009é", "_12345 2525 _359 12345é", "_-0044 1515 _ 75 -0044é"]),
            ("", ["", "", ""]),
            (
                "0 00 1 11 12 10 2016 .5 .0a",
                ["0 00 2 22 24 20 4026 .57 .0a", "0 00 12 1212 1225 120 25126 .0 .0a", "0 00 3 33 315 30 15036 .5 .9a"],
            ),
        ] {
            assert_eq!(times.map(|time| time.format(layout)), expect, "{layout}");
        }
        assert_eq!(Time::ZERO.to_string(), "0001-01-01 00:00:00 +0000 UTC");
    }

    #[test]
    fn texts_are_read_as_in_go() {
        let cases: &[(&str, &[u8], Result<&str, &str>)] = &[
            ("2006-01-02", b"2017-12-31", Ok("2017-12-31 00:00:00 +0000 UTC")),
            ("2006-01-02", b"nope", Err("parsing time \"nope\" as \"2006-01-02\": cannot parse \"nope\" as \"2006\"")),
            ("2006-01-02", b"2017-13-31", Err("parsing time \"2017-13-31\": month out of range")),
            ("2006-01-02", b"2017-02-29", Err("parsing time \"2017-02-29\": day out of range")),
            ("2006-01-02", b"2016-02-29", Ok("2016-02-29 00:00:00 +0000 UTC")),
            ("2006-01-02", b"2017-1-2", Err("parsing time \"2017-1-2\" as \"2006-01-02\": cannot parse \"1-2\" as \"01\"")),
            ("2006-1-2", b"2017-1-2", Ok("2017-01-02 00:00:00 +0000 UTC")),
            ("2006-01-02", b"2017-12-31x", Err("parsing time \"2017-12-31x\": extra text: \"x\"")),
            ("2006-01-02T15:04:05Z07:00", b"2006-01-02T15:04:05Z", Ok("2006-01-02 15:04:05 +0000 UTC")),
            ("2006-01-02T15:04:05Z07:00", b"2006-01-02T15:04:05.123+07:00", Ok("2006-01-02 15:04:05.123 +0700 +0700")),
            ("2006-01-02T15:04:05Z07:00", b"2006-01-02T24:04:05Z", Err("parsing time \"2006-01-02T24:04:05Z\": hour out of range")),
            (
                "2006-01-02T15:04:05Z07:00",
                b"2006-01-02T15:04:05+25:00",
                Err("parsing time \"2006-01-02T15:04:05+25:00\": time zone offset hour out of range"),
            ),
            ("Mon, 02 Jan 2006 15:04:05 MST", b"Mon, 02 Jan 2006 15:04:05 MST", Ok("2006-01-02 15:04:05 +0000 MST")),
            ("Mon, 02 Jan 2006 15:04:05 MST", b"Mon, 02 Jan 2006 15:04:05 GMT+3", Ok("2006-01-02 18:04:05 +0300 GMT+3")),
            ("Mon, 02 Jan 2006 15:04:05 -0700", b"mon, 02 jan 2006 15:04:05 -0700", Ok("2006-01-02 15:04:05 -0700 -0700")),
            ("3:04PM", b"3:04PM", Ok("0000-01-01 15:04:00 +0000 UTC")),
            ("3:04PM", b"12:04AM", Ok("0000-01-01 00:04:00 +0000 UTC")),
            ("3:04PM", b"13:04AM", Err("parsing time \"13:04AM\": hour out of range")),
            ("Mon Jan _2 15:04:05 2006", b"Mon Jan  2 15:04:05 2006", Ok("2006-01-02 15:04:05 +0000 UTC")),
            ("06 002", b"17 366", Err("parsing time \"17 366\": day-of-year out of range")),
            ("06 002", b"16 366", Ok("2016-12-31 00:00:00 +0000 UTC")),
            ("06 002", b"16 060", Ok("2016-02-29 00:00:00 +0000 UTC")),
            ("2006 __2 Jan", b"2016  60 Mar", Err("parsing time \"2016  60 Mar\": day-of-year does not match month")),
            (".000", b".12", Err("parsing time \".12\" as \".000\": cannot parse \".12\" as \".000\"")),
            ("05.000", b"05.123456", Err("parsing time \"05.123456\": extra text: \"456\"")),
            ("05", b"05,25", Ok("0000-01-01 00:00:05.25 +0000 UTC")),
            ("05", b"61", Err("parsing time \"61\": second out of range")),
            ("15:04 MST", b"10:00 FOOT", Ok("0000-01-01 10:00:00 +0000 FOOT")),
            ("15:04 MST", b"10:00 foo", Err("parsing time \"10:00 foo\" as \"15:04 MST\": cannot parse \"foo\" as \"MST\"")),
            ("2006-01-02 15:04:05.999999999 -0700 MST", b"2024-02-29 01:02:03.5 +0000 UTC", Ok("2024-02-29 01:02:03.5 +0000 UTC")),
            ("2006-01-02 15:04:05.999999999 -0700 MST", b"2024-02-29 01:02:03 -0500 EST", Ok("2024-02-29 01:02:03 -0500 EST")),
            ("2", b"\xff\"\\", Err("parsing time \"\\xff\\\"\\\\\" as \"2\": cannot parse \"\\xff\\\"\\\\\" as \"2\"")),
            ("", b"x", Err("parsing time \"x\": extra text: \"x\"")),
            ("  2", b"  3", Ok("0000-01-03 00:00:00 +0000 UTC")),
            ("a 2", b"a   3", Ok("0000-01-03 00:00:00 +0000 UTC")),
            ("Jan _2", b"feb  9", Ok("0000-02-09 00:00:00 +0000 UTC")),
            ("January", b"Febru", Err("parsing time \"Febru\" as \"January\": cannot parse \"Febru\" as \"January\"")),
            ("-07", b"+5", Err("parsing time \"+5\" as \"-07\": cannot parse \"+5\" as \"-07\"")),
            ("Z07:00:00", b"+01:02:03", Ok("0000-01-01 00:00:00 +0102 +0102")),
            ("MST", b"WITA", Ok("0000-01-01 00:00:00 +0000 WITA")),
            ("MST", b"+0023", Ok("0000-01-01 00:00:00 +0000 +0023")),
            ("MST", b"ABCDE", Err("parsing time \"ABCDE\" as \"MST\": cannot parse \"ABCDE\" as \"MST\"")),
            ("PM", b"XM", Err("parsing time \"XM\" as \"PM\": cannot parse \"XM\" as \"PM\"")),
            ("2006", b"-200", Err("parsing time \"-200\" as \"2006\": cannot parse \"-200\" as \"2006\"")),
            ("15", b"24", Err("parsing time \"24\": hour out of range")),
            ("4", b"60", Err("parsing time \"60\": minute out of range")),
            ("02 Jan 06 15:04 -0700", b"21 Nov 26 01:25 +0000", Ok("2026-11-21 01:25:00 +0000 UTC")),
            ("2006-01-02T15:04:05", b"2020-01-01T00:00:00.000000001", Ok("2020-01-01 00:00:00.000000001 +0000 UTC")),
        ];
        for (layout, text, expect) in cases {
            let found = Time::parse(layout, text).map(|time| time.to_string());
            assert_eq!(found.as_deref().map_err(String::as_str), *expect, "{layout}");
        }
    }

    #[test]
    fn durations_are_read_and_written() {
        for (text, expect) in [
            ("1h2m3.5s", Ok((3723500000000, "1h2m3.5s"))),
            ("-1.5h", Ok((-5400000000000, "-1h30m0s"))),
            ("1500us", Ok((1500000, "1.5ms"))),
            ("0", Ok((0, "0s"))),
            ("", Err("time: invalid duration \"\"")),
            ("-", Err("time: invalid duration \"-\"")),
            ("1", Err("time: missing unit in duration \"1\"")),
            ("3x", Err("time: unknown unit \"x\" in duration \"3x\"")),
            ("1.", Err("time: missing unit in duration \"1.\"")),
            ("1.h", Ok((3600000000000, "1h0m0s"))),
            (".5s", Ok((500000000, "500ms"))),
            (".s", Err("time: invalid duration \".s\"")),
            ("9223372036854775807ns", Ok((9223372036854775807, "2562047h47m16.854775807s"))),
            ("9223372036854775808ns", Err("time: invalid duration \"9223372036854775808ns\"")),
            ("-9223372036854775808ns", Ok((-9223372036854775808, "-2562047h47m16.854775808s"))),
            ("1h1", Err("time: missing unit in duration \"1h1\"")),
            ("1µs1ns", Ok((1001, "1.001µs"))),
            ("1é", Err("time: unknown unit \"\\xc3\\xa9\" in duration \"1\\xc3\\xa9\"")),
            ("100000000h", Err("time: invalid duration \"100000000h\"")),
            ("2562047h47m16.854775807s", Ok((9223372036854775807, "2562047h47m16.854775807s"))),
            ("1d", Err("time: unknown unit \"d\" in duration \"1d\"")),
            ("+5m", Ok((300000000000, "5m0s"))),
            ("1ms.5us", Ok((1000500, "1.0005ms"))),
            ("0.1234567890123456789s", Ok((123456789, "123.456789ms"))),
        ] {
            let found = parse_duration(text).map(|nanos| (nanos, duration(nanos)));
            assert_eq!(found, expect.map(|(nanos, text)| (nanos, text.to_owned())).map_err(str::to_owned), "{text}");
        }
    }

    #[test]
    fn durations_are_rounded() {
        for (nanos, multiple, rounded, truncated) in [
            (0, 0, 0, 0),
            (0, 1, 0, 0),
            (0, 1000000000, 0, 0),
            (0, 3600000000000, 0, 0),
            (0, 7, 0, 0),
            (1, 0, 1, 1),
            (1, 1, 1, 1),
            (1, 1000000000, 0, 0),
            (1, 3600000000000, 0, 0),
            (1, 7, 0, 0),
            (1499999999, 0, 1499999999, 1499999999),
            (1499999999, 1, 1499999999, 1499999999),
            (1499999999, 1000000000, 1000000000, 1000000000),
            (1499999999, 3600000000000, 0, 0),
            (1499999999, 7, 1499999998, 1499999998),
            (1500000000, 0, 1500000000, 1500000000),
            (1500000000, 1, 1500000000, 1500000000),
            (1500000000, 1000000000, 2000000000, 1000000000),
            (1500000000, 3600000000000, 0, 0),
            (1500000000, 7, 1499999998, 1499999998),
            (-1500000000, 0, -1500000000, -1500000000),
            (-1500000000, 1, -1500000000, -1500000000),
            (-1500000000, 1000000000, -2000000000, -1000000000),
            (-1500000000, 3600000000000, 0, 0),
            (-1500000000, 7, -1499999998, -1499999998),
            (-1499999999, 0, -1499999999, -1499999999),
            (-1499999999, 1, -1499999999, -1499999999),
            (-1499999999, 1000000000, -1000000000, -1000000000),
            (-1499999999, 3600000000000, 0, 0),
            (-1499999999, 7, -1499999998, -1499999998),
            (9223372036854775807, 0, 9223372036854775807, 9223372036854775807),
            (9223372036854775807, 1, 9223372036854775807, 9223372036854775807),
            (9223372036854775807, 1000000000, 9223372036854775807, 9223372036000000000),
            (9223372036854775807, 3600000000000, 9223372036854775807, 9223369200000000000),
            (9223372036854775807, 7, 9223372036854775807, 9223372036854775807),
            (-9223372036854775808, 0, -9223372036854775808, -9223372036854775808),
            (-9223372036854775808, 1, -9223372036854775808, -9223372036854775808),
            (-9223372036854775808, 1000000000, -9223372036854775808, -9223372036000000000),
            (-9223372036854775808, 3600000000000, -9223372036854775808, -9223369200000000000),
            (-9223372036854775808, 7, -9223372036854775807, -9223372036854775807),
        ] {
            assert_eq!((round_duration(nanos, multiple), truncate_duration(nanos, multiple)), (rounded, truncated), "{nanos} {multiple}");
        }
    }

    #[test]
    fn dates_go_on_into_the_next_month() {
        let time = Time::date(2024, 1, 31, 37_230, 500, Zone::Utc);
        for (years, months, days, expect) in [
            (0, 1, 0, "2024-03-02 10:20:30.0000005 +0000 UTC"),
            (1, 1, -1, "2025-03-02 10:20:30.0000005 +0000 UTC"),
            (0, -11, 0, "2023-03-03 10:20:30.0000005 +0000 UTC"),
            (0, 0, 400, "2025-03-06 10:20:30.0000005 +0000 UTC"),
            (-2000, 14, -40, "0025-02-19 10:20:30.0000005 +0000 UTC"),
        ] {
            assert_eq!(time.plus_date(years, months, days).to_string(), expect);
        }
    }

    #[test]
    fn weeks_are_those_of_iso() {
        for (seconds, year, week) in [
            (0, 1970, 1),
            (951782400, 2000, 9),
            (1230768000, 2009, 1),
            (1262304000, 2009, 53),
            (1451606400, 2015, 53),
            (1483228800, 2016, 52),
            (1104537600, 2004, 53),
            (1609459200, 2020, 53),
        ] {
            assert_eq!(Time::unix(seconds, 0).iso_week(), (year, week), "{seconds}");
        }
    }
}
