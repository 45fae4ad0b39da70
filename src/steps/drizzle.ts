import { z } from 'zod';
import { CommandFailed, QueryFailed, UserError } from '../errors.js';
import { block, note, warn, type Finding } from '../finding.js';
import { display, type Relation } from '../names.js';
import type { Db, ReadDb } from '../pg/db.js';
import { glue } from '../pg/render.js';
import { refusedCommands } from '../plan/commands.js';
import { accept, hazardsOfAll, statementsOf } from '../plan/hazards.js';
import { chunks, compareLedger, readMigrations, type LedgerRow, type Migration, type MigrationFolder } from '../plan/migrations.js';
import { relation, type KindReading } from '../plan/plan.js';
import { writtenTable } from '../retire/tables.js';
import type { Check } from '../report/event.js';
import { forgetMarker, mark, marked, prepareMarkers } from './done.js';
import {
  bringBack,
  creationOf,
  dropKept,
  existing,
  foundUnder,
  inexactFinding,
  keptFor,
  keptOf,
  ledgerOf,
  returnFindings,
  setAside,
  thereOf,
  usersOf,
  validateKeys,
  type Creation,
  type Kept,
  type KeptSet,
  type Ledger,
} from './drizzle-created.js';
import { accounts, authorPath, guarded, rowsSchema, unknownTables, type Counts } from './row-guard.js';
import { commandFindings, guardedCommand, quietFindings, runCommand, scriptsInPlan } from './run-command.js';
import type { ReadContext, Step, StepContext, Watched } from './step.js';

const specSchema = z.strictObject({
  migrations: z.string().min(1, 'expected the folder of the migrations').describe('folder of the migrations (drizzle.config `out`), relative to the plan file'),
  command: z.string().trim().min(1).optional().describe('how the team migrates, e.g. npm run db:migrate; without it the SQL is run as drizzle runs it'),
  'url-variable': z
    .string()
    .regex(/^[A-Za-z_]\w*$/, 'expected the name of an environment variable')
    .optional()
    .describe('variable that the command reads the connection URL from, beside DATABASE_URL'),
  creates: z.array(writtenTable).optional().describe('tables that must be there afterwards'),
  schema: z.string().min(1).optional().describe('schema of drizzle’s ledger (default drizzle)'),
  table: z.string().min(1).optional().describe('table of drizzle’s ledger (default __drizzle_migrations)'),
  rows: rowsSchema.optional(),
  guard: z
    .literal('clone-only')
    .optional()
    .describe('clone-only: with a command, exact row counts in the rehearsal only, because others write on the target meanwhile'),
});
type Spec = z.infer<typeof specSchema>;

type Receipt = {
  readonly state: 'started' | 'applied' | 'undone';
  /** what was pending before the step, in order */
  readonly pending: Kept['migrations'];
  readonly creation: Creation;
  /** oids of what had one of the names before: not ours */
  readonly existed: readonly number[];
  readonly hadLedger: boolean;
  readonly hadLedgerSchema: boolean;
  /** null: others were writing, the guard did not count */
  readonly before: Counts | null;
  readonly after: Counts | null;
  /** tables that a rollback of this run keeps aside */
  readonly kept: readonly { readonly schema: string; readonly name: string }[];
  /** what came back from an earlier rollback instead of being created */
  readonly returned: Kept | null;
};
type Facts = { readonly before: Counts | null; readonly after: Counts | null };

const ledgerAt = (spec: Spec): Ledger => ({ schema: spec.schema ?? 'drizzle', table: spec.table ?? '__drizzle_migrations' });
const plain = ({ tag, hash, when }: Migration): Kept['migrations'][number] => ({ tag, hash, when });

interface LedgerNow {
  readonly rows: readonly LedgerRow[];
  readonly schema: boolean;
  readonly found: boolean;
  /** has v1's column name */
  readonly named: boolean;
}

async function readLedger(db: ReadDb, ledger: Ledger): Promise<LedgerNow> {
  const there = await db.one<{ schema: boolean; found: boolean; named: boolean }>('drizzle/ledger-exists', { values: [ledger.schema, ledger.table] });
  return { ...there, rows: there.found ? await db.rows<LedgerRow>('drizzle/ledger', { names: { ledger: ledgerOf(ledger) } }) : [] };
}

interface Survey {
  readonly folder: MigrationFolder;
  readonly ledger: LedgerNow;
  readonly pending: readonly Migration[];
  readonly creation: Creation;
  readonly findings: readonly Finding[];
}

/** Folder against ledger: what is pending, what it creates, and every fault of order, time and content. */
async function survey(cx: ReadContext, spec: Spec): Promise<Survey> {
  const folder = readMigrations(cx.files, spec.migrations, cx.clock.now());
  const ledger = await readLedger(cx.db, ledgerAt(spec));
  const { pending, findings } = compareLedger(folder, ledger.rows);
  const statements = (await Promise.all(pending.map((m) => statementsOf(m.text, m.file)))).flat();
  const named = statements.flatMap((s) => (s.does === 'creates-table' && s.name !== null ? [s.name] : []));
  const there = (await foundUnder(cx, named)).filter((f) => f.kind === 'table');
  const creation = creationOf(statements, there);
  const all: Finding[] = [...folder.findings, ...accept(findings, cx.allow)];
  for (const s of statements) {
    const taken = s.does === 'creates-table' ? there.find((t) => t.name === s.name?.name && (s.name.schema ?? t.schema) === t.schema) : undefined;
    if (taken !== undefined && !/^\s*CREATE\s+(\w+\s+)*TABLE\s+IF\s+NOT\s+EXISTS/i.test(s.text)) {
      all.push(
        block('drizzle-table-exists', `the pending migration creates ${taken.schema}.${taken.name}, which exists`, {
          at: s.at,
          object: `${taken.schema}.${taken.name}`,
          hint: 'Somebody pushed the schema, or the ledger lost its rows: write the missing ledger rows, or retire the table.',
        }),
      );
    }
  }
  if (folder.layout === 'folders' && ledger.rows.length > 0 && !ledger.named && spec.command === undefined) {
    all.push(
      block(
        'drizzle-needs-command',
        `${ledgerAt(spec).schema}.${ledgerAt(spec).table} is a ledger of drizzle 0.x, and the folder is of v1: drizzle upgrades it itself`,
        { hint: 'Give `command`, e.g. npm run db:migrate.' },
      ),
    );
  }
  return { folder, ledger, pending, creation, findings: all };
}

/** Hazards of the pending files, and of enum values across them: drizzle runs them in one transaction. */
const hazardsOf = (pending: readonly Migration[]): Promise<readonly Finding[]> => hazardsOfAll(pending.map((m) => ({ source: m.text, file: m.file })));

const createsOf = (spec: Spec, cx: Pick<ReadContext, 'plan'>): readonly Relation[] => (spec.creates ?? []).map((written) => relation(written, cx.plan));

async function missingOf(cx: ReadContext, tables: readonly Relation[]): Promise<readonly Relation[]> {
  const there = await foundUnder(cx, tables);
  return tables.filter((t) => !there.some((f) => ['table', 'view', 'other'].includes(f.kind) && f.name === t.name && f.schema === t.schema));
}

/** The kept tables that this run should bring back; null when there are none or the plan's user left them aside. */
async function toReturn(cx: ReadContext, pending: readonly Migration[]): Promise<KeptSet | null> {
  return cx.allow.has('kept-rows-without-parent') ? null : keptFor(cx.db, pending);
}

/** Drizzle's pending migrations: by the team's command with the ledger checked before and after, or as drizzle runs them. */
export const drizzle: Step<Spec, Receipt> = {
  schema: specSchema,

  describe: (spec, plan) => ({
    title: `migrate ${spec.migrations}`,
    touches: createsOf(spec, { plan }),
    schemas: [],
    anything: true,
    heaviestLock: 'ACCESS EXCLUSIVE',
    deletesData: Object.values(spec.rows ?? {}).some((rule) => rule !== 'same'),
    undo: 'until-cleanup',
  }),

  async preflight(cx, spec) {
    const seen = await survey(cx, spec);
    const findings: Finding[] = [...seen.findings, ...accept(await hazardsOf(seen.pending), cx.allow), ...(await unknownTables(cx, spec.rows ?? {}))];
    if (spec.command !== undefined)
      findings.push(...(await commandFindings(cx, spec.command)), ...(seen.pending.length === 0 ? [] : quietFindings(cx, spec.guard)));
    const missing = await missingOf(cx, createsOf(spec, cx));
    const done = seen.folder.layout !== null && seen.pending.length === 0 && missing.length === 0;
    if (done) findings.push(note('already-done', `every migration of ${spec.migrations} is in the ledger`, { object: spec.migrations }));
    for (const table of missing.filter((t) => !seen.creation.tables.some((c) => c.name === t.name && (c.schema ?? t.schema) === t.schema))) {
      findings.push(
        block('drizzle-creates-missing', `creates names ${display(table)}, which is not there and which no pending migration creates`, {
          object: display(table),
          hint:
            seen.pending.length === 0
              ? 'The ledger says that all is applied: the table was dropped, or the migration was never generated.'
              : 'Correct the name, or generate the migration.',
        }),
      );
    }
    if (seen.creation.inexact !== null) findings.push(inexactFinding(seen.creation));
    const set = await toReturn(cx, seen.pending);
    if (set !== null) {
      findings.push(
        ...(await returnFindings(cx, set)),
        note('kept-tables', `${set.facts.tables.map(display).join(', ')}: kept by the rollback of run ${set.run}, will come back with their rows`, {
          object: set.run,
        }),
      );
    }
    return { findings, done, counts: { pending: seen.pending.length } };
  },

  async apply(cx, spec, slot) {
    await prepareMarkers(cx.db);
    const facts = await marked<Facts>(cx.db, cx.run, cx.stepId, 'apply');
    if (facts !== null && slot.last !== null) {
      if (slot.last.returned !== null) await validateKeys(cx, slot.last.returned);
      await slot.save({ ...slot.last, state: 'applied', ...facts });
      return;
    }
    const seen = await survey(cx, spec);
    const resumed = slot.last?.state === 'started' ? slot.last : null;
    if (resumed !== null) {
      const left = seen.pending.filter((m) => resumed.pending.some((p) => p.hash === m.hash));
      if (left.length === 0) {
        if (resumed.returned !== null) await validateKeys(cx, resumed.returned);
        await finish(cx, slot, resumed, null);
        return;
      }
      if (left.length < resumed.pending.length && resumed.returned === null) {
        throw new UserError(
          `step ${cx.stepId}: ${String(left.length)} of ${String(resumed.pending.length)} migrations are still pending after an interrupted attempt: ${left.map((m) => m.tag).join(', ')}`,
          { hint: 'Roll the run back, then migrate again.' },
        );
      }
    }
    const refused = seen.findings.find((f) => f.severity === 'block');
    if (refused !== undefined)
      throw new UserError(`step ${cx.stepId}: ${refused.message}`, { hint: refused.hint ?? '', ...(refused.at === undefined ? {} : { at: refused.at }) });
    const set = await toReturn(cx, seen.pending);
    const ownKept = await marked<Kept>(cx.db, cx.run, cx.stepId, 'kept');
    const started: Receipt = resumed ?? {
      state: 'started',
      pending: seen.pending.map(plain),
      creation: seen.creation,
      existed: await existing(cx, seen.creation),
      hadLedger: seen.ledger.found,
      hadLedgerSchema: seen.ledger.schema,
      before: null,
      after: null,
      kept: (ownKept?.tables ?? []).map((t) => ({ schema: t.home, name: t.name })),
      returned: set?.facts ?? null,
    };
    await slot.save(started);
    if (set !== null) {
      await createLedger(cx.db, spec, seen);
      await bringBack(cx, set, ledgerAt(spec), await isNamed(cx.db, spec), { before: null, after: null }, set.facts.migrations.length === seen.pending.length);
    }
    const rest = seen.pending.slice(set?.facts.migrations.length ?? 0);
    const state: Receipt = set === null ? started : { ...started, kept: [] };
    if (rest.length === 0) await finish(cx, slot, state, null);
    else if (spec.command === undefined) await finish(cx, slot, state, await runOurselves(cx, spec, seen, rest));
    else await finish(cx, slot, state, await runTheirs(cx, spec, spec.command, seen, rest, (before) => slot.save({ ...state, before })));
  },

  async verify(cx, spec, receipt) {
    const { folder, pending, findings } = await survey(cx, spec);
    const ledger = await readLedger(cx.db, ledgerAt(spec));
    const applied = receipt.pending.filter((m) => ledger.rows.some((row) => row.hash === m.hash));
    const missing = await missingOf(cx, createsOf(spec, cx));
    const there = await thereOf(cx, receipt.creation, receipt.existed);
    const invalid = there.keys.filter((k) => !k.valid && !(receipt.returned?.keys.some((r) => r.name === k.name && !r.valid) ?? false));
    const checks: Check[] = [
      {
        name: `${spec.migrations}: migrations in the ledger`,
        criterion: 'other',
        expected: String(folder.migrations.length),
        actual: String(folder.migrations.length - pending.length),
        verdict: pending.length === 0 ? 'pass' : 'fail',
      },
      {
        name: `${spec.migrations}: pending ones applied, by hash`,
        criterion: 'other',
        expected: String(receipt.pending.length),
        actual: String(applied.length),
        verdict: applied.length === receipt.pending.length ? 'pass' : 'fail',
      },
      {
        name: `${spec.migrations}: tables created`,
        criterion: 'other',
        expected: String(spec.creates?.length ?? 0),
        actual: `${String((spec.creates?.length ?? 0) - missing.length)}${missing.length === 0 ? '' : `, missing ${missing.map(display).join(', ')}`}`,
        verdict: missing.length === 0 ? 'pass' : 'fail',
      },
      {
        name: `${spec.migrations}: foreign keys validated`,
        criterion: 'foreign-keys',
        expected: String(there.keys.length),
        actual: String(there.keys.length - invalid.length),
        verdict: invalid.length === 0 ? 'pass' : 'fail',
      },
      receipt.before === null || receipt.after === null
        ? {
            name: `${spec.migrations}: rows lost beyond the plan`,
            criterion: 'data',
            expected: '0',
            actual: receipt.pending.length === 0 || receipt.returned !== null ? 'nothing was run' : 'counted in the rehearsal only',
            verdict: 'not-measured',
          }
        : {
            name: `${spec.migrations}: rows lost beyond the plan`,
            criterion: 'data',
            expected: '0',
            actual: `0 in ${String(receipt.before.length)} tables`,
            verdict: 'pass',
          },
    ];
    return {
      findings: findings.filter((f) => f.code === 'drizzle-edited' || f.code === 'drizzle-ledger-unknown'),
      checks,
      tables: receipt.before === null || receipt.after === null ? [] : accounts(cx.stepId, receipt.before, receipt.after, spec.rows ?? {}, cx.plan),
      notCompared:
        receipt.pending.length === 0 ? [] : [`values that the migrations of ${spec.migrations} changed: the row guard counts rows, it does not read them`],
      rowsCompared: 0,
    };
  },

  async canUndo(cx, spec, receipt) {
    if (receipt.state === 'undone' || receipt.pending.length === 0 || isKept(cx, receipt)) return [];
    const ledger = await readLedger(cx.db, ledgerAt(spec));
    const ours = ledger.rows.filter((row) => receipt.pending.some((m) => m.hash === row.hash));
    const there = await thereOf(cx, receipt.creation, receipt.existed);
    if (ours.length === 0 && there.tables.length === 0 && there.others.length === 0) return [];
    if (receipt.creation.inexact !== null) {
      const hint = `Roll back with allow: keep-${cx.stepId} to keep their effect and undo the rest, or restore the backup.`;
      return [block('undo-none', `the migrations of ${spec.migrations} cannot be undone exactly: ${receipt.creation.inexact}`, { hint })];
    }
    return [...laterThan(ours, ledger.rows), ...(await usersOf(cx, there))];
  },

  async undo(cx, spec, receipt, slot) {
    if (receipt === null || receipt.pending.length === 0) return;
    const ledger = await readLedger(cx.db, ledgerAt(spec));
    const ours = ledger.rows.filter((row) => receipt.pending.some((m) => m.hash === row.hash));
    const there = await thereOf(cx, receipt.creation, receipt.existed);
    const nothing = ours.length === 0 && there.tables.length === 0 && there.others.length === 0 && there.indexes.length === 0 && there.keys.length === 0;
    if (nothing) {
      await dropFreshLedger(cx, spec, receipt, ledger);
      await forgetMarker(cx.db, cx.run, cx.stepId, 'apply');
      return;
    }
    if (receipt.creation.inexact !== null || isKept(cx, receipt)) {
      cx.report({
        type: 'found',
        finding: warn('undo-none', `the migrations of ${spec.migrations} are not undone: their effect is kept`, { step: cx.stepId }),
      });
      return;
    }
    const stop = [...laterThan(ours, ledger.rows), ...(await usersOf(cx, there))][0];
    if (stop !== undefined) throw new UserError(`step ${cx.stepId}: ${stop.message}`, { hint: stop.hint ?? '' });
    await prepareMarkers(cx.db);
    await createLedger(cx.db, spec, { ledger, folder: { layout: null, migrations: [], findings: [] } });
    const kept = keptOf(cx, there, receipt.pending);
    await slot?.save({ ...receipt, state: 'undone', kept: kept.tables.map((t) => ({ schema: t.home, name: t.name })) });
    await setAside(cx, there, kept, { at: ledgerAt(spec), ids: ours.map((row) => row.id), drop: !receipt.hadLedger, dropSchema: !receipt.hadLedgerSchema });
  },

  watch: () => Promise.resolve(nothingToTend),

  async canCleanup(cx, _spec, receipt) {
    const kept = await marked<Kept>(cx.db, cx.run, cx.stepId, 'kept');
    const unrecorded = (kept?.tables ?? []).filter((t) => !receipt.kept.some((k) => k.schema === t.home && k.name === t.name));
    return unrecorded.map((t) =>
      block('kept-tables-unrecorded', `${t.home}.${t.name} was kept by a rollback that the journal does not record`, {
        object: `${t.home}.${t.name}`,
        hint: 'Roll the run back once more, or archive and drop the table by hand.',
      }),
    );
  },

  retired: (_spec, receipt) => receipt.kept,

  async cleanup(cx) {
    await dropKept(cx);
    await forgetMarker(cx.db, cx.run, cx.stepId, 'apply');
  },
};

const nothingToTend: Watched = { findings: [], drained: 0, backlog: 0, blocking: [], tables: [] };

/** The user keeps a whole step's effect by name; a half-done one is undone all the same. */
const isKept = (cx: ReadContext, receipt: Receipt): boolean => receipt.state === 'applied' && cx.allow.has(`keep-${cx.stepId}`);

/** Rows that came after ours: their migrations may build upon what an undo takes away. */
function laterThan(ours: readonly LedgerRow[], all: readonly LedgerRow[]): readonly Finding[] {
  const last = Math.max(...ours.map((row) => row.id), -1);
  return ours.length === 0
    ? []
    : all
        .filter((row) => row.id > last && !ours.includes(row))
        .map((row) =>
          block('drizzle-ledger-later', `a later migration was applied since (ledger row ${String(row.id)}${row.name === null ? '' : `, ${row.name}`})`, {
            object: row.hash.slice(0, 12),
            hint: 'Roll the later one back first.',
          }),
        );
}

async function finish(
  cx: StepContext,
  slot: { save(receipt: Receipt): Promise<void> },
  receipt: Receipt,
  counts: { readonly before: Counts; readonly after: Counts } | null,
): Promise<void> {
  await mark(cx.db, cx.run, cx.stepId, 'apply', { before: counts?.before ?? null, after: counts?.after ?? null });
  await slot.save({ ...receipt, state: 'applied', before: counts?.before ?? receipt.before, after: counts?.after ?? receipt.after });
}

async function isNamed(db: ReadDb, spec: Spec): Promise<boolean> {
  const { schema, table } = ledgerAt(spec);
  return (await db.one<{ named: boolean }>('drizzle/ledger-exists', { values: [schema, table] })).named;
}

async function createLedger(db: Db, spec: Spec, seen: Pick<Survey, 'ledger' | 'folder'>): Promise<void> {
  if (seen.ledger.found) return;
  const ledger = ledgerAt(spec);
  await db.change(seen.folder.layout === 'folders' ? 'drizzle/create-named-ledger' : 'drizzle/create-ledger', {
    names: { schema: ledger.schema, ledger: ledgerOf(ledger) },
  });
}

/** An attempt that was rolled back, or a command that failed, may have left an empty ledger that was not there before. */
async function dropFreshLedger(cx: StepContext, spec: Spec, receipt: Receipt, now: LedgerNow): Promise<void> {
  if (receipt.hadLedger || !now.found || now.rows.length > 0) return;
  const ledger = ledgerAt(spec);
  await cx.db.change('drizzle/drop-empty-ledger', {
    names: { ledger: ledgerOf(ledger), schema: ledger.schema },
    parts: { with_schema: receipt.hadLedgerSchema ? glue`false` : glue`true` },
  });
}

/** As drizzle does it: every pending migration in one transaction, statement by statement, a ledger row after each; under the exact row guard. */
async function runOurselves(
  cx: StepContext,
  spec: Spec,
  seen: Survey,
  pending: readonly Migration[],
): Promise<{ readonly before: Counts; readonly after: Counts }> {
  await createLedger(cx.db, spec, seen);
  const named = await isNamed(cx.db, spec);
  for (const m of pending) cx.report({ type: 'sql', step: cx.stepId, text: m.text });
  return guarded(cx, {
    rules: spec.rows ?? {},
    work: async (tx) => {
      for (const m of pending) {
        await runChunks(tx, m);
        await tx.change('drizzle/write-rows', {
          names: { ledger: ledgerOf(ledgerAt(spec)) },
          literals: { rows: JSON.stringify([{ ...plain(m), no: 0 }]) },
          parts: { name_column: named ? glue`, name` : glue``, name_value: named ? glue`, x.tag` : glue`` },
        });
      }
    },
    seal: (tx, before, after) => mark(tx, cx.run, cx.stepId, 'apply', { before, after }),
  });
}

async function runChunks(tx: Db, m: Migration): Promise<void> {
  for (const chunk of chunks(m)) await tx.script(chunk.text, { file: m.file, line: chunk.line });
}

/** The team's command, with the ledger checked afterwards. Errors: UserError with PostgreSQL's own words, which drizzle-kit hides (drizzle-orm#5521). */
async function runTheirs(
  cx: StepContext,
  spec: Spec,
  command: string,
  seen: Survey,
  pending: readonly Migration[],
  started: (before: Counts | null) => Promise<void>,
): Promise<{ readonly before: Counts; readonly after: Counts } | null> {
  return guardedCommand(cx, { guard: spec.guard, rules: spec.rows, started }, async () => {
    try {
      await runCommand(cx, command, spec['url-variable']);
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error;
      throw await explained(cx, error, pending);
    }
    const now = await survey(cx, spec);
    const left = now.pending.filter((m) => seen.pending.some((p) => p.hash === m.hash));
    if (left.length > 0) {
      throw new UserError(
        `step ${cx.stepId}: the command ended well, but ${left.map((m) => m.tag).join(', ')} ${left.length === 1 ? 'is' : 'are'} not in the ledger`,
        {
          hint: 'The command migrated another database or another folder: check the variable it reads (`url-variable`) and the `out` of its drizzle.config.',
        },
      );
    }
    const unknown = now.findings.find((f) => f.code === 'drizzle-edited' || f.code === 'drizzle-ledger-unknown');
    if (unknown !== undefined) throw new UserError(`step ${cx.stepId}: after the command ${unknown.message}`, { hint: unknown.hint ?? '' });
  });
}

/** Ends the transaction that looks for the error, when there was none. */
class NoError extends Error {}

async function explained(cx: StepContext, failed: CommandFailed, pending: readonly Migration[]): Promise<UserError> {
  const said = `the command exited with ${String(failed.exitCode)}: ${failed.lastLine}`;
  try {
    await cx.db.session('command', (db) =>
      db.transaction(
        async (tx) => {
          await tx.change('row-guard/author-path', { parts: { path: authorPath(cx) } });
          for (const m of pending) await runChunks(tx, m);
          throw new NoError();
        },
        { retry: false },
      ),
    );
  } catch (error) {
    if (error instanceof NoError) {
      return new UserError(`step ${cx.stepId}: ${said}`, {
        hint: 'The pending statements themselves run without an error (tried in a transaction that was rolled back), so the fault lies in the command: its connection, its configuration, its folder.',
        cause: failed,
      });
    }
    if (error instanceof QueryFailed) {
      return new UserError(
        `step ${cx.stepId}: ${said}\nThe same statements, tried again in a transaction that was rolled back, fail with ${error.sqlstate}: ${error.message}`,
        {
          hint: error.more.hint ?? 'Correct the migration; nothing of it was kept.',
          cause: failed,
          ...(error.more.at === undefined ? {} : { at: error.more.at }),
        },
      );
    }
    throw error;
  }
  throw failed;
}

export const drizzleReading: KindReading = {
  files: (spec) => [(spec as Spec).migrations],
  commands: (spec) => {
    const { command } = spec as Spec;
    return command === undefined ? [] : [command];
  },
  check: async (spec, files, at) => {
    const parsed = spec as Spec;
    const folder = readMigrations(files, parsed.migrations, new Date());
    const ofCommand = parsed.command === undefined ? [] : refusedCommands(parsed.command, scriptsInPlan(files)).map((f) => ({ ...f, at: at(['command']) }));
    // Which files are pending only the ledger knows: preflight judges those, here every hazard is a fact.
    const facts = (await hazardsOf(folder.migrations)).map((f): Finding => ({ ...f, severity: 'note', message: `${f.message} (judged when it is pending)` }));
    return [...folder.findings.map((f) => (f.at === undefined ? { ...f, at: at(['migrations']) } : f)), ...ofCommand, ...facts];
  },
};
