//! What we must know of a certificate: until when it is valid, and for whom.
//!
//! This reads only as far into the DER of RFC 5280 as those two need. It checks
//! nothing; that is what the TLS library does.

use std::net::IpAddr;

use jiff::Timestamp;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// From when it is valid, in seconds since 1970.
    pub(super) not_before_s: i64,
    /// Until when it is valid, in seconds since 1970.
    pub(super) not_after_s: i64,
    /// The host names and addresses it is for, sorted.
    pub(super) names: Vec<String>,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const OBJECT_ID: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const OCTETS: u8 = 0x04;
const UTC_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
const DNS_NAME: u8 = 0x82;
const ADDRESS: u8 = 0x87;
/// 2.5.29.17
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// Reads a certificate, or says that it is none.
pub(super) fn read(der: &[u8]) -> Option<Facts> {
    let (certificate, _) = value(der, SEQUENCE)?;
    let (body, _) = value(certificate, SEQUENCE)?;
    let (_, body) = optional(body, VERSION);
    let (_, body) = value(body, INTEGER)?;
    let (_, body) = value(body, SEQUENCE)?; // the algorithm of the signature
    let (_, body) = value(body, SEQUENCE)?; // the issuer
    let (validity, body) = value(body, SEQUENCE)?;
    let (not_before_s, rest) = time(validity)?;
    let (not_after_s, _) = time(rest)?;
    let mut names = Vec::new();
    let mut rest = body;
    while !rest.is_empty() {
        let (tag, inside, after) = element(rest)?;
        if tag == EXTENSIONS {
            names = alternative_names(value(inside, SEQUENCE)?.0)?;
        }
        rest = after;
    }
    names.sort();
    Some(Facts { not_before_s, not_after_s, names })
}

fn alternative_names(mut extensions: &[u8]) -> Option<Vec<String>> {
    while !extensions.is_empty() {
        let (extension, after) = value(extensions, SEQUENCE)?;
        let (id, rest) = value(extension, OBJECT_ID)?;
        if id == SUBJECT_ALT_NAME {
            let (_, rest) = optional(rest, BOOLEAN);
            let (octets, _) = value(rest, OCTETS)?;
            return general_names(value(octets, SEQUENCE)?.0);
        }
        extensions = after;
    }
    Some(Vec::new())
}

fn general_names(mut rest: &[u8]) -> Option<Vec<String>> {
    let mut names = Vec::new();
    while !rest.is_empty() {
        let (tag, inside, after) = element(rest)?;
        match tag {
            DNS_NAME => names.push(std::str::from_utf8(inside).ok()?.to_owned()),
            ADDRESS => names.push(address(inside)?.to_string()),
            _ => {}
        }
        rest = after;
    }
    Some(names)
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(four) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(four));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// A time, in seconds since 1970, and what follows it.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (tag, inside, after) = element(der)?;
    let text = std::str::from_utf8(inside).ok()?;
    let text = match tag {
        // RFC 5280: two digits below 50 are of this century.
        UTC_TIME if text.get(..2)? < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        LONG_TIME => text.to_owned(),
        _ => return None,
    };
    if text.len() != "20261121093000Z".len() || !text.ends_with('Z') {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to);
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let time: Timestamp = format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z").parse().ok()?;
    Some((time.as_second(), after))
}

/// The inside of the element that comes next, which must be of this kind, and what
/// follows it.
fn value(der: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    match element(der)? {
        (tag, inside, after) if tag == wanted => Some((inside, after)),
        _ => None,
    }
}

/// As [`value`], for an element that may be absent.
fn optional(der: &[u8], wanted: u8) -> (Option<&[u8]>, &[u8]) {
    match value(der, wanted) {
        Some((inside, after)) => (Some(inside), after),
        None => (None, der),
    }
}

/// Kind, inside and what follows, of whatever comes next.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x83 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            (bytes.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (inside, after) = rest.split_at_checked(length)?;
    Some((*tag, inside, after))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn certificate(not_before: i32, not_after: i32, names: &[&str]) -> Vec<u8> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(not_before, 1, 2);
        params.not_after = rcgen::date_time_ymd(not_after, 3, 4);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn seconds(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    #[test]
    fn dates_before_and_after_2050_are_read() {
        for (from, to) in [(1970, 1999), (2000, 2049), (2049, 2050), (2050, 4000)] {
            let facts = read(&certificate(from, to, &[])).unwrap();
            assert_eq!(facts.not_before_s, seconds(&format!("{from}-01-02T00:00:00Z")));
            assert_eq!(facts.not_after_s, seconds(&format!("{to}-03-04T00:00:00Z")));
            assert!(facts.names.is_empty());
        }
    }

    #[test]
    fn names_and_addresses_are_read() {
        let facts =
            read(&certificate(2020, 2030, &["localhost", "::1", "127.0.0.1", "*.localhost"]));
        assert_eq!(facts.unwrap().names, ["*.localhost", "127.0.0.1", "::1", "localhost"]);
        let many: Vec<String> =
            (0..500).map(|number| format!("tenant-{number:03}.example")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(read(&certificate(2020, 2030, &many)).unwrap().names, many);
    }

    #[test]
    fn a_certificate_cut_short_is_none() {
        let der = certificate(2020, 2030, &["localhost"]);
        for end in 0..der.len() {
            assert_eq!(read(&der[..end]), None, "cut at {end}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_not_without_a_panic(
            place in 0_usize..400, byte: u8, bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            read(&bytes);
            let mut der = certificate(2020, 2030, &["localhost", "::1"]);
            if let Some(there) = der.get_mut(place) {
                *there = byte;
            }
            read(&der);
        }
    }
}
