-- Sessions are asked for by host and by team, newest first.

CREATE INDEX sessions_by_host ON sessions (host, started, session_id);
CREATE INDEX sessions_by_team ON sessions (team, started, session_id);
