//! Numbers and text as people read them: three significant digits, units, wrapped lines, escaped markup.

use crate::stats::Estimate;

/// A number with three significant digits and no exponent: `0`, `0.00123`, `1.43`, `210`, `12,300`.
pub fn number(value: f64) -> String {
    fixed(value, decimals(value))
}

/// Decimals that three significant digits of a number need.
pub fn decimals(value: f64) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    (2 - value.abs().log10().floor() as i32).clamp(0, 9) as usize
}

/// A number with so many decimals, thousands set apart, no negative zero.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".into();
    }
    let plain = format!("{value:.decimals$}");
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(d) if d.bytes().all(|b| matches!(b, b'0' | b'.')) => ("", d),
        Some(d) => ("−", d),
        None => ("", plain.as_str()),
    };
    let (whole, rest) = digits.split_once('.').map_or((digits, String::new()), |(w, r)| (w, format!(".{r}")));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{rest}")
}

/// R² as `= 0.9876`, and `> 0.9999` rather than a 1 that it is not.
pub fn r_squared(r2: f64) -> String {
    if r2 > 0.9999 && r2 < 1.0 { "> 0.9999".into() } else { format!("= {}", fixed(r2, 4)) }
}

/// A count: `1,234,567`.
pub fn count(value: u64) -> String {
    fixed(value as f64, 0)
}

/// A median with its interval, all with as many decimals as the median needs: `210 [205, 218]`. A single value has
/// no interval, and one whose ends show alike needs none.
pub fn interval(e: &Estimate, scale: f64) -> String {
    let (median, low, high) = (e.median * scale, e.low * scale, e.high * scale);
    let d = decimals(if median == 0.0 { high } else { median });
    let shown = |v: f64| if v == 0.0 { "0".into() } else { fixed(v, d) };
    let (m, l, h) = (shown(median), shown(low), shown(high));
    if e.coverage == 0.0 || (l == m && h == m) { m } else { format!("{m} [{l}, {h}]") }
}

/// A value with the unit prefix that makes it readable: `prefixed(28302.0, "pps")` is `28.3 kpps`.
pub fn prefixed(value: f64, unit: &str) -> String {
    let (scaled, prefix) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    format!("{} {prefix}{unit}", number(scaled))
}

/// Nanoseconds as a time that people read: `850 ns`, `1.2 µs`, `3.4 ms`, `2 s`.
pub fn nanos(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "s"),
        v if v >= 1e6 => (value / 1e6, "ms"),
        v if v >= 1e4 => (value / 1e3, "µs"),
        _ => (value, "ns"),
    };
    format!("{} {unit}", number(scaled))
}

/// Bytes in binary units: `12.3 MiB`.
pub fn bytes(value: f64) -> String {
    let (scaled, unit) = match value {
        v if v >= 1_073_741_824.0 => (value / 1_073_741_824.0, "GiB"),
        v if v >= 1_048_576.0 => (value / 1_048_576.0, "MiB"),
        v if v >= 1024.0 => (value / 1024.0, "KiB"),
        _ => (value, "B"),
    };
    format!("{} {unit}", number(scaled))
}

/// A share as percent: `12.3 %`.
pub fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// `one trial`, `3 trials`.
pub fn plural(n: usize, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", count(n as u64)) }
}

/// Seconds since 1970 as `2025-11-21 09:15 UTC`; empty for a time that was not recorded.
pub fn time(seconds: f64) -> String {
    if !(seconds.is_finite() && seconds > 0.0) {
        return String::new();
    }
    let (days, rest) = ((seconds / 86_400.0).floor() as i64, seconds as i64 % 86_400);
    // Howard Hinnant's civil_from_days: years start in March, so that the leap day is the last.
    let z = days + 719_468;
    let (era, day) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", rest / 3600, rest / 60 % 60)
}

/// Breaks text into lines of at most `width` characters, at spaces but not between a number and its unit; what is
/// longer stands alone.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    const UNITS: [&str; 10] = ["%", "ns", "µs", "ms", "s", "pps", "kpps", "Mpps", "=", ">"];
    let mut words: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let bare = word.trim_end_matches([',', '.', ';', ':', ')']);
        match words.last_mut() {
            Some(last) if UNITS.contains(&bare) => *last = format!("{last} {word}"),
            Some(last) if last.ends_with(" =") || last.ends_with(" >") => *last = format!("{last} {word}"),
            _ => words.push(word.into()),
        }
    }
    let mut lines = vec![String::new()];
    for word in &words {
        let last = lines.last_mut().expect("there is always a line");
        if last.is_empty() {
            last.push_str(word);
        } else if last.chars().count() + 1 + word.chars().count() <= width {
            last.push(' ');
            last.push_str(word);
        } else {
            lines.push(word.clone());
        }
    }
    lines
}

/// Text for XML and HTML, in elements and in quoted attributes. Characters that XML forbids become `�`.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\r' => {}
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Whether a character can be part of a number.
fn in_figure(c: char) -> bool {
    c.is_ascii_digit() || c == '.' || c == ','
}

/// A text with its numbers taken out: what texts have in common that differ in figures only.
pub fn without_figures(text: &str) -> String {
    text.chars().filter(|c| !in_figure(*c)).collect()
}

/// The first number of a text.
pub fn first_figure(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let figure: String = text[start..].chars().take_while(|c| in_figure(*c)).filter(|c| *c != ',').collect();
    figure.trim_end_matches('.').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_say_enough() {
        let shown: Vec<String> =
            [0.0, -0.0001, 0.001234, 1.4321, 21.06, 209.6, 12_345.0].into_iter().map(number).collect();
        assert_eq!(shown, ["0", "−0.000100", "0.00123", "1.43", "21.1", "210", "12,345"]);
        assert_eq!(fixed(-0.001, 1), "0.0");
        assert_eq!(number(f64::NAN), "–");
    }

    #[test]
    fn units_follow_the_size() {
        assert_eq!(prefixed(28_302.0, "pps"), "28.3 kpps");
        assert_eq!((nanos(850.0), nanos(12_300.0)), ("850 ns".into(), "12.3 µs".into()));
        assert_eq!(bytes(1_572_864.0), "1.50 MiB");
        assert_eq!(percent(0.123), "12.3 %");
    }

    #[test]
    fn intervals_have_the_decimals_of_their_median() {
        let e = Estimate { median: 1.4, low: 1.312, high: 1.55, coverage: 0.95, values: vec![] };
        assert_eq!(interval(&e, 1.0), "1.40 [1.31, 1.55]");
        assert_eq!(interval(&e, 100.0), "140 [131, 155]");
        let some = Estimate { median: 0.0, low: 0.0, high: 0.0455, ..e.clone() };
        assert_eq!(interval(&some, 1.0), "0 [0, 0.0455]");
        assert_eq!(interval(&Estimate { coverage: 0.0, ..e }, 1.0), "1.40");
    }

    #[test]
    fn times_are_dates() {
        assert_eq!(time(1_763_716_500.0), "2025-11-21 09:15 UTC");
        assert_eq!(time(951_782_400.0), "2000-02-29 00:00 UTC");
        assert_eq!(time(0.0), "");
    }

    #[test]
    fn markup_is_inert_and_lines_are_short() {
        assert_eq!(escape("<a href='x'>&\u{1}"), "&lt;a href=&#39;x&#39;&gt;&amp;\u{fffd}");
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("it takes 5 ns (R² = 1), no", 13), ["it takes 5 ns", "(R² = 1), no"]);
        assert_eq!(wrap("it takes 5 ns", 10), ["it takes", "5 ns"]);
    }

    #[test]
    fn figures_are_told_from_words() {
        assert_eq!(without_figures("12.3 % of 4,000 packets late"), without_figures("7 % of 5 packets late"));
        assert_eq!(first_figure("took 1,250.5 ns, not 3"), Some(1250.5));
        assert_eq!(first_figure("at rule 12."), Some(12.0));
        assert_eq!(first_figure("none"), None);
    }
}
