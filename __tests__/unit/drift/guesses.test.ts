import { describe, expect, test } from '@jest/globals';
import { wantedTypes } from '../../../src/drift/compare.js';
import { duplicates } from '../../../src/drift/duplicates.js';
import { references } from '../../../src/drift/references.js';
import type { Shape, ShapeKey } from '../../../src/drift/shape.js';

const shape = (name: string, columns: Readonly<Record<string, string>>, keys: readonly ShapeKey[] = []): Shape => ({
  table: { schema: 'public', name },
  columns: Object.entries(columns).map(([column, type]) => ({
    name: column,
    type: type.replace(' not null', ''),
    notNull: type.endsWith(' not null'),
    default: null,
  })),
  primaryKey: 'id' in columns ? ['id'] : [],
  unique: [],
  foreignKeys: keys,
  indexes: [],
  partitioned: false,
});

describe('duplicate-looking tables', () => {
  const usage = shape('app_usage', { id: 'text', provider: 'text', user_id: 'text', total_tokens: 'integer', input_tokens: 'integer' });

  test('a table without the prefix is the superfluous one, and spelling does not matter', () => {
    const [pair, ...rest] = duplicates([usage, shape('usages', { id: 'text', provider: 'text', userId: 'text', tokenCount: 'integer' })], ['app']);
    expect(rest).toEqual([]);
    expect(pair).toMatchObject({
      from: { table: { name: 'usages' } },
      into: { table: { name: 'app_usage' } },
      key: ['id'],
      columns: [
        { from: 'id', into: 'id', by: 'same' },
        { from: 'provider', into: 'provider', by: 'same' },
        { from: 'userId', into: 'user_id', by: 'spelling' },
        { from: 'tokenCount', into: 'total_tokens', by: 'guess' },
      ],
      unmatched: [],
    });
  });

  test('a copy by its ending is the superfluous one', () => {
    expect(duplicates([shape('exports_backup_20240101', { id: 'uuid', a: 'text' }), shape('exports', { id: 'uuid', a: 'text' })], [])[0]).toMatchObject({
      from: { table: { name: 'exports_backup_20240101' } },
    });
  });

  test('the same name with other columns is no duplicate, and two equally good guesses are none', () => {
    expect(duplicates([usage, shape('usage', { id: 'text', litres: 'integer', house: 'integer' })], ['app'])).toEqual([]);
    const [pair] = duplicates([usage, shape('usage', { id: 'text', provider: 'text', user_id: 'text', tokens: 'integer' })], ['app']);
    expect(pair?.unmatched).toEqual(['tokens']);
  });
});

describe('references', () => {
  const user = shape('app_user', { id: 'character varying(255)' });
  const exportsTable = shape('app_exports', { id: 'uuid' });

  test('a column named after a table and its key refers to it, in either spelling, as text where the types differ', () => {
    const found = references([user, exportsTable, shape('app_view', { id: 'uuid', export_id: 'text', userId: 'text' })], [], ['app']);
    expect(found.map((r) => [r.columns[0], r.parent.name, r.by, r.asText])).toEqual([
      ['export_id', 'app_exports', 'implied', true],
      ['userId', 'app_user', 'implied', false],
    ]);
  });

  test('nothing is implied by a name that fits two tables, by a type that cannot hold the key, or by the key itself', () => {
    const other = shape('app_users', { id: 'uuid' });
    expect(references([user, other, shape('app_view', { id: 'uuid', user_id: 'text' })], [], ['app'])).toEqual([]);
    expect(references([exportsTable, shape('app_view', { id: 'uuid', export_id: 'boolean' })], [], ['app'])).toEqual([]);
    expect(references([exportsTable], [], ['app'])).toEqual([]);
  });

  test('a declared key comes before what its name implies, and the other database declares for this one', () => {
    const key: ShapeKey = { name: 'fk', columns: ['user_id'], to: user.table, toColumns: ['id'], onDelete: 'cascade', onUpdate: 'no action' };
    const view = shape('app_view', { id: 'uuid', user_id: 'text' });
    const declared = shape('app_view', { id: 'uuid', user_id: 'text' }, [key]);
    expect(references([user, declared], [view], ['app']).map((r) => r.by)).toEqual(['declared']);
    expect(references([user, view], [declared], ['app'])).toMatchObject([{ by: 'elsewhere', name: 'fk', onDelete: 'cascade' }]);
  });
});

describe('wanted types', () => {
  const view = shape('app_view', { id: 'uuid', export_id: 'text' });
  const text = shape('app_exports', { id: 'text' });
  const uuid = shape('app_exports', { id: 'uuid' });

  test('development is the model, and what refers to a changed key follows it', () => {
    const found = references([text, view], [uuid, view], ['app']);
    expect(wantedTypes([text, view], [uuid, view], found).map((c) => [c.table.name, c.column, c.from, c.to, c.because === null])).toEqual([
      ['app_exports', 'id', 'text', 'uuid', true],
      ['app_view', 'export_id', 'text', 'uuid', false],
    ]);
  });

  test('a key that stays makes only a NOT NULL column follow', () => {
    const must = shape('app_must', { id: 'uuid', export_id: 'text not null' });
    const all = [uuid, view, must];
    expect(wantedTypes(all, null, references(all, [], ['app'])).map((c) => c.table.name)).toEqual(['app_must']);
  });

  test('a key is never made text for a text column', () => {
    const all = [text, shape('app_view', { id: 'uuid', export_id: 'uuid not null' })];
    expect(wantedTypes(all, null, references(all, [], ['app']))).toEqual([]);
  });
});
