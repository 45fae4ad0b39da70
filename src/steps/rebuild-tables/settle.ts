import { UserError } from '../../errors.js';
import { display } from '../../names.js';
import type { Db } from '../../pg/db.js';
import { glue, ident, join } from '../../pg/render.js';
import type { StepContext } from '../step.js';
import { columnList, insertable, keyColumns, quarantineOf, unchanged, type Group, type Rebuilt } from './design.js';
import { countOutsideChildren, mayHaveOrphans, orphanRows, orphanSources, parentsFirst } from './orphans.js';

/**
 * After the swap the new keys stop new orphans; this moves the rest into quarantine, in one transaction (DECISIONS 28):
 * locked parents first, so that nobody attaches children; looked at again under the locks; removed children first.
 * More than approved: nothing is moved, the keys stay NOT VALID, and the run is undone.
 */
export async function settle(cx: StepContext, group: Group): Promise<void> {
  if (!mayHaveOrphans(group)) return;
  const order = parentsFirst(group) ?? [...group.tables.keys()];
  const tables = order.flatMap((i) => (group.tables[i] === undefined ? [] : [{ i, t: group.tables[i] }]));
  const sources = orphanSources(group, { kind: 'after' });
  await cx.db.transaction(
    async (tx) => {
      await tx.rows('rebuild-tables/apply-on');
      for (let round = 1; round <= 10; round += 1) {
        let found = 0;
        for (const { i, t } of tables) found += await take(tx, cx, group, i, t);
        if (found === 0) break;
      }
      for (const { i, t } of tables) {
        await tx.change('rebuild-tables/settle-recheck', {
          names: { quarantine: quarantineOf(cx.run, t) },
          parts: {
            sources,
            orphans: orphanRows(i),
            key: join(keyColumns(t).map((c) => glue`b.${ident(c.name)}`)),
            there: join(
              keyColumns(t).map((c) => glue`q.${ident(c.name)} = ${c.back}`),
              ' AND ',
            ),
          },
        });
      }
      await refuseSurplus(tx, cx, group);
      for (const { key, rows } of await countOutsideChildren(tx, group, { kind: 'after' }))
        throw new UserError(`${String(rows)} rows of ${display(key.child)} refer by ${key.name} to rows that would be set aside`, {
          hint: 'The run is undone. Correct those rows and begin anew.',
        });
      for (const { t } of [...tables].reverse())
        await tx.change('rebuild-tables/settle-delete', {
          names: { new: t.table, quarantine: quarantineOf(cx.run, t) },
          parts: {
            there: join(
              keyColumns(t).map((c) => glue`q.${ident(c.name)} = ${c.back}`),
              ' AND ',
            ),
          },
        });
    },
    { lockTimeoutMs: 200 },
  );
}

function take(tx: Db, cx: StepContext, group: Group, i: number, t: Rebuilt): Promise<number> {
  const values = insertable(t).map((c) =>
    c.changed
      ? glue`CASE WHEN o.${ident(t.key[0] ?? '')} IS NOT NULL AND ${unchanged(c)} THEN o.${ident(c.name)} ELSE ${c.back} END`
      : glue`n.${ident(c.name)}`,
  );
  return tx.change('rebuild-tables/settle', {
    names: { quarantine: quarantineOf(cx.run, t), new: t.table, old: t.old },
    parts: {
      sources: orphanSources(group, { kind: 'after' }),
      orphans: orphanRows(i),
      columns: columnList(t),
      values: join(values),
      own: join(
        keyColumns(t).map((c) => glue`n.${ident(c.name)} = b.${ident(c.name)}`),
        ' AND ',
      ),
      was: join(
        keyColumns(t).map((c) => glue`o.${ident(c.name)} = ${c.back}`),
        ' AND ',
      ),
      there: join(
        keyColumns(t).map((c) => glue`q.${ident(c.name)} = ${c.back}`),
        ' AND ',
      ),
    },
  });
}

/** The number of rows that may be set aside for a reason: what was rehearsed and approved. */
export const approvedFor = (cx: Pick<StepContext, 'approved'>, t: Rebuilt, reason: string): number =>
  t.unfit === 'quarantine' ? (cx.approved?.[`${t.written}.${reason}`] ?? 0) : 0;

export async function quarantined(
  db: Pick<Db, 'rows'>,
  run: string,
  t: Rebuilt,
): Promise<readonly { readonly reason: string; readonly rows: number; readonly keys: readonly string[] }[]> {
  return db.rows('rebuild-tables/quarantined', {
    names: { quarantine: quarantineOf(run, t) },
    parts: { key: join(keyColumns(t).map((c) => glue`q.${ident(c.name)}`)) },
  });
}

/** Errors: UserError when more rows are set aside than were approved. */
export async function refuseSurplus(db: Pick<Db, 'rows'>, cx: StepContext, group: Group): Promise<void> {
  for (const t of group.tables) {
    for (const q of await quarantined(db, cx.run, t)) {
      const limit = approvedFor(cx, t, q.reason);
      if (q.reason !== 'key' && q.rows <= limit) continue;
      const what =
        q.reason === 'key' ? 'have a key that cannot be converted' : q.reason === 'conversion' ? 'do not fit the new types' : `have no parent for ${q.reason}`;
      throw new UserError(`${String(q.rows)} rows of ${display(t.table)} ${what}; ${String(limit)} were approved: ${q.keys.join(', ')}`, {
        hint: 'The run is undone. Correct those rows, or rehearse and approve the new number.',
      });
    }
  }
}
