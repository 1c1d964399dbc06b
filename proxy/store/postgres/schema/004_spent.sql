-- What a session cost on each model, side by side, as it can be added up over all sessions; none until it is derived.
-- Names of models are what messages say, so they may hold anything.

ALTER TABLE sessions ADD COLUMN models bytea[] NOT NULL DEFAULT '{}', ADD COLUMN microdollars bigint[] NOT NULL DEFAULT '{}';
CREATE TABLE spent (                -- the same of sessions that were removed, by the day on which they began (UTC)
    team smallint NOT NULL REFERENCES teams,
    day date NOT NULL,
    model bytea NOT NULL,
    sessions bigint NOT NULL,
    microdollars bigint NOT NULL,
    PRIMARY KEY (team, day, model)
);
