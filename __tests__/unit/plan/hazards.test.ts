import { describe, expect, test } from '@jest/globals';
import { accept, hazards, hazardsOfAll, statementsOf } from '../../../src/plan/hazards.js';

/** `severity code line:column` of every finding. */
const found = async (sql: string): Promise<string[]> =>
  (await hazards(sql, 'a.sql')).map((f) => `${f.severity} ${f.code} ${String(f.at?.line)}:${String(f.at?.column)}`);

describe('hazards of SQL', () => {
  test.each([
    ['DROP TABLE a', ['block drop-table 1:1']],
    ['-- ä comment\n/* another /* nested */ one */\n  DROP TABLE a, "B".c CASCADE', ['block drop-table 3:3', 'block drop-table 3:3']],
    ["SELECT 'ääää'; DROP TABLE a", ['block drop-table 1:16']],
    ['DROP SCHEMA x CASCADE', ['block drop-schema 1:1']],
    ['DROP OWNED BY app', ['block drop-schema 1:1']],
    ['DROP TYPE mood CASCADE', ['block drop-cascade 1:1']],
    ['DROP VIEW v CASCADE', ['warn drop-cascade 1:1']],
    ['DROP VIEW v', []],
    ['ALTER TABLE t DROP COLUMN a', ['block drop-column 1:1']],
    ['ALTER TABLE t DROP COLUMN a;\nALTER TABLE t ADD COLUMN b text', ['block drop-column 1:1', 'block suspected-rename 1:1']],
    ['ALTER TABLE t ALTER COLUMN c TYPE uuid USING c::uuid', ['block alter-column-type 1:28']],
    ['ALTER TABLE t ALTER COLUMN c SET NOT NULL', ['warn set-not-null 1:1']],
    ['DELETE FROM t', ['block delete-without-where 1:1']],
    ['DELETE FROM t WHERE id = 1', []],
    ['WITH d AS (DELETE FROM q RETURNING *) SELECT * FROM d', ['block delete-without-where 1:24']],
    ['MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE', ['block delete-without-where 1:1']],
    ['UPDATE t SET a = 1', ['block update-without-where 1:1']],
    ['TRUNCATE a, b CASCADE', ['block truncate 1:1', 'block truncate 1:1']],
    ['CREATE INDEX ON t (a)', ['warn index-not-concurrent 1:1']],
    ['ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)', ['warn index-not-concurrent 1:19']],
    ['CREATE INDEX CONCURRENTLY ON t (a)', ['block concurrently 1:1']],
    ['DROP INDEX CONCURRENTLY i', ['block concurrently 1:1']],
    ['REINDEX INDEX CONCURRENTLY i', ['block concurrently 1:1']],
    ['ALTER TABLE t DETACH PARTITION p CONCURRENTLY', ['block concurrently 1:1']],
    ['SELECT * FROM t WHERE id NOT IN (SELECT id FROM s)', ['warn not-in-subquery 1:26']],
    ['INSERT INTO t SELECT * FROM s\nWHERE id NOT IN (SELECT id FROM t)', ['block not-in-subquery 2:10']],
    ['SELECT * FROM t WHERE id <> ALL (SELECT id FROM s)', ['warn not-in-subquery 1:26']],
    ['ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id)', ['warn foreign-key-validated-at-once 1:19']],
    ['ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id) NOT VALID', []],
    ['ALTER TABLE t RENAME COLUMN a TO b', ['warn rename-column 1:1']],
    ['ALTER TABLE t RENAME TO u', ['warn rename-table 1:1']],
    ["ALTER TYPE e ADD VALUE 'x'", []],
    ["ALTER TYPE e ADD VALUE 'x';\nINSERT INTO t VALUES ('x')", ['block enum-value-used-at-once 2:1']],
    ["CREATE TYPE e AS ENUM ('y'); ALTER TYPE e ADD VALUE 'x'; INSERT INTO t VALUES ('x')", []],
    ['VACUUM FULL t', ['block vacuum-full 1:1']],
    ['VACUUM t', ['block outside-transaction 1:1']],
    ['CREATE DATABASE x', ['block outside-transaction 1:1']],
    ['BEGIN; SELECT 1; COMMIT', ['block transaction-control 1:1', 'block transaction-control 1:18']],
    ['ROLLBACK', ['block transaction-control 1:1']],
    ["PREPARE TRANSACTION 'x'", ['block transaction-control 1:1']],
    ['SAVEPOINT a; RELEASE a', []],
    ['DO $$ BEGIN PERFORM 1; END $$', ['warn do-body-opaque 1:1']],
    [
      'DO $$ BEGIN\n ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b (id);\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;',
      ['warn foreign-key-validated-at-once 1:1'],
    ],
    ["SELECT 'ä';\nSELEC 1", ['block sql-syntax 2:1']],
    ['\\i other.sql', ['block sql-syntax 1:1']],
    ["INSERT INTO t VALUES ('DROP TABLE x')", []],
    ['', []],
    ['-- nothing', []],
  ])('%s', async (sql, expected) => {
    expect(await found(sql)).toEqual(expected);
  });

  test('a table that the text created itself is nobody’s yet', async () => {
    expect(
      await found('CREATE TABLE n (id int); CREATE INDEX ON n (id); ALTER TABLE n ALTER COLUMN id SET NOT NULL; DELETE FROM n; TRUNCATE n; DROP TABLE n'),
    ).toEqual([]);
  });

  test('dropping a table and making it again is dropping it', async () => {
    expect(await found('DROP TABLE users; CREATE TABLE users (id uuid PRIMARY KEY)')).toEqual(['block drop-table 1:1']);
  });

  test('IF NOT EXISTS and a swap by names do not make a table one’s own', async () => {
    expect(await found('CREATE TABLE IF NOT EXISTS n (id int); TRUNCATE n')).toEqual(['block truncate 1:40']);
    expect(await found('CREATE TABLE n (id int); ALTER TABLE n RENAME TO m; ALTER TABLE t RENAME TO n; DROP TABLE n')).toEqual([
      'warn rename-table 1:53',
      'block drop-table 1:80',
    ]);
  });

  test('files of one transaction are judged together', async () => {
    const findings = await hazardsOfAll([
      { source: "ALTER TYPE e ADD VALUE 'x'; CREATE TABLE n (id int)", file: '1.sql' },
      { source: "CREATE INDEX ON n (id); UPDATE t SET e = 'x' WHERE id = 1", file: '2.sql' },
    ]);
    expect(findings.map((f) => `${f.code} ${f.at?.file ?? ''}`)).toEqual(['enum-value-used-at-once 2.sql']);
  });

  test('allow accepts destruction by name, never what cannot work in a transaction', async () => {
    const findings = accept(await hazards('DROP TABLE a; COMMIT', 'a.sql'), new Set(['drop-table', 'transaction-control']));
    expect(findings.map((f) => `${f.severity} ${f.code}`)).toEqual(['warn drop-table', 'block transaction-control']);
  });
});

describe('statements by what they create', () => {
  const does = async (sql: string): Promise<string[]> =>
    (await statementsOf(sql, 'a.sql')).map((s) => `${s.does} ${s.name?.name ?? '-'} on ${s.on?.name ?? '-'}`);
  test('creations, keys and the rest are told apart', async () => {
    expect(
      await does(
        `CREATE TABLE "a-b" (id int); CREATE TYPE m AS ENUM ('x'); CREATE SEQUENCE s; CREATE VIEW v AS SELECT 1; CREATE INDEX i ON t (a);
         ALTER TABLE "a-b" ADD CONSTRAINT f FOREIGN KEY (id) REFERENCES t (id); ALTER TABLE t ADD COLUMN c int, DROP COLUMN d; INSERT INTO t VALUES (1); GRANT SELECT ON t TO app;
         CREATE OR REPLACE VIEW v AS SELECT 2; CREATE TEMP TABLE x (id int); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; COMMENT ON COLUMN t.a IS 'x'`,
      ),
    ).toEqual([
      'creates-table a-b on a-b',
      'creates-type m on -',
      'creates-sequence s on -',
      'creates-view v on -',
      'adds-index i on t',
      'adds-key f on a-b',
      'other - on t',
      'other - on t',
      'other - on t',
      'other - on -',
      'other - on -',
      'other - on -',
      'creates-function f on -',
      'other - on t',
    ]);
  });
  test('a forgiving DO of older drizzle-kit is looked into', async () => {
    expect(await does('DO $$ BEGIN\n CREATE TYPE "public"."m" AS ENUM(\'x\');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;')).toEqual([
      'creates-type m on -',
    ]);
    expect(await does('DO $$ BEGIN DROP TABLE t; END $$')).toEqual(['other - on -']);
  });
});
