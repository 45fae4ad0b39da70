import type { Target } from '../pg/connect.js';
import { findClient } from './client.js';
import type { BackupContext } from './context.js';

/**
 * The text of `pg_dump -s` without our schemas: the judge of "equal to the start". Lines that differ between two dumps of the same
 * database (the random \restrict key of newer minors, PLATFORM B16) are left out. ACCESS SHARE for a moment; writes nothing.
 */
export async function schemaDump(cx: Pick<BackupContext, 'exec' | 'signal' | 'inputs'>, target: Target, serverVersion: number): Promise<string> {
  const client = await findClient({ exec: cx.exec, signal: cx.signal, major: Math.floor(serverVersion / 10_000), postgresBin: cx.inputs['postgres-bin'] });
  const env = Object.fromEntries(Object.entries(target.env).filter(([name]) => name.startsWith('PG')));
  const { stdout } = await cx.exec([client.dump, '--schema-only', '--exclude-schema=lossless*', '--lock-wait-timeout=30000'], { env, signal: cx.signal });
  return stdout
    .split('\n')
    .filter((line) => !/^\\(un)?restrict /.test(line))
    .join('\n');
}
