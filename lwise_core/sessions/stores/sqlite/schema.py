"""The tables of the SQLite file, as a list of migrations.

Migrations are only added, never changed: people have files of every version.
"""

OLDEST_SCHEMA = 2
"""The oldest supported schema; a file's `user_version` is the number of its schema."""

MIGRATIONS = (
    """
CREATE TABLE study (sha256 TEXT NOT NULL);
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    participant TEXT NOT NULL UNIQUE,
    platform TEXT NOT NULL,
    assignment_id TEXT NOT NULL,
    worker_id TEXT,
    study_id TEXT,
    slot INTEGER NOT NULL,
    holds_slot INTEGER NOT NULL,
    lease_until TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    started_at TEXT NOT NULL,
    outcome TEXT,
    finished_at TEXT,
    UNIQUE (platform, assignment_id)
) STRICT;
CREATE UNIQUE INDEX one_holder_per_slot ON sessions (slot) WHERE holds_slot;
CREATE INDEX open_slots ON sessions (slot) WHERE holds_slot AND outcome IS NOT 'completed';
CREATE INDEX sessions_of_person ON sessions (platform, worker_id);
CREATE TABLE trials (
    participant TEXT NOT NULL REFERENCES sessions (participant),
    trial_index INTEGER NOT NULL,
    record TEXT NOT NULL,
    PRIMARY KEY (participant, trial_index)
) STRICT, WITHOUT ROWID
""",
    # The hash was that of the whole study and becomes that of what determines the trials; the next claim sets it.
    # A restarted session shares its assignment with its successor; only a partial index can express that.
    """
DELETE FROM study;
CREATE TABLE sessions_3 (
    number INTEGER PRIMARY KEY,
    participant TEXT NOT NULL UNIQUE,
    platform TEXT NOT NULL,
    assignment_id TEXT NOT NULL,
    worker_id TEXT,
    study_id TEXT,
    slot INTEGER NOT NULL,
    holds_slot INTEGER NOT NULL,
    lease_until TEXT NOT NULL,
    released TEXT,
    token_sha256 TEXT NOT NULL UNIQUE,
    started_at TEXT NOT NULL,
    outcome TEXT,
    finished_at TEXT
) STRICT;
INSERT INTO sessions_3 SELECT
    number, participant, platform, assignment_id, worker_id, study_id, slot, holds_slot, lease_until, NULL,
    token_sha256, started_at, outcome, finished_at FROM sessions;
DROP TABLE sessions;
ALTER TABLE sessions_3 RENAME TO sessions;
CREATE UNIQUE INDEX one_session_per_assignment ON sessions (platform, assignment_id)
    WHERE outcome IS NOT 'restarted';
CREATE UNIQUE INDEX one_holder_per_slot ON sessions (slot) WHERE holds_slot;
CREATE INDEX open_slots ON sessions (slot) WHERE holds_slot AND outcome IS NOT 'completed';
CREATE INDEX sessions_of_person ON sessions (platform, worker_id);
CREATE TABLE problems (
    participant TEXT NOT NULL,
    kind TEXT NOT NULL,
    message TEXT NOT NULL,
    trial_index INTEGER,
    at TEXT NOT NULL
) STRICT;
CREATE INDEX problems_of_participant ON problems (participant);
CREATE TABLE emails (participant TEXT PRIMARY KEY, email TEXT NOT NULL) STRICT
""",
)
"""The statements that create the oldest schema, then those that migrate each schema to the next."""

SCHEMA_VERSION = OLDEST_SCHEMA + len(MIGRATIONS) - 1
