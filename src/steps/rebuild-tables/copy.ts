import { Bug, QueryFailed } from '../../errors.js';
import { display, inControl, type RunId } from '../../names.js';
import type { Db } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, type Sql } from '../../pg/render.js';
import type { StepContext } from '../step.js';
import { fits, misfit } from './carry.js';
import { columnList, convertList, keyColumns, keyFitsOf, quarantineOf, sameKey, type Group, type Rebuilt, type Source } from './design.js';
import { indexJobs } from './shadow.js';

/** Runs jobs on `workers` sessions; after a failure no further job starts, and the first failure is thrown when all have stopped. */
export async function inParallel<Job>(cx: StepContext, jobs: readonly Job[], work: (db: Db, job: Job) => Promise<void>): Promise<void> {
  const queue = [...jobs];
  let failed = false;
  const lane = (): Promise<void> =>
    cx.db.session('worker', async (db) => {
      for (let job = queue.shift(); job !== undefined && !failed; job = queue.shift()) {
        try {
          await work(db, job);
        } catch (error) {
          failed = true;
          throw error;
        }
      }
    });
  const ends = await Promise.allSettled(Array.from({ length: Math.max(1, Math.min(cx.budget.workers, jobs.length)) }, lane));
  const first = ends.find((e) => e.status === 'rejected');
  if (first !== undefined) throw first.reason;
}

interface Chunk {
  readonly table: Rebuilt;
  readonly from: number;
  /** null: to the end */
  readonly to: number | null;
  readonly filenode: number;
}

/** The table got a new file between two chunks (VACUUM FULL, CLUSTER, TRUNCATE): page ranges mean nothing any more. */
class Moved extends Error {
  constructor(readonly table: Rebuilt) {
    super(`${display(table.table)} was rewritten while it was copied`);
  }
}

const LARGEST_CHUNK = 16_384;
const SMALLEST_CHUNK = 64;

/** Copies every table of the group into its shadow, in ranges of pages over several sessions. A table that was rewritten meanwhile is copied anew. Locks: ACCESS SHARE. */
export async function copyAll(cx: StepContext, group: Group): Promise<void> {
  let left: readonly Rebuilt[] = group.tables;
  for (let attempt = 1; left.length > 0; attempt += 1) {
    if (attempt > 5)
      throw new Bug(`${left.map((t) => display(t.table)).join(', ')}: rewritten again and again while being copied`, {
        hint: 'Stop VACUUM FULL and CLUSTER for the time of the migration.',
      });
    left = await copyOnce(cx, left);
  }
}

async function copyOnce(cx: StepContext, tables: readonly Rebuilt[]): Promise<readonly Rebuilt[]> {
  const chunks: Chunk[] = [];
  let expected = 0;
  for (const table of tables) {
    await cx.db.change('rebuild-tables/empty', { names: { table: table.shadow } });
    await cx.db.change('rebuild-tables/empty', { names: { table: quarantineOf(cx.run, table) } });
    const { pages, filenode, estimate } = await cx.db.one<{ pages: number; filenode: number; estimate: number }>('rebuild-tables/pages', {
      literals: { table: ident(table.table) },
    });
    expected += estimate;
    const size = Math.min(LARGEST_CHUNK, Math.max(SMALLEST_CHUNK, Math.ceil(pages / (cx.budget.workers * 16))));
    // the last range has no end: rows may have been added since the size was read
    for (let from = 0; from === 0 || from < pages; from += size) chunks.push({ table, from, to: from + size < pages ? from + size : null, filenode });
  }
  let done = 0;
  const moved = new Set<Rebuilt>();
  await inParallel(cx, chunks, async (db, chunk) => {
    if (moved.has(chunk.table)) return;
    try {
      done += await copyChunk(db, cx.run, chunk);
      cx.report({ type: 'progress', step: cx.stepId, what: 'copying', done, of: expected === 0 ? null : Math.max(done, expected), unit: 'rows' });
    } catch (error) {
      if (!(error instanceof Moved)) throw error;
      moved.add(chunk.table);
      cx.report({ type: 'said', text: `${error.message}: starting its copy again` });
    }
  });
  return [...moved];
}

/** Rows are judged one by one only in a chunk that failed as a whole. */
async function copyChunk(db: Db, run: RunId, chunk: Chunk): Promise<number> {
  try {
    return await copyRange(db, run, chunk, false);
  } catch (error) {
    if (!(chunk.table.converts && error instanceof QueryFailed && /^(22|2350[25]|23514)/.test(error.sqlstate))) throw error;
    return copyRange(db, run, chunk, true);
  }
}

function copyRange(db: Db, run: RunId, chunk: Chunk, judged: boolean): Promise<number> {
  const t = chunk.table;
  const values = [`(${String(chunk.from)},0)`, chunk.to === null ? '(4294967295,0)' : `(${String(chunk.to)},0)`];
  return db.transaction(
    async (tx) => {
      await tx.change('online/share-lock', { parts: { tables: ident(t.table) } });
      const { filenode } = await tx.one<{ filenode: number }>('rebuild-tables/filenode', { literals: { table: ident(t.table) } });
      if (filenode !== chunk.filenode) throw new Moved(t);
      await tx.change('rebuild-tables/scan-by-tid');
      const rows = await tx.change('rebuild-tables/copy-chunk', {
        names: { shadow: t.shadow, table: t.table },
        parts: { columns: columnList(t), values: convertList(t), fit: judged ? fits(run, t) : fromCatalog('true') },
        values,
      });
      if (judged)
        await tx.change('rebuild-tables/quarantine-chunk', {
          names: { quarantine: quarantineOf(run, t), table: t.table },
          parts: { reason: misfit(run, t), fit: fits(run, t) },
          values,
        });
      return rows;
    },
    { isolation: 'repeatable read', lockTimeoutMs: 200 },
  );
}

/**
 * Removes from the shadows every row whose key was logged while copying: rows that moved between chunks are there twice,
 * others are stale. The log stays: the first drain makes those rows again. After a TRUNCATE the drain makes everything again.
 */
export async function dedupe(cx: StepContext, group: Group): Promise<void> {
  for (const t of group.tables) {
    const log = inControl('log', cx.run, t.oid);
    const key = keyColumns(t);
    const n = (i: number): Sql => fromCatalog(`k${String(i + 1)}`);
    const { truncated } = await cx.db.one<{ truncated: boolean }>('online/backlog', { names: { log } });
    if (truncated) {
      await cx.db.change('rebuild-tables/empty', { names: { table: t.shadow } });
      continue;
    }
    await cx.db.transaction(
      async (tx) => {
        await tx.change('online/share-lock', { parts: { tables: ident(t.table) } });
        await tx.change('rebuild-tables/dedupe', {
          names: { shadow: t.shadow, log },
          parts: {
            keys: join(key.map((c, i) => glue`${c.convert} AS ${n(i)}`)),
            logged: join(key.map((c, i) => glue`l.${n(i)} AS ${ident(c.name)}`)),
            fit: t.keyConverts ? glue`${ident(keyFitsOf(cx.run, t))}(${join(key.map((c) => glue`o.${ident(c.name)}`))})` : fromCatalog('true'),
            match: sameKey(t, 's', 'l'),
          },
        });
        await tx.change('rebuild-tables/dedupe-quarantine', { names: { quarantine: quarantineOf(cx.run, t), log }, parts: { match: sameKey(t, 'q', 'l') } });
      },
      { isolation: 'repeatable read', lockTimeoutMs: 200 },
    );
  }
}

/** VACUUM first (hint bits and visibility once, instead of in every index build), then all indexes, the largest first, several at a time; then what hangs on them. Locks: shadows only. */
export async function buildIndexes(cx: StepContext, group: Group, sources: readonly Source[]): Promise<void> {
  await inParallel(cx, group.tables, async (db, t) => {
    await db.change('rebuild-tables/vacuum', { names: { table: t.shadow } });
  });
  const jobs = indexJobs(group, sources);
  let done = 0;
  await inParallel(cx, jobs, async (db, job) => {
    await db.change('rebuild-tables/build-index', { parts: { create: job.create } });
    done += 1;
    cx.report({ type: 'progress', step: cx.stepId, what: `index ${job.name}`, done, of: jobs.length, unit: 'tables' });
  });
  for (const t of group.tables) {
    const after = jobs.filter((j) => j.table === t).flatMap((j) => j.after);
    if (after.length > 0) await cx.db.message(after, { about: 'rebuild-tables/constraints' });
  }
}
