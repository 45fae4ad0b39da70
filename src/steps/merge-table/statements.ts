import { captureOf, type Capture } from '../../online/capture.js';
import { display, inControl, type Relation, type RunId } from '../../names.js';
import { fromCatalog, fromPlan, glue, ident, join, render, type Sql } from '../../pg/render.js';
import type { Exact, Mapped, Merge, Reference } from './design.js';

/** Names of everything a merge keeps in the control schema. */
export const ours = (run: RunId, m: Merge): Readonly<Record<'merged' | 'stage' | 'quarantine' | 'leave' | 'drain' | 'rdrain', Relation>> => ({
  merged: inControl('merged', run, m.from.oid),
  stage: inControl('stage', run, m.from.oid),
  quarantine: inControl('quarantine', run, m.from.oid),
  leave: inControl('leave', run, m.from.oid),
  drain: inControl('drain', run, m.from.oid),
  rdrain: inControl('rdrain', run, m.from.oid),
});

const keyed = (m: Merge): readonly Mapped[] => m.mapped.slice(0, m.keys);
const contents = (m: Merge): readonly Mapped[] => m.mapped.slice(m.keys);
const sourceColumn = (k: Mapped): string => k.plain ?? k.target;

/** Capture on the source before the merge: keys of the source. */
export const forward = (run: RunId, m: Merge): Capture =>
  captureOf(
    run,
    m.from.oid,
    m.from,
    keyed(m).map((k, i) => ({ name: sourceColumn(k), type: fromCatalog(m.sourceTypes[i] ?? 'text') })),
  );

/** Capture on the target after the merge: keys of the target. */
export const reverse = (run: RunId, m: Merge): Capture =>
  captureOf(
    run,
    m.from.oid,
    m.into,
    keyed(m).map((k) => ({ name: k.target, type: targetType(k) })),
    'reverse',
  );

const targetType = (c: Mapped): Sql => fromCatalog(`${c.type}${c.collation === null ? '' : ` COLLATE ${c.collation}`}`);

const n = (m: Merge, prefix: string, alias = ''): Sql =>
  join(keyed(m).map((_, i) => fromCatalog(`${alias === '' ? '' : `${alias}.`}${prefix}${String(i + 1)}`)));
const on = (m: Merge, left: (k: Mapped, i: number) => Sql, right: (k: Mapped, i: number) => Sql): Sql =>
  join(
    keyed(m).map((k, i) => glue`${left(k, i)} = ${right(k, i)}`),
    ' AND ',
  );
const numbered =
  (alias: string, prefix: string) =>
  (_: Mapped, i: number): Sql =>
    fromCatalog(`${alias}.${prefix}${String(i + 1)}`);
const target =
  (alias: string) =>
  (k: Mapped): Sql =>
    glue`${fromCatalog(alias)}.${ident(k.target)}`;
const source =
  (alias: string) =>
  (k: Mapped): Sql =>
    glue`${fromCatalog(alias)}.${ident(sourceColumn(k))}`;

/** A value in a form in which equal means printed alike. */
function exactly(value: Sql, kind: Exact): Sql {
  switch (kind) {
    case 'plain':
      return value;
    case 'bpchar':
      return glue`pg_catalog.bpcharout(${value})::pg_catalog.text COLLATE pg_catalog."C"`;
    case 'money':
      return glue`pg_catalog.cash_send(${value})`;
    case 'text':
      return glue`${value}::pg_catalog.text COLLATE pg_catalog."C"`;
  }
}

const hash = (values: readonly Sql[]): Sql => (values.length === 0 ? fromCatalog('0::bigint') : glue`pg_catalog.hash_record_extended(ROW(${join(values)}), 0)`);

/** Hash of the mapped columns of a row of the stage (or of converted source rows) `alias`. */
const hashOfStage = (m: Merge, alias: string): Sql => hash(contents(m).map((c, i) => exactly(fromCatalog(`${alias}.c${String(m.keys + i + 1)}`), c.exact)));
/** The same of a row of the target. */
const hashOfMapped = (m: Merge): Sql => hash(contents(m).map((c) => exactly(target('t')(c), c.exact)));
const hashOfAll = (m: Merge): Sql => hash(m.all.map((c) => exactly(glue`t.${ident(c.name)}`, c.exact)));
const hashOfRest = (m: Merge): Sql => hash(m.all.filter((c) => m.rest.includes(c.name)).map((c) => exactly(glue`t.${ident(c.name)}`, c.exact)));

const same = (m: Merge): Sql =>
  contents(m).length === 0
    ? fromCatalog('true')
    : glue`ROW(${join(contents(m).map((c) => exactly(target('t')(c), c.exact)))}) IS NOT DISTINCT FROM ROW(${join(contents(m).map((c, i) => exactly(fromCatalog(`s.c${String(m.keys + i + 1)}`), c.exact)))})`;

/** Whether a staged row `s` may enter the target: its parents exist, what must be there is, and no other unique key is taken. */
function fits(m: Merge): Sql {
  const staged = (column: string): Sql => fromCatalog(`s.c${String(m.mapped.findIndex((c) => c.target === column) + 1)}`);
  const required = m.mapped.filter((c) => c.required).map((c) => glue`${staged(c.target)} IS NOT NULL`);
  const parents = m.parents.map((p) => {
    const match = join(
      p.columns.map((c, i) => glue`p.${ident(p.parent_columns[i] ?? '')} = ${staged(c)}`),
      ' AND ',
    );
    const none = join(
      p.columns.map((c) => glue`${staged(c)} IS NULL`),
      ' OR ',
    );
    return glue`(${none} OR EXISTS (SELECT FROM ${ident(p.parent)} p WHERE ${match}))`;
  });
  const uniques = m.uniques.map(
    (columns) =>
      glue`NOT EXISTS (SELECT FROM ONLY ${ident(m.into)} u WHERE ${join(
        columns.map((c) => glue`u.${ident(c)} = ${staged(c)}`),
        ' AND ',
      )} AND NOT (${join(
        keyed(m).map((k, i) => glue`u.${ident(k.target)} = s.${fromCatalog(`c${String(i + 1)}`)}`),
        ' AND ',
      )}))`,
  );
  return all([...required, ...parents, ...uniques]);
}

const all = (conditions: readonly Sql[]): Sql => (conditions.length === 0 ? fromCatalog('true') : glue`(${join(conditions, ' AND ')})`);

/** No row of another table refers to the row `t` of the target. */
export const unreferenced = (referrers: readonly Pick<Reference, 'child' | 'columns' | 'parent_columns'>[]): Sql =>
  all(
    referrers.map(
      (r) =>
        glue`NOT EXISTS (SELECT FROM ${ident(r.child)} r WHERE ${join(
          r.columns.map((c, i) => glue`r.${ident(c)} = t.${ident(r.parent_columns[i] ?? '')}`),
          ' AND ',
        )})`,
    ),
  );

export const keyless = (m: Merge, alias: string): Sql =>
  join(
    keyed(m).map((k) => glue`${source(alias)(k)} IS NULL`),
    ' OR ',
  );

const keyText = (m: Merge, alias: string, prefix: string): Sql =>
  glue`pg_catalog.concat_ws(', ', ${join(keyed(m).map((_, i) => fromCatalog(`coalesce(${alias}.${prefix}${String(i + 1)}::text, 'NULL')`)))})`;

const sourceKeyAs = (m: Merge): Sql => join(keyed(m).map((k, i) => glue`${ident(sourceColumn(k))} AS ${fromCatalog(`s${String(i + 1)}`)}`));
const converted = (m: Merge): Sql =>
  join(m.mapped.map((c, i) => glue`(${fromPlan(c.expression)})::${fromCatalog(c.type)} AS ${fromCatalog(`c${String(i + 1)}`)}`));
const arrays = (m: Merge, prefix: string): Sql => join(keyed(m).map((_, i) => fromCatalog(`coalesce(array_agg(x.${prefix}${String(i + 1)}), '{}')`)));

/** The tables of a merge in the control schema. */
export const createTables = (run: RunId, m: Merge): Sql => {
  const { merged, stage, quarantine } = ours(run, m);
  const about = (what: string): string =>
    `Lossless run ${run}: ${what} of the merge of ${display(m.from)} into ${display(m.into)}. Removed by the rollback or cleanup phase of the run.`;
  return render('merge-table/create-tables', {
    names: { merged, stage, quarantine, from: m.from },
    literals: {
      about_merged: about('which keys were merged (n), identical (i) or in conflict (c)'),
      about_stage: about('the batch at hand'),
      about_quarantine: about('rows that could not follow, whole,'),
    },
    parts: {
      keys: join([
        ...keyed(m).map((_, i) => fromCatalog(`s${String(i + 1)} ${m.sourceTypes[i] ?? 'text'}`)),
        ...keyed(m).map((k, i) => glue`${fromCatalog(`k${String(i + 1)}`)} ${targetType(k)} NOT NULL`),
      ]),
      s: n(m, 's'),
      k: n(m, 'k'),
      stage: join([
        ...keyed(m).map((_, i) => fromCatalog(`s${String(i + 1)} ${m.sourceTypes[i] ?? 'text'}`)),
        ...m.mapped.map((c, i) => glue`${fromCatalog(`c${String(i + 1)}`)} ${targetType(c)}`),
      ]),
    },
  });
};

/** Body of the forward drain. */
export function settle(run: RunId, m: Merge): Sql {
  const { merged, stage } = ours(run, m);
  const c = join(m.mapped.map((_, i) => fromCatalog(`c${String(i + 1)}`)));
  const judged = {
    match_ms: on(m, numbered('m', 's'), numbered('s', 's')),
    match_tm: on(m, target('t'), numbered('m', 'k')),
    match_ts: on(m, target('t'), numbered('s', 'c')),
    h_src: hashOfStage(m, 's'),
    h_all: hashOfAll(m),
    h_rest: hashOfRest(m),
  };
  const putAgain =
    contents(m).length === 0
      ? fromCatalog('')
      : render('merge-table/put-again', {
          names: { into: m.into, stage, merged },
          parts: {
            ...judged,
            fits: fits(m),
            same: same(m),
            set: join(contents(m).map((x, i) => glue`${ident(x.target)} = ${fromCatalog(`s.c${String(m.keys + i + 1)}`)}`)),
          },
        });
  return render('merge-table/settle', {
    names: { merged, stage, into: m.into, from: m.from },
    parts: {
      ...judged,
      key_arrays: arrays(m, 's'),
      ks: n(m, 'ks'),
      s: n(m, 's'),
      c,
      g: n(m, 'g'),
      source_key: sourceKeyAs(m),
      source_keyless: join(
        keyed(m).map((k) => glue`${ident(sourceColumn(k))} IS NULL`),
        ' OR ',
      ),
      expressions: join(m.mapped.map((x, i) => glue`(${fromPlan(x.expression)}) AS ${fromCatalog(`c${String(i + 1)}`)}`)),
      r_s: n(m, 's', 'r'),
      r_c: join(m.mapped.map((_, i) => fromCatalog(`r.c${String(i + 1)}`))),
      match_rg: on(m, numbered('r', 's'), numbered('g', 'g')),
      match_mg: on(m, numbered('m', 's'), numbered('g', 'g')),
      unreferenced: unreferenced(m.referrers),
      put_again: putAgain,
      targets: join(m.mapped.map((x) => ident(x.target))),
      s_c: join(m.mapped.map((_, i) => fromCatalog(`s.c${String(i + 1)}`))),
      fits: fits(m),
      target_key: join(keyed(m).map((k) => ident(k.target))),
      t_key: join(keyed(m).map((k, i) => glue`${target('t')(k)} AS ${fromCatalog(`k${String(i + 1)}`)}`)),
      s_s: n(m, 's', 's'),
      s_k: n(m, 'c', 's'),
      match_ps: on(m, numbered('put', 'k'), numbered('s', 'c')),
      same: same(m),
    },
  });
}

/** What a source column becomes: what it was while the target still holds its conversion, for that may hold it less exactly (1.4 as 1). */
function carried(m: Merge, back: Merge['back'][number], value: Sql): Sql {
  const from = m.mapped.find((c) => c.plain === back.source && back.expression === ident(c.target));
  if (from === undefined) return value;
  const own = glue`f.${ident(back.source)}`;
  return glue`CASE WHEN ${exactly(glue`(${own})::${fromCatalog(from.type)}`, from.exact)} IS NOT DISTINCT FROM ${exactly(value, from.exact)} THEN ${own} ELSE ${value} END`;
}

/** Body of the reverse drain. */
export function carryBack(run: RunId, m: Merge, retired: Relation): Sql {
  const { merged } = ours(run, m);
  const parts = {
    match_kg: on(m, numbered('m', 'k'), numbered('g', 'g')),
    match_fm: on(m, source('f'), numbered('m', 's')),
    h_all: hashOfAll(m),
    ks: n(m, 'ks'),
    g: n(m, 'g'),
  };
  const carry =
    m.back.length === 0
      ? fromCatalog('')
      : render('merge-table/carry', {
          names: { retired, merged, into: m.into },
          parts: {
            ...parts,
            set: join(m.back.map((b, i) => glue`${ident(b.source)} = ${carried(m, b, fromCatalog(`b.b${String(i + 1)}`))}`)),
            back_key: join(keyed(m).map((k, i) => glue`${target('t')(k)} AS ${fromCatalog(`k${String(i + 1)}`)}`)),
            back: join(m.back.map((b, i) => glue`(${fromPlan(b.expression)}) AS ${fromCatalog(`b${String(i + 1)}`)}`)),
            match_bm: on(m, numbered('b', 'k'), numbered('m', 'k')),
          },
        });
  return render('merge-table/carry-back', {
    names: { retired, merged, into: m.into },
    parts: {
      ...parts,
      key_arrays: arrays(m, 'k'),
      k: n(m, 'k'),
      match_tm: on(m, target('t'), numbered('m', 'k')),
      h_rest: hashOfRest(m),
      h_map: hashOfMapped(m),
      carry,
    },
  });
}

export const createLeave = (run: RunId, m: Merge, referrers: Parameters<typeof unreferenced>[0]): Sql => {
  const { leave, merged } = ours(run, m);
  return render('merge-table/create-leave', {
    names: { function: leave, merged, into: m.into },
    literals: { about: `Lossless run ${run}: takes merged rows out of ${display(m.into)} again. Removed by the rollback or cleanup phase of the run.` },
    parts: { match_tm: on(m, target('t'), numbered('m', 'k')), h_all: hashOfAll(m), unreferenced: unreferenced(referrers) },
  });
};

export const classify = (m: Merge): Sql =>
  render('merge-table/classify', {
    names: { from: m.from, into: m.into },
    parts: {
      key_text: keyText(m, 's', 's'),
      target_key: n(m, 'c', 's'),
      whole: join(m.mapped.map((_, i) => fromCatalog(`s.c${String(i + 1)}`))),
      long: join(
        [
          fromCatalog('false'),
          ...m.mapped.flatMap((c, i) => (c.length === null ? [] : [fromCatalog(`coalesce(s.l${String(i + 1)} > ${String(c.length)}, false)`)])),
        ],
        ' OR ',
      ),
      lengths: join([
        fromCatalog('1 AS one'),
        ...m.mapped.flatMap((c, i) =>
          c.length === null ? [] : [glue`pg_catalog.length((${fromPlan(c.expression)})::pg_catalog.text) AS ${fromCatalog(`l${String(i + 1)}`)}`],
        ),
      ]),
      keyless: join(
        keyed(m).map((_, i) => fromCatalog(`s.s${String(i + 1)} IS NULL`)),
        ' OR ',
      ),
      fits: fits(m),
      same: same(m),
      source_key: sourceKeyAs(m),
      converted: converted(m),
      match: on(m, target('t'), numbered('s', 'c')),
    },
  });

export const seed = (run: RunId, m: Merge): Sql =>
  render('merge-table/seed', {
    names: { log: forward(run, m).log, from: m.from },
    parts: {
      k: n(m, 'k'),
      columns: join(keyed(m).map((k) => ident(sourceColumn(k)))),
      keyless: join(
        keyed(m).map((k) => glue`${ident(sourceColumn(k))} IS NULL`),
        ' OR ',
      ),
    },
  });

export const standing = (run: RunId, m: Merge, from: Relation): Sql =>
  render('merge-table/standing', { names: { merged: ours(run, m).merged, from }, parts: { key_text: keyText(m, 'm', 's'), keyless: keyless(m, 'f') } });

export const proof = (run: RunId, m: Merge, retired: Relation): Sql => {
  const { merged, quarantine } = ours(run, m);
  return render('merge-table/proof', {
    names: { merged, quarantine, from: retired, into: m.into, log: reverse(run, m).log },
    parts: {
      k: n(m, 'k'),
      keyless: keyless(m, 'f'),
      match_fm: on(m, source('f'), numbered('m', 's')),
      match_ms: on(m, numbered('m', 's'), numbered('s', 's')),
      match_pm: on(m, numbered('p', 'k'), numbered('m', 'k')),
      match_tm: on(m, target('t'), numbered('m', 'k')),
      source_key: sourceKeyAs(m),
      converted: converted(m),
      h_src: hashOfStage(m, 's'),
      h_all: hashOfAll(m),
      h_map: hashOfMapped(m),
    },
  });
};

export const cannotReturn = (run: RunId, m: Merge): Sql =>
  render('merge-table/cannot-return', {
    names: { merged: ours(run, m).merged, into: m.into },
    parts: { key_text: keyText(m, 'm', 'k'), match_tm: on(m, target('t'), numbered('m', 'k')), h_rest: hashOfRest(m) },
  });

export const heldBack = (run: RunId, m: Merge): Sql =>
  render('merge-table/held-back', {
    names: { merged: ours(run, m).merged, into: m.into },
    parts: { key_text: keyText(m, 'm', 'k'), match_tm: on(m, target('t'), numbered('m', 'k')), unreferenced: unreferenced(m.referrers) },
  });

export const matchSource = (m: Merge): Sql => on(m, source('f'), numbered('m', 's'));
