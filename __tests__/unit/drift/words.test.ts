import { describe, expect, test } from '@jest/globals';
import { bareWords, projectPrefix, nameKey, singular, withoutCopyMarks, words } from '../../../src/drift/words.js';

const tables = (...names: string[]) => names.map((name) => ({ schema: 'public', name }));

describe('names as words', () => {
  test('camelCase, snake_case, hyphens and acronyms come apart', () => {
    expect(words('bazaar-vid_verificationToken')).toEqual(['bazaar', 'vid', 'verification', 'token']);
    expect(words('responseTimeMS')).toEqual(['response', 'time', 'ms']);
    expect(words('URLMap')).toEqual(['url', 'map']);
    expect(words('')).toEqual([]);
  });

  test('plurals become singular, and words that only look like plurals stay', () => {
    expect(['exports', 'analyses', 'categories', 'boxes', 'status', 'address', 'bus', 'is'].map(singular)).toEqual([
      'export',
      'analyse',
      'category',
      'box',
      'status',
      'address',
      'bus',
      'is',
    ]);
    expect(nameKey(['api', 'exports'])).toBe(nameKey(['api', 'export']));
    expect(nameKey(['api'])).not.toBe(nameKey(['api', 'export']));
  });

  test('a prefix is one when at least half of the tables, and three, have it', () => {
    expect(projectPrefix(tables('my-app_user', 'my-app_project', 'my-app_scene_plan', 'api_usage'))).toEqual(['my', 'app']);
    expect(projectPrefix(tables('user', 'project', 'order_item'))).toEqual([]);
    expect(projectPrefix(tables('order', 'order_item', 'order_line'))).toEqual([]);
    expect(projectPrefix([])).toEqual([]);
  });

  test('the bare name has no prefix, and a table that is called like the prefix keeps its name', () => {
    expect(bareWords('my-app_user', ['my', 'app'])).toEqual(['user']);
    expect(bareWords('my_app', ['my', 'app'])).toEqual(['my', 'app']);
    expect(bareWords('other', ['my', 'app'])).toEqual(['other']);
  });

  test('endings of copies are recognised, but never the whole name', () => {
    expect(withoutCopyMarks(['exports', 'backup', '20240101'])).toEqual({ rest: ['exports'], marked: true });
    expect(withoutCopyMarks(['old'])).toEqual({ rest: ['old'], marked: false });
  });
});
