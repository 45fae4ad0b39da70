import { describe, expect, test } from '@jest/globals';
import { commandWords } from '../../../src/plan/files.js';

describe('words of a command that may name files', () => {
  test('are split at spaces, quotes and operators', () => {
    expect(commandWords('sh -c "./a && ./b" < in.sql')).toEqual(expect.arrayContaining(['./a', './b', 'in.sql']));
  });

  test('do not include what the command writes to: the run would change the digest of its own plan', () => {
    expect(commandWords('echo on >> maintenance.log 2> "errors.log" >out.txt')).toEqual(['echo', 'on']);
  });
});
