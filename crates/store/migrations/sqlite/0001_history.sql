-- What the store keeps. The same statements read and write it on PostgreSQL later; only this folder differs.

-- One value per key: `salt` names the secrets of which only a hash is kept.
CREATE TABLE meta (
    key   TEXT PRIMARY KEY NOT NULL,
    value BLOB NOT NULL
) STRICT;

CREATE TABLE unit (
    id           INTEGER PRIMARY KEY,
    installation TEXT NOT NULL,
    kind         TEXT NOT NULL,
    namespace    TEXT NOT NULL,
    name         TEXT NOT NULL,
    UNIQUE (installation, kind, namespace, name)
) STRICT;

-- Content, once. form: 0 as it is, 1 deflated, 2 deflated and encrypted, 3 nothing but its name.
CREATE TABLE blob (
    id     INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    form   INTEGER NOT NULL,
    size   INTEGER NOT NULL,
    key_id BLOB,
    data   BLOB
) STRICT;

-- Everything one build was made of. content_key is the caller's name for it, digest ours.
-- last_sync is the newest successful sync of it, or the newest one while none succeeded. lacks says why it cannot be built
-- again; key_id names the key that its secret files are encrypted with.
CREATE TABLE build (
    id          INTEGER PRIMARY KEY,
    unit        INTEGER NOT NULL REFERENCES unit (id),
    digest      BLOB NOT NULL,
    content_key BLOB NOT NULL,
    last_sync   INTEGER NOT NULL,
    succeeded   INTEGER NOT NULL,
    lacks       TEXT,
    key_id      BLOB,
    UNIQUE (unit, digest)
) STRICT;
CREATE INDEX build_by_key ON build (unit, content_key);
CREATE INDEX build_by_sync ON build (last_sync);

-- The row with the empty source and path is the unit itself.
CREATE TABLE build_file (
    build  INTEGER NOT NULL REFERENCES build (id),
    source TEXT NOT NULL,
    path   TEXT NOT NULL,
    secret INTEGER NOT NULL,
    blob   INTEGER NOT NULL,
    PRIMARY KEY (build, source, path)
) STRICT;
CREATE INDEX build_file_by_blob ON build_file (blob);

-- quiet: a check that found nothing to do; only the newest of a unit is kept.
CREATE TABLE sync (
    id              INTEGER PRIMARY KEY,
    unit            INTEGER NOT NULL REFERENCES unit (id),
    build           INTEGER,
    no_rollback     TEXT,
    revisions       TEXT NOT NULL,
    commit_info     TEXT,
    cause           TEXT NOT NULL,
    outcome         TEXT NOT NULL,
    error           TEXT,
    started_ms      INTEGER NOT NULL,
    ended_ms        INTEGER NOT NULL,
    objects_changed INTEGER NOT NULL,
    objects_failed  INTEGER NOT NULL,
    drifted         INTEGER NOT NULL,
    quiet           INTEGER NOT NULL,
    plan            TEXT NOT NULL,
    objects         TEXT NOT NULL,
    drift           TEXT NOT NULL,
    phases          TEXT NOT NULL
) STRICT;
CREATE INDEX sync_by_unit ON sync (unit, id);
CREATE INDEX sync_by_build ON sync (build);

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY,
    at_ms   INTEGER NOT NULL,
    unit    INTEGER REFERENCES unit (id),
    actor   TEXT NOT NULL,
    action  TEXT NOT NULL,
    request TEXT,
    why     TEXT,
    detail  TEXT NOT NULL
) STRICT;
CREATE INDEX audit_by_unit ON audit (unit, id);

CREATE TRIGGER audit_is_not_rewritten BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE (ABORT, 'the audit log is only appended to');
END;
CREATE TRIGGER audit_is_not_erased BEFORE DELETE ON audit
BEGIN
    SELECT RAISE (ABORT, 'the audit log is only appended to');
END;
