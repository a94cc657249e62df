//! The choice of connections that a server keeps: a pure count, without I/O and clock. At a limit the oldest
//! connection that is not served gives way, connections that have sent nothing first.

use std::{
    collections::{BTreeSet, HashMap, hash_map},
    net::IpAddr,
};

/// The number of connections that are kept at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// All connections.
    pub(crate) total: usize,
    /// Connections from one address.
    pub(crate) per_address: usize,
}

/// A connection. Later connections have greater numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ConnectionId(u64);

/// The progress of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client has sent nothing.
    Silent,
    /// The client has sent the first octet of its handshake.
    Handshake,
    /// The application serves the connection, e.g. since its handshake is finished.
    Served,
}

/// A source of connections of which a client has few: an IPv4 address, or the network of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Source {
    V4([u8; 4]),
    V6([u16; 4]),
}

impl Source {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.octets()),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                Self::V6([a, b, c, d])
            }
        }
    }
}

/// The connections that are not served, oldest first.
#[derive(Debug, Default)]
struct Waiting {
    silent: BTreeSet<ConnectionId>,
    handshake: BTreeSet<ConnectionId>,
}

impl Waiting {
    fn set(&mut self, stage: Stage) -> Option<&mut BTreeSet<ConnectionId>> {
        match stage {
            Stage::Silent => Some(&mut self.silent),
            Stage::Handshake => Some(&mut self.handshake),
            Stage::Served => None,
        }
    }

    fn oldest(&self) -> Option<ConnectionId> {
        let oldest = self.silent.first().or_else(|| self.handshake.first());
        oldest.copied()
    }
}

#[derive(Debug, Default)]
struct OfSource {
    count: usize,
    waiting: Waiting,
}

#[derive(Debug)]
struct Entry<T> {
    source: Source,
    stage: Stage,
    /// Dropped when the connection gives way.
    _held: T,
}

/// A refusal: the address already has as many connections as it may, and all are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct AddressFull;

/// The connections of a server. Each has a `T`, which is dropped when the connection gives way.
#[derive(Debug)]
pub(crate) struct Admission<T> {
    limits: Limits,
    /// The total limit that the process can afford at present.
    ceiling: usize,
    next: u64,
    connections: HashMap<ConnectionId, Entry<T>>,
    sources: HashMap<Source, OfSource>,
    waiting: Waiting,
}

impl<T> Admission<T> {
    /// Returns a server without connections. A limit below 1 is treated as 1.
    pub(crate) fn new(limits: Limits) -> Self {
        let limits = Limits {
            total: limits.total.max(1),
            per_address: limits.per_address.max(1),
        };
        Self {
            limits,
            ceiling: limits.total,
            next: 0,
            connections: HashMap::new(),
            sources: HashMap::new(),
            waiting: Waiting::default(),
        }
    }

    /// Returns `true` if one more connection is admitted, where another one may give way for it.
    pub(crate) fn has_room(&self) -> bool {
        self.connections.len() < self.ceiling || self.waiting.oldest().is_some()
    }

    /// Admits a connection that has sent nothing yet. Another one gives way if a limit is reached.
    ///
    /// # Errors
    /// [`AddressFull`] if all connections of the address are served and are as many as it may have.
    pub(crate) fn admit(&mut self, address: IpAddr, held: T) -> Result<ConnectionId, AddressFull> {
        let source = Source::of(address);
        if let Some(of_source) = self.sources.get(&source)
            && of_source.count >= self.limits.per_address
        {
            let oldest = of_source.waiting.oldest().ok_or(AddressFull)?;
            self.remove(oldest);
        }
        if self.connections.len() >= self.ceiling
            && let Some(oldest) = self.waiting.oldest()
        {
            self.remove(oldest);
        }
        let id = ConnectionId(self.next);
        self.next = self.next.wrapping_add(1);
        let stage = Stage::Silent;
        let entry = Entry {
            source,
            stage,
            _held: held,
        };
        self.connections.insert(id, entry);
        self.waiting.silent.insert(id);
        let of_source = self.sources.entry(source).or_default();
        of_source.count = of_source.count.saturating_add(1);
        of_source.waiting.silent.insert(id);
        Ok(id)
    }

    /// Notes that the first octet of a connection has arrived.
    pub(crate) fn begins_handshake(&mut self, id: ConnectionId) {
        self.move_to(id, Stage::Handshake);
    }

    /// Notes that a connection is served: it does not give way any more.
    pub(crate) fn is_served(&mut self, id: ConnectionId) {
        self.move_to(id, Stage::Served);
    }

    fn move_to(&mut self, id: ConnectionId, stage: Stage) {
        let Some(entry) = self.connections.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut entry.stage, stage);
        let of_source = self.sources.get_mut(&entry.source);
        let of_source = of_source.map(|of_source| &mut of_source.waiting);
        for waiting in [Some(&mut self.waiting), of_source].into_iter().flatten() {
            if let Some(set) = waiting.set(before) {
                set.remove(&id);
            }
            if let Some(set) = waiting.set(stage) {
                set.insert(id);
            }
        }
    }

    /// Forgets a connection that ended. After one that was served the process can afford one more.
    pub(crate) fn ended(&mut self, id: ConnectionId) {
        let entry = self.connections.get(&id);
        if entry.is_some_and(|entry| entry.stage == Stage::Served) {
            self.ceiling = self.ceiling.saturating_add(1).min(self.limits.total);
        }
        self.remove(id);
    }

    /// Makes room when the process has no descriptor left. An eighth of the connections gives way, since the
    /// application needs descriptors as well.
    pub(crate) fn make_room(&mut self) {
        let count = self.connections.len();
        self.ceiling = count.saturating_sub(count.div_ceil(8)).max(1);
        while self.connections.len() > self.ceiling
            && let Some(oldest) = self.waiting.oldest()
        {
            self.remove(oldest);
        }
    }

    /// Makes a connection give way.
    fn remove(&mut self, id: ConnectionId) {
        self.move_to(id, Stage::Served);
        let Some(entry) = self.connections.remove(&id) else {
            return;
        };
        if let hash_map::Entry::Occupied(mut of_source) = self.sources.entry(entry.source) {
            let count = of_source.get().count.saturating_sub(1);
            of_source.get_mut().count = count;
            if count == 0 {
                of_source.remove();
            }
        }
    }

    /// Makes all connections that are not served give way.
    pub(crate) fn end_handshakes(&mut self) {
        while let Some(oldest) = self.waiting.oldest() {
            self.remove(oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::{Ipv4Addr, Ipv6Addr},
        rc::Rc,
    };

    use proptest::prelude::*;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const THERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    fn admission(total: usize, per_address: usize) -> Admission<()> {
        Admission::new(Limits { total, per_address })
    }

    /// The connections that are there, oldest first.
    fn all<T>(admission: &Admission<T>) -> Vec<ConnectionId> {
        let mut all: Vec<_> = admission.connections.keys().copied().collect();
        all.sort_unstable();
        all
    }

    #[test]
    fn keeps_the_oldest_handshake_and_drops_the_oldest_silent_connection() {
        let mut admission = admission(3, 3);
        let handshake = admission.admit(HERE, ()).unwrap();
        let silent = admission.admit(HERE, ()).unwrap();
        let served = admission.admit(HERE, ()).unwrap();
        admission.begins_handshake(handshake);
        admission.begins_handshake(served);
        admission.is_served(served);
        let fourth = admission.admit(THERE, ()).unwrap();
        assert_eq!(all(&admission), [handshake, served, fourth]);
        admission.begins_handshake(fourth);
        // No connection is silent, so the oldest handshake gives way.
        let fifth = admission.admit(THERE, ()).unwrap();
        assert_eq!(all(&admission), [served, fourth, fifth]);
        let _ = silent;
    }

    #[test]
    fn has_no_room_when_all_are_served() {
        let mut admission = admission(2, 2);
        for _ in 0..2 {
            assert!(admission.has_room());
            let id = admission.admit(HERE, ()).unwrap();
            admission.is_served(id);
        }
        assert!(!admission.has_room());
        let first = all(&admission)[0];
        admission.ended(first);
        assert!(admission.has_room());
    }

    #[test]
    fn refuses_an_address_whose_connections_are_all_served() {
        let mut admission = admission(10, 2);
        for _ in 0..2 {
            let id = admission.admit(HERE, ()).unwrap();
            admission.is_served(id);
        }
        assert_eq!(admission.admit(HERE, ()), Err(AddressFull));
        assert!(admission.admit(THERE, ()).is_ok());
        let first = all(&admission)[0];
        admission.ended(first);
        assert!(admission.admit(HERE, ()).is_ok());
    }

    #[test]
    fn drops_only_connections_of_the_address_that_has_its_share() {
        let mut admission = admission(10, 2);
        let other = admission.admit(THERE, ()).unwrap();
        let ids: Vec<_> = (0..3).map(|_| admission.admit(HERE, ()).unwrap()).collect();
        assert_eq!(all(&admission), [other, ids[1], ids[2]]);
    }

    #[test]
    fn counts_a_network_of_ipv6_and_a_mapped_address_as_one() {
        let v6 =
            |interface: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, interface));
        assert_eq!(Source::of(v6(1)), Source::of(v6(2)));
        let neighbour = Ipv6Addr::new(0x2001, 0xdb8, 0, 2, 0, 0, 0, 1);
        assert_ne!(Source::of(v6(1)), Source::of(neighbour.into()));
        let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
        assert_eq!(Source::of(mapped.into()), Source::of(HERE));
        assert_ne!(Source::of(THERE), Source::of(HERE));
    }

    #[test]
    fn makes_room_for_an_eighth_and_keeps_it_until_served_connections_end() {
        let mut admission = admission(17, 17);
        let ids: Vec<_> = (0..17)
            .map(|_| admission.admit(HERE, ()).unwrap())
            .collect();
        admission.is_served(ids[0]);
        admission.make_room();
        let kept: Vec<_> = [&ids[..1], &ids[4..]].concat();
        assert_eq!(all(&admission), kept);
        // A later connection takes the place of a silent one.
        let later = admission.admit(HERE, ()).unwrap();
        assert_eq!(all(&admission), [&ids[..1], &ids[5..], &[later]].concat());
        // A handshake that fails gives its place back, a connection that ends one more.
        admission.ended(later);
        admission.ended(ids[0]);
        for _ in 0..3 {
            admission.admit(HERE, ()).unwrap();
        }
        assert_eq!(admission.connections.len(), 15);
        admission.admit(HERE, ()).unwrap();
        assert_eq!(admission.connections.len(), 15);
    }

    #[test]
    fn makes_room_of_what_is_not_served() {
        let mut admission = admission(10, 10);
        for _ in 0..2 {
            let id = admission.admit(HERE, ()).unwrap();
            admission.is_served(id);
        }
        let served = all(&admission);
        admission.make_room();
        assert_eq!(all(&admission), served);
        assert!(!admission.has_room());
        admission.ended(served[0]);
        assert!(admission.has_room());
        // The last connection has room as well.
        for _ in 0..3 {
            admission.make_room();
        }
        admission.ended(served[1]);
        assert!(admission.has_room());
    }

    #[test]
    fn has_room_for_one_connection_when_none_is_left() {
        let mut admission = admission(1, 1);
        let only = admission.admit(HERE, ()).unwrap();
        admission.is_served(only);
        admission.ended(only);
        admission.make_room();
        assert!(admission.has_room());
        assert!(admission.admit(HERE, ()).is_ok());
    }

    #[test]
    fn drops_what_a_connection_holds_when_it_gives_way() {
        let mut admission = Admission::new(Limits {
            total: 2,
            per_address: 2,
        });
        let held: Vec<_> = (0..4).map(Rc::new).collect();
        let ids: Vec<_> = held
            .iter()
            .take(3)
            .map(|held| admission.admit(HERE, held.clone()).unwrap())
            .collect();
        let counts = |held: &[Rc<i32>]| held.iter().map(Rc::strong_count).collect::<Vec<_>>();
        assert_eq!(counts(&held), [1, 2, 2, 1]);
        admission.is_served(ids[2]);
        admission.end_handshakes();
        assert_eq!(counts(&held), [1, 1, 2, 1]);
        // It was closed at the limit before its handshake ended.
        admission.ended(ids[1]);
        admission.ended(ids[2]);
        assert_eq!(counts(&held), [1, 1, 1, 1]);
        assert!(admission.has_room());
    }

    #[test]
    fn treats_a_limit_of_0_as_1() {
        let mut admission = admission(0, 0);
        assert!(admission.has_room());
        assert!(admission.admit(HERE, ()).is_ok());
    }

    proptest! {
        /// Checks after each event that the limits hold and the three counts agree.
        #[test]
        fn keeps_its_limits(events in proptest::collection::vec((0_u8..6, 0_u8..4, 0_usize..12), 0..200)) {
            let mut admission = admission(6, 3);
            let mut ids = Vec::new();
            for (event, address, which) in events {
                let id = ids.get(which).copied();
                match (event, id) {
                    (0 | 1, _) if admission.has_room() => {
                        let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, address));
                        ids.extend(admission.admit(address, ()));
                    }
                    (2, Some(id)) => admission.begins_handshake(id),
                    (3, Some(id)) => admission.is_served(id),
                    (4, Some(id)) => admission.ended(id),
                    (5, _) if which == 0 => admission.make_room(),
                    _ => {}
                }
                prop_assert!(admission.connections.len() <= 6);
                let counted: usize = admission.sources.values().map(|of| of.count).sum();
                prop_assert_eq!(counted, admission.connections.len());
                prop_assert!(admission.sources.values().all(|of| (1..=3).contains(&of.count)));
                let unfinished = admission
                    .connections
                    .values()
                    .filter(|entry| entry.stage != Stage::Served)
                    .count();
                let waiting = |of: &Waiting| of.silent.iter().chain(&of.handshake).count();
                prop_assert_eq!(waiting(&admission.waiting), unfinished);
                let of_sources: usize = admission.sources.values().map(|of| waiting(&of.waiting)).sum();
                prop_assert_eq!(of_sources, unfinished);
            }
        }
    }
}
