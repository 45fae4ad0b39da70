import { describe, expect, test } from '@jest/globals';
import { readForeignKey, readIndex, readKey, withoutIndexName } from '../../../src/drift/definitions.js';

describe('definitions as the server deparses them', () => {
  test('a foreign key with quoted names, several columns and actions', () => {
    expect(
      readForeignKey(
        'k',
        'FOREIGN KEY (a, "userId") REFERENCES public."bazaar-vid_user"(id, "say ""hi""") MATCH FULL ON UPDATE SET NULL ON DELETE CASCADE DEFERRABLE',
      ),
    ).toEqual({
      name: 'k',
      columns: ['a', 'userId'],
      to: { schema: 'public', name: 'bazaar-vid_user' },
      toColumns: ['id', 'say "hi"'],
      onDelete: 'cascade',
      onUpdate: 'set null',
    });
  });

  test('a foreign key without actions, and one whose names hold dots, commas and parentheses', () => {
    expect(readForeignKey('k', 'FOREIGN KEY ("a,b") REFERENCES "s.x"."t(y)"(id)')).toMatchObject({
      columns: ['a,b'],
      to: { schema: 's.x', name: 't(y)' },
      onDelete: 'no action',
    });
    expect(readForeignKey('k', 'CHECK (a > 0)')).toBeNull();
  });

  test('columns of keys; another meaning of unique is not guessed', () => {
    expect(readKey('PRIMARY KEY (a, "B")')).toEqual(['a', 'B']);
    expect(readKey('UNIQUE (a) INCLUDE (b)')).toEqual(['a']);
    expect(readKey('UNIQUE NULLS NOT DISTINCT (a)')).toBeNull();
  });

  test('indexes of plain columns, partial ones, and those that are more', () => {
    expect(readIndex('i', 'CREATE INDEX i ON public."t-x" USING btree (a, "B")')).toEqual({
      name: 'i',
      method: 'btree',
      unique: false,
      columns: ['a', 'B'],
      where: null,
    });
    expect(readIndex('i', "CREATE UNIQUE INDEX i ON ONLY public.t USING btree (a) WHERE (b = 'x'::text)")).toMatchObject({
      unique: true,
      columns: ['a'],
      where: "(b = 'x'::text)",
    });
    for (const rest of ['(lower(a))', '(a DESC)', '(a text_pattern_ops)', '(a) INCLUDE (b)', '(a) WITH (fillfactor=50)'])
      expect(readIndex('i', `CREATE INDEX i ON public.t USING gin ${rest}`)).toMatchObject({ method: 'gin', columns: null });
  });

  test('an index is recognised under another name', () => {
    expect(withoutIndexName('CREATE UNIQUE INDEX "my idx" ON public.t USING btree (a)')).toBe('CREATE UNIQUE INDEX ON public.t USING btree (a)');
  });
});
