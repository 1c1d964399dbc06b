-- What a centre keeps. Texts that may hold anything (messages, events, states) are bytea: jsonb refuses some that are
-- legal, and changes others. Timestamps of records are microseconds since 1970.

CREATE TABLE meta (
    is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    epoch text NOT NULL,            -- another one when what was given is not what is here any more
    next_id bigint NOT NULL,        -- of events, in the order of commits: taken last in a transaction
    removals bigint NOT NULL
);
INSERT INTO meta VALUES (true, substr(md5(random()::text || clock_timestamp()::text), 1, 8), 1, 0);
CREATE TABLE teams (id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE types (id smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE hosts (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id text COLLATE "C" NOT NULL UNIQUE,   -- what the host calls itself
    name text NOT NULL,
    team smallint NOT NULL REFERENCES teams,
    version text NOT NULL,
    clock_offset_ms bigint NOT NULL,            -- its clock less ours
    pushes bigint NOT NULL,                     -- that were stored: fewer than the host knows of tell that we were restored
    heard_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE TABLE tokens (
    name text PRIMARY KEY,
    sha256 text NOT NULL UNIQUE,
    scopes text[] NOT NULL,
    team text,                                  -- none: all of them
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text COLLATE "C" NOT NULL UNIQUE,
    host integer NOT NULL REFERENCES hosts,     -- the first that has sent it
    team smallint NOT NULL REFERENCES teams,
    week date NOT NULL,                         -- of its first arrival: the partition in which it lies whole
    started bigint NOT NULL,
    lines bigint NOT NULL,                      -- of its log that are here
    size bigint NOT NULL,                       -- their bytes
    rewritten bigint NOT NULL,                  -- lines that came again and were others
    over boolean NOT NULL,                      -- whether nothing more is expected
    running boolean NOT NULL,                   -- whether its host says that its writer lives
    outcome text NOT NULL,                      -- what became of it, empty while it is not over
    version integer NOT NULL,                   -- of the code by which it was derived
    state bytea NOT NULL,                       -- events.Session, as JSON
    drift bytea NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX sessions_by_start ON sessions (started, session_id);
CREATE INDEX sessions_live ON sessions (id) WHERE NOT over;
CREATE INDEX sessions_by_outcome ON sessions (outcome, started, session_id);
CREATE INDEX sessions_by_week ON sessions (week);

CREATE TABLE events (
    week date NOT NULL,
    id bigint NOT NULL,
    ts bigint NOT NULL,
    session bigint NOT NULL,
    team smallint NOT NULL,
    type smallint NOT NULL,
    data bytea NOT NULL
) PARTITION BY RANGE (week);
CREATE INDEX events_by_time ON events (ts, session, type, team);
CREATE INDEX events_by_session ON events (session, ts, type);
CREATE INDEX events_by_id ON events (id);
CREATE TABLE pieces (
    week date NOT NULL,
    session bigint NOT NULL,
    number integer NOT NULL,
    start bigint NOT NULL,
    line bigint NOT NULL,
    seq bigint NOT NULL,
    stop bigint NOT NULL,
    last_seq bigint NOT NULL,
    kinds_before bytea NOT NULL,
    kinds bytea NOT NULL,
    PRIMARY KEY (week, session, number)
) PARTITION BY RANGE (week);
CREATE TABLE bodies (               -- of pieces: frames of zstd, one behind the other, a megabyte of text at most in each
    week date NOT NULL,
    session bigint NOT NULL,
    piece integer NOT NULL,
    part integer NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (week, session, piece, part)
) PARTITION BY RANGE (week);
ALTER TABLE bodies ALTER body SET STORAGE EXTERNAL;     -- they are compressed

CREATE TABLE counts (               -- see proxy.store.counting
    team smallint NOT NULL,
    level smallint NOT NULL,
    slot bigint NOT NULL,
    type smallint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (team, level, slot, type)
);
CREATE TABLE marks (
    session bigint NOT NULL,
    number bigint NOT NULL,
    ts bigint NOT NULL,
    types bytea NOT NULL,
    PRIMARY KEY (session, number)
);
CREATE TABLE totals (team smallint NOT NULL, key text NOT NULL, value bigint NOT NULL, PRIMARY KEY (team, key));
CREATE TABLE tombstones (           -- what was removed: see proxy.store.postgres.removal
    session_id text COLLATE "C" NOT NULL,
    team smallint NOT NULL,
    type smallint NOT NULL,
    last_id bigint NOT NULL,
    removal bigint NOT NULL,
    PRIMARY KEY (session_id, type)
);
CREATE INDEX tombstones_by_removal ON tombstones (removal);
-- What was erased or has expired: its host may have it still, and send it again.
CREATE TABLE forgotten (session_id text COLLATE "C" PRIMARY KEY, forgotten_at timestamptz NOT NULL, by_whom text NOT NULL);
