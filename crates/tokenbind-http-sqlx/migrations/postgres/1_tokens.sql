-- Security tokens and the keys they are bound to. Times are seconds since 1970-01-01T00:00:00Z.
-- A change of this file is refused where it was applied: add a file instead.
CREATE TABLE tokenbind_tokens (
    -- SHA-256 of the token; the token itself is not kept.
    digest BYTEA NOT NULL PRIMARY KEY CHECK (octet_length(digest) = 32),
    -- Whether the token is bound. Said twice, so that a key_id lost does not make a bearer token.
    bound BOOLEAN NOT NULL,
    -- TokenBindingID without its first byte, the type.
    key_id BYTEA CHECK (octet_length(key_id) BETWEEN 1 AND 1024),
    subject BYTEA NOT NULL CHECK (octet_length(subject) <= 255),
    data BYTEA NOT NULL CHECK (octet_length(data) <= 4096),
    issued_at BIGINT NOT NULL CHECK (issued_at >= 0),
    expires_at BIGINT NOT NULL CHECK (expires_at > issued_at),
    revoked_at BIGINT CHECK (revoked_at >= 0),
    CHECK (bound = (key_id IS NOT NULL))
);

CREATE INDEX tokenbind_tokens_of_key ON tokenbind_tokens (key_id, digest);
CREATE INDEX tokenbind_tokens_of_subject ON tokenbind_tokens (subject, digest);
CREATE INDEX tokenbind_tokens_expiry ON tokenbind_tokens (expires_at);
