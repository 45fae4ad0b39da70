import { describe, expect, test } from '@jest/globals';
import { changedRelations } from '../../../src/plan/changed-relations.js';
import { display } from '../../../src/names.js';

const changed = async (sql: string): Promise<readonly string[]> =>
  (await changedRelations(sql, 'a.sql', { schemas: ['app', 'public'], recycleConnections: false, strict: false })).map(display).sort();

describe('the relations that a SQL text changes', () => {
  test.each([
    ['INSERT INTO a SELECT * FROM b', ['app.a']],
    ['UPDATE public.a SET x = 1 FROM b WHERE b.id = a.id', ['public.a']],
    ['WITH gone AS (DELETE FROM a WHERE id = 1 RETURNING *) INSERT INTO archive.a SELECT * FROM gone', ['app.a', 'archive.a']],
    ['MERGE INTO a USING b ON a.id = b.id WHEN MATCHED THEN DO NOTHING', ['app.a']],
    ['TRUNCATE a, public."B-c"', ['app.a', 'public.B-c']],
    ['ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES parent (id)', ['app.a']],
    ['CREATE INDEX ON a (x)', ['app.a']],
    ['ALTER TABLE a RENAME TO b', ['app.a']],
    ['DROP TABLE a, public.b', ['app.a', 'public.b']],
    ['CREATE TABLE a (id int REFERENCES parent)', ['app.a']],
    ['COPY a TO STDOUT', []],
    ['SELECT * FROM a', []],
    ['CREATE TEMPORARY TABLE a (id int)', []],
    ['nonsense', []],
  ])('%s', async (sql, expected) => {
    expect(await changed(sql)).toEqual(expected);
  });
});
