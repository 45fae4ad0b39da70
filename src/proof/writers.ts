import { randomBytes, randomUUID } from 'node:crypto';
import { Aborted, QueryFailed, toFailure } from '../errors.js';
import { display, type Relation } from '../names.js';
import type { Db } from '../pg/db.js';
import { fromCatalog, glue, ident, join, literal, type Sql } from '../pg/render.js';
import type { Clock } from '../ports.js';

/** A table that synthetic writers shall write, and which of its rows are fit to be copied (SQL over alias `t`; default all). */
export interface WriterTable {
  readonly relation: Relation;
  readonly fit?: Sql;
}

export interface WriterSummary {
  readonly acknowledged: number;
  /** acknowledged writes that were not found again: `schema.table key` */
  readonly lost: readonly string[];
  /** SQLSTATE → count; the statements were not acknowledged */
  readonly errors: Readonly<Record<string, number>>;
  readonly longestMs: number;
  /** tables that could not be written, and why */
  readonly unwritten: readonly string[];
}

/**
 * Writers for a rehearsal, made from each table's own columns and rows: they insert copies with fresh keys, update and delete only rows
 * that they inserted, remember what was acknowledged, and remove everything in the end (DECISIONS 31).
 */
export interface SyntheticWriters {
  pause(): Promise<void>;
  resume(): void;
  /** Every acknowledged write is looked up again. Writers must be paused. */
  check(): Promise<readonly string[]>;
  /** Stops, checks, removes the writers' rows. */
  stop(): Promise<WriterSummary>;
}

interface Column {
  readonly name: string;
  readonly type: string;
  readonly base: string;
  readonly category: string;
  readonly length: number | null;
  readonly computed: boolean;
  readonly default_expression: string | null;
  readonly referencing: boolean;
}

interface Shape {
  readonly relation: Relation;
  readonly key: readonly string[];
  /** columns of an INSERT, without computed ones and those filled by a sequence */
  readonly columns: readonly string[];
  /** columns that get a fresh value, and how it is made */
  readonly fresh: ReadonlyMap<string, () => string>;
  /** a column that an UPDATE may set, or null */
  readonly updatable: string | null;
  readonly templates: readonly string[];
}

/** pause between two statements of one writer */
const restMs = 15;

/** A text array literal of the key columns: the same whatever their types are before and after. */
const keyOf = (alias: string, key: readonly string[]): Sql =>
  glue`ARRAY[${join(key.map((c) => glue`${ident(alias)}.${ident(c)}::pg_catalog.text`))}]::pg_catalog.text`;

/** `alias.k1 = 'v1' AND …` with untyped literals, so that the statement parses for text and uuid alike. */
const keyIs = (alias: string, key: readonly string[], text: string): Sql =>
  join(
    arrayOf(text).map((value, i) => glue`${ident(alias)}.${ident(key[i] ?? '')} = ${literal(value)}`),
    ' AND ',
  );

/** The elements of a one-dimensional array literal of non-null texts. */
function arrayOf(text: string): readonly string[] {
  const found: string[] = [];
  const pattern = /"((?:[^"\\]|\\.)*)"|([^,{}]+)/g;
  for (const match of text.slice(1, -1).matchAll(pattern)) found.push(match[1] === undefined ? (match[2] ?? '') : match[1].replace(/\\(.)/g, '$1'));
  return found;
}

/** @param open opens a session for one writer; the caller closes sessions */
export async function startWriters(open: () => Promise<Db>, tables: readonly WriterTable[], clock: Clock, signal: AbortSignal): Promise<SyntheticWriters> {
  const db = await open();
  const shapes: Shape[] = [];
  const unwritten: string[] = [];
  for (const table of tables) {
    const shape = await shapeOf(db, table);
    if (typeof shape === 'string') unwritten.push(`${display(table.relation)}: ${shape}`);
    else shapes.push(shape);
  }
  const writers = await Promise.all(shapes.map(async (shape) => new Writer(await open(), shape)));
  let paused: Promise<void> | null = null;
  let release: () => void = () => undefined;
  let stopped = false;
  const loops = writers.map(async (writer) => {
    while (!stopped && !signal.aborted) {
      if (paused !== null) await paused;
      else {
        await writer.work();
        await clock.sleep(restMs, signal).catch(() => undefined);
      }
    }
  });
  const quiet = async (): Promise<void> => {
    paused ??= new Promise((resolve) => (release = resolve));
    await Promise.all(writers.map((w) => w.idle()));
  };
  const check = async (): Promise<readonly string[]> => (await Promise.all(writers.map((w) => w.check()))).flat();
  return {
    pause: quiet,
    resume: () => {
      paused = null;
      release();
    },
    check,
    async stop() {
      await quiet();
      stopped = true;
      paused = null;
      release();
      await Promise.all(loops);
      const lost = await check();
      for (const w of writers) await w.remove();
      const errors: Record<string, number> = {};
      for (const w of writers) for (const [state, n] of Object.entries(w.errors)) errors[state] = (errors[state] ?? 0) + n;
      return {
        acknowledged: writers.reduce((n, w) => n + w.acknowledged, 0),
        lost,
        errors,
        longestMs: Math.max(0, ...writers.map((w) => w.longestMs)),
        unwritten,
      };
    },
  };
}

async function shapeOf(db: Db, { relation, fit }: WriterTable): Promise<Shape | string> {
  const columns = await db.rows<Column>('proof/probe-columns', { values: [relation.schema, relation.name] });
  const uniques = await db.rows<{ index: string; columns: string[] }>('proof/probe-uniques', { values: [relation.schema, relation.name] });
  const key = uniques[0]?.columns;
  if (key === undefined) return 'it has no key';
  const byName = new Map(columns.map((c) => [c.name, c]));
  const fresh = new Map<string, () => string>();
  const filled = new Set(columns.filter((c) => c.computed || (c.default_expression ?? '').includes('nextval(')).map((c) => c.name));
  for (const unique of uniques) {
    if (unique.columns.some((c) => fresh.has(c) || filled.has(c))) continue;
    const candidates = unique.columns.map((c) => byName.get(c)).filter((c) => c !== undefined && !c.referencing);
    const made = await firstOf(candidates, async (c) => (c === undefined ? null : freshFor(c, await sample(db, relation, c.name))));
    if (made === null) return `no fresh value can be made for the unique index ${unique.index}`;
    fresh.set(made[0]?.name ?? '', made[1]);
  }
  const templates = await db.rows<{ key: string }>('proof/writer-templates', {
    names: { table: relation },
    parts: { key: keyOf('t', key), fit: fit ?? fromCatalog('true') },
  });
  if (templates.length === 0) return 'it has no row that could be copied';
  const inUnique = new Set(uniques.flatMap((u) => u.columns));
  const updatable = columns.find((c) => !c.computed && !c.referencing && !inUnique.has(c.name));
  return {
    relation,
    key,
    columns: columns.filter((c) => !filled.has(c.name)).map((c) => c.name),
    fresh,
    updatable: updatable?.name ?? null,
    templates: templates.map((t) => t.key),
  };
}

async function firstOf<T, R>(values: readonly T[], make: (value: T) => Promise<R | null>): Promise<readonly [T, R] | null> {
  for (const value of values) {
    const made = await make(value);
    if (made !== null) return [value, made];
  }
  return null;
}

const sample = async (db: Db, relation: Relation, column: string): Promise<string | null> =>
  (await db.rows<{ value: string }>('proof/writer-sample', { names: { table: relation, column } }))[0]?.value ?? null;

/** Text that looks like a uuid stays one: the plan may turn it into the type. */
function freshFor(column: Column, seen: string | null): (() => string) | null {
  if (column.base === 'uuid' || (column.category === 'S' && seen !== null && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(seen)))
    return () => randomUUID();
  if (column.category === 'S') {
    const length = Math.min(column.length ?? 24, 24);
    return length < 10 ? null : () => randomBytes(12).toString('hex').slice(0, length);
  }
  // the upper quarter of the type, where a sequence has not come
  if (['int4', 'int8', 'numeric'].includes(column.base)) return () => String(1_600_000_000 + (randomBytes(4).readUInt32BE() % 500_000_000));
  return null;
}

class Writer {
  acknowledged = 0;
  longestMs = 0;
  readonly errors: Record<string, number> = {};
  /** own rows: key → value last written, or undefined when only inserted; null once deleted */
  private readonly rows = new Map<string, { value: string | null | undefined; alive: boolean }>();
  private working: Promise<void> = Promise.resolve();
  private turn = 0;
  constructor(
    private readonly db: Db,
    private readonly shape: Shape,
  ) {}

  work(): Promise<void> {
    this.working = this.once();
    return this.working;
  }

  async idle(): Promise<void> {
    await this.working;
  }

  private async once(): Promise<void> {
    const started = Date.now();
    const alive = [...this.rows].filter(([, r]) => r.alive).map(([key]) => key);
    const own = alive[this.turn % Math.max(1, alive.length)];
    this.turn += 1;
    try {
      if (own === undefined || alive.length < 5 || this.turn % 3 === 0) await this.insert();
      else if (this.turn % 3 === 1) await this.update(own);
      else await this.remove_(own);
    } catch (error) {
      if (error instanceof Aborted) return;
      const kind = error instanceof QueryFailed ? error.sqlstate : toFailure(error).message;
      this.errors[kind] = (this.errors[kind] ?? 0) + 1;
    } finally {
      this.longestMs = Math.max(this.longestMs, Date.now() - started);
    }
  }

  private template(): string {
    return this.shape.templates[Math.floor(Math.random() * this.shape.templates.length)] ?? '';
  }

  private async insert(): Promise<void> {
    const { relation, key, columns, fresh } = this.shape;
    const values = columns.map((c) => {
      const make = fresh.get(c);
      return make === undefined ? glue`t.${ident(c)}` : literal(make());
    });
    const [row] = await this.db.rows<{ key: string }>('proof/writer-insert', {
      names: { table: relation },
      parts: { columns: join(columns.map((c) => ident(c))), values: join(values), template: keyIs('t', key, this.template()), key: keyOf('n', key) },
    });
    if (row === undefined) return;
    this.rows.set(row.key, { value: undefined, alive: true });
    this.acknowledged += 1;
  }

  private async update(own: string): Promise<void> {
    const { relation, key, updatable } = this.shape;
    if (updatable === null) return;
    const [row] = await this.db.rows<{ value: string | null }>('proof/writer-update', {
      names: { table: relation, column: updatable },
      parts: { template: keyIs('s', key, this.template()), own: keyIs('t', key, own) },
    });
    // no row: an acknowledged insert is gone; check() will say so
    if (row === undefined) return;
    this.rows.set(own, { value: row.value, alive: true });
    this.acknowledged += 1;
  }

  private async remove_(own: string): Promise<void> {
    const { relation, key } = this.shape;
    const gone = await this.db.rows('proof/writer-delete', { names: { table: relation }, parts: { own: keyIs('t', key, own) } });
    if (gone.length === 0) return;
    this.rows.set(own, { value: null, alive: false });
    this.acknowledged += 1;
  }

  async check(): Promise<readonly string[]> {
    const { relation, key, updatable } = this.shape;
    const lost: string[] = [];
    for (const [own, row] of this.rows) {
      const value = updatable === null ? fromCatalog('NULL::pg_catalog.text') : glue`t.${ident(updatable)}::pg_catalog.text`;
      const found = await this.db.rows<{ value: string | null }>('proof/writer-read', {
        names: { table: relation },
        parts: { value, own: keyIs('t', key, own) },
      });
      const there = found[0];
      if (row.alive !== (there !== undefined)) lost.push(`${display(relation)} ${own}: ${row.alive ? 'written, not found' : 'deleted, found again'}`);
      else if (there !== undefined && row.value !== undefined && there.value !== row.value) lost.push(`${display(relation)} ${own}: an update is missing`);
    }
    return lost;
  }

  async remove(): Promise<void> {
    const { relation, key } = this.shape;
    for (const [own, row] of this.rows)
      if (row.alive) await this.db.change('proof/writer-delete', { names: { table: relation }, parts: { own: keyIs('t', key, own) } });
  }
}
