-- The tables of the index. Each row whose content goes out has its checksum: see `proxy.store.embedded.rows`.

CREATE TABLE meta (key TEXT PRIMARY KEY, value, sum INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY,
    session_id TEXT NOT NULL UNIQUE,
    started INTEGER NOT NULL,       -- microseconds since 1970, 0 where nobody knows
    inode INTEGER NOT NULL,         -- the file that was read
    offset INTEGER NOT NULL,        -- up to where
    mark_at INTEGER NOT NULL,       -- where its last record begins
    mark BLOB NOT NULL,             -- and how: tells whether the file was rewritten
    over INTEGER NOT NULL,          -- whether nothing more is expected
    outcome TEXT NOT NULL,          -- what became of it, empty while it is not over
    state BLOB NOT NULL,            -- events.Session, as JSON
    sum INTEGER NOT NULL            -- the checksum of the row
);
CREATE INDEX by_start ON sessions (started, session_id);
CREATE INDEX live ON sessions (over) WHERE over = 0;
CREATE INDEX by_outcome ON sessions (outcome, started, session_id);
CREATE TABLE types (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, sum INTEGER NOT NULL);
CREATE TABLE events (
    id INTEGER PRIMARY KEY,         -- the order of arrival
    ts INTEGER NOT NULL,            -- microseconds since 1970
    session INTEGER NOT NULL,
    type INTEGER NOT NULL,
    data BLOB NOT NULL,             -- JSON
    sum INTEGER NOT NULL
);
CREATE INDEX by_time ON events (ts, session, type);
CREATE INDEX by_session ON events (session, ts, type);
CREATE TABLE counts (               -- of all sessions together: see proxy.store.counting
    level INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    type INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (level, slot, type)
) WITHOUT ROWID;
CREATE TABLE marks (                -- of long sessions: how many events of which types are before an event
    session INTEGER NOT NULL,
    number INTEGER NOT NULL,        -- the event's place in its session
    ts INTEGER NOT NULL,
    types BLOB NOT NULL,            -- JSON
    sum INTEGER NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE pieces (               -- of logs: see proxy.store.pieces
    session INTEGER NOT NULL,
    number INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    line INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    end INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    kinds_before BLOB NOT NULL,     -- JSON
    kinds BLOB NOT NULL,
    sum INTEGER NOT NULL,
    PRIMARY KEY (session, number)
) WITHOUT ROWID;
CREATE TABLE drift (session INTEGER PRIMARY KEY, state BLOB NOT NULL, sum INTEGER NOT NULL);
CREATE TABLE tombstones (
    session TEXT NOT NULL,          -- by its name, or '' for all that were removed longer ago
    type INTEGER NOT NULL,
    last_id INTEGER NOT NULL,       -- the number of its last event of that type
    removal INTEGER NOT NULL,       -- removals are counted
    PRIMARY KEY (session, type)
) WITHOUT ROWID;
CREATE INDEX by_removal ON tombstones (removal);
