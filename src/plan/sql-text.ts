import type { Where } from '../finding.js';
import { provideBundleDirectory } from './bundle-directory.js';

/** A node of PostgreSQL's parse tree as libpg-query writes it: one key that names the kind, fields below. */
export type Node = Readonly<Record<string, unknown>>;

export interface ParsedStatement {
  /** e.g. `DropStmt` */
  readonly kind: string;
  readonly node: Node;
  /** without comments before it and the semicolon after it */
  readonly text: string;
  readonly at: Where;
  /** the place of a `location` inside the tree (a byte offset into the file), or of the statement where there is none */
  place(location: unknown): Where;
}

export interface Parsed {
  readonly statements: readonly ParsedStatement[];
  /** null when the grammar of PostgreSQL 18 accepts the text */
  readonly fault: { readonly message: string; readonly at: Where } | null;
}

export const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && !Array.isArray(value);
export const nodes = (value: unknown): readonly Node[] => (Array.isArray(value) ? value.filter(isNode) : []);
/** The inside of a node that may be wrapped under its kind: `{RangeVar: {…}}` or `{…}`. */
export const inside = (value: unknown, kind: string): Node | null => (isNode(value) ? (isNode(value[kind]) ? value[kind] : null) : null);
export const text = (value: unknown): string => (typeof value === 'string' ? value : '');

/** Calls `visit` for every node below, with the kind it is written under; parents first. */
export function walk(value: unknown, visit: (kind: string, node: Node) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
  } else if (isNode(value)) {
    for (const [kind, child] of Object.entries(value)) {
      if (isNode(child)) visit(kind, child);
      walk(child, visit);
    }
  }
}

/** drizzle-kit before 0.26 wraps keys and types like this; anything else in a DO body stays opaque. */
const forgiving = /^\s*BEGIN\s+([\s\S]+?;)\s*EXCEPTION\s+WHEN\s+duplicate_object\s+THEN\s+null\s*;\s*END\s*;?\s*$/i;

interface Raw {
  readonly stmts?: readonly { readonly stmt: Node; readonly stmt_location?: number; readonly stmt_len?: number }[];
}

/**
 * Parses SQL with PostgreSQL's own grammar (18, a superset of 14 to 17 for what migrations write). A `DO` body of the shape that older
 * drizzle-kit writes is replaced by the statements in it. Never throws for the text's own faults.
 */
export async function parseSql(source: string, file: string): Promise<Parsed> {
  const bytes = Buffer.from(source);
  const where = (byte: number): Where => whereIn(bytes.subarray(0, byte).toString(), file);
  if (source.trim() === '') return { statements: [], fault: null };
  provideBundleDirectory();
  const library = await import('libpg-query');
  let raw: Raw;
  try {
    raw = (await library.parse(source)) as unknown as Raw;
  } catch (error) {
    const details = (error as { sqlDetails?: { cursorPosition?: number } }).sqlDetails;
    if (details === undefined) throw error;
    const before = Array.from(source)
      .slice(0, Math.max(details.cursorPosition ?? 0, 0))
      .join('');
    return { statements: [], fault: { message: (error as Error).message, at: whereIn(before, file) } };
  }
  const statements: ParsedStatement[] = [];
  for (const { stmt, stmt_location: location = 0, stmt_len: length } of raw.stmts ?? []) {
    const end = length === undefined || length === 0 ? bytes.length : location + length;
    const start = firstToken(bytes, location, end);
    const [kind, node] = Object.entries(stmt)[0] ?? ['', {}];
    const at = where(start);
    const unwrapped = kind === 'DoStmt' ? await unwrap(node, file) : null;
    if (unwrapped !== null) {
      statements.push(...unwrapped.map((inner) => ({ ...inner, at, place: () => at })));
      continue;
    }
    const place = (offset: unknown): Where => (typeof offset === 'number' && offset >= start && offset <= end ? where(offset) : at);
    statements.push({ kind, node: isNode(node) ? node : {}, text: bytes.subarray(start, end).toString().trim(), at, place });
  }
  return { statements, fault: null };
}

async function unwrap(node: unknown, file: string): Promise<readonly ParsedStatement[] | null> {
  const args = isNode(node) ? nodes(node['args']) : [];
  const options = args.map((arg) => inside(arg, 'DefElem')).filter((option) => option !== null);
  if (options.some((option) => option['defname'] === 'language')) return null;
  const body = text(inside(options.find((option) => option['defname'] === 'as')?.['arg'], 'String')?.['sval']);
  const match = forgiving.exec(body);
  if (match?.[1] === undefined) return null;
  const parsed = await parseSql(match[1], file);
  return parsed.fault === null ? parsed.statements : null;
}

/** 1-based line and column (in characters) of the end of `before`. */
const whereIn = (before: string, file: string): Where => {
  const lines = before.split('\n');
  return { file, line: lines.length, column: Array.from(lines.at(-1) ?? '').length + 1 };
};

/** The first byte after white space and comments: a statement's location begins where the one before ended. */
function firstToken(bytes: Buffer, from: number, end: number): number {
  let at = from;
  for (;;) {
    while (at < end && /\s/.test(String.fromCharCode(bytes[at] ?? 0))) at += 1;
    const two = bytes.subarray(at, at + 2).toString();
    if (two === '--') {
      const line = bytes.indexOf('\n', at);
      at = line < 0 ? end : line + 1;
    } else if (two === '/*') at = afterComment(bytes, at, end);
    else return Math.min(at, end);
  }
}

/** Block comments nest in PostgreSQL. */
function afterComment(bytes: Buffer, from: number, end: number): number {
  let depth = 0;
  let at = from;
  while (at < end) {
    const two = bytes.subarray(at, at + 2).toString();
    if (two === '/*') depth += 1;
    if (two === '*/') depth -= 1;
    at += two === '/*' || two === '*/' ? 2 : 1;
    if (depth === 0) return at;
  }
  return end;
}
