import { describe, expect, test } from '@jest/globals';
import { settled } from '../../../src/proof/fingerprint.js';
import { fieldsOf } from '../../../src/proof/workload.js';

describe('an expression before and after a dump and restore', () => {
  test.each([
    [
      "CHECK (((status)::text = ANY ((ARRAY['a'::character varying, 'b, (c)]'::character varying])::text[])))",
      "CHECK (((status)::text = ANY (ARRAY[('a'::character varying)::text, ('b, (c)]'::character varying)::text])))",
    ],
    ["(x = ANY ((ARRAY['it''s'::text])::citext[]))", "(x = ANY (ARRAY[('it''s'::text)::citext]))"],
    ['CHECK ((n = ANY (ARRAY[1, 2])))', 'CHECK ((n = ANY (ARRAY[1, 2])))'],
    ["('(ARRAY['::text || t)", "('(ARRAY['::text || t)"],
  ])('%s', (before, after) => {
    expect(settled(before)).toBe(after);
    expect(settled(after)).toBe(after);
  });
});

describe('a composite as text', () => {
  test.each([
    ['()', [null]],
    ['("")', ['']],
    ['(1,,"a ""b"", (c)\\\\")', ['1', null, 'a "b", (c)\\']],
    ['(,)', [null, null]],
  ])('%s', (text, fields) => {
    expect(fieldsOf(text)).toEqual(fields);
  });
});
