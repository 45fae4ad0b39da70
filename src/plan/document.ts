import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  visit,
  type Document,
  type Node,
  type Pair,
  type ParsedNode,
} from 'yaml';
import { block, type Finding, type Where } from '../finding.js';

export type Path = readonly (string | number)[];

/** A YAML file that was read: its values, the faults of its form, and the place of everything in it. */
export interface YamlFile {
  readonly value: unknown;
  readonly faults: readonly Finding[];
  /** The place of the value at `path`: of its key when it is a map or a list, and of the nearest thing above when it is not there. */
  at(path: Path): Where;
  /** The place of the key that ends `path`. */
  atKey(path: Path): Where;
  /** The place of the first scalar under `path` whose text is `text`, else of `path` itself. */
  atText(path: Path, text: string): Where;
}

/**
 * Reads YAML 1.2 (core schema: `on` and `off` are text). Scalars under a key `expect` keep the text they were written with, so that
 * `1.10` and integers beyond 2^53 are compared as written. Aliases are followed; merge keys (`<<`, YAML 1.1) are not.
 * Faults, all at once: syntax, duplicate keys, keys that are not text, unknown tags, more than one document, aliases that explode.
 */
export function readYaml(text: string, file: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', uniqueKeys: true });
  const where = (offset: number): Where => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  const faults: Finding[] = [...document.errors, ...document.warnings].map((fault) => {
    const at = where(fault.pos[0]);
    if (fault.code === 'DUPLICATE_KEY')
      return block('plan-duplicate-key', 'this key is written twice in the same map', {
        at,
        hint: 'Keep one of the two; the other would be ignored silently.',
      });
    if (fault.code === 'MULTIPLE_DOCS')
      return block('plan-syntax', 'found a second document, expected one plan in the file', {
        at,
        hint: 'Remove the line "---" and what follows, or make it a file of its own.',
      });
    return block('plan-syntax', `not valid YAML: ${sentence(fault.message)}`, {
      at,
      hint: 'Correct the YAML here; names with special characters need quotes.',
    });
  });
  visit(document, {
    Pair: (_key, pair) => {
      const key = pair.key;
      if (isScalar(key) && typeof key.value === 'string') {
        if (key.value === 'expect') keepText(pair.value);
        return;
      }
      const offset = isScalar(key) || isCollection(key) || isAlias(key) ? (key.range?.[0] ?? 0) : 0;
      const found = isScalar(key) ? JSON.stringify(key.value) : 'a map, a list or an alias';
      faults.push(
        block('plan-syntax', `found ${found} as a key, expected text`, {
          at: where(offset),
          hint: 'Put the key in quotes: YAML would turn it into something else.',
        }),
      );
    },
  });
  let value: unknown = null;
  if (faults.length === 0) {
    try {
      value = document.toJS({ maxAliasCount: 100 }) as unknown;
    } catch (error) {
      faults.push(
        block('plan-syntax', sentence(error instanceof Error ? error.message : String(error)), {
          at: where(0),
          hint: 'Use fewer aliases; write the values out.',
        }),
      );
    }
  }
  return {
    value,
    faults,
    at: (path) => where(offsetOf(document, path, 'value')),
    atKey: (path) => where(offsetOf(document, path, 'key')),
    atText: (path, wanted) => {
      const found = scalarWith(follow(document, path).node, wanted, document);
      return where(found ?? offsetOf(document, path, 'value'));
    },
  };
}

/** The library's messages are sentences of several kinds; ours are lower case without a full stop, on one line. */
const sentence = (message: string): string => {
  const line = message.split('\n')[0]?.trim().replace(/[.:]$/, '') ?? '';
  return line.charAt(0).toLowerCase() + line.slice(1);
};

function keepText(value: unknown): void {
  if (isScalar(value) && typeof value.value !== 'string' && value.value !== null && value.source !== undefined) value.value = value.source;
  if (isSeq(value)) value.items.forEach(keepText);
}

interface Followed {
  readonly node: Node | null;
  readonly pair: Pair | null;
  /** false: the path leads further than the file does */
  readonly whole: boolean;
}

function follow(document: Document<ParsedNode>, path: Path): Followed {
  let node: Node | null = document.contents;
  let pair: Pair | null = null;
  for (const part of path) {
    const inside: Node | null = resolved(node, document);
    if (isMap(inside)) {
      const next: Pair | undefined = inside.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (next === undefined) return { node, pair, whole: false };
      pair = next;
      node = isNode(next.value) ? next.value : null;
    } else if (isSeq(inside)) {
      const next: unknown = inside.items[Number(part)];
      if (!isNode(next)) return { node, pair, whole: false };
      pair = null;
      node = next;
    } else return { node, pair, whole: false };
  }
  return { node, pair, whole: true };
}

const isNode = (value: unknown): value is Node => isScalar(value) || isCollection(value) || isAlias(value);
const resolved = (node: Node | null, document: Document<ParsedNode>): Node | null => (isAlias(node) ? (node.resolve(document) ?? null) : node);

function offsetOf(document: Document<ParsedNode>, path: Path, side: 'key' | 'value'): number {
  const { node, pair, whole } = follow(document, path);
  const keyOffset = pair !== null && isScalar(pair.key) ? pair.key.range?.[0] : undefined;
  const useKey = side === 'key' || !whole || isCollection(node) || node?.range === undefined || (isScalar(node) && node.value === null);
  return (useKey ? keyOffset : undefined) ?? node?.range?.[0] ?? keyOffset ?? 0;
}

function scalarWith(node: Node | null, text: string, document: Document<ParsedNode>): number | undefined {
  const inside = resolved(node, document);
  if (isScalar(inside)) return inside.value === text ? inside.range?.[0] : undefined;
  if (!isCollection(inside)) return undefined;
  for (const item of inside.items) {
    const found = scalarWith(isPair(item) ? (isNode(item.value) ? item.value : null) : isNode(item) ? item : null, text, document);
    if (found !== undefined) return found;
  }
  return undefined;
}
