import { describe, expect, test } from '@jest/globals';
import { refusedCommands, scriptsRun, words } from '../../../src/plan/commands.js';

describe('commands of the plan', () => {
  test('are taken apart into words, quotes off', () => {
    expect(words(`A=1 npm run "db:x y" && (echo 'a;b' | cat) ; ls`)).toEqual([['A=1', 'npm', 'run', 'db:x y'], ['echo', 'a;b'], ['cat'], ['ls']]);
  });

  test.each([
    ['npm run a', ['a']],
    ['npm --silent run-script a -- --b', ['a']],
    ['npm test', ['test']],
    ['npm ci', []],
    ['pnpm a && yarn run b; bun run c', ['a', 'b', 'c']],
    ['pnpm exec drizzle-kit migrate', []],
    ['node a.js', []],
  ])('%s runs the scripts %j', (text, names) => {
    expect(scriptsRun(text)).toEqual(names);
  });

  const codes = (text: string, scripts: Record<string, string> | null): string[] => refusedCommands(text, scripts).map((f) => `${f.severity} ${f.code}`);

  test.each([
    ['npx drizzle-kit@0.31 push', null, ['block command-generates']],
    ['drizzle-kit --config x.ts generate', null, ['block command-generates']],
    ['npx drizzle-kit migrate', null, []],
    ['npm run db:migrate', { 'db:migrate': 'drizzle-kit migrate' }, []],
    [
      'npm run db:migrate',
      { 'db:migrate': 'drizzle-kit migrate', 'postdb:migrate': 'npm run seed', seed: 'bash -c "drizzle-kit push"' },
      ['block command-generates'],
    ],
    ['npm run a', { a: 'npm run b', b: 'npm run a' }, []],
    ['npm run a', {}, ['block command-script-missing']],
    ['npm run db:push', null, ['block command-generates']],
    ['npm run a', null, ['warn command-script-missing']],
    ['prisma migrate deploy', null, []],
    ['prisma migrate dev', null, ['block command-generates']],
  ] as const)('%s with scripts %j', (text, scripts, expected) => {
    expect(codes(text, scripts)).toEqual(expected);
  });
});
