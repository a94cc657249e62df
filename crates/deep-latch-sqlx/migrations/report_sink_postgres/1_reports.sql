-- What mail clients report of their security latches. Times are seconds since 1970-01-01T00:00:00Z.
-- A change of this file is refused where it was applied: add a file instead.
CREATE TABLE deep_clients (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account TEXT COLLATE "C" NOT NULL CHECK (octet_length(account) BETWEEN 1 AND 320),
    host TEXT COLLATE "C" NOT NULL CHECK (octet_length(host) BETWEEN 1 AND 253),
    -- The client software's words; nothing if it does not say.
    name TEXT COLLATE "C" NOT NULL CHECK (octet_length(name) <= 255),
    version TEXT COLLATE "C" NOT NULL CHECK (octet_length(version) <= 255),
    -- Of the last report.
    protocol TEXT COLLATE "C" NOT NULL CHECK (protocol IN ('imap', 'pop', 'smtp')),
    first_seen BIGINT NOT NULL CHECK (first_seen >= 0),
    last_seen BIGINT NOT NULL CHECK (last_seen >= first_seen),
    UNIQUE (account, host, name, version)
);

CREATE INDEX deep_clients_last_seen ON deep_clients (last_seen);

CREATE TABLE deep_client_tags (
    client BIGINT NOT NULL REFERENCES deep_clients (id) ON DELETE CASCADE,
    -- In lower case.
    tag TEXT COLLATE "C" NOT NULL CHECK (octet_length(tag) BETWEEN 1 AND 64 AND tag = lower(tag)),
    -- When the client last said that it has the tag latched, supports it unlatched, could not achieve it.
    latched_at BIGINT CHECK (latched_at >= 0),
    supported_at BIGINT CHECK (supported_at >= 0),
    failed_at BIGINT CHECK (failed_at >= 0),
    failures BIGINT NOT NULL CHECK (failures >= 0),
    PRIMARY KEY (client, tag),
    CHECK ((failures = 0) = (failed_at IS NULL))
);

CREATE INDEX deep_client_tags_latched ON deep_client_tags (tag, latched_at);
