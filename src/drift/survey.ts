import { randomInt } from 'node:crypto';
import { block, type Finding } from '../finding.js';
import type { Db } from '../pg/db.js';
import { schemaOf, type SchemaImage } from '../proof/fingerprint.js';
import { unvalidated, type Unvalidated } from '../proof/references.js';
import { disagreement, wantedTypes, type Disagreement, type TypeChange } from './compare.js';
import { duplicates, type Duplicate } from './duplicates.js';
import { databaseFacts, overlapFacts, referenceFacts, tableFacts, unfitFacts, type DatabaseFacts, type ReferenceFacts, type TableFacts } from './facts.js';
import { references } from './references.js';
import { shapesOf, type Shape } from './shape.js';
import { projectPrefix } from './words.js';

/** Everything looked at in one database, at one snapshot. */
export interface Side {
  readonly facts: DatabaseFacts;
  readonly image: SchemaImage;
  readonly shapes: readonly Shape[];
  readonly tables: readonly TableFacts[];
  readonly layout: readonly Layout[];
  readonly references: readonly ReferenceFacts[];
  readonly unvalidated: readonly Unvalidated[];
  readonly duplicates: readonly CountedDuplicate[];
  /** columns that ought to have another type, with the values that do not fit it (null: not known without trying) */
  readonly changes: readonly CountedChange[];
}

export interface Layout {
  readonly schema: string;
  readonly name: string;
  readonly columns: readonly string[];
  readonly comment: string | null;
  readonly comments: Readonly<Record<string, string>>;
}
export interface CountedDuplicate extends Duplicate {
  readonly commonKeys: number | null;
}
export interface CountedChange extends TypeChange {
  readonly unfit: number | null;
}

export interface Survey {
  readonly schemas: readonly string[];
  readonly production: Side;
  readonly development: Side;
  readonly disagreement: Disagreement;
  /** both URLs lead into one database */
  readonly sameDatabase: boolean;
}

type Shallow = Pick<Side, 'facts' | 'image' | 'shapes' | 'tables' | 'layout'>;

/**
 * Looks at both databases, each in the read-only REPEATABLE READ transaction that the caller has begun there. Locks ACCESS SHARE.
 * Returns findings instead when the role of a side may not read every table: facts about some of the rows would mislead.
 */
export async function survey(production: Db, development: Db, schemas: readonly string[]): Promise<Survey | readonly Finding[]> {
  const sameDatabase = await inOneDatabase(production, development);
  const [ours, theirs] = await Promise.all([shallow(production, schemas), shallow(development, schemas)]);
  const refused = [...ours.refused, ...theirs.refused];
  if (refused.length > 0) return refused;
  const absent = schemas.filter((s) => !ours.side.facts.schemas.some((f) => f.name === s) && !theirs.side.facts.schemas.some((f) => f.name === s));
  if (absent.length > 0) {
    return absent.map((s) =>
      block('table-not-found', `neither database has the schema ${s}`, {
        object: s,
        hint: 'Correct `schemas:` of the plan; names are literal and case matters.',
      }),
    );
  }
  const prefix = projectPrefix(ours.side.shapes.length > 0 ? ours.side.shapes.map((s) => s.table) : theirs.side.shapes.map((s) => s.table));
  const [deepOurs, deepTheirs] = await Promise.all([
    deepen(production, schemas, ours.side, theirs.side, true, prefix),
    deepen(development, schemas, theirs.side, ours.side, false, prefix),
  ]);
  return {
    schemas,
    production: deepOurs,
    development: deepTheirs,
    disagreement: disagreement(deepOurs.image, deepTheirs.image, deepOurs.facts, deepTheirs.facts),
    sameDatabase,
  };
}

async function shallow(db: Db, schemas: readonly string[]): Promise<{ readonly side: Shallow; readonly refused: readonly Finding[] }> {
  const facts = await databaseFacts(db);
  const { tables, refused } = await tableFacts(db, schemas);
  const image = await schemaOf(db, schemas);
  const layout = await db.rows<Layout>('drift/layout', { values: [schemas] });
  const named = refused.map((f) => ({ ...f, message: `${db.target.role}: ${f.message}` }));
  return { side: { facts, image, shapes: shapesOf(image), tables, layout }, refused: named };
}

/** @param model true: the other side's types are the wanted ones */
async function deepen(db: Db, schemas: readonly string[], side: Shallow, other: Shallow, model: boolean, prefix: readonly string[]): Promise<Side> {
  const found = references(side.shapes, other.shapes, prefix);
  const counted = await referenceFacts(db, found, side.shapes, schemas);
  const pairs = duplicates(side.shapes, prefix);
  const common = await overlapFacts(db, pairs);
  const changes = wantedTypes(side.shapes, model ? other.shapes : null, found);
  const unfit = await unfitFacts(db, changes);
  return {
    ...side,
    references: counted,
    unvalidated: await unvalidated(db, schemas),
    duplicates: pairs.map((pair, i) => ({ ...pair, commonKeys: common[i] ?? null })),
    changes: changes.map((change, i) => ({ ...change, unfit: unfit[i] ?? null })),
  };
}

/** A lock taken through one session that the other sees with its own database's oid: system identifiers are equal on branches and snapshots (DECISIONS 22). */
async function inOneDatabase(a: Db, b: Db): Promise<boolean> {
  const values = [randomInt(1, 2 ** 31 - 1), randomInt(1, 2 ** 31 - 1)];
  await a.rows('drift/mark', { values });
  return (await b.one<{ same: boolean }>('drift/marked', { values })).same;
}
