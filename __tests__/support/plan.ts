import { afterAll } from '@jest/globals';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { findingLine } from '../../src/plan/files.js';
import type { Plan } from '../../src/plan/plan.js';
import { PlanRefused, readPlan, type Kinds } from '../../src/plan/read.js';

/** Three small kinds that exercise every way in which a kind meets the reader, without any real step. */
export const testKinds: Kinds = {
  touch: {
    step: {
      schema: z.strictObject({
        tables: z.array(z.string()).min(1),
        unfit: z.enum(['fail', 'quarantine']).default('fail'),
        columns: z.record(z.string(), z.strictObject({ type: z.string(), 'not-null': z.boolean().optional() })).optional(),
      }),
      describe: (spec) => ({ touches: (spec as { tables: string[] }).tables.map((name) => ({ schema: 'public', name })), schemas: [], anything: false }),
    },
    reading: { files: () => [], commands: () => [], check: () => Promise.resolve([]) },
  },
  script: {
    step: { schema: z.strictObject({ file: z.string(), undo: z.string().optional() }), describe: () => ({ touches: [], schemas: [], anything: true }) },
    reading: {
      files: (spec) => [(spec as { file: string }).file],
      commands: () => [],
      check: (spec, files, at) => {
        const { file } = spec as { file: string };
        return Promise.resolve(
          files.names.includes(file) && files.text(file).includes('DROP')
            ? [{ code: 'plan-invalid', severity: 'warn', message: 'drops', at: at(['file']) }]
            : [],
        );
      },
    },
  },
  shell: {
    step: { schema: z.strictObject({ run: z.string() }), describe: () => ({ touches: [], schemas: [], anything: true }) },
    reading: { files: () => [], commands: (spec) => [(spec as { run: string }).run], check: () => Promise.resolve([]) },
  },
};

const made: string[] = [];
afterAll(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

/** A new repository folder with these files; returns its real path. Removed after the tests of the file. */
export function folder(files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'lossless-plan-')));
  made.push(root);
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), content);
  }
  return root;
}

export const planIn = async (files: Readonly<Record<string, string | Uint8Array>>, file = 'plan.yml', kinds: Kinds = testKinds): Promise<Plan> =>
  (await readPlan({ file, root: folder(files), kinds })).plan;

/** The lines of the refusal, or [] when the plan was accepted. */
export async function refusal(files: Readonly<Record<string, string | Uint8Array>>, file = 'plan.yml', kinds: Kinds = testKinds): Promise<readonly string[]> {
  try {
    await planIn(files, file, kinds);
    return [];
  } catch (error) {
    if (error instanceof PlanRefused) return error.findings.map(findingLine);
    throw error;
  }
}
