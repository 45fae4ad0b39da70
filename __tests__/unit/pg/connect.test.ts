import { describe, expect, test } from '@jest/globals';
import { queryFailed } from '../../../src/pg/connect.js';

const failed = (code: string, message: string): string => queryFailed('copy', Object.assign(new Error(message), { code })).message;

describe('what a server says about a value', () => {
  test.each([
    ['22P02', 'invalid input syntax for type uuid: "Ada Lovelace"', 'invalid input syntax for type uuid: (value not shown)'],
    ['22003', 'value "99999999999" is out of range for type integer', 'value (value not shown) is out of range for type integer'],
    ['22008', 'date/time field value out of range: "a "quoted" one\nin two lines"', 'date/time field value out of range: (value not shown)'],
  ])('is repeated without the value (%s)', (code, message, shown) => {
    expect(failed(code, message)).toBe(shown);
  });

  test('names of relations and columns stay', () => {
    expect(failed('23502', 'null value in column "a" of relation "b" violates not-null constraint')).toContain('column "a" of relation "b"');
  });
});
