import type { ShapeIndex, ShapeKey } from './shape.js';

/** Reads what the server deparsed (pg_get_constraintdef, pg_get_indexdef with pg_catalog as the search path). Null where a form is not known: then nothing is guessed. */

const name = String.raw`(?:"(?:[^"]|"")+"|[^\s"(),.;]+)`;
const list = String.raw`\((${name}(?:, ${name})*)\)`;

const unquote = (text: string): string => (text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : text);
const names = (text: string): readonly string[] => (text.match(new RegExp(name, 'g')) ?? []).map(unquote);

const foreignKey = new RegExp(String.raw`^FOREIGN KEY ${list} REFERENCES (${name})\.(${name})${list}(.*)$`, 's');

/** `FOREIGN KEY (a, b) REFERENCES schema.table(c, d) … ON UPDATE … ON DELETE …` */
export function readForeignKey(constraint: string, definition: string): ShapeKey | null {
  const match = foreignKey.exec(definition);
  if (match === null) return null;
  const [, columns = '', schema = '', table = '', toColumns = '', rest = ''] = match;
  const action = (event: string): string =>
    (new RegExp(`ON ${event} (CASCADE|RESTRICT|SET NULL|SET DEFAULT|NO ACTION)`).exec(rest)?.[1] ?? 'NO ACTION').toLowerCase();
  return {
    name: constraint,
    columns: names(columns),
    to: { schema: unquote(schema), name: unquote(table) },
    toColumns: names(toColumns),
    onDelete: action('DELETE'),
    onUpdate: action('UPDATE'),
  };
}

const key = new RegExp(String.raw`^(?:PRIMARY KEY|UNIQUE) ${list}`);

/** Columns of `PRIMARY KEY (…)` or `UNIQUE (…)`; null for UNIQUE NULLS NOT DISTINCT, whose meaning is another. */
export const readKey = (definition: string): readonly string[] | null => {
  const columns = key.exec(definition)?.[1];
  return columns === undefined ? null : names(columns);
};

const index = new RegExp(String.raw`^CREATE (UNIQUE )?INDEX (${name}) ON (?:ONLY )?${name}\.${name} USING (\w+) (\(.*)$`, 's');
const plain = new RegExp(String.raw`^${list}(?: WHERE (.+))?$`, 's');

/** `CREATE [UNIQUE] INDEX … USING method (…) [WHERE …]`; `columns` is null for anything beyond plain columns. */
export function readIndex(indexName: string, definition: string): ShapeIndex {
  const match = index.exec(definition);
  const [, unique, , method = '', rest = ''] = match ?? [];
  const simple = match === null ? null : plain.exec(rest);
  return { name: indexName, method, unique: unique !== undefined, columns: simple === null ? null : names(simple[1] ?? ''), where: simple?.[2] ?? null };
}

/** The definition without the index's own name, so that indexes can be recognised under another name. */
export const withoutIndexName = (definition: string): string => definition.replace(new RegExp(`^(CREATE (?:UNIQUE )?INDEX) ${name} `), '$1 ');
