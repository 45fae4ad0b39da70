import { FaultsFound } from './errors.js';
import { block, type Finding } from './finding.js';

/** The one table of inputs: action.yml, the terminal's flags, `LOSSLESS_<NAME>` and the README are checked against it. */
export const inputTable = {
  phase: { secret: false, default: '', about: 'check, drift, backup, clone, rehearse, gate, migrate, watch, rollback, cleanup or status' },
  plan: { secret: false, default: 'migrations/plan.yml', about: 'path of the plan file' },
  'production-url': { secret: true, default: '', about: 'connection URL of production (direct, never through a transaction pooler)' },
  'development-url': { secret: true, default: '', about: 'connection URL of development' },
  'staging-url': {
    secret: true,
    default: '',
    about: 'connection URL of the staging database; empty: a private server is started on the runner and thrown away',
  },
  'backup-recipient': { secret: false, default: '', about: 'age public keys (age1…) to encrypt backups for, separated by spaces or commas' },
  'backup-identity': { secret: true, default: '', about: 'age secret key (AGE-SECRET-KEY-1…), to read a backup: clone, rehearse, final backup' },
  'backup-passphrase': { secret: true, default: '', about: 'a passphrase instead of age keys' },
  confirm: { secret: false, default: '', about: 'typed confirmation: the plan id (gate) or the run id (rollback, cleanup)' },
  'run-id': { secret: false, default: '', about: 'GitHub run whose artifacts to use; empty: this run' },
  store: { secret: false, default: 'github', about: 'where evidence files go: github, a directory path, or s3://bucket/prefix' },
  'retention-days': { secret: false, default: '30', about: 'how long artifacts are kept, in days' },
  'postgres-bin': { secret: false, default: '', about: "directory of pg_dump, pg_restore, initdb … of the server's major version; empty: found" },
  'ssl-ca': { secret: false, default: '', about: 'path of a PEM file with the certificate authority of the servers' },
  'max-lock': { secret: false, default: '', about: 'budget for any lock that blocks writers, e.g. 1s; overrides the plan' },
  allow: { secret: false, default: '', about: 'hazards and consequences accepted by name, separated by spaces or commas' },
  'github-token': { secret: true, default: '', about: 'token that reads approvals and artifacts of other runs and opens issues' },
  'working-directory': { secret: false, default: '', about: "where the plan's commands run; empty: the folder of the plan" },
} as const satisfies Record<string, { secret: boolean; default: string; about: string }>;

export type InputName = keyof typeof inputTable;
export const inputNames = Object.keys(inputTable) as InputName[];

/** Trimmed text of every input; '' where nothing was given and there is no default. */
export type Inputs = Readonly<Record<InputName, string>>;

/** Reads every input through `read` (which returns '' for an absent one) and fills in defaults. */
export function readInputs(read: (name: InputName) => string): Inputs {
  const entries = inputNames.map((name) => [name, read(name).trim() || inputTable[name].default] as const);
  return Object.fromEntries(entries) as Record<InputName, string>;
}

/** `1s`, `500ms`, `7d`, `36h`, `15m` to milliseconds. */
export function parseDuration(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim());
  if (match === null) return null;
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match[2] as 'ms' | 's' | 'm' | 'h' | 'd'];
  return Math.round(Number(match[1]) * unit);
}

/** A list in one input: separated by spaces, commas or line ends. */
export const parseList = (text: string): readonly string[] => text.split(/[\s,]+/).filter((part) => part !== '');

/** Environment variable or secret that a workflow of ours fills the input from: what an error tells the user to set. */
export const secretOf: Readonly<Partial<Record<InputName, string>>> = {
  'production-url': 'PROD_DATABASE_URL (PROD_READ_DATABASE_URL for drift and backup)',
  'development-url': 'DEV_DATABASE_URL',
  'staging-url': 'STAGING_DATABASE_URL',
  'backup-identity': 'BACKUP_IDENTITY',
  'backup-passphrase': 'BACKUP_PASSPHRASE',
  'backup-recipient': 'BACKUP_RECIPIENT (a variable)',
};

/** Parsed forms, every fault at once. */
export interface Settings {
  readonly allow: ReadonlySet<string>;
  /** null: the plan's */
  readonly maxLockMs: number | null;
  readonly retentionDays: number;
  readonly recipients: readonly string[];
}

export function parseSettings(inputs: Inputs): Settings {
  const faults: Finding[] = [];
  const fault = (input: InputName, expected: string): void =>
    void faults.push(
      block('input-invalid', `${input}: found "${inputs[input]}", expected ${expected}`, { object: input, hint: 'Correct this input of the workflow step.' }),
    );
  const maxLockMs = inputs['max-lock'] === '' ? null : parseDuration(inputs['max-lock']);
  if (inputs['max-lock'] !== '' && (maxLockMs === null || maxLockMs < 50 || maxLockMs > 60_000))
    fault('max-lock', 'a duration between 50ms and 60s such as 1s');
  const retentionDays = Number(inputs['retention-days']);
  if (!Number.isInteger(retentionDays) || retentionDays < 1 || retentionDays > 400) fault('retention-days', 'a whole number of days from 1 to 400');
  if (faults.length > 0) {
    const hint = 'Correct the inputs of the workflow step and run it again; nothing was touched.';
    throw new FaultsFound(`inputs cannot be used:\n${faults.map((f) => `- ${f.message}`).join('\n')}`, faults, { hint });
  }
  return { allow: new Set(parseList(inputs.allow)), maxLockMs, retentionDays, recipients: parseList(inputs['backup-recipient']) };
}
