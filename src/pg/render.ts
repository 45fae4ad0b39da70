import pg from 'pg';
import { Bug, UserError } from '../errors.js';
import { sql as texts, type SqlName } from '../generated/sql.js';
import type { Relation } from '../names.js';

declare const rendered: unique symbol;
/**
 * SQL text that is safe to send: it came from a file under sql/, from a catalog function that deparses (pg_get_indexdef …),
 * from the plan author, or from the functions below. A plain string is not accepted where Sql is asked.
 */
export type Sql = string & { readonly [rendered]: true };

/** A quoted identifier; a Relation becomes "schema"."name". */
export const ident = (name: string | Relation): Sql =>
  (typeof name === 'string' ? pg.escapeIdentifier(name) : `${pg.escapeIdentifier(name.schema)}.${pg.escapeIdentifier(name.name)}`) as Sql;

/** A quoted literal. */
export const literal = (value: string): Sql => pg.escapeLiteral(value) as Sql;

/** Text the server deparsed (pg_get_viewdef, format_type, pg_get_expr …), used unchanged. */
export const fromCatalog = (text: string): Sql => text as Sql;

/** An expression or statement of the plan's author; used unchanged, shown in the report. */
export const fromPlan = (text: string): Sql => text as Sql;

export const join = (parts: readonly Sql[], separator = ', '): Sql => parts.join(separator) as Sql;

/** Template tag: only Sql may be interpolated. Short glue only; a statement belongs in a file under sql/. */
export const glue = (strings: TemplateStringsArray, ...parts: readonly Sql[]): Sql => String.raw({ raw: strings.raw }, ...parts) as Sql;

export interface SqlArgs {
  /** `:"key"` → quoted identifier(s) */
  readonly names?: Readonly<Record<string, string | Relation>>;
  /** `:'key'` → quoted literal */
  readonly literals?: Readonly<Record<string, string>>;
  /** `:{key}` → Sql as it is */
  readonly parts?: Readonly<Record<string, Sql>>;
  /** `$1` … → bound values */
  readonly values?: readonly unknown[];
}

const placeholder = /(?<!:):(?:"(\w+)"|'(\w+)'|\{(\w+)\})/g;

/** Fills the placeholders of a file under sql/. An unbound or unused one is a Bug: a silent gap would be sent to production. */
export function render(name: SqlName, args: SqlArgs = {}): Sql {
  const used = new Set<string>();
  const take = <T>(kind: string, from: Readonly<Record<string, T>> | undefined, key: string): T => {
    const value = from?.[key];
    if (value === undefined) throw new Bug(`sql/${name}.sql: ${kind} "${key}" is not bound`);
    used.add(`${kind} ${key}`);
    return value;
  };
  const quoted = texts[name].includes('$lossless$');
  const text = texts[name].replace(placeholder, (_all, id?: string, lit?: string, part?: string) => {
    const value =
      id !== undefined
        ? ident(take('name', args.names, id))
        : lit !== undefined
          ? literal(take('literal', args.literals, lit))
          : take('part', args.parts, part ?? '');
    // inside a dollar-quoted body no other quoting helps against the tag itself
    if (quoted && value.includes('$lossless$'))
      throw new UserError('a name or an expression holds the text $lossless$, which our functions are quoted with', { hint: 'Rename the object.' });
    return value;
  });
  const given = [
    ...Object.keys(args.names ?? {}).map((k) => `name ${k}`),
    ...Object.keys(args.literals ?? {}).map((k) => `literal ${k}`),
    ...Object.keys(args.parts ?? {}).map((k) => `part ${k}`),
  ];
  const unused = given.filter((k) => !used.has(k));
  if (unused.length > 0) throw new Bug(`sql/${name}.sql: unused argument ${unused.join(', ')}`);
  return text as Sql;
}
