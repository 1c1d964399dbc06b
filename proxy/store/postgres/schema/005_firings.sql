-- What rules found of a session: see proxy.sessions.firings. Each as JSON; events are derived of it and of the lines.

ALTER TABLE sessions ADD COLUMN firings bytea[] NOT NULL DEFAULT '{}';
