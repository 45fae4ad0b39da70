import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { camelCase, scanner, spellings } from '../../../src/proof/mentions.js';

describe('mentions of a table in source code', () => {
  let root: string;
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'lossless-mentions-'));
    write(
      'src/schema.ts',
      "import x from 'x';\nexport const projectMemory = createTable('project_memory', {});\nexport const metrics = createTable(\"metric\", {});\n",
    );
    write('src/use.ts', 'await db.select().from(projectMemory);\nconst ProjectMemories = 1;\nthe metric of success;\nmyprojectMemory();\n');
    write('drizzle/0001.sql', 'CREATE TABLE "bazaar-vid_project_memory" ();\nALTER TABLE "bazaar-vid_metric" ADD x int;');
    write('raw.py', 'cur.execute("SELECT * FROM \\"bazaar-vid_metric\\"")\n');
    write('node_modules/x/index.js', 'projectMemory');
    write('.git/x.ts', 'projectMemory');
    write('README.md', 'projectMemory');
    write('big.ts', `${'x'.repeat(1 << 20)}\nprojectMemory`);
  });
  afterAll(() => rmSync(root, { recursive: true }));

  test('are found by name, by camelCase and by the Drizzle name; definitions are told from uses', async () => {
    expect(await scanner(root)('bazaar-vid_project_memory', 'bazaar-vid_')).toEqual([
      { file: 'drizzle/0001.sql', line: 1, as: 'bazaar-vid_project_memory', declares: true },
      { file: 'src/schema.ts', line: 2, as: 'projectMemory', declares: true },
      { file: 'src/use.ts', line: 1, as: 'projectMemory', declares: false },
      { file: 'src/use.ts', line: 2, as: 'ProjectMemories', declares: false },
    ]);
  });
  test('of a plain word count only in quotes', async () => {
    expect((await scanner(root)('bazaar-vid_metric', 'bazaar-vid_')).map((m) => `${m.file}:${String(m.line)} ${String(m.declares)}`)).toEqual([
      'drizzle/0001.sql:2 true',
      'raw.py:1 false',
      'src/schema.ts:3 true',
    ]);
  });
  test('spellings of a name', () => {
    expect(camelCase('bazaar-vid_project_memory')).toBe('bazaarVidProjectMemory');
    expect(spellings('metric', '')).toEqual({ bare: [], quoted: ['metric'] });
  });
});
