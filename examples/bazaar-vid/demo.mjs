// The whole journey on this machine: two real databases, live writers, and the seed's plan carried through every phase on a clock that is moved by days.
// `npm run demo` needs Node 20 and either PostgreSQL 14 or apt; it installs what is missing. Only Node's own modules may be imported above the setting up.
import { mkdirSync, existsSync, createWriteStream } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setUp } from '../../scripts/setup.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const plan = 'examples/bazaar-vid/plan.yml';
const dim = (text) => (process.stdout.isTTY ? `\u001b[2m${text}\u001b[0m` : text);
const bold = (text) => (process.stdout.isTTY ? `\u001b[1m${text}\u001b[0m` : text);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const maxLockMs = 1000;
/** What a cut-over may cost a client, and no more: retryable, and counted. */
const foreseen = new Set(['40001', '0A000', '42883', '42804', '23503 exports_user_fk', '23503 exports_project_fk', '23503 export_analytics_export_fk']);

process.chdir(root);
let installed;
try {
  installed = setUp({ say: (what) => console.log(`setting up: ${what}`) });
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
console.log(`set up in ${seconds(installed.ms)}; PostgreSQL: ${installed.bin}\n`);

const { generateX25519Identity, identityToRecipient } = await import('age-encryption');
const { build } = await import('./fixture.mjs');
const { journey, Unexpected } = await import('./journey.mjs');
const { startServer } = await import('./server.mjs');
const { startWriters } = await import('./writers.mjs');
const proofs = await import('./proof.mjs');

const began = Date.now();
const store = join('.runs', `demo-${new Date(began).toISOString().replace(/[-:]|\..*/g, '')}`);
mkdirSync(store, { recursive: true, mode: 0o700 });
const log = createWriteStream(join(store, 'demo.log'));
/** Of what the phases say, the terminal shows what was done and how it ended; the log has every line. */
const worthSeeing = /^ {2}(\w+: (passed|refused|failed|aborted)\. |\S+: (apply|undo|cleanup) ended |rehearsal: |writers: |LOST|NOT AS EXPECTED| {2}report: )/;
const width = process.stdout.columns ?? 80;
const say = (line) => {
  log.write(`${line}\n`);
  const clear = process.stdout.isTTY ? '\r\u001b[K' : '';
  if (!line.startsWith('  ')) console.log(clear + bold(line));
  else if (worthSeeing.test(line)) console.log(clear + dim(line));
  else if (process.stdout.isTTY) process.stdout.write(clear + dim(line.slice(0, width - 1)));
};

const checks = [];
/** One line of the final table. Lists are compared as text. */
const check = (what, expected, actual) => {
  const [e, a] = [expected, actual].map((value) => (Array.isArray(value) ? value.join(', ') || 'none' : String(value)));
  checks.push({ what, expected: e, actual: a, ok: e === a });
  if (e !== a) say(`  NOT AS EXPECTED: ${what}: expected ${e}, found ${a}`);
};

let server;
let writers;
let travel;
let cancelled = false;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    cancelled = true;
    travel?.cancel();
  });

try {
  await demonstrate();
} catch (error) {
  say(cancelled ? 'cancelled' : error instanceof Unexpected ? `\n${error.message}` : `\n${error.stack}`);
  checks.push({ what: 'the journey', expected: 'ends', actual: cancelled ? 'cancelled' : error.message.split('\n')[0], ok: false });
} finally {
  await writers?.stop().catch(() => undefined);
  await server?.stop();
}
const failed = report();
await new Promise((resolve) => log.end(resolve));
process.exitCode = cancelled ? 130 : failed ? 1 : 0;

async function demonstrate() {
  say('making the databases of the scenario on a private server');
  server = await startServer(installed.bin);
  const production = server.create('production');
  const development = server.create('development');
  await build(production, 'production');
  await build(development, 'development');
  const start = { production: server.dump('production'), development: server.dump('development') };
  const orphans = await proofs.orphansOf(production);
  const before = { production: await proofs.contentsOf(production, orphans), development: await proofs.contentsOf(development, []) };

  const identity = await generateX25519Identity();
  travel = journey({
    plan,
    store,
    say,
    env: {
      LOSSLESS_PRODUCTION_URL: production,
      LOSSLESS_DEVELOPMENT_URL: development,
      LOSSLESS_BACKUP_RECIPIENT: await identityToRecipient(identity),
      LOSSLESS_BACKUP_IDENTITY: identity,
      LOSSLESS_POSTGRES_BIN: installed.bin,
    },
  });
  const { run } = travel;
  const rehearse = async (day) => {
    await run('backup', { day });
    await run('clone', { day });
    const { outputs } = await run('rehearse', { day });
    await run('gate', { day, confirm: outputs['plan-id'] });
    return outputs['plan-id'];
  };
  const prove = async (when) => {
    await writers.pause();
    const { lost, rows, acknowledged, ambiguous } = await writers.verify(production);
    say(`  writers: ${acknowledged} writes acknowledged so far, ${rows} rows compared, ${lost.length} lost`);
    for (const l of lost.slice(0, 5)) say(`  LOST: ${l.table} ${l.id}: expected ${l.expected}, found ${l.found}`);
    check(`acknowledged writes lost ${when}`, 0, lost.length);
    check(`writes in doubt ${when}`, 0, ambiguous);
    writers.resume();
    return acknowledged;
  };

  await run('check');
  say('eight live writers start: they stop only when everything is over');
  writers = await startWriters(production, { clients: 8, rate: 100, log: join(store, 'acknowledged.ndjson') });
  await run('drift');
  const confirm = await rehearse(0);
  const first = await run('migrate', { confirm });
  check('rows set aside by the migration', 8, first.outputs['rows-quarantined']);
  const sinceMigration = await prove('by the migration');
  for (const day of [1, 2, 3]) await run('watch', { day });

  await run('rollback', { day: 3, confirm: first.outputs.run });
  const written = (await prove('by the rollback')) - sinceMigration;
  check('writes since the migration that the rollback kept', 'more than 100', written > 100 ? 'more than 100' : written);
  check(
    "production's schema after the rollback",
    'as at the start',
    proofs.dumpDifference(start.production, server.dump('production', 'lossless*')).join(' / ') || 'as at the start',
  );
  check('contents of production after the rollback: tables that differ', [], proofs.differing(before.production, await proofs.contentsOf(production, orphans)));

  // The evidence of day 0 is older than 24 hours: it is taken anew, and approved anew.
  const again = await rehearse(3);
  const second = await run('migrate', { day: 3, confirm: again });
  await prove('by the second migration');
  check('rows in quarantine, by table', [6, 2], await proofs.quarantinedIn(production, second.outputs.run));
  for (const day of [4, 5, 6, 7, 8]) await run('watch', { day });

  const dayTen = new Date(Date.now() + 10 * 86_400_000).toISOString().slice(0, 10);
  const early = await run('cleanup', { day: 8, ends: 2 });
  check('cleanup on day 8', `refused, naming ${dayTen}`, early.text.includes(dayTen) ? `refused, naming ${dayTen}` : 'refused');
  for (const day of [9, 10, 11]) await run('watch', { day });
  await run('cleanup', { day: 11 });
  await run('status', { day: 11 });

  say('the proof, asked of the databases themselves');
  await prove('at the end');
  const summary = await writers.stop();
  const after = { production: await proofs.contentsOf(production, orphans), development: await proofs.contentsOf(development, []) };
  const names = Object.keys(after.production);
  const added = ['bazaar-vid_paywall_analytics', 'bazaar-vid_paywall_events', 'bazaar-vid_promo_code_usage', 'bazaar-vid_promo_codes'];
  check('exports in production', 132, after.production['bazaar-vid_exports']?.rows);
  check('export analytics in production', 373, after.production['bazaar-vid_export_analytics']?.rows);
  check('users in production', 565, after.production['bazaar-vid_user']?.rows);
  check('tables in production', '26 and 4 new', `${names.filter((n) => !added.includes(n)).length} and ${names.filter((n) => added.includes(n)).length} new`);
  check('keys of the plan', ['export_analytics_export_fk', 'exports_project_fk', 'exports_user_fk'], await proofs.keysOf(production));
  check('contents of production: tables that differ', [], proofs.differing(before.production, after.production));
  check('contents of development: tables that differ', [], proofs.differing(before.development, after.development));
  check('schemas of development', ['drizzle', 'lossless', 'public'], await proofs.schemasOf(development));
  check('left of ours in production beside the journal', [], await proofs.leftoversIn(production));
  check('left of ours in development beside the journal', [], await proofs.leftoversIn(development));
  await expectedSchemas();
  check(
    'pg_dump -s of production',
    'the start and the plan',
    proofs.dumpDifference(server.dump('production-after'), server.dump('production')).join(' / ') || 'the start and the plan',
  );
  check(
    'pg_dump -s of development',
    'the start and the plan',
    proofs.dumpDifference(server.dump('development-after'), server.dump('development')).join(' / ') || 'the start and the plan',
  );
  check('maintenance', 'off', existsSync('examples/bazaar-vid/.maintenance') ? 'on' : 'off');
  const unforeseen = Object.entries(summary.errors).filter(([code]) => !foreseen.has(code));
  check(
    'errors of the writers that no cut-over may cause',
    [],
    unforeseen.map(([code, n]) => `${n} × ${code}`),
  );
  check('writes given up by the writers', 0, summary.abandoned);
  check(`longest stall of a write, at most ${maxLockMs} ms`, 'yes', summary.maxStallMs <= maxLockMs ? 'yes' : `${summary.maxStallMs} ms`);
  const errors = Object.entries(summary.errors).map(([code, n]) => `${n} × ${code}`);
  say(
    `  writers: ${summary.acknowledged} writes acknowledged, 0 in doubt; longest stall ${summary.maxStallMs} ms, p99 ${summary.p99Ms} ms; retried ${summary.retried} (${errors.join(', ') || 'no error'}), ${summary.recycled} connections opened anew`,
  );
}

/** The plan done the plain way, on copies that nobody uses: what the schemas must be. */
async function expectedSchemas() {
  const { spawnSync } = await import('node:child_process');
  await build(server.create('production-after'), 'production-after');
  await build(server.create('development-after'), 'development-after');
  const { status, stderr } = spawnSync(process.execPath, ['examples/bazaar-vid/migrate.mjs'], {
    env: { PATH: process.env.PATH, DATABASE_URL: server.url('production-after') },
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the Drizzle migration failed on the copy: ${stderr}`);
}

/** The end: phases, proofs, and where everything lies. Returns whether a proof failed. */
function report() {
  const table = (head, rows) => {
    const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
    const line = (cells) =>
      cells
        .map((cell, i) => cell.padEnd(widths[i]))
        .join('   ')
        .trimEnd();
    return [line(head), widths.map((w) => '-'.repeat(w)).join('   '), ...rows.map(line)].join('\n');
  };
  const out = (text) => {
    log.write(`${text}\n`);
    console.log(text);
  };
  const phases = (travel?.done ?? []).map((d) => [
    `day ${d.day}`,
    d.phase,
    d.outcome,
    seconds(d.ms),
    d.longestLockMs === undefined ? '' : `${d.longestLockMs} ms`,
  ]);
  out(`\n${table(['Clock', 'Phase', 'Outcome', 'Took', 'Longest lock'], phases)}`);
  const short = (text) => (text.length > 90 ? `${text.slice(0, 87)}...` : text);
  out(
    `\n${table(
      ['', 'Proof', 'Expected', 'Found'],
      checks.map((c) => [c.ok ? 'ok' : 'FAILED', c.what, short(c.expected), c.ok && c.expected === c.actual ? '' : short(c.actual)]),
    )}`,
  );
  const failures = checks.filter((c) => !c.ok);
  const summary = writers?.summary();
  out(
    failures.length === 0
      ? `\nThe plan was carried out, rolled back on day 3 with the writes made since, carried out again and cleaned up. ${summary.acknowledged} acknowledged writes, 0 lost; longest stall ${summary.maxStallMs} ms.`
      : `\n${failures.length} of ${checks.length} proofs failed.`,
  );
  out(
    `Reports, backups, evidence and the log: ${relative(root, join(root, store))}/ (open a *.report.html). Took ${seconds(Date.now() - began)} after setting up.`,
  );
  return failures.length > 0;
}
