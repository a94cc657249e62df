//! Name constraints of a path, as far as they concern names of hosts (RFC 5280 section 4.2.1.10).

/// The constraints on names of hosts that the certificates of a path impose.
///
/// RFC 5280 defines constraints of dNSName for names in subjectAltName. Here they are applied to the host part of
/// SRV-IDs and CN-IDs too, which would otherwise escape them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// For each certificate of the path that has permitted names of hosts: those names.
    permitted: Vec<Vec<Vec<u8>>>,
    excluded: Vec<Vec<u8>>,
}

impl NameConstraints {
    /// Returns the constraints of a path that has none.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            permitted: Vec::new(),
            excluded: Vec::new(),
        }
    }

    /// Adds the dNSName subtrees of one certificate of the path. An empty `permitted` permits all names.
    pub fn add<'a>(
        &mut self,
        permitted: impl IntoIterator<Item = &'a [u8]>,
        excluded: impl IntoIterator<Item = &'a [u8]>,
    ) {
        let permitted: Vec<_> = permitted.into_iter().map(<[u8]>::to_vec).collect();
        if !permitted.is_empty() {
            self.permitted.push(permitted);
        }
        self.excluded
            .extend(excluded.into_iter().map(<[u8]>::to_vec));
    }

    /// Returns `true` if the constraints permit a name, or all names one label below it for a wildcard.
    pub(super) fn permit(&self, name: &[u8], wildcard: bool) -> bool {
        let permitted = self
            .permitted
            .iter()
            .all(|subtrees| subtrees.iter().any(|base| is_within(name, base, wildcard)));
        // A wildcard stands for names that an exclusion below it covers, too.
        let is_excluded = |base: &Vec<u8>| {
            is_within(name, base, wildcard) || wildcard && is_within(base, name, false)
        };
        permitted && !self.excluded.iter().any(is_excluded)
    }
}

/// Returns `true` if a name is in the subtree of a base. An empty base contains all names. A base that begins with a dot
/// contains the names below it only, as many authorities write it.
fn is_within(name: &[u8], base: &[u8], below: bool) -> bool {
    if base.is_empty() {
        return true;
    }
    let (base, only_below) = match base.strip_prefix(b".") {
        Some(base) => (base, true),
        None => (base, false),
    };
    let Some(cut) = name.len().checked_sub(base.len()) else {
        return false;
    };
    let Some((rest, end)) = name.split_at_checked(cut) else {
        return false;
    };
    if !end.eq_ignore_ascii_case(base) {
        return false;
    }
    if rest.is_empty() {
        below || !only_below
    } else {
        rest.ends_with(b".")
    }
}
