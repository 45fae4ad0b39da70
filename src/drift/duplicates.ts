import type { Relation } from '../names.js';
import { bareWords, grouped, nameKey, singular, withoutCopyMarks, words } from './words.js';
import { columnOf, familyOf, type Shape } from './shape.js';

/** Two tables of one database that look like the same thing twice. A guess: a person decides. */
export interface Duplicate {
  /** the one that looks superfluous: without the project's prefix, or with the ending of a copy */
  readonly from: Shape;
  readonly into: Shape;
  /** columns of the smaller table that have a counterpart in the other, 0 … 1 */
  readonly similarity: number;
  readonly columns: readonly ColumnMatch[];
  /** columns of `from` for which no counterpart was found */
  readonly unmatched: readonly string[];
  /** columns of `into` that stand for the primary key of `from`; null when the keys cannot be compared */
  readonly key: readonly string[] | null;
}

export interface ColumnMatch {
  readonly from: string;
  readonly into: string;
  /** same: same name. spelling: same words, other spelling. guess: similar words only. */
  readonly by: 'same' | 'spelling' | 'guess';
}

/** Words that mean the same in a column's name. */
const synonyms: Readonly<Record<string, string>> = {
  count: 'total',
  sum: 'total',
  number: 'total',
  num: 'total',
  msg: 'message',
  ts: 'timestamp',
  desc: 'description',
  img: 'image',
};
const canonical = (name: string): readonly string[] => words(name).map((word) => synonyms[singular(word)] ?? singular(word));

const minSimilarity = 0.5;

/** Pairs of one schema with the same name but for prefix, spelling, number or a copy's ending, and at least half of their columns in common. */
export function duplicates(shapes: readonly Shape[], prefix: readonly string[]): readonly Duplicate[] {
  const named = shapes.map((shape) => {
    const bare = bareWords(shape.table.name, prefix);
    return { shape, prefixed: bare.length < words(shape.table.name).length, ...withoutCopyMarks(bare) };
  });
  const found: Duplicate[] = [];
  for (const alike of grouped(named, (n) => JSON.stringify([n.shape.table.schema, nameKey(n.rest)])).values()) {
    for (const [i, a] of alike.entries()) {
      for (const b of alike.slice(i + 1)) {
        const aIsSuperfluous = a.marked !== b.marked ? a.marked : a.prefixed !== b.prefixed ? !a.prefixed : a.shape.columns.length < b.shape.columns.length;
        const duplicate = compare(aIsSuperfluous ? a.shape : b.shape, aIsSuperfluous ? b.shape : a.shape);
        if (duplicate.similarity >= minSimilarity) found.push(duplicate);
      }
    }
  }
  return found;
}

function compare(from: Shape, into: Shape): Duplicate {
  const columns = matchColumns(from, into);
  const sure = columns.filter((c) => c.by !== 'guess').length;
  const key = from.primaryKey.map((name) => columns.find((c) => c.from === name && c.by !== 'guess')?.into);
  const comparable = key.length > 0 && key.every((name) => name !== undefined);
  return {
    from,
    into,
    similarity: sure / Math.max(1, Math.min(from.columns.length, into.columns.length)),
    columns,
    unmatched: from.columns.filter((c) => !columns.some((m) => m.from === c.name)).map((c) => c.name),
    key: comparable ? key : null,
  };
}

function matchColumns(from: Shape, into: Shape): readonly ColumnMatch[] {
  const free = new Set(into.columns.map((c) => c.name));
  const matches = new Map<string, ColumnMatch>();
  const take = (name: string, target: string, by: ColumnMatch['by']): void => {
    matches.set(name, { from: name, into: target, by });
    free.delete(target);
  };
  for (const { name } of from.columns) if (free.has(name)) take(name, name, 'same');
  for (const { name } of from.columns) {
    const target = matches.has(name) ? undefined : [...free].find((candidate) => words(candidate).join(' ') === words(name).join(' '));
    if (target !== undefined) take(name, target, 'spelling');
  }
  for (const { name, type } of from.columns) {
    if (matches.has(name)) continue;
    const scored = [...free]
      .filter((candidate) => familyOf(columnOf(into, candidate)?.type ?? '') === familyOf(type))
      .map((candidate) => ({ candidate, score: likeness(canonical(name), canonical(candidate)) }))
      .sort((a, b) => b.score - a.score);
    const [best, second] = scored;
    // two equally good candidates are no guess at all
    if (best !== undefined && best.score >= 1 / 3 && best.score > (second?.score ?? 0)) take(name, best.candidate, 'guess');
  }
  return from.columns.flatMap((c) => matches.get(c.name) ?? []);
}

/** Words in common of all words, 0 … 1. */
function likeness(a: readonly string[], b: readonly string[]): number {
  const left = new Set(a);
  const right = new Set(b);
  const shared = [...left].filter((word) => right.has(word)).length;
  return shared / (left.size + right.size - shared);
}

export const isSame = (a: Relation, b: Relation): boolean => a.schema === b.schema && a.name === b.name;
