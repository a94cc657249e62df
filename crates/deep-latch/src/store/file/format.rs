//! The form of a file of latches.
//!
//! The file has two lines of JSON, each with a line feed at its end:
//!
//! ```text
//! {"format":"deep-latch latches","version":1,"bytes":97,"sha256":"…64 digits…"}
//! {"alice@example.com":{"imap.example.com":{"latched":"tls-cert tls10","status":"tls10 tls-cert"}}}
//! ```
//!
//! The second line has the accounts, each with its hosts, each with its latched tags in alphabetical order and with a
//! space between them, and with the status that was recorded last, or `null`. The first line describes the second: its
//! length in bytes and its SHA-256, in lower-case hexadecimal, both without the line feed. A file that deviates from
//! this in any byte is refused.

use alloc::{borrow::Cow, collections::BTreeMap, format, string::String, vec::Vec};
use core::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use sha2::{Digest, Sha256};

use crate::{
    host::Host,
    latch::LatchRecord,
    status::DeepStatus,
    store::{Account, LatchStoreError, LatchStoreErrorKind, memory::Records},
};

const FORMAT: &str = "deep-latch latches";
const VERSION: u32 = 1;

/// The largest file, in bytes: more than a million hosts. The file is read as a whole.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// The longest first line, in bytes.
const MAX_HEADER_BYTES: usize = 256;

/// The first line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header<'a> {
    format: Cow<'a, str>,
    version: u32,
    bytes: u64,
    sha256: Cow<'a, str>,
}

/// The fields that the first lines of all versions have in common.
#[derive(Deserialize)]
struct AnyHeader<'a> {
    #[serde(borrow)]
    format: Cow<'a, str>,
    version: u32,
}

/// The data of a host, as it is written.
#[derive(Serialize)]
struct Written<'a> {
    latched: String,
    status: Option<&'a str>,
}

/// The data of a host, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    latched: String,
    /// `null` is written, not omitted.
    #[serde(deserialize_with = "Option::deserialize")]
    status: Option<String>,
}

struct Accounts<'a>(&'a Records);

impl Serialize for Accounts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let accounts = self.0.iter();
        serializer.collect_map(accounts.map(|(account, hosts)| (account.as_str(), Hosts(hosts))))
    }
}

struct Hosts<'a>(&'a BTreeMap<Host, LatchRecord>);

impl Serialize for Hosts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(host, record)| {
            let latched = record.latched_text();
            let status = record.status().map(DeepStatus::as_str);
            (host.as_str(), Written { latched, status })
        }))
    }
}

/// An object's members in their order, including repeated ones: a map would keep the last one only.
struct Members<V>(Vec<(String, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Members<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members_<V>(PhantomData<V>);
        impl<'de, V: Deserialize<'de>> Visitor<'de> for Members_<V> {
            type Value = Vec<(String, V)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer
            .deserialize_map(Members_(PhantomData))
            .map(Self)
    }
}

/// Returns the octets of the file with these records.
pub(super) fn encode(records: &Records) -> Result<Vec<u8>, LatchStoreError> {
    let failed = |_| LatchStoreErrorKind::Unavailable;
    let body = serde_json::to_vec(&Accounts(records)).map_err(failed)?;
    let header = Header {
        format: FORMAT.into(),
        version: VERSION,
        bytes: u64::try_from(body.len()).map_err(|_| LatchStoreErrorKind::Limit)?,
        sha256: digest(&body).into(),
    };
    let header = serde_json::to_vec(&header).map_err(failed)?;
    let bytes = [&header, &b"\n"[..], &body, b"\n"].concat();
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= MAX_FILE_BYTES => Ok(bytes),
        _ => Err(LatchStoreErrorKind::Limit.into()),
    }
}

/// Reads a file, all of it.
pub(super) fn decode(bytes: &[u8]) -> Result<Records, LatchStoreError> {
    let unreadable = || LatchStoreError::from(LatchStoreErrorKind::Unreadable);
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
        return Err(LatchStoreErrorKind::Limit.into());
    }
    let mut lines = bytes.splitn(2, |octet| *octet == b'\n');
    let header = lines.next().unwrap_or_default();
    let body = lines.next().and_then(|rest| rest.strip_suffix(b"\n"));
    if header.len() > MAX_HEADER_BYTES {
        return Err(unreadable());
    }
    let any: AnyHeader<'_> = serde_json::from_slice(header).map_err(|_| unreadable())?;
    if any.format != FORMAT {
        return Err(unreadable());
    }
    if any.version != VERSION {
        return Err(LatchStoreErrorKind::Version.into());
    }
    let header: Header<'_> = serde_json::from_slice(header).map_err(|_| unreadable())?;
    let body = body.ok_or_else(unreadable)?;
    if u64::try_from(body.len()) != Ok(header.bytes) || digest(body) != header.sha256 {
        return Err(unreadable());
    }
    let accounts: Members<Members<Stored>> =
        serde_json::from_slice(body).map_err(|_| unreadable())?;
    let mut records = Records::new();
    for (account, hosts) in accounts.0 {
        let account = Account::try_new(&account).map_err(|_| unreadable())?;
        let mut kept = BTreeMap::new();
        for (name, stored) in hosts.0 {
            let host = Host::try_new(&name).map_err(|_| unreadable())?;
            let record =
                LatchRecord::restore(host.clone(), &stored.latched, stored.status.as_deref())?;
            // In the spelling of `Host`, and once.
            if host.as_str() != name || kept.insert(host, record).is_some() {
                return Err(unreadable());
            }
        }
        if records.insert(account, kept).is_some() {
            return Err(unreadable());
        }
    }
    Ok(records)
}

fn digest(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|octet| format!("{octet:02x}")).collect()
}
