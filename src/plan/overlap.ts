import { block, type Finding, type Where } from '../finding.js';
import type { Relation } from '../names.js';
import { display } from '../names.js';
import type { Footprint } from './schema.js';

/** A foreign key of the database (from = the referencing table), for ties between steps. */
export interface Tie {
  readonly from: Relation;
  readonly to: Relation;
  readonly constraint: string;
}

export interface OverlapOptions {
  /**
   * `steps`: two steps of one plan. They are undone together, last first, so what an `anything` step does beyond what it declares cannot
   * outlive its neighbours. `runs`: a step and what an open run holds: each may be rolled back alone, in any order.
   */
  readonly between: 'steps' | 'runs';
  /** foreign keys whose columns one of the two changes; none are known without a database */
  readonly ties?: readonly Tie[];
}

export interface Overlap {
  /** what both touch: a relation, a schema, or a key between them */
  readonly object: string;
  /** lower case, no full stop: "both touch public.a" */
  readonly why: string;
}

/**
 * Whether two steps on the same database meet (DECISIONS 14; docs/adr/0014-overlapping-steps.md). They do when
 *  1. both touch the same relation, or one touches a relation in a schema that the other retires whole, or both retire one schema;
 *  2. one touches a relation and the other a relation that is tied to it by a foreign key whose key changes (`ties`);
 *  3. between runs only: one may touch anything (sql, command, drizzle) and the other touches something at all.
 * Within a plan a sql, command or drizzle step counts with what it declares (`creates`) and what its SQL file names as changed: a Drizzle migration that
 * adds tables and keys from them to existing tables touches the new tables; the referenced ones keep their key, so rule 2 does not apply.
 */
export function overlaps(a: Footprint, b: Footprint, options: OverlapOptions): Overlap | null {
  const same = a.touches.find((x) => b.touches.some((y) => equal(x, y)));
  if (same !== undefined) return { object: display(same), why: `both touch ${display(same)}` };
  const retired = a.schemas.find((schema) => b.schemas.includes(schema));
  if (retired !== undefined) return { object: retired, why: `both change the whole schema ${retired}` };
  for (const [whole, other] of [
    [a, b],
    [b, a],
  ] as const) {
    const inside = other.touches.find((relation) => whole.schemas.includes(relation.schema));
    if (inside !== undefined)
      return { object: display(inside), why: `one changes the whole schema ${inside.schema}, the other touches ${display(inside)} in it` };
  }
  const tie = options.ties?.find(({ from, to }) => !equal(from, to) && ((touches(a, from) && touches(b, to)) || (touches(a, to) && touches(b, from))));
  if (tie !== undefined)
    return { object: tie.constraint, why: `the foreign key ${tie.constraint} from ${display(tie.from)} to ${display(tie.to)} ties them, and its key changes` };
  if (options.between === 'runs' && (a.anything || b.anything)) {
    const bounded = a.anything ? b : a;
    const object = bounded.anything ? 'any table' : (bounded.touches.map(display)[0] ?? bounded.schemas[0]);
    if (object !== undefined) return { object, why: `one may change any table, the other holds ${object}` };
  }
  return null;
}

export interface Described {
  readonly id: string;
  readonly on: string;
  readonly at: Where;
  readonly footprint: Footprint;
}

/** The faults of a plan whose steps meet. */
export function overlapsOfSteps(steps: readonly Described[]): readonly Finding[] {
  return steps.flatMap((later, i) =>
    steps.slice(0, i).flatMap((earlier) => {
      const overlap = later.on === earlier.on ? overlaps(earlier.footprint, later.footprint, { between: 'steps' }) : null;
      if (overlap === null) return [];
      const hint = `Put the work of both into one step, or into two plans, the second after the cleanup of the first.`;
      return [block('plan-steps-overlap', `meets step "${earlier.id}": ${overlap.why}`, { at: later.at, step: later.id, object: overlap.object, hint })];
    }),
  );
}

const equal = (x: Relation, y: Relation): boolean => x.schema === y.schema && x.name === y.name;
const touches = (footprint: Footprint, relation: Relation): boolean =>
  footprint.touches.some((touched) => equal(touched, relation)) || footprint.schemas.includes(relation.schema);
