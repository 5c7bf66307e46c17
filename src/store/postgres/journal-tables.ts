/**
 * The tables that hold what turns have said and what was recorded of it: by far the largest, and only ever added to. They have a
 * partition for each day, which is dropped as a whole when it is past retention: see `partitions.ts`. What is of no day that there
 * is a partition for goes to the default one.
 */
export const journalTables = `
  CREATE TABLE journal (
    turn TEXT NOT NULL, seq BIGINT NOT NULL, type TEXT NOT NULL, data TEXT NOT NULL, PRIMARY KEY (turn, seq)
  ) PARTITION BY RANGE (turn);
  CREATE TABLE journal_default PARTITION OF journal DEFAULT;
  CREATE TABLE recordings (
    turn TEXT NOT NULL, epoch BIGINT NOT NULL, part BIGINT NOT NULL, step BIGINT NOT NULL, attempt BIGINT NOT NULL,
    data BYTEA NOT NULL, PRIMARY KEY (turn, epoch, part)
  ) PARTITION BY RANGE (turn);
  CREATE TABLE recordings_default PARTITION OF recordings DEFAULT;
`;
