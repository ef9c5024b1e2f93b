//! A reader of DER (X.690, section 10) that copies nothing and walks lists of any length, and a writer of the
//! little that is asked of others. Every length is definite, in the fewest bytes, and within its parent.

use time::{Date, Month, Time, UtcDateTime};

/// Tags as the first byte holds them: class, form and number.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 1;
    pub(crate) const INTEGER: u8 = 2;
    pub(crate) const BIT_STRING: u8 = 3;
    pub(crate) const OCTET_STRING: u8 = 4;
    pub(crate) const NULL: u8 = 5;
    pub(crate) const OID: u8 = 6;
    pub(crate) const ENUMERATED: u8 = 10;
    pub(crate) const UTC_TIME: u8 = 23;
    pub(crate) const GENERALIZED_TIME: u8 = 24;
    pub(crate) const SEQUENCE: u8 = 0x30;

    /// `[number]` around or in the place of something primitive.
    pub(crate) const fn primitive(number: u8) -> u8 {
        0x80 | number
    }

    /// `[number]` around or in the place of something constructed.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// Bytes that are not the DER that was looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The elements that stand one behind the other in some bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// One element.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) contents: &'a [u8],
    /// With tag and length.
    pub(crate) der: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Reads the one element that fills `der`.
    pub(crate) fn whole(der: &'a [u8], tag: u8) -> Result<&'a [u8], Malformed> {
        let mut reader = Self::new(der);
        let contents = reader.expect(tag)?;
        reader.finish()?;
        Ok(contents)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Shows that nothing is left.
    pub(crate) const fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self) -> Result<Element<'a>, Malformed> {
        let [tag, length, rest @ ..] = self.rest else { return Err(Malformed) };
        // Numbers over 30 occur nowhere in X.509.
        if tag & 0x1f == 0x1f {
            return Err(Malformed);
        }
        let (length, rest) = match *length {
            short @ 0..0x80 => (usize::from(short), rest),
            long => long_length(long & 0x7f, rest)?,
        };
        let (contents, after) = rest.split_at_checked(length).ok_or(Malformed)?;
        let der = self.rest.get(..self.rest.len() - after.len()).ok_or(Malformed)?;
        self.rest = after;
        Ok(Element { tag: *tag, contents, der })
    }

    /// The contents of the next element, which has to be of that tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        self.optional(tag)?.ok_or(Malformed)
    }

    /// The same, with its header.
    pub(crate) fn expect_der(&mut self, tag: u8) -> Result<&'a [u8], Malformed> {
        let element = self.element()?;
        if element.tag == tag { Ok(element.der) } else { Err(Malformed) }
    }

    /// The contents of the next element, where it is of that tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.rest.first() != Some(&tag) {
            return Ok(None);
        }
        self.element().map(|element| Some(element.contents))
    }

    /// The elements of the next one, a `SEQUENCE`.
    pub(crate) fn sequence(&mut self) -> Result<Self, Malformed> {
        self.expect(tag::SEQUENCE).map(Self::new)
    }

    /// An `INTEGER`, in the fewest bytes: big-endian, two's complement.
    pub(crate) fn integer(&mut self) -> Result<&'a [u8], Malformed> {
        shortest(self.expect(tag::INTEGER)?)
    }

    /// An `INTEGER` or `ENUMERATED` from 0 to 127.
    pub(crate) fn small(&mut self, tag: u8) -> Result<u8, Malformed> {
        match self.expect(tag)? {
            [value @ 0..0x80] => Ok(*value),
            _ => Err(Malformed),
        }
    }

    /// A `BIT STRING` of whole bytes.
    pub(crate) fn octets_of_bits(&mut self) -> Result<&'a [u8], Malformed> {
        match self.expect(tag::BIT_STRING)? {
            [0, octets @ ..] => Ok(octets),
            _ => Err(Malformed),
        }
    }

    /// A `UTCTime` or a `GeneralizedTime`.
    pub(crate) fn time(&mut self) -> Result<UtcDateTime, Malformed> {
        self.optional_time()?.ok_or(Malformed)
    }

    /// The same, where the next element is one.
    pub(crate) fn optional_time(&mut self) -> Result<Option<UtcDateTime>, Malformed> {
        if let Some(text) = self.optional(tag::UTC_TIME)? {
            return utc_time(text).map(Some);
        }
        self.optional(tag::GENERALIZED_TIME)?.map(generalized_time).transpose()
    }
}

/// The length in that many bytes, and what follows it. Four bytes are more than any bound of ours.
fn long_length(bytes: u8, rest: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    if !(1..=4).contains(&bytes) {
        return Err(Malformed);
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(bytes)).ok_or(Malformed)?;
    let length = bytes.iter().fold(0_u32, |length, byte| length << 8 | u32::from(*byte));
    let fewer = match length {
        0..0x80 => 0,
        0x80..0x100 => 1,
        0x100..0x1_0000 => 2,
        0x1_0000..0x100_0000 => 3,
        0x100_0000.. => 4,
    };
    match usize::try_from(length) {
        Ok(length) if fewer == bytes.len() => Ok((length, rest)),
        _ => Err(Malformed),
    }
}

/// Shows that an integer's contents have no byte more than it takes.
fn shortest(contents: &[u8]) -> Result<&[u8], Malformed> {
    if contents.is_empty() || without_sign_bytes(contents) != contents {
        return Err(Malformed);
    }
    Ok(contents)
}

/// An integer's contents without the leading bytes that only repeat its sign.
fn without_sign_bytes(mut contents: &[u8]) -> &[u8] {
    while let [sign, rest @ ..] = contents
        && let Some(next) = rest.first()
        && matches!((sign, next), (0, 0..0x80) | (0xff, 0x80..))
    {
        contents = rest;
    }
    contents
}

/// A serial number as its significant bytes, so that a negative one is also found where somebody wrote it as
/// a positive one.
pub(crate) fn serial_number(contents: &[u8]) -> &[u8] {
    match without_sign_bytes(contents) {
        [0, bytes @ ..] => bytes,
        bytes => bytes,
    }
}

/// `YYMMDDHHMMSSZ`, from 1950 to 2049 (RFC 5280, section 4.1.2.5.1).
fn utc_time(text: &[u8]) -> Result<UtcDateTime, Malformed> {
    let (year, rest) = text.split_at_checked(2).ok_or(Malformed)?;
    let year = decimal(year)?;
    date_time(if year < 50 { 2000 + year } else { 1900 + year }, rest)
}

/// `YYYYMMDDHHMMSSZ` (RFC 5280, section 4.1.2.5.2).
pub(crate) fn generalized_time(text: &[u8]) -> Result<UtcDateTime, Malformed> {
    let (year, rest) = text.split_at_checked(4).ok_or(Malformed)?;
    date_time(decimal(year)?, rest)
}

fn date_time(year: u16, rest: &[u8]) -> Result<UtcDateTime, Malformed> {
    let (pairs, b"Z") = rest.as_chunks::<2>() else { return Err(Malformed) };
    let mut parts = [0_u8; 5];
    if pairs.len() != parts.len() {
        return Err(Malformed);
    }
    for (part, pair) in parts.iter_mut().zip(pairs) {
        *part = u8::try_from(decimal(pair)?).map_err(|_| Malformed)?;
    }
    let [month, day, hour, minute, second] = parts;
    let month = Month::try_from(month).map_err(|_| Malformed)?;
    let date = Date::from_calendar_date(i32::from(year), month, day).map_err(|_| Malformed)?;
    let time = Time::from_hms(hour, minute, second).map_err(|_| Malformed)?;
    Ok(UtcDateTime::new(date, time))
}

/// Up to four digits.
fn decimal(digits: &[u8]) -> Result<u16, Malformed> {
    digits.iter().try_fold(0, |value, digit| match digit {
        b'0'..=b'9' => Ok(value * 10 + u16::from(digit - b'0')),
        _ => Err(Malformed),
    })
}

/// Writes one element around the parts of its contents.
pub(crate) fn encode(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len().to_be_bytes();
    let length: Vec<u8> = length.iter().copied().skip_while(|byte| *byte == 0).collect();
    let mut der = vec![tag];
    match (length.as_slice(), u8::try_from(length.len())) {
        ([], _) => der.push(0),
        ([short @ 0..0x80], _) => der.push(*short),
        (bytes, count) => {
            der.push(0x80 | count.unwrap_or(0));
            der.extend(bytes);
        }
    }
    der.extend(contents);
    der
}

#[cfg(test)]
mod tests {
    use time::macros::utc_datetime;

    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for length in [0, 1, 127, 128, 255, 256, 65535, 65536] {
            let contents = vec![7; length];
            let der = encode(tag::OCTET_STRING, &[&contents]);
            assert_eq!(Reader::whole(&der, tag::OCTET_STRING), Ok(contents.as_slice()));
            assert_eq!(Reader::whole(&der, tag::NULL), Err(Malformed));
            assert_eq!(Reader::whole(&der[..der.len() - 1], tag::OCTET_STRING), Err(Malformed));
        }
    }

    #[test]
    fn lengths_in_more_bytes_than_they_need_are_refused() {
        for der in [
            &[4, 0x81, 1, 0][..],
            &[4, 0x81, 0x7f],
            &[4, 0x82, 0, 0x80],
            &[4, 0x80, 0, 0],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[4, 0x85, 1, 0, 0, 0, 0],
            &[0x1f, 1, 0],
            &[4],
            &[],
        ] {
            assert_eq!(Reader::new(der).element().map(|_| ()), Err(Malformed), "{der:x?}");
        }
    }

    #[test]
    fn integers_are_read_in_the_fewest_bytes_only() {
        for contents in [&[0][..], &[0x7f], &[0, 0x80], &[0x80], &[0xff, 0x7f]] {
            let der = encode(tag::INTEGER, &[contents]);
            assert_eq!(Reader::new(&der).integer(), Ok(contents));
        }
        for contents in [&[][..], &[0, 0], &[0, 0x7f], &[0xff, 0x80]] {
            let der = encode(tag::INTEGER, &[contents]);
            assert_eq!(Reader::new(&der).integer(), Err(Malformed), "{contents:x?}");
        }
        assert_eq!(without_sign_bytes(&[0, 0, 0, 0x80]), [0, 0x80]);
        assert_eq!(without_sign_bytes(&[0xff, 0xff, 0x80, 1]), [0x80, 1]);
    }

    #[test]
    fn times_are_read_to_the_second_in_utc() {
        let read = |tag, text: &str| Reader::new(&encode(tag, &[text.as_bytes()])).time();
        let noon = utc_datetime!(2049-12-31 12:00:01);
        assert_eq!(read(tag::UTC_TIME, "491231120001Z"), Ok(noon));
        assert_eq!(read(tag::GENERALIZED_TIME, "20491231120001Z"), Ok(noon));
        assert_eq!(read(tag::UTC_TIME, "500101000000Z"), Ok(utc_datetime!(1950-01-01 0:00)));
        for text in [
            "20491231120001",
            "20491231120001.5Z",
            "20491231120001+0000",
            "20491331120001Z",
            "2049123112000Z",
            "204912311200011Z",
            "2049123112000xZ",
            "",
        ] {
            assert_eq!(read(tag::GENERALIZED_TIME, text), Err(Malformed), "{text}");
        }
    }
}
