import { createHash } from 'node:crypto';
import { z } from 'zod';
import { block, warn, type Finding } from '../finding.js';
import type { PlanFiles } from './plan.js';

/** One migration of a Drizzle folder. */
export interface Migration {
  /** `0001_name` (0.x: the journal's tag) or `20260101120000_name` (v1: the folder) */
  readonly tag: string;
  /** path among the plan's files */
  readonly file: string;
  readonly text: string;
  /** lower-case hex sha256 of the text: what drizzle writes into its ledger */
  readonly hash: string;
  /** ms since 1970: the journal's `when`, or the folder's UTC time; the ledger's created_at */
  readonly when: number;
}

export interface MigrationFolder {
  /** `journal`: drizzle-orm 0.x with meta/_journal.json. `folders`: v1, one folder for each migration. null: neither, see findings */
  readonly layout: 'journal' | 'folders' | null;
  /** in the order in which drizzle applies them */
  readonly migrations: readonly Migration[];
  readonly findings: readonly Finding[];
}

const journalSchema = z.object({
  dialect: z.string().optional(),
  entries: z.array(z.object({ idx: z.number().int(), when: z.number().int(), tag: z.string().min(1) })),
});

/** Reads a migrations folder among the plan's files. Faults of order and time are findings: drizzle skips such migrations silently (drizzle-orm#5316, #5769). */
export function readMigrations(files: PlanFiles, folder: string, now: Date): MigrationFolder {
  const root = folder.replace(/\/+$/, '').replace(/^\.\//, '');
  const prefix = root === '' || root === '.' ? '' : `${root}/`;
  const inside = files.names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  const journal = 'meta/_journal.json';
  const folders = inside.filter((name) => /^\d{14}_[^/]+\/migration\.sql$/.test(name)).sort();
  if (inside.includes(journal) && folders.length > 0) {
    return wrong(
      block('drizzle-folder', `${folder} holds both layouts of drizzle: ${journal} and ${folders[0] ?? ''}`, {
        at: { file: `${prefix}${journal}` },
        hint: 'Run `drizzle-kit up` once and commit what it leaves, or restore the older layout.',
      }),
    );
  }
  if (inside.includes(journal)) return fromJournal(files, prefix, inside, now);
  if (folders.length > 0) return fromFolders(files, prefix, folders, now);
  return wrong(
    block('drizzle-folder', `${folder} is not a folder of drizzle migrations: it has neither ${journal} nor <time>_<name>/migration.sql`, {
      object: folder,
      hint: 'Give the folder that drizzle.config names as `out`, relative to the plan file.',
    }),
  );
}

const wrong = (finding: Finding): MigrationFolder => ({ layout: null, migrations: [], findings: [finding] });
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

function fromJournal(files: PlanFiles, prefix: string, inside: readonly string[], now: Date): MigrationFolder {
  const file = `${prefix}meta/_journal.json`;
  const source = files.text(file);
  const at = (tag: string): { file: string; line: number } => ({
    file,
    line: Math.max(1, source.split('\n').findIndex((line) => line.includes(JSON.stringify(tag))) + 1),
  });
  let json: unknown;
  try {
    json = JSON.parse(source);
  } catch (error) {
    return wrong(
      block('drizzle-folder', `${file} is not JSON: ${(error as Error).message}`, {
        at: { file, line: 1 },
        hint: 'Restore it from version control; a merge may have left its marks.',
      }),
    );
  }
  const parsed = journalSchema.safeParse(json);
  if (!parsed.success)
    return wrong(block('drizzle-folder', `${file} is not a journal of drizzle: ${parsed.error.issues[0]?.message ?? ''}`, { at: { file, line: 1 } }));
  if (parsed.data.dialect !== undefined && parsed.data.dialect !== 'postgresql') {
    return wrong(block('drizzle-folder', `${file} is of dialect ${parsed.data.dialect}, expected postgresql`, { at: { file, line: 1 } }));
  }
  const { entries } = parsed.data;
  const findings: Finding[] = [];
  const migrations: Migration[] = [];
  for (const [i, { idx, when, tag }] of entries.entries()) {
    const before = entries[i - 1];
    const name = `${tag}.sql`;
    if (idx !== i)
      findings.push(
        block('drizzle-journal-order', `${tag}: idx is ${String(idx)}, expected ${String(i)}`, {
          at: at(tag),
          object: tag,
          hint: 'Two branches probably generated migrations: generate this one again on top of the other.',
        }),
      );
    if (before !== undefined && when <= before.when) {
      findings.push(
        block(
          'drizzle-journal-order',
          `${tag}: when ${String(when)} is not later than that of ${before.tag} (${String(before.when)}): drizzle would skip it wherever ${before.tag} is applied`,
          {
            at: at(tag),
            object: tag,
            hint: 'Generate the migration again, or raise its `when` above the one before it.',
          },
        ),
      );
    }
    if (when > now.getTime()) findings.push(inFuture(tag, when, at(tag)));
    if (!inside.includes(name)) {
      findings.push(
        block('drizzle-folder', `the journal names ${tag}, but ${prefix}${name} is missing`, { at: at(tag), object: tag, hint: 'Commit the file.' }),
      );
      continue;
    }
    const text = files.text(`${prefix}${name}`);
    migrations.push({ tag, file: `${prefix}${name}`, text, hash: hashOf(text), when });
  }
  for (const name of inside.filter((n) => /^[^/]+\.sql$/.test(n) && !entries.some((e) => `${e.tag}.sql` === n))) {
    findings.push(
      warn('drizzle-folder', `${prefix}${name} is not in the journal: drizzle never runs it`, { at: { file: `${prefix}${name}`, line: 1 }, object: name }),
    );
  }
  return { layout: 'journal', migrations, findings };
}

const inFuture = (tag: string, when: number, at: { file: string; line: number }): Finding =>
  block(
    'drizzle-journal-future',
    `${tag}: its time, ${new Date(when).toISOString()}, lies in the future: drizzle would skip every migration generated until then`,
    { at, object: tag, hint: 'Set the clock right and generate it again.' },
  );

function fromFolders(files: PlanFiles, prefix: string, folders: readonly string[], now: Date): MigrationFolder {
  const findings: Finding[] = [];
  const migrations = folders.map((name): Migration => {
    const tag = name.slice(0, name.indexOf('/'));
    const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(tag)?.slice(1).map(Number) ?? [];
    const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = digits;
    const when = Date.UTC(year, month - 1, day, hour, minute, second);
    const file = `${prefix}${name}`;
    if (when > now.getTime()) findings.push(inFuture(tag, when, { file, line: 1 }));
    const text = files.text(file);
    return { tag, file, text, hash: hashOf(text), when };
  });
  return { layout: 'folders', migrations, findings };
}

/** A row of drizzle's ledger; `name` only where the layout is `folders`. */
export interface LedgerRow {
  readonly id: number;
  readonly hash: string;
  readonly created_at: number | null;
  readonly name: string | null;
}

export interface Comparison {
  /** not in the ledger, by hash (0.x) or name (v1); in order */
  readonly pending: readonly Migration[];
  readonly findings: readonly Finding[];
}

/**
 * What is pending, and whether drizzle would run exactly that. 0.x runs what is younger than the youngest row, read once
 * (drizzle-orm pg-core/dialect `migrate`); v1 runs every folder whose name is not in the ledger (migrator.utils). Neither compares hashes; this does.
 */
export function compareLedger(folder: MigrationFolder, ledger: readonly LedgerRow[]): Comparison {
  const findings: Finding[] = [];
  const byName = folder.layout === 'folders';
  const named = byName && ledger.some((row) => row.name !== null);
  const rowOf = (m: Migration): LedgerRow | undefined =>
    named ? ledger.find((row) => row.name === m.tag) : (ledger.find((row) => row.hash === m.hash) ?? ledger.find((row) => row.created_at === m.when));
  const pending: Migration[] = [];
  for (const m of folder.migrations) {
    const row = rowOf(m);
    if (row === undefined) pending.push(m);
    else if (row.hash !== m.hash) {
      findings.push(
        block(
          'drizzle-edited',
          `${m.tag} was changed after it had been applied: the ledger has ${row.hash.slice(0, 12)}…, the file is ${m.hash.slice(0, 12)}…`,
          { at: { file: m.file, line: 1 }, object: m.tag, hint: 'Restore the file as it was applied, and put the change into a new migration.' },
        ),
      );
    }
  }
  const known = new Set(folder.migrations.map(rowOf).filter((row) => row !== undefined));
  for (const row of ledger.filter((r) => !known.has(r))) {
    const what = row.name ?? (row.created_at === null ? row.hash.slice(0, 12) : `of ${new Date(row.created_at).toISOString()}`);
    findings.push(
      block('drizzle-ledger-unknown', `the ledger has a migration ${what} (row ${String(row.id)}) that the folder does not have`, {
        object: row.hash.slice(0, 12),
        hint: 'Somebody migrated from another branch: merge it first. If old migrations were squashed on purpose, allow: drizzle-ledger-unknown.',
      }),
    );
  }
  if (!byName) {
    const last = Math.max(...ledger.map((row) => row.created_at ?? 0), -1);
    for (const m of pending.filter((p) => p.when <= last)) {
      findings.push(
        block(
          'drizzle-would-skip',
          `${m.tag} is not in the ledger, but older (${new Date(m.when).toISOString()}) than the last one there (${new Date(last).toISOString()}): drizzle would skip it and say that all is well`,
          {
            at: { file: m.file, line: 1 },
            object: m.tag,
            hint: 'Generate the migration again so that its time is later.',
          },
        ),
      );
    }
  }
  return { pending, findings };
}

/** The statements of a migration as drizzle sends them, each with the line where it begins: not every error of PostgreSQL has a position. */
export function chunks(migration: Migration): readonly { readonly text: string; readonly line: number }[] {
  let line = 1;
  return migration.text.split('--> statement-breakpoint').flatMap((chunk) => {
    const text = chunk.replace(/^\s*\n/, '');
    const at = line + chunk.split('\n').length - text.split('\n').length;
    line += chunk.split('\n').length - 1;
    return text.trim() === '' ? [] : [{ text, line: at }];
  });
}
