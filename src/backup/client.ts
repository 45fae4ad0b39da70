import { constants } from 'node:fs';
import { access, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../errors.js';
import { warn, type Finding } from '../finding.js';
import type { Exec } from '../ports.js';

/** PostgreSQL's own programs of one major version, by full path. */
export interface Tools {
  readonly directory: string;
  readonly major: number;
  /** e.g. 15.18 */
  readonly version: string;
  readonly dump: string;
  readonly restore: string;
  readonly findings: readonly Finding[];
}

/** Tools of a server besides. */
export interface ServerTools extends Tools {
  readonly initdb: string;
  readonly control: string;
}

/** First minors without CVE-2026-18408 (PLATFORM B15): a dump read by older clients could run commands of whoever wrote it. */
const safeMinor: Readonly<Record<number, number>> = { 14: 24, 15: 19, 16: 15, 17: 11, 18: 6 };

const clientPrograms = ['pg_dump', 'pg_restore'] as const;
const serverPrograms = [...clientPrograms, 'initdb', 'pg_ctl'] as const;

/** Never PATH: Debian's /usr/bin/pg_dump is a wrapper that runs the highest major installed, whatever the server (PLATFORM A47). */
const places = (major: number): readonly string[] => {
  const m = String(major);
  return [
    `/usr/lib/postgresql/${m}/bin`,
    `/usr/pgsql-${m}/bin`,
    `/usr/lib/postgresql${m}/bin`,
    `/opt/homebrew/opt/postgresql@${m}/bin`,
    `/usr/local/opt/postgresql@${m}/bin`,
    `/Applications/Postgres.app/Contents/Versions/${m}/bin`,
    '/usr/local/pgsql/bin',
  ];
};

export interface FindTools {
  readonly exec: Exec;
  readonly signal: AbortSignal;
  /** major version of the server: a client must equal it, because pg_dump refuses newer servers and pg_restore >= 17 sends settings that servers <= 16 refuse (PLATFORM B1, T5) */
  readonly major: number;
  /** input postgres-bin: when given, only there */
  readonly postgresBin: string;
}

/** pg_dump and pg_restore of the server's major, each asked for its version. Errors: UserError with the line that installs them. */
export async function findClient(options: FindTools): Promise<Tools> {
  return find(options, clientPrograms, `postgresql-client-${String(options.major)}`);
}

/** The client programs, initdb and pg_ctl. Errors: UserError with the line that installs them, and the other way out: staging-url. */
export async function findServer(options: FindTools): Promise<ServerTools> {
  const tools = await find(options, serverPrograms, `postgresql-${String(options.major)}`);
  return { ...tools, initdb: join(tools.directory, 'initdb'), control: join(tools.directory, 'pg_ctl') };
}

async function find(options: FindTools, programs: readonly string[], debianPackage: string): Promise<Tools> {
  const { major, postgresBin } = options;
  const looked = postgresBin === '' ? places(major) : [postgresBin];
  const server = programs.includes('initdb');
  const hint =
    `Install them: sudo apt-get install -y ${debianPackage} (from the PostgreSQL apt repository where the distribution lacks that version; macOS: brew install postgresql@${String(major)}), ` +
    `or set the input postgres-bin to their directory${server ? ', or give a staging-url so that no private server is needed' : ''}.`;
  const wrong: string[] = [];
  for (const directory of looked) {
    const present = await Promise.all(programs.map((p) => runnable(join(directory, p))));
    if (present.some((yes) => !yes)) {
      if (postgresBin !== '') wrong.push(`${directory} lacks ${programs.filter((_p, i) => present[i] === false).join(', ')}`);
      continue;
    }
    const dump = join(directory, 'pg_dump');
    if ((await realpath(dump)).endsWith('pg_wrapper')) {
      wrong.push(`${dump} is Debian's wrapper, which chooses the version itself`);
      continue;
    }
    const { stdout } = await options.exec([dump, '--version'], { env: {}, signal: options.signal });
    const version = /\(PostgreSQL\) (\d+)\.(\d+)/.exec(stdout);
    if (version?.[1] === undefined || Number(version[1]) !== major) {
      wrong.push(`${dump} is of version ${version?.[1] ?? stdout.trim()}`);
      continue;
    }
    const minor = Number(version[2]);
    const findings =
      minor < (safeMinor[major] ?? 0)
        ? [
            warn('client-outdated', `the PostgreSQL client programs are ${String(major)}.${String(minor)}, which have known security faults`, {
              object: directory,
              hint: `Update to ${String(major)}.${String(safeMinor[major] ?? 0)} or newer. Only the custom format is used here, which is not affected.`,
            }),
          ]
        : [];
    return { directory, major, version: `${String(major)}.${String(minor)}`, dump, restore: join(directory, 'pg_restore'), findings };
  }
  throw new UserError(
    `${programs.join(', ')} of PostgreSQL ${String(major)}, the server's major version, were not found${wrong.length === 0 ? ` in ${looked.join(', ')}` : `: ${wrong.join('; ')}`}`,
    { hint },
  );
}

const runnable = (file: string): Promise<boolean> =>
  access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
