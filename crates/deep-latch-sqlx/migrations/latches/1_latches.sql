-- What is kept of hosts, by account (draft-newman-email-deep-02 sections 5.1 and 5.3).
-- A change of this file is refused where it was applied: add a file instead.
CREATE TABLE deep_latches (
    account TEXT NOT NULL CHECK (length(CAST(account AS BLOB)) BETWEEN 1 AND 320),
    -- In lower case, without a final full stop; or an address.
    host TEXT NOT NULL CHECK (length(CAST(host AS BLOB)) BETWEEN 1 AND 253),
    -- Security tags in alphabetical order, a space between them. It only grows.
    latched TEXT NOT NULL CHECK (length(CAST(latched AS BLOB)) <= 4159),
    -- The status that the host advertised last when it was authenticated.
    status TEXT CHECK (length(CAST(status AS BLOB)) <= 1024),
    PRIMARY KEY (account, host)
) STRICT, WITHOUT ROWID;
