-- What mail clients report of their security latches. Times are seconds since 1970-01-01T00:00:00Z.
-- A change of this file is refused where it was applied: add a file instead.
CREATE TABLE deep_clients (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL CHECK (length(CAST(account AS BLOB)) BETWEEN 1 AND 320),
    host TEXT NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
    -- The client software's words; nothing if it does not say.
    name TEXT NOT NULL CHECK (length(CAST(name AS BLOB)) <= 255),
    version TEXT NOT NULL CHECK (length(CAST(version AS BLOB)) <= 255),
    -- Of the last report.
    protocol TEXT NOT NULL CHECK (protocol IN ('imap', 'pop', 'smtp')),
    first_seen INTEGER NOT NULL CHECK (first_seen >= 0),
    last_seen INTEGER NOT NULL CHECK (last_seen >= first_seen),
    UNIQUE (account, host, name, version)
) STRICT;

CREATE INDEX deep_clients_last_seen ON deep_clients (last_seen);

CREATE TABLE deep_client_tags (
    client INTEGER NOT NULL REFERENCES deep_clients (id) ON DELETE CASCADE,
    -- In lower case.
    tag TEXT NOT NULL CHECK (length(tag) BETWEEN 1 AND 64 AND tag = lower(tag)),
    -- When the client last said that it has the tag latched, supports it unlatched, could not achieve it.
    latched_at INTEGER CHECK (latched_at >= 0),
    supported_at INTEGER CHECK (supported_at >= 0),
    failed_at INTEGER CHECK (failed_at >= 0),
    failures INTEGER NOT NULL CHECK (failures >= 0),
    PRIMARY KEY (client, tag),
    CHECK ((failures = 0) = (failed_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX deep_client_tags_latched ON deep_client_tags (tag, latched_at);
