import type { Reading } from './read.js';
import { ident, join } from '../../pg/render.js';

/** An expression as people write it and as the server prints it: blanks, case and the cast that the server adds to literals do not matter. */
const same = (written: string, printed: string, type: string): boolean => {
  const plain = (text: string): string => text.replace(/\s+/g, '').toLowerCase();
  return [plain(printed), plain(printed.replace(/::[\w\s"]+(\(\d+\))?$/, ''))].includes(plain(written)) || plain(printed) === plain(`${written}::${type}`);
};

/** Whether the definitions in the target already say everything the plan asks for (DECISIONS 15), validated keys included. */
export function foundDone(reading: Reading): boolean {
  if (reading.findings.length > 0) return false;
  return reading.sources.every((source, i) => {
    const { shape, spec } = source;
    const columns = Object.entries(spec.columns).every(([name, wanted]) => {
      const column = shape.columns.find((c) => c.name === name);
      if (column === undefined) return false;
      if (wanted.type !== undefined && source.types[name] !== column.type) return false;
      if (wanted['not-null'] !== undefined && wanted['not-null'] !== column.notNull) return false;
      if (wanted.default === null) return column.default === null;
      return wanted.default === undefined || (column.default !== null && same(String(wanted.default), column.default, column.type));
    });
    const indexes = Object.entries(spec.indexes).every(([name, wanted]) => {
      const index = shape.indexes.find((x) => x.name === name);
      if (!index?.valid) return false;
      const text = wanted.columns === undefined ? (wanted.expression ?? '') : join(wanted.columns.map((c) => ident(c)));
      const rest = index.rest ?? '';
      const plain = (t: string): string => t.replace(/[\s"()]/g, '').toLowerCase();
      return plain(rest) === plain(`USING ${wanted.method ?? 'btree'} (${text})${wanted.where === undefined ? '' : ` WHERE ${wanted.where}`}`);
    });
    const unique = Object.entries(spec.unique).every(([name, wanted]) =>
      shape.constraints.some((k) => k.name === name && k.type === 'u' && k.columns.join('\0') === wanted.columns.join('\0')),
    );
    const keys = reading.group.keys
      .filter((k) => k.planned && k.childAt === i)
      .every((k) => {
        const plain = (t: string): string =>
          t
            .replace(/[\s"]/g, '')
            .toLowerCase()
            .replace(/public\./g, '')
            .replace(/on(update|delete)noaction/g, '');
        return k.before?.validated === true && plain(k.before.definition) === plain(k.after.definition);
      });
    return columns && indexes && unique && keys;
  });
}
