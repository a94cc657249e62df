//! The lines of a client in a SASL exchange (RFC 4422), which are base64 in IMAP, POP and Submission alike.

/// The longest line of a SASL exchange, in bytes without CRLF, RFC 4954 section 4.
pub const MAX_SASL_LINE_BYTES: usize = 12_288;

/// Returns `true` if a line of a client can be a response: base64 (RFC 4648 section 4), `=`, `*`, which cancels the exchange, or
/// nothing.
#[must_use]
pub fn is_sasl_response(line: &[u8]) -> bool {
    line == b"*" || line.is_empty() || is_initial_response(line)
}

/// Returns `true` if a text can be an initial response: base64, or `=` for a response of no octets (RFC 4954 section 4, RFC
/// 4959 section 3, RFC 5034 section 4).
#[must_use]
pub fn is_initial_response(text: &[u8]) -> bool {
    let end = text.iter().position(|octet| *octet == b'=');
    let (digits, padding) = text.split_at(end.unwrap_or(text.len()));
    let is_digit = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/');
    let is_base64 = text.len().is_multiple_of(4)
        && digits.iter().all(is_digit)
        && matches!(padding, b"" | b"=" | b"==");
    text == b"=" || !text.is_empty() && text.len() <= MAX_SASL_LINE_BYTES && is_base64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_base64_with_its_padding_only() {
        for text in ["AAAA", "AA==", "AAA=", "ab+/", "NOOP", "="] {
            assert!(is_initial_response(text.as_bytes()), "{text:?}");
            assert!(is_sasl_response(text.as_bytes()), "{text:?}");
        }
        for text in [
            "A", "AA", "AA=", "==", "A===", "====", "AA==AAAA", "AA=A", "AAA\t", "AAA-", "*A==",
            "QUIT ", "\u{e9}AA",
        ] {
            assert!(!is_initial_response(text.as_bytes()), "{text:?}");
            assert!(!is_sasl_response(text.as_bytes()), "{text:?}");
        }
        for text in ["", "*"] {
            assert!(!is_initial_response(text.as_bytes()), "{text:?}");
            assert!(is_sasl_response(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn takes_as_many_bytes_as_the_limit_has() {
        let text = [b'A'; MAX_SASL_LINE_BYTES + 4];
        assert!(is_sasl_response(&text[..MAX_SASL_LINE_BYTES]));
        assert!(!is_sasl_response(&text));
    }
}
