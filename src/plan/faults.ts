import type { z } from 'zod';
import type { FindingCode } from '../finding-codes.js';
import { block, type Finding, type Where } from '../finding.js';
import type { Path, YamlFile } from './document.js';

/** Stands where a schema gave no message of its own; such issues are worded here. */
const unworded = '\u0000';

/** What schema authors may attach to a custom issue (`ctx.addIssue({ code: 'custom', message, params: { code, hint } })`). */
interface Params {
  readonly code?: FindingCode;
  readonly hint?: string;
}

interface Place {
  readonly yaml: YamlFile;
  /** path of the checked value in the file */
  readonly path: Path;
  /** id of the step, when inside one */
  readonly step?: string;
  /** what the checked value is called in messages; default: nothing, keys within it are named from there */
  readonly label?: string;
}

/** Parses `value` with `schema`. Every fault becomes a finding with its place, what was found, what was expected, and the fix. */
export function parseAt<T>(schema: z.ZodType<T>, value: unknown, place: Place): { readonly parsed: T | null; readonly faults: readonly Finding[] } {
  const result = schema.safeParse(value, { error: () => unworded });
  if (result.success) return { parsed: result.data, faults: [] };
  return { parsed: null, faults: flatten(result.error.issues, value).flatMap((issue) => worded(issue, schema, value, place)) };
}

/** Of a union, the faults of the one branch whose form the value has: "expected a map or a list" helps nobody whose map lacks one key. */
function flatten(issues: readonly z.core.$ZodIssue[], root: unknown): z.core.$ZodIssue[] {
  return issues.flatMap((issue) => {
    if (issue.code !== 'invalid_union' || issue.message !== unworded) return [issue];
    const fitting = issue.errors.filter(
      (branch) => !branch.some((inner) => inner.path.length === 0 && (inner.code === 'invalid_type' || inner.code === 'invalid_value')),
    );
    const [only] = fitting;
    if (fitting.length !== 1 || only === undefined) return [issue];
    return flatten(
      only.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
      root,
    );
  });
}

function worded(issue: z.core.$ZodIssue, schema: z.ZodType, root: unknown, place: Place): Finding[] {
  const inner = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
  const full = [...place.path, ...inner];
  const value = valueAt(root, inner);
  const label = inner.length === 0 ? (place.label === undefined ? '' : `${place.label}: `) : `${dotted(inner)}: `;
  const fault = (code: FindingCode, message: string, at: Where, hint: string): Finding =>
    block(code, message, { at, hint, ...(place.step === undefined ? {} : { step: place.step }) });

  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, inner);
    return issue.keys.map((key) => fault('plan-unknown-key', `${label}unknown key "${key}"`, place.yaml.atKey([...full, key]), keyHint(key, known)));
  }
  const at = place.yaml.at(full);
  if (issue.message !== unworded) {
    const params: Params = issue.code === 'custom' ? (issue.params ?? {}) : {};
    if (value === undefined && inner.length > 0 && params.code === undefined) return [missing(label, inner, issue, at, fault)];
    return [fault(params.code ?? 'plan-invalid', `${label}${issue.message}`, at, params.hint ?? 'Correct the value here.')];
  }
  if (value === undefined && inner.length > 0) return [missing(label, inner, issue, at, fault)];
  const wanted = expectation(issue);
  const choices = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const near = typeof value === 'string' ? closest(value, choices) : null;
  const quote = wanted === 'text' && ['number', 'boolean'].includes(typeof value);
  const list = wanted === 'a list' && ['string', 'number'].includes(typeof value);
  const hint =
    near !== null ? `Did you mean "${near}"?` : quote ? 'Put it in quotes.' : list ? `Write it as a list: [${String(value)}].` : 'Correct the value here.';
  return [fault('plan-invalid', `${label}found ${shown(value)}, expected ${wanted}`, at, hint)];
}

function missing(
  label: string,
  inner: readonly (string | number)[],
  issue: z.core.$ZodIssue,
  at: Where,
  fault: (code: FindingCode, message: string, at: Where, hint: string) => Finding,
): Finding {
  const key = String(inner.at(-1));
  return fault('plan-missing-key', `${label}is missing, expected ${expectation(issue)}`, at, `Add "${key}:" here.`);
}

const inYaml: Readonly<Record<string, string>> = {
  string: 'text',
  record: 'a map',
  object: 'a map',
  array: 'a list',
  tuple: 'a list',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
  null: 'nothing',
};

/** The kind of value an issue asks for, in words of YAML and not of JavaScript. */
function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return inYaml[issue.expected] ?? issue.expected;
  if (issue.code === 'invalid_value') return either(issue.values.map(String));
  if (issue.code === 'too_small') return `${issue.inclusive === false ? 'more than' : 'at least'} ${amount(issue.minimum, issue.origin)}`;
  if (issue.code === 'too_big') return `at most ${amount(issue.maximum, issue.origin)}`;
  if (issue.code === 'invalid_format') return issue.pattern === undefined ? issue.format : `text that matches ${issue.pattern}`;
  if (issue.code === 'invalid_union') return either([...new Set(forms(issue))]);
  return 'another value';
}

const forms = (issue: z.core.$ZodIssue): readonly string[] =>
  issue.code === 'invalid_union' ? issue.errors.flatMap((branch) => branch.filter((inner) => inner.path.length === 0).flatMap(forms)) : [expectation(issue)];

const amount = (n: number | bigint, origin: string): string => {
  const unit = { string: ' character', array: ' entry', record: ' entry', object: ' entry' }[origin] ?? '';
  return `${String(n)}${Number(n) === 1 ? unit : unit.replace(/entry$/, 'entries').replace(/character$/, 'characters')}`;
};

const either = (words: readonly string[]): string => (words.length < 2 ? (words[0] ?? 'nothing') : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`);

function shown(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a map';
  return typeof value === 'string' ? `"${value.length > 80 ? `${value.slice(0, 77)}...` : value}"` : JSON.stringify(value);
}

/** `verify.queries[0].sql` */
export const dotted = (path: Path): string => path.map((part, i) => (typeof part === 'number' ? `[${String(part)}]` : `${i === 0 ? '' : '.'}${part}`)).join('');

function valueAt(root: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) => (typeof value === 'object' && value !== null ? (value as Record<string | number, unknown>)[part] : undefined),
    root,
  );
}

export function keyHint(key: string, known: readonly string[]): string {
  const near = closest(key, known);
  const list = known.length === 0 ? '' : ` Known here: ${known.join(', ')}.`;
  return near === null ? `Remove it.${list}` : `Did you mean "${near}"?${list}`;
}

/** The nearest of `words`, when it is near enough to be a slip of the finger: at most a third of its letters differ. */
export function closest(word: string, words: readonly string[]): string | null {
  const ranked = words.map((candidate) => ({ candidate, distance: edits(plain(word), plain(candidate)) })).sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(best.candidate.length / 3)) ? best.candidate : null;
}

const plain = (word: string): string => word.toLowerCase().replaceAll('_', '-');

/** Levenshtein distance, in one row. */
function edits(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)));
    row = next;
  }
  return row[b.length] ?? 0;
}

/** Keys that the schema knows at `path`, through the wrappers zod puts around an object. */
function keysAt(schema: z.ZodType, path: Path): readonly string[] {
  return [...new Set(schemasAt(schema, path).flatMap((found) => (found._zod.def.type === 'object' ? Object.keys((found as z.ZodObject).shape) : [])))];
}

function schemasAt(schema: z.core.$ZodType, path: Path): readonly z.core.$ZodType[] {
  const def = (schema as z.core.$ZodTypes)._zod.def;
  if (def.type === 'union') return def.options.flatMap((option) => schemasAt(option, path));
  if (def.type === 'pipe') return schemasAt(def.in, path);
  if ('innerType' in def) return schemasAt(def.innerType, path);
  const [head, ...rest] = path;
  if (head === undefined) return [schema];
  if (def.type === 'record') return schemasAt(def.valueType, rest);
  if (def.type === 'array') return schemasAt(def.element, rest);
  const inner = def.type === 'object' ? def.shape[String(head)] : undefined;
  return inner === undefined ? [] : schemasAt(inner, rest);
}
