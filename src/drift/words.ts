import type { Relation } from '../names.js';

/** Names as words, so that `userId`, `user_id` and `bazaar-vid_User` can be compared. Guesses for people, never a ground to act on. */

/** `bazaar-vid_verificationToken` → bazaar, vid, verification, token */
export const words = (name: string): readonly string[] =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== '');

/** English plurals of table names; good enough to match `exports` with `export_id`. */
export const singular = (word: string): string => {
  if (word.endsWith('ies') && word.length > 4) return `${word.slice(0, -3)}y`;
  if (/(ss|us|is)$/.test(word)) return word;
  if (/(x|ch|sh|ss)es$/.test(word)) return word.slice(0, -2);
  return word.length > 3 && word.endsWith('s') ? word.slice(0, -1) : word;
};

/** Equal for names that are the same but for spelling and number: `userCredits`, `user_credit`. */
export const nameKey = (list: readonly string[]): string => list.map(singular).join(' ');

const startsWith = (list: readonly string[], start: readonly string[]): boolean => start.length <= list.length && start.every((word, i) => word === list[i]);

/** The leading words that at least half of the tables (and three of them) share, such as a Drizzle `tableCreator` prefix; [] when there are none. */
export function projectPrefix(tables: readonly Relation[]): readonly string[] {
  const lists = tables.map((t) => words(t.name));
  const enough = Math.max(3, lists.length / 2);
  let prefix: readonly string[] = [];
  for (;;) {
    const next = new Map<string, number>();
    for (const list of lists) {
      const word = list[prefix.length];
      // the last word is the table's own name, never a prefix
      if (word !== undefined && list.length > prefix.length + 1 && startsWith(list, prefix)) next.set(word, (next.get(word) ?? 0) + 1);
    }
    const best = [...next].sort((a, b) => b[1] - a[1])[0];
    if (best === undefined || best[1] < enough) return prefix;
    prefix = [...prefix, best[0]];
  }
}

/** What is left of a table's name without the project's prefix. */
export function bareWords(name: string, prefix: readonly string[]): readonly string[] {
  const list = words(name);
  return prefix.length > 0 && list.length > prefix.length && startsWith(list, prefix) ? list.slice(prefix.length) : list;
}

/** Endings people give to copies: exports_old, exports_backup_20240101. */
const copyMarks = /^(old|new|bak|backup|copy|tmp|temp|v\d+|\d{4,14})$/;

/** Without the endings that mark a copy; `marked` says that there were some. */
export function withoutCopyMarks(list: readonly string[]): { readonly rest: readonly string[]; readonly marked: boolean } {
  let end = list.length;
  while (end > 1 && copyMarks.test(list[end - 1] ?? '')) end -= 1;
  return { rest: list.slice(0, end), marked: end < list.length };
}

/** Items by a key, in order of appearance. */
export function grouped<T>(items: readonly T[], key: (item: T) => string): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
