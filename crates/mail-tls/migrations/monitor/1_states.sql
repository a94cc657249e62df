-- The states of mail domains over time, and the TLSA records that were seen.
-- A change of this file is refused where it was applied: add a file instead.

-- A state from its first observation to its last one, without another state of the same check between.
CREATE TABLE monitor_states (
    domain TEXT NOT NULL CHECK (length(CAST(domain AS BLOB)) BETWEEN 1 AND 253),
    -- The subject of the finding: a server at an address, a name in the DNS, a file, or "domain".
    subject TEXT NOT NULL CHECK (length(CAST(subject AS BLOB)) BETWEEN 1 AND 4096),
    -- The name of the check, or "*" for the most urgent state of all checks of a server or of the domain.
    check_name TEXT NOT NULL CHECK (length(CAST(check_name AS BLOB)) BETWEEN 1 AND 32),
    -- Seconds since the Unix epoch.
    begins INTEGER NOT NULL,
    seen INTEGER NOT NULL CHECK (seen >= begins),
    state TEXT NOT NULL CHECK (state IN ('good', 'advice', 'warning', 'not-known', 'bad')),
    -- The sentence of the last observation.
    sentence TEXT NOT NULL,
    PRIMARY KEY (domain, subject, check_name, begins)
) STRICT, WITHOUT ROWID;

-- The observations of each domain.
CREATE TABLE monitor_runs (
    domain TEXT NOT NULL CHECK (length(CAST(domain AS BLOB)) BETWEEN 1 AND 253),
    at INTEGER NOT NULL,
    PRIMARY KEY (domain, at)
) STRICT, WITHOUT ROWID;

-- The TLSA records of the last observation of a name, and the time at which each was seen first.
CREATE TABLE monitor_tlsa (
    owner TEXT NOT NULL CHECK (length(CAST(owner AS BLOB)) BETWEEN 1 AND 254),
    certificate_usage INTEGER NOT NULL CHECK (certificate_usage BETWEEN 0 AND 255),
    selector INTEGER NOT NULL CHECK (selector BETWEEN 0 AND 255),
    matching_type INTEGER NOT NULL CHECK (matching_type BETWEEN 0 AND 255),
    association BLOB NOT NULL CHECK (length(association) <= 65532),
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (owner, certificate_usage, selector, matching_type, association)
) STRICT, WITHOUT ROWID;
