//! The items of the TLS presentation language over `nom`: fixed items, length-prefixed vectors, and
//! their error.

use alloc::vec::Vec;

use nom::{
    IResult, Offset, Parser,
    bytes::complete::take,
    error::{ErrorKind as NomKind, ParseError},
    number::complete::{be_u8, be_u16},
};

use crate::error::{DecodeError, EncodeError, EncodeErrorKind, ErrorKind};

/// A [`DecodeError`] whose place is a slice of the input; [`Failure::locate`] turns the place into an
/// offset from the outermost input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure<'a> {
    kind: ErrorKind,
    field: &'static str,
    at: &'a [u8],
}

impl<'a> Failure<'a> {
    /// Returns a failure at the first byte of `at`.
    pub(crate) const fn new(kind: ErrorKind, field: &'static str, at: &'a [u8]) -> Self {
        Self { kind, field, at }
    }

    /// Wraps the failure so that `nom` does not try another branch.
    pub(crate) const fn fatal(self) -> nom::Err<Self> {
        nom::Err::Failure(self)
    }

    /// Returns the error with its offset from the first byte of `outermost`.
    pub(crate) fn locate(self, outermost: &'a [u8]) -> DecodeError {
        DecodeError::new(self.kind, self.field, outermost.offset(self.at))
    }
}

impl<'a> ParseError<&'a [u8]> for Failure<'a> {
    /// The primitives of this module fail only if bytes are missing; [`fixed`] adds the number.
    fn from_error_kind(input: &'a [u8], _: NomKind) -> Self {
        Self::new(
            ErrorKind::Truncated {
                needed: 0,
                left: input.len(),
            },
            "",
            input,
        )
    }

    fn append(_: &'a [u8], _: NomKind, other: Self) -> Self {
        other
    }
}

/// The result of a grammar rule.
pub(crate) type Parsed<'a, O> = IResult<&'a [u8], O, Failure<'a>>;

/// Runs a primitive that needs exactly `needed` bytes, and names `field` if there are fewer.
#[inline]
fn fixed<'a, O>(
    input: &'a [u8],
    field: &'static str,
    needed: usize,
    mut primitive: impl Parser<&'a [u8], Output = O, Error = Failure<'a>>,
) -> Parsed<'a, O> {
    primitive.parse(input).map_err(|_| {
        let left = input.len();
        Failure::new(ErrorKind::Truncated { needed, left }, field, input).fatal()
    })
}

/// Reads `uint8 field`.
#[inline]
pub(crate) fn uint8<'a>(input: &'a [u8], field: &'static str) -> Parsed<'a, u8> {
    fixed(input, field, 1, be_u8)
}

/// Reads `uint16 field`.
#[inline]
pub(crate) fn uint16<'a>(input: &'a [u8], field: &'static str) -> Parsed<'a, u16> {
    fixed(input, field, 2, be_u16)
}

/// Reads `opaque field<0..2^8-1>`.
#[inline]
pub(crate) fn vector_u8<'a>(input: &'a [u8], field: &'static str) -> Parsed<'a, &'a [u8]> {
    let (rest, length) = uint8(input, field)?;
    fixed(rest, field, length.into(), take(length))
}

/// Reads `opaque field<0..2^16-1>`.
#[inline]
pub(crate) fn vector_u16<'a>(input: &'a [u8], field: &'static str) -> Parsed<'a, &'a [u8]> {
    let (rest, length) = uint16(input, field)?;
    fixed(rest, field, length.into(), take(length))
}

/// Runs a rule over the whole of `input`, rejects the bytes that it leaves, and locates its error.
pub(crate) fn whole<'a, O>(
    input: &'a [u8],
    field: &'static str,
    mut rule: impl FnMut(&'a [u8]) -> Parsed<'a, O>,
) -> Result<O, DecodeError> {
    let (rest, value) = rule(input).map_err(|error| match error {
        nom::Err::Error(failure) | nom::Err::Failure(failure) => failure.locate(input),
        // The primitives are `nom`'s complete ones, which never ask for more.
        nom::Err::Incomplete(_) => DecodeError::new(
            ErrorKind::Truncated { needed: 0, left: 0 },
            field,
            input.len(),
        ),
    })?;
    if rest.is_empty() {
        Ok(value)
    } else {
        let left = rest.len();
        Err(Failure::new(ErrorKind::TrailingBytes { left }, field, rest).locate(input))
    }
}

/// Appends `body` as `opaque field<0..2^8-1>`.
pub(crate) fn put_u8_vector(
    out: &mut Vec<u8>,
    field: &'static str,
    body: &[u8],
) -> Result<(), EncodeError> {
    let length = u8::try_from(body.len()).map_err(|_| too_long(field, u8::MAX.into(), body))?;
    out.push(length);
    out.extend_from_slice(body);
    Ok(())
}

/// Appends `body` as `opaque field<0..2^16-1>`.
pub(crate) fn put_u16_vector(
    out: &mut Vec<u8>,
    field: &'static str,
    body: &[u8],
) -> Result<(), EncodeError> {
    let length = u16::try_from(body.len()).map_err(|_| too_long(field, u16::MAX.into(), body))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(body);
    Ok(())
}

fn too_long(field: &'static str, limit: usize, body: &[u8]) -> EncodeError {
    let actual = body.len();
    EncodeError::new(EncodeErrorKind::TooLong { limit, actual }, field)
}
