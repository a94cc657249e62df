-- Whether a client fails now is what its last report says.
-- A change of this file is refused where it was applied: add a file instead.

-- The number of the last report; one that comes too late has none.
ALTER TABLE deep_clients ADD COLUMN reports BIGINT NOT NULL DEFAULT 0 CHECK (reports >= 0);
-- The number of the report in which the tag was not achieved last.
ALTER TABLE deep_client_tags ADD COLUMN failed_in BIGINT CHECK (failed_in >= 0);

UPDATE deep_client_tags SET failed_in = 0 WHERE failed_at =
    (SELECT last_seen FROM deep_clients WHERE id = client);
