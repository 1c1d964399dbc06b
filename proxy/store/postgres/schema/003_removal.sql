-- Sessions expire by when something of them came last; what is told of older removals is kept by team.

ALTER TABLE sessions ADD COLUMN stored_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE tombstones DROP CONSTRAINT tombstones_pkey, ADD PRIMARY KEY (session_id, team, type);
