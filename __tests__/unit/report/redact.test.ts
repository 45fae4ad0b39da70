import { describe, expect, test } from '@jest/globals';
import { redactAll, redactor, secretForms } from '../../../src/report/redact.js';

describe('redaction', () => {
  test('takes the password out of every URL, known or not', () => {
    const redact = redactor();
    expect(redact('to postgres://app:p%40ss@db.example:5432/x and https://a:b@c')).toBe('to postgres://app:***@db.example:5432/x and https://a:***@c');
    expect(redact('https://example.com/a:b@c is no secret')).toBe('https://example.com/a:b@c is no secret');
  });

  test('takes age secret keys out wherever they turn up', () => {
    expect(redactor()('key AGE-SECRET-KEY-1QQPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L.')).toBe('key ***.');
  });

  test("takes every form of a URL's password out: raw, decoded, re-encoded, quoted for libpq, with its user", () => {
    const redact = redactor();
    for (const form of secretForms('postgres://app:it%27s%2Fa%20secret@h/db?sslmode=require')) redact.add(form);
    for (const leak of [
      'it%27s%2Fa%20secret',
      "it's/a secret",
      "it\\'s/a secret",
      "app:it's/a secret",
      'postgres://app:it%27s%2Fa%20secret@h/db?sslmode=require',
    ])
      expect(redact(`<${leak}>`)).toBe('<***>');
  });

  test('finds a password that stands in the query of the URL', () => {
    expect(secretForms('postgres://h/db?user=u&password=hunter22')).toContain('hunter22');
  });

  test('masks each line of a secret of several lines', () => {
    const redact = redactor();
    for (const form of secretForms('first line\nsecond line')) redact.add(form);
    expect(redact('x second line y')).toBe('x *** y');
  });

  test('leaves words alone that a very short password would blank', () => {
    const redact = redactor();
    redact.add('a');
    expect(redact('a table')).toBe('a table');
  });

  test('reaches every text inside a value', () => {
    const redact = redactor();
    redact.add('hunter22');
    expect(redactAll({ a: ['x hunter22', 1, null], b: { c: 'hunter22' } }, redact)).toEqual({ a: ['x ***', 1, null], b: { c: '***' } });
  });
});
