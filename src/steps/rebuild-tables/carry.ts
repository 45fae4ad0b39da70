import { createDrain } from '../../online/drain.js';
import { display, type RunId } from '../../names.js';
import type { Db } from '../../pg/db.js';
import { fromCatalog, glue, ident, join, type Sql } from '../../pg/render.js';
import {
  columnList,
  convertList,
  fitsOf,
  forwardCapture,
  forwardDrain,
  insertable,
  keyColumns,
  keyFitsOf,
  quarantineOf,
  reverseCapture,
  reverseDrain,
  sameKey,
  unchanged,
  type Rebuilt,
} from './design.js';
import type { Shape } from './shape.js';

/** The functions that judge rows and carry them from one side to the other. */

const sql = fromCatalog;
const nth = (i: number): Sql => sql(String(i + 1));
const about = (run: RunId, t: Rebuilt, what: string): string =>
  `Lossless run ${run}: ${what} ${display(t.table)}. Removed by the rollback or cleanup phase of the run.`;

/** SQL that is true when the old row `o` fits. */
export const fits = (run: RunId, t: Rebuilt): Sql => (t.converts ? glue`${ident(fitsOf(run, t))}(o)` : sql('true'));
const keyFits = (run: RunId, t: Rebuilt): Sql =>
  t.keyConverts ? glue`${ident(keyFitsOf(run, t))}(${join(keyColumns(t).map((c) => glue`o.${ident(c.name)}`))})` : sql('true');
/** Why the old row `o` does not fit: its key, or another value. */
export const misfit = (run: RunId, t: Rebuilt): Sql => glue`CASE WHEN ${keyFits(run, t)} THEN 'conversion' ELSE 'key' END`;

/** Creates quarantine and judges of one table. */
export async function createJudges(db: Db, run: RunId, t: Rebuilt): Promise<void> {
  const key = keyColumns(t);
  await db.change('rebuild-tables/create-quarantine', {
    names: { quarantine: quarantineOf(run, t), table: t.table },
    parts: { key: join(key.map((c) => ident(c.name))) },
    literals: { about: about(run, t, 'rows that could not follow, as they were, of') },
  });
  await db.change('rebuild-tables/loosen-quarantine', { literals: { quarantine: ident(quarantineOf(run, t)) } });
  if (t.keyConverts) {
    await db.change('rebuild-tables/create-key-fits', {
      names: { function: keyFitsOf(run, t) },
      parts: {
        parameters: join(key.map((c, i) => glue`a${nth(i)} ${sql(c.oldType)}`)),
        variables: join(
          key.map((c, i) => glue`v${nth(i)} ${sql(c.newType)}; r${nth(i)} ${sql(c.oldType)};`),
          ' ',
        ),
        there: join(key.map((c) => c.convert)),
        there_into: join(key.map((_, i) => glue`v${nth(i)}`)),
        key: join(key.map((c, i) => glue`a${nth(i)} AS ${ident(c.name)}`)),
        back: join(key.map((c) => c.back)),
        back_into: join(key.map((_, i) => glue`r${nth(i)}`)),
        there_again: join(key.map((c, i) => glue`v${nth(i)} AS ${ident(c.name)}`)),
        verdict: join(
          key.map((_, i) => glue`a${nth(i)} IS NOT DISTINCT FROM r${nth(i)}`),
          ' AND ',
        ),
      },
    });
  }
  if (!t.converts) return;
  const judged = t.columns.filter((c) => c.insertable && (c.changed || c.notNull));
  await db.change('rebuild-tables/create-fits', {
    names: { function: fitsOf(run, t), table: t.table },
    literals: { about: about(run, t, 'judges rows of') },
    parts: {
      variables: join([sql(''), ...judged.filter((c) => c.changed).map((c) => glue`v${nth(t.columns.indexOf(c))} ${sql(c.newType)};`)], ' '),
      conversions: join([sql(''), ...judged.filter((c) => c.changed).map((c) => glue`v${nth(t.columns.indexOf(c))} := ${c.convert};`)], ' '),
      verdict: join(
        [
          keyFits(run, t),
          ...judged.filter((c) => c.notNull).map((c) => (c.changed ? glue`v${nth(t.columns.indexOf(c))} IS NOT NULL` : glue`o.${ident(c.name)} IS NOT NULL`)),
        ],
        ' AND ',
      ),
    },
  });
}

const arrays = (t: Rebuilt): Sql => join(t.key.map((_, i) => glue`ks${nth(i)}`));
const keyAliases = (t: Rebuilt): Sql => join(t.key.map((_, i) => glue`k${nth(i)}`));
const named = (t: Rebuilt): Sql => join(t.key.map((n) => ident(n)));
const list = (t: Rebuilt, side: 'convert' | 'back'): Sql => join(keyColumns(t).map((c, i) => glue`${c[side]} AS k${nth(i)}`));

/** Old table to shadow, before the swap. A row that does not fit goes to quarantine, and comes out of it when it is changed. */
export async function createForwardDrain(db: Db, run: RunId, t: Rebuilt, shape: Shape): Promise<void> {
  const q = ident(quarantineOf(run, t));
  const shadow = ident(t.shadow);
  const table = ident(t.table);
  const insert = (from: Sql, where: Sql): Sql =>
    glue`INSERT INTO ${shadow} (${columnList(t)}) OVERRIDING SYSTEM VALUE SELECT ${convertList(t)} FROM ${from} WHERE ${where};`;
  const set = (from: Sql): Sql => (t.converts ? glue`INSERT INTO ${q} SELECT o.*, ${misfit(run, t)} FROM ${from} WHERE NOT ${fits(run, t)};` : sql(''));
  const all = glue`ONLY ${table} o`;
  const some = glue`unnest(${arrays(t)}) AS l(${keyAliases(t)}) JOIN ONLY ${table} o ON ${sameKey(t, 'o', 'l')}`;
  const apply = glue`IF truncated THEN
    DELETE FROM ${shadow};
    DELETE FROM ${q};
    ${insert(all, fits(run, t))}
    ${set(all)}
  ELSE
    DELETE FROM ${shadow} s USING (SELECT DISTINCT ${list(t, 'convert')} FROM unnest(${arrays(t)}) AS o(${named(t)}) WHERE ${keyFits(run, t)} OFFSET 0) l WHERE ${sameKey(t, 's', 'l')};
    DELETE FROM ${q} q USING (SELECT * FROM unnest(${arrays(t)})) AS l(${keyAliases(t)}) WHERE ${sameKey(t, 'q', 'l')};
    ${insert(some, fits(run, t))}
    ${set(some)}
  END IF;`;
  await createDrain(db, forwardCapture(run, t, shape), forwardDrain(run, t).fn, apply);
}

/**
 * New table to the retired one, after the swap. A value that was not changed gets its old spelling back, not the converted
 * one. A key that is in quarantine and not in the new table is made from its quarantine row (DECISIONS 28).
 */
export async function createReverseDrain(db: Db, run: RunId, t: Rebuilt): Promise<void> {
  const q = ident(quarantineOf(run, t));
  const old = ident(t.old);
  const table = ident(t.table);
  const columns = insertable(t);
  const changed = columns.filter((c) => c.changed);
  const spelled = (i: number): Sql => glue`f${nth(i)}`;
  // an array of arrays would be one array of more dimensions: those travel as text
  const isArray = (type: string): boolean => type.endsWith('[]');
  const base = (type: string): Sql => sql(isArray(type) ? 'text' : type.startsWith('character(') ? 'bpchar' : type.replace(/^(character varying)\(.*$/, '$1'));
  const variables = join(
    [
      sql(''),
      ...t.key.map((_, i) => glue`fk${nth(i)} ${sql(keyColumns(t)[i]?.newType ?? '')}[]; gone${nth(i)} ${sql(keyColumns(t)[i]?.newType ?? '')}[];`),
      ...changed.map((c, i) => glue`${spelled(i)} ${base(c.oldType)}[];`),
    ],
    ' ',
  );
  const backKeys = glue`(SELECT DISTINCT ${list(t, 'back')} FROM unnest(${arrays(t)}) AS n(${named(t)}) OFFSET 0)`;
  const newOfOld = (alias: Sql): Sql =>
    join(
      keyColumns(t).map((c) => glue`${alias}.${ident(c.name)} = ${c.back}`),
      ' AND ',
    );
  // values of changed columns as they must be afterwards, taken while the old rows are still there
  const keep =
    changed.length === 0
      ? sql('')
      : glue`SELECT ${join([...t.key.map((n) => glue`array_agg(n.${ident(n)})`), ...changed.map((c) => glue`array_agg((CASE WHEN o.${ident(t.key[0] ?? '')} IS NOT NULL AND ${unchanged(c)} THEN o.${ident(c.name)} ELSE ${c.back} END)${sql(isArray(c.oldType) ? '::text' : '')})`)])}
      INTO ${join([...t.key.map((_, i) => glue`fk${nth(i)}`), ...changed.map((_, i) => spelled(i))])}
      FROM unnest(${arrays(t)}) AS l(${keyAliases(t)}) JOIN ONLY ${table} n ON ${sameKey(t, 'n', 'l')}
      LEFT JOIN ONLY ${old} o ON ${newOfOld(sql('o'))} AND NOT EXISTS (SELECT FROM ${q} q WHERE ${join(
        t.key.map((k) => glue`q.${ident(k)} = o.${ident(k)}`),
        ' AND ',
      )});`;
  const values = join(
    columns.map((c) => {
      const at = changed.indexOf(c);
      return at < 0 ? glue`n.${ident(c.name)}` : glue`l.${spelled(at)}${sql(isArray(c.oldType) ? `::${c.oldType}` : '')}`;
    }),
  );
  const from =
    changed.length === 0
      ? glue`unnest(${arrays(t)}) AS l(${keyAliases(t)})`
      : glue`unnest(${join([...t.key.map((_, i) => glue`fk${nth(i)}`), ...changed.map((_, i) => spelled(i))])}) AS l(${join([...t.key.map((_, i) => glue`k${nth(i)}`), ...changed.map((_, i) => spelled(i))])})`;
  const present = (side: Sql): Sql =>
    glue`EXISTS (SELECT FROM ONLY ${side} x WHERE ${join(
      t.key.map((k) => glue`x.${ident(k)} = q.${ident(k)}`),
      ' AND ',
    )})`;
  const own = join(columns.map((c) => glue`q.${ident(c.name)}`));
  const allBack = glue`(SELECT DISTINCT ${list(t, 'back')} FROM unnest(${join(t.key.map((_, i) => glue`gone${nth(i)}`))}) AS n(${named(t)}) OFFSET 0)`;
  // a key whose equal values are spelled in several ways (1.0 and 1.00) may have been spelled anew
  const settable = columns.filter((c) => !t.key.includes(c.name) || !c.rawHash);
  const set = settable.map(
    (c) => glue`${ident(c.name)} = ${c.changed ? glue`CASE WHEN ${unchanged(c)} THEN o.${ident(c.name)} ELSE ${c.back} END` : glue`n.${ident(c.name)}`}`,
  );
  // a sub-select, or a column of the target called like a variable would be meant
  const some = glue`(SELECT * FROM unnest(${arrays(t)})) AS l(${keyAliases(t)}) JOIN ONLY ${table} n ON ${sameKey(t, 'n', 'l')}`;
  // GENERATED ALWAYS AS IDENTITY takes a value in an INSERT only
  const inPlace = settable.every((c) => c.updatable);
  const restore = (keys: Sql): Sql =>
    glue`INSERT INTO ${old} (${columnList(t)}) OVERRIDING SYSTEM VALUE SELECT ${own} FROM ${keys} l JOIN ${q} q ON ${sameKey(t, 'q', 'l')} WHERE NOT ${present(old)};`;
  const apply = glue`IF truncated THEN
    DELETE FROM ${old};
    INSERT INTO ${old} (${columnList(t)}) OVERRIDING SYSTEM VALUE SELECT ${join(columns.map((c) => c.back))} FROM ONLY ${table} n;
    INSERT INTO ${old} (${columnList(t)}) OVERRIDING SYSTEM VALUE SELECT ${own} FROM ${q} q WHERE NOT ${present(old)};
  ELSIF ${inPlace ? sql('lim >= 2147483647') : sql('true')} OR EXISTS (SELECT FROM ${backKeys} l JOIN ${q} q ON ${sameKey(t, 'q', 'l')}) THEN
    -- values may have been exchanged between rows: all go, then all come
    ${keep}
    DELETE FROM ${old} o USING ${backKeys} l WHERE ${sameKey(t, 'o', 'l')};
    INSERT INTO ${old} (${columnList(t)}) OVERRIDING SYSTEM VALUE SELECT ${values} FROM ${from} JOIN ONLY ${table} n ON ${sameKey(t, 'n', 'l')};
    ${restore(backKeys)}
  ELSE
    SELECT ${join(t.key.map((_, i) => glue`coalesce(array_agg(l.k${nth(i)}), '{}')`))} INTO ${join(t.key.map((_, i) => glue`gone${nth(i)}`))}
      FROM unnest(${arrays(t)}) AS l(${keyAliases(t)}) WHERE NOT EXISTS (SELECT FROM ONLY ${table} n WHERE ${sameKey(t, 'n', 'l')});
    DELETE FROM ${old} o USING ${allBack} l WHERE ${sameKey(t, 'o', 'l')};
    ${set.length === 0 || !inPlace ? sql('') : glue`UPDATE ONLY ${old} o SET ${join(set)} FROM ${some} WHERE ${newOfOld(sql('o'))};`}
    INSERT INTO ${old} (${columnList(t)}) OVERRIDING SYSTEM VALUE SELECT ${join(columns.map((c) => c.back))} FROM ${some} WHERE NOT EXISTS (SELECT FROM ONLY ${old} o WHERE ${newOfOld(sql('o'))});
  END IF;`;
  await createDrain(db, reverseCapture(run, t), reverseDrain(run, t).fn, apply, variables);
}
