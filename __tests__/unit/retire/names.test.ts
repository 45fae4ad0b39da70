import { describe, expect, test } from '@jest/globals';
import { isOurs, oldSchemaOf } from '../../../src/names.js';

describe('the name of a retired schema', () => {
  test('says run and schema, and is ours', () => {
    expect(oldSchemaOf('r12345678', 'neon_auth')).toBe('lossless_old_r12345678_s_neon_auth');
    expect(isOurs(oldSchemaOf('r12345678', 'neon_auth'))).toBe(true);
  });
  test('is at most 63 bytes, and different for different schemas, whatever their characters', () => {
    const long = 'ä'.repeat(31);
    const a = oldSchemaOf('r12345678', `${long}1`);
    const b = oldSchemaOf('r12345678', `${long}2`);
    expect(Buffer.byteLength(a)).toBeLessThanOrEqual(63);
    expect(a).not.toBe(b);
    expect(a).not.toContain('\ufffd');
  });
});
