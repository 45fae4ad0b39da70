import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { performance } from 'node:perf_hooks';
import pg from 'pg';

/**
 * The application, as a load: clients that insert, update, delete, change keys and cascade through its tables, and that remember every write the server
 * acknowledged. Each touches only rows that it inserted itself, one write at a time, so what a row must hold is known without asking the database.
 */

/** What is written, and the expression that yields what a row must hold, whatever the types of its columns are at the moment. */
const tables = {
  user: { name: 'bazaar-vid_user', value: 'name', of: (r) => `v${r.v}` },
  project: { name: 'bazaar-vid_project', value: `(props ->> 'v') || '|' || "userId"`, of: (r) => `${r.v}|${r.parent}` },
  message: { name: 'bazaar-vid_message', value: `sequence || '|' || "projectId"::text`, of: (r) => `${r.v}|${r.parent}` },
  scene: { name: 'bazaar-vid_scene', value: `"order" || '|' || "projectId"::text`, of: (r) => `${r.v}|${r.parent}` },
  exports: {
    name: 'bazaar-vid_exports',
    value: `download_count || '|' || project_id::text || '|' || user_id::text`,
    of: (r) => `${r.v}|${r.parent}|${r.owner}`,
  },
  analytics: { name: 'bazaar-vid_export_analytics', value: `(metadata ->> 'v') || '|' || export_id::text`, of: (r) => `${r.v}|${r.parent}` },
  usage: { name: 'bazaar-vid_api_usage_metric', value: `total_tokens || '|' || user_id`, of: (r) => `${r.v}|${r.owner}` },
};
/** Parents of each table: a deleted parent takes its rows along. */
const children = { user: ['project'], project: ['message', 'scene', 'exports'], exports: ['analytics'] };

/** Ids of all users that writers create start with this: their rows are told from the fixture's by it. */
const writerPrefix = 'writer_';

/** A client keeps about this many rows alive; beyond it deletes. */
const mostRows = 240;
const mostAttempts = 12;
const slowest = 10;
/** A named statement that was planned for the types before the swap: every further use on its connection fails the same way, so the connection is opened anew. */
const staleStatement = new Set(['0A000', '42883', '42804']);
const worthARetry = new Set(['40001', '40P01']);
const isLost = (error) => error.code === undefined || error.code.startsWith('08') || /^57P0[123]$|^E[A-Z]+$/.test(error.code);

/** mulberry32: a seed gives the same sequence of operations. */
function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

class Missed extends Error {
  constructor(operation, table, id) {
    super(`${operation}: no row in ${tables[table].name} for ${id}`);
    this.where = { operation, table: tables[table].name, id };
  }
}

class Writer {
  /** rows alive, by table and id */
  rows = Object.fromEntries(Object.keys(tables).map((t) => [t, new Map()]));
  /** what every row ever written must hold now; null: nothing */
  expected = new Map();
  /** changes of writes whose outcome is unknown: all of them happened, or none did */
  uncertain = [];
  client = null;

  constructor(index, url, shared, seed) {
    this.index = index;
    this.url = url;
    this.shared = shared;
    this.chance = random(seed * 1000003 + index * 7919);
    this.version = 0;
    this.main = `${writerPrefix}${randomUUID()}`;
    // Every other client uses named prepared statements, every fourth REPEATABLE READ.
    this.named = index % 2 === 1;
    this.isolation = index % 4 === 2 ? 'REPEATABLE READ' : 'READ COMMITTED';
  }

  pick(table, fits = () => true) {
    const fitting = [...this.rows[table]].filter(([id, row]) => fits(id, row));
    return fitting.length === 0 ? null : fitting[Math.floor(this.chance() * fitting.length)];
  }

  childrenOf(table, id) {
    return (children[table] ?? []).flatMap((child) =>
      [...this.rows[child]].filter(([, row]) => row.parent === id).flatMap(([key]) => [{ table: child, id: key }, ...this.childrenOf(child, key)]),
    );
  }

  async connection() {
    while (this.client === null) {
      const client = new pg.Client({ connectionString: this.url, application_name: `bazaar-vid writer ${this.index}` });
      client.on('error', () => undefined);
      try {
        await client.connect();
        this.client = client;
      } catch (error) {
        await client.end().catch(() => undefined);
        if (this.shared.stopping) throw error;
        await sleep(100);
      }
    }
    return this.client;
  }

  async disconnect() {
    const client = this.client;
    this.client = null;
    await client?.end().catch(() => undefined);
  }

  /** One statement; its time at the client counts. */
  async statement(operation, text, values, name) {
    const client = await this.connection();
    const start = performance.now();
    try {
      return await client.query(name !== undefined && this.named ? { name, text, values } : { text, values });
    } finally {
      this.shared.timed(operation, performance.now() - start);
    }
  }

  /**
   * Carries one write through: `work` names each change before it sends the statement that makes it, so that it is known also of a write that was cut off. A refused attempt is counted and, where it can succeed, made
   * again; the changes are believed only when the server has acknowledged the commit.
   */
  async write(operation, work, { isolation = this.isolation, transaction = true } = {}) {
    for (let attempt = 1; ; attempt += 1) {
      let committing = !transaction;
      const changes = [];
      try {
        const query = async (text, values, name) => this.statement(operation, text, values, name);
        const one = async (table, id, text, values, name) => {
          const { rowCount } = await query(text, values, name);
          if (rowCount !== 1) throw new Missed(operation, table, id);
        };
        if (transaction) await query(`BEGIN ISOLATION LEVEL ${isolation}`);
        await work({ query, one, change: (table, id, row) => changes.push({ table, id, row }) });
        if (transaction) {
          committing = true;
          await query('COMMIT');
        }
        this.acknowledge(operation, changes);
        return true;
      } catch (error) {
        if (error instanceof Missed) this.shared.missed(error.where);
        else this.shared.refused(error);
        if (isLost(error) && !(error instanceof Missed)) {
          await this.disconnect();
          this.shared.counts.reconnected += 1;
          if (committing) {
            this.doubt(changes);
            return false;
          }
        } else if (staleStatement.has(error.code)) {
          await this.disconnect();
          this.shared.counts.recycled += 1;
        } else if (transaction) await this.client?.query('ROLLBACK').catch(() => this.disconnect());
        const again = isLost(error) || staleStatement.has(error.code) || worthARetry.has(error.code);
        if (!again || error instanceof Missed || attempt === mostAttempts || this.shared.stopping) {
          this.shared.counts.abandoned += 1;
          return false;
        }
        this.shared.counts.retried += 1;
        await sleep(5 * attempt);
      }
    }
  }

  acknowledge(operation, changes) {
    for (const { table, id, row } of changes) {
      if (row === null) this.rows[table].delete(id);
      else this.rows[table].set(id, row);
      this.expected.set(`${table} ${id}`, row === null ? null : tables[table].of(row));
    }
    this.shared.acknowledged(this.index, operation, changes);
  }

  /**
   * Rows of unknown state are left alone from now on; either state is right, but the same for all of them. So are the rows that they belong to, because deleting
   * one of those would take a row of unknown state along.
   */
  doubt(changes) {
    const parents = changes.flatMap(({ table, id, row }) => [this.rows[table].get(id), row].map((state) => ({ table, parent: state?.parent })));
    this.uncertain.push(
      changes.map(({ table, id, row }) => {
        const key = `${table} ${id}`;
        const before = this.expected.get(key) ?? null;
        this.expected.delete(key);
        for (const child of this.childrenOf(table, id)) this.rows[child.table].delete(child.id);
        this.rows[table].delete(id);
        return { key, before, after: row === null ? null : tables[table].of(row) };
      }),
    );
    for (let { table, parent } of parents) {
      while (parent) {
        const id = parent;
        table = Object.keys(children).find((t) => children[t].includes(table));
        if (table === undefined) break;
        parent = this.rows[table].get(id)?.parent;
        this.rows[table].delete(id);
      }
    }
    this.shared.counts.ambiguous += 1;
  }

  next() {
    this.version += 1;
    return this.version;
  }

  /** Something the application does between two statements. */
  think() {
    return sleep(Math.floor(this.chance() * 8));
  }

  async createUser(id = `${writerPrefix}${randomUUID()}`) {
    const v = this.next();
    return this.write(
      'insert user',
      async ({ query, change }) => {
        change('user', id, { v, parent: '', owner: id });
        await query('INSERT INTO "bazaar-vid_user" (id, name, email) VALUES ($1, $2, $3)', [id, `v${v}`, `${id}@example.com`], 'insert-user');
      },
      { transaction: false },
    );
  }

  async createProject(user) {
    const [id, message, scene] = [randomUUID(), randomUUID(), randomUUID()];
    const [v, vMessage, vScene] = [this.next(), this.next(), this.next()];
    await this.write('insert project', async ({ query, change }) => {
      change('project', id, { v, parent: user, owner: user });
      await query(
        'INSERT INTO "bazaar-vid_project" (id, "userId", title, props) VALUES ($1, $2, $3, $4)',
        [id, user, `Project ${id}`, { v }],
        'insert-project',
      );
      change('message', message, { v: vMessage, parent: id, owner: user });
      await query(
        'INSERT INTO "bazaar-vid_message" (id, "projectId", content, role, sequence) VALUES ($1, $2, $3, $4, $5)',
        [message, id, 'Begin', 'user', vMessage],
        'insert-message',
      );
      change('scene', scene, { v: vScene, parent: id, owner: user });
      await query('INSERT INTO "bazaar-vid_scene" (id, "projectId", "order", "tsxCode") VALUES ($1, $2, $3, $4)', [scene, id, vScene, 'null'], 'insert-scene');
    });
  }

  async createExport([project, { owner }], events) {
    const id = randomUUID();
    const v = this.next();
    const text = 'INSERT INTO "bazaar-vid_exports" (id, user_id, project_id, render_id, download_count, metadata) VALUES ($1, $2, $3, $4, $5, $6)';
    const values = [id, owner, project, `writer-${id}`, v, { writer: this.index }];
    const made = Array.from({ length: events }, () => ({ id: randomUUID(), v: this.next() }));
    await this.write(
      events === 0 ? 'insert export' : 'insert export with events',
      async ({ query, change }) => {
        change('exports', id, { v, parent: project, owner });
        await query(text, values, 'insert-export');
        for (const event of made) {
          await this.think();
          change('analytics', event.id, { v: event.v, parent: id, owner });
          await query(
            'INSERT INTO "bazaar-vid_export_analytics" (id, export_id, event_type, user_agent, metadata) VALUES ($1, $2, $3, $4, $5)',
            [event.id, id, 'viewed', 'writer', { v: event.v }],
            'insert-event',
          );
        }
      },
      { transaction: events > 0 },
    );
  }

  async createEvent([exported, { owner }]) {
    const [id, v] = [randomUUID(), this.next()];
    await this.write(
      'insert event',
      async ({ query, change }) => {
        change('analytics', id, { v, parent: exported, owner });
        await query(
          'INSERT INTO "bazaar-vid_export_analytics" (id, export_id, event_type, user_agent, metadata) VALUES ($1, $2, $3, $4, $5)',
          [id, exported, 'downloaded', 'writer', { v }],
          'insert-event',
        );
      },
      { transaction: false },
    );
  }

  /** The same row twice in one transaction, with a pause: what an old snapshot or a lost row would show. */
  async updateExport([id, row]) {
    const [first, second] = [this.next(), this.next()];
    await this.write('update export', async ({ one, change }) => {
      await one('exports', id, 'UPDATE "bazaar-vid_exports" SET download_count = $2, status = $3 WHERE id = $1', [id, first, 'rendering'], 'start-export');
      await this.think();
      change('exports', id, { ...row, v: second });
      await one(
        'exports',
        id,
        'UPDATE "bazaar-vid_exports" SET download_count = $2, status = $3, progress = 100 WHERE id = $1',
        [id, second, 'completed'],
        'finish-export',
      );
    });
  }

  async updateOne(table, [id, row], set, value) {
    const v = this.next();
    await this.write(
      `update ${table}`,
      async ({ one, change }) => {
        change(table, id, { ...row, v });
        await one(table, id, `UPDATE "${tables[table].name}" SET ${set} WHERE id = $1`, [id, value(v)], `update-${table}`);
      },
      { transaction: false },
    );
  }

  async changeExportKey([id, row]) {
    const [to, v] = [randomUUID(), this.next()];
    await this.write(
      'change key of export',
      async ({ one, change }) => {
        change('exports', id, null);
        change('exports', to, { ...row, v });
        await one('exports', id, 'UPDATE "bazaar-vid_exports" SET id = $2, download_count = $3 WHERE id = $1', [id, to, v], 'change-export-key');
      },
      { transaction: false },
    );
  }

  async moveEvent([id, row], to) {
    const v = this.next();
    const key = randomUUID();
    await this.write('change keys of event', async ({ one, change }) => {
      await one('analytics', id, 'UPDATE "bazaar-vid_export_analytics" SET export_id = $2 WHERE id = $1', [id, to], 'move-event');
      change('analytics', id, null);
      change('analytics', key, { ...row, v, parent: to });
      await one('analytics', id, 'UPDATE "bazaar-vid_export_analytics" SET id = $2, metadata = $3 WHERE id = $1', [id, key, { v }], 'change-event-key');
    });
  }

  async deleteOne(table, id) {
    await this.write(
      `delete ${table}`,
      async ({ one, change }) => {
        change(table, id, null);
        await one(table, id, `DELETE FROM "${tables[table].name}" WHERE id = $1`, [id], `delete-${table}`);
      },
      { transaction: false },
    );
  }

  /**
   * Deletes a row and all that belongs to it. Where the database has the key it cascades; where it has not, the application does that itself. The locks make sure
   * that what was asked of the catalog holds until the commit.
   */
  async deleteTree(table, id) {
    const below = this.childrenOf(table, id);
    const ids = (of) => [...below, { table, id }].filter((c) => c.table === of).map((c) => c.id);
    await this.write(
      `delete ${table} and what belongs to it`,
      async ({ query, one, change }) => {
        await query('LOCK TABLE public."bazaar-vid_exports", public."bazaar-vid_export_analytics" IN ROW SHARE MODE');
        const { rows } = await query(
          `SELECT coalesce(bool_or(conname = 'exports_project_fk'), false) AS exports, coalesce(bool_or(conname = 'export_analytics_export_fk'), false) AS analytics
           FROM pg_catalog.pg_constraint WHERE conrelid IN (to_regclass('public."bazaar-vid_exports"'), to_regclass('public."bazaar-vid_export_analytics"'))`,
        );
        const cascades = rows[0];
        const exported = ids('exports');
        if (!cascades.analytics && ids('analytics').length > 0) {
          const { rowCount } = await query('DELETE FROM "bazaar-vid_export_analytics" WHERE export_id = ANY ($1)', [exported]);
          if (rowCount !== ids('analytics').length) throw new Missed('delete events of export', 'analytics', exported[0]);
        }
        if (table !== 'exports' && !cascades.exports && exported.length > 0) {
          const { rowCount } = await query('DELETE FROM "bazaar-vid_exports" WHERE id = ANY ($1)', [exported]);
          if (rowCount !== exported.length) throw new Missed('delete exports of project', 'exports', exported[0]);
        }
        await one(table, id, `DELETE FROM "${tables[table].name}" WHERE id = $1`, [id]);
        for (const row of below) change(row.table, row.id, null);
        change(table, id, null);
      },
      { isolation: 'READ COMMITTED' },
    );
  }

  async createUsage() {
    const [id, v] = [randomUUID(), this.next()];
    await this.write(
      'insert usage',
      async ({ query, change }) => {
        change('usage', id, { v, parent: '', owner: this.main });
        await query(
          'INSERT INTO "bazaar-vid_api_usage_metric" (id, provider, model, user_id, total_tokens) VALUES ($1, $2, $3, $4, $5)',
          [id, 'writer', 'model', this.main, v],
          'insert-usage',
        );
      },
      { transaction: false },
    );
  }

  /** One write of the application. */
  async step() {
    const many = Object.values(this.rows).reduce((n, rows) => n + rows.size, 0) > mostRows;
    const user = this.pick('user', (id) => id !== this.main);
    const project = this.pick('project');
    const exported = this.pick('exports');
    const event = this.pick('analytics');
    const usage = this.pick('usage');
    const dice = this.chance() * 100;
    if (!this.rows.user.has(this.main)) {
      // Nobody knows whether the one before exists: a write to it was cut off.
      this.main = `${writerPrefix}${randomUUID()}`;
      return this.createUser(this.main);
    }
    if (project === null) return this.createProject(this.main);
    if (exported === null) return this.createExport(project, 1);
    if (many && dice < 40) return this.deleteTree('project', project[0]);
    if (dice < 16) return this.createExport(project, 0);
    if (dice < 24) return this.createExport(project, 1 + Math.floor(this.chance() * 2));
    if (dice < 40) return this.updateExport(exported);
    if (dice < 48) return this.createEvent(exported);
    if (dice < 53 && event !== null) return this.updateOne('analytics', event, 'metadata = $2', (v) => ({ v }));
    if (dice < 57 && event !== null) return this.moveEvent(event, exported[0]);
    if (dice < 61 && event !== null) return this.deleteOne('analytics', event[0]);
    if (dice < 67) {
      const childless = this.pick('exports', (id) => this.childrenOf('exports', id).length === 0);
      if (childless !== null) return this.changeExportKey(childless);
    }
    if (dice < 74) return this.deleteTree('exports', exported[0]);
    if (dice < 79) return this.deleteTree('project', project[0]);
    if (dice < 83) return this.createProject(user === null ? this.main : user[0]);
    if (dice < 86) return this.createUser();
    if (dice < 88 && user !== null) return this.deleteTree('user', user[0]);
    if (dice < 91) return this.updateOne('user', this.pick('user'), 'name = $2', (v) => `v${v}`);
    if (dice < 94) return this.createUsage();
    if (dice < 97 && usage !== null) return this.updateOne('usage', usage, 'total_tokens = $2', (v) => v);
    if (usage !== null) return this.deleteOne('usage', usage[0]);
    return this.createUsage();
  }
}

/**
 * Starts the application's writers; they write until `stop`. Types: writers.d.mts.
 */
export async function startWriters(url, { clients = 8, rate = 200, seed = 1, log } = {}) {
  const counts = { acknowledged: 0, rows: 0, retried: 0, abandoned: 0, recycled: 0, reconnected: 0, ambiguous: 0 };
  const operations = {};
  const errors = {};
  const missed = [];
  const latencies = [];
  const stalls = [];
  const file = log === undefined ? null : createWriteStream(log, { flags: 'a' });
  const shared = {
    stopping: false,
    counts,
    missed: (where) => missed.push(where),
    refused: (error) => {
      const code = error.code ?? 'connection lost';
      const key = code === '23503' ? `23503 ${error.constraint}` : code;
      errors[key] = (errors[key] ?? 0) + 1;
    },
    timed: (operation, ms) => {
      latencies.push(ms);
      if (stalls.length < slowest || ms > stalls[stalls.length - 1].ms) {
        stalls.push({ at: new Date().toISOString(), operation, ms: Math.round(ms * 10) / 10 });
        stalls.sort((a, b) => b.ms - a.ms).splice(slowest);
      }
    },
    acknowledged: (client, operation, changes) => {
      counts.acknowledged += 1;
      counts.rows += changes.length;
      operations[operation] = (operations[operation] ?? 0) + 1;
      file?.write(
        `${JSON.stringify({ at: Date.now(), client, operation, changes: changes.map(({ table, id, row }) => [table, id, row === null ? null : row.v]) })}\n`,
      );
    },
  };
  const writers = Array.from({ length: clients }, (_, i) => new Writer(i, url, shared, seed));
  for (const writer of writers) {
    await writer.connection();
    await writer.createUser(writer.main);
  }

  let gate = null;
  let open = () => undefined;
  let under = 0;
  const idle = [];
  const loop = async (writer) => {
    const every = rate === 0 ? 0 : (1000 * clients) / rate;
    while (!shared.stopping) {
      if (gate !== null) await gate;
      if (shared.stopping) break;
      const start = performance.now();
      under += 1;
      try {
        await writer.step();
      } finally {
        under -= 1;
        if (under === 0) for (const resolve of idle.splice(0)) resolve();
      }
      const left = every - (performance.now() - start);
      await sleep(left > 0 ? left * (0.5 + writer.chance()) : 0);
    }
    await writer.disconnect();
  };
  const loops = Promise.all(writers.map(loop));
  // A failure of a loop is a fault of this file: it is thrown by `stop`, and must not end the process before.
  loops.catch(() => undefined);

  const summary = () => {
    const sorted = Float64Array.from(latencies).sort();
    const at = (q) => Math.round((sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0) * 10) / 10;
    return {
      clients,
      ...counts,
      operations: { ...operations },
      errors: { ...errors },
      missed: [...missed],
      maxStallMs: stalls[0]?.ms ?? 0,
      p99Ms: at(0.99),
      medianMs: at(0.5),
      stalls: [...stalls],
    };
  };

  return {
    async pause() {
      gate ??= new Promise((resolve) => {
        open = resolve;
      });
      if (under > 0) await new Promise((resolve) => idle.push(resolve));
    },
    resume() {
      gate = null;
      open();
    },
    summary,
    async stop() {
      shared.stopping = true;
      open();
      await loops;
      if (file !== null) await new Promise((resolve) => file.end(resolve));
      return summary();
    },
    verify: (at) => verify(at, writers, counts, missed),
  };
}

async function verify(url, writers, counts, missed) {
  const expected = new Map(writers.flatMap((w) => [...w.expected]));
  const uncertain = writers.flatMap((w) => w.uncertain);
  const keys = [...expected.keys(), ...uncertain.flat().map((c) => c.key)];
  const found = new Map();
  const client = new pg.Client({ connectionString: url, application_name: 'bazaar-vid verify' });
  await client.connect();
  try {
    for (const [table, { name, value }] of Object.entries(tables)) {
      const ids = keys.filter((key) => key.startsWith(`${table} `)).map((key) => key.slice(table.length + 1));
      for (let from = 0; from < ids.length; from += 5000) {
        const { rows } = await client.query(`SELECT id::text AS id, ${value} AS value FROM public."${name}" WHERE id::text = ANY ($1::text[])`, [
          ids.slice(from, from + 5000),
        ]);
        for (const row of rows) found.set(`${table} ${row.id}`, row.value);
      }
    }
  } finally {
    await client.end();
  }
  const lost = missed.map(({ table, id, operation }) => ({ table, id, expected: `a row for "${operation}"`, found: 'no row' }));
  const differs = (key, want) => (found.get(key) ?? null) !== want;
  const say = (key, want) => {
    const [table, id] = key.split(' ');
    lost.push({ table: tables[table].name, id, expected: want === null ? 'no row' : want, found: found.get(key) ?? 'no row' });
  };
  for (const [key, want] of expected) if (differs(key, want)) say(key, want);
  for (const group of uncertain) {
    const as = (state) => group.every((c) => !differs(c.key, c[state]));
    if (!as('before') && !as('after')) for (const c of group) say(c.key, c.after);
  }
  return { acknowledged: counts.acknowledged, rows: expected.size, ambiguous: uncertain.length, lost };
}
