import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { findingCodes } from '../../../src/finding-codes.js';
import { steps } from '../../../src/steps/index.js';

const pages = readdirSync('docs/steps').map((file) => file.replace(/\.md$/, ''));

describe('the pages of the steps', () => {
  test('are one for each kind in the registry', () => {
    expect(pages.sort()).toEqual(Object.keys(steps).sort());
  });

  test.each(pages)('%s: its example is a step of that kind', (kind) => {
    const text = /^```yaml\n([\s\S]*?)^```$/m.exec(readFileSync(`docs/steps/${kind}.md`, 'utf8'))?.[1] ?? '';
    const [step] = parse(text) as Record<string, unknown>[];
    const { schema } = steps[kind as keyof typeof steps];
    const read = schema.safeParse(step?.[kind]);
    expect(read.success ? null : read.error.issues).toBeNull();
  });

  test.each(pages)('%s: says what it locks, undoes and refuses, with codes that exist', (kind) => {
    const text = readFileSync(`docs/steps/${kind}.md`, 'utf8');
    for (const part of ['**Locks.**', '**Undo.**', '**Refused.**', '**By hand.**']) expect(text).toContain(part);
    const refused = text.slice(text.indexOf('**Refused.**'), text.indexOf('**By hand.**'));
    const codes = [...refused.matchAll(/`([a-z]+(?:-[a-z]+)*)`/g)].map((m) => m[1] ?? '').filter((word) => !['allow', 'undo'].includes(word));
    expect(codes.filter((code) => !(code in findingCodes) && code !== 'search_path')).toEqual([]);
  });
});

describe('a new kind of step', () => {
  test('gets its files and its line in the registry, once', () => {
    const root = mkdtempSync(join(tmpdir(), 'lossless-new-step-'));
    cpSync('src/steps/index.ts', join(root, 'src/steps/index.ts'), { recursive: true });
    const run = (kind: string) => spawnSync(process.execPath, ['scripts/new-step.mjs', kind, root], { encoding: 'utf8' });
    expect(run('split-table').status).toBe(0);
    expect(readFileSync(join(root, 'src/steps/index.ts'), 'utf8')).toMatch(
      /import \{ splitTable \} from '\.\/split-table\.js';[\s\S]*'split-table': splitTable,\n\} as const/,
    );
    expect(readdirSync(join(root, '__tests__/cases/split-table'))).toEqual(['table-not-found']);
    expect(run('split-table').status).toBe(1);
    expect(run('Split').status).toBe(1);
    rmSync(root, { recursive: true, force: true });
  });
});
