import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A line of the checked-out source code that seems to speak of a table. */
export interface Mention {
  /** relative to the root, '/'-separated */
  readonly file: string;
  /** 1-based */
  readonly line: number;
  /** the word that was found */
  readonly as: string;
  /** true: the line defines the table (schema file, migration, snapshot); such a line proves no use */
  readonly declares: boolean;
}

/** Mentions of a table by its name, by its name without the project's prefix (quoted), and by the camelCase names that code gives it. */
export type Sources = (table: string, prefix: string) => Promise<readonly Mention[]>;

const skippedFolders = new Set(['node_modules', '.git', 'dist', 'build', '.next', 'coverage', '.runs', 'vendor']);
const maxBytes = 1 << 20;
/** Source code only: prose and plans name tables without using them. */
const code = /\.(?:[cm]?[jt]sx?|vue|svelte|astro|sql|prisma|graphql|gql|json|py|rb|go|rs|java|kt|kts|scala|cs|fs|php|ex|exs|swift|dart|clj|pl|sh)$/i;

/** `bazaar-vid_project_memory` → bazaarVidProjectMemory */
export const camelCase = (name: string): string =>
  name
    .split(/[^\p{L}\p{N}]+/u)
    .filter((part) => part !== '')
    .map((part, i) => (i === 0 ? part.charAt(0).toLowerCase() : part.charAt(0).toUpperCase()) + part.slice(1))
    .join('');

/**
 * The words to look for. A name of one plain word ("metric") is looked for in quotes only: as a bare word it would be found everywhere.
 * `quoted` matches '…', "…" and `…`; `bare` matches the word as a whole, also in the plural ("projectMemories").
 */
export function spellings(table: string, prefix: string): { readonly bare: readonly string[]; readonly quoted: readonly string[] } {
  const short = prefix !== '' && table.startsWith(prefix) && table.length > prefix.length ? table.slice(prefix.length) : table;
  const humped = [camelCase(table), camelCase(short)].filter((word) => /\p{Lu}/u.test(word));
  const plural = humped.flatMap((word) => [`${word}s`, ...(word.endsWith('y') ? [`${word.slice(0, -1)}ies`] : [])]);
  const plain = [table, short].filter((name) => /[^\p{L}]/u.test(name));
  const bare = new Set([...plain, ...humped, ...plural, ...[...humped, ...plural].map((word) => word.charAt(0).toUpperCase() + word.slice(1))]);
  return { bare: [...bare], quoted: bare.has(short) ? [] : [short] };
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
const definition = /\bcreate\s+table\b|\bpgTable\b|[A-Za-z]*createTable\s*\(|\balter\s+table\b/i;
const definingFile = /\.sql$|(^|\/)(meta|snapshots?)\/[^/]*\.json$/i;

/**
 * A scanner over the files below `root`, which it reads once per call: source code in files of at most 1 MiB, without node_modules, .git and what
 * builds leave behind. Files that cannot be read are skipped.
 */
export const scanner =
  (root: string): Sources =>
  async (table, prefix) => {
    const { bare, quoted } = spellings(table, prefix);
    const parts = [
      ...[...bare].sort((a, b) => b.length - a.length).map((w) => `(?<![\\p{L}\\p{N}_-])${escaped(w)}(?![\\p{L}\\p{N}_-])`),
      ...quoted.map((w) => `(?<=(['"\`]))${escaped(w)}(?=['"\`])`),
    ];
    const pattern = new RegExp(parts.join('|'), 'u');
    const found: Mention[] = [];
    for await (const file of filesBelow(root, '')) {
      const text = await readFile(join(root, file), 'utf8').catch(() => '');
      if (text.includes('\0')) continue;
      for (const [i, line] of text.split('\n').entries()) {
        const match = pattern.exec(line);
        if (match !== null) found.push({ file, line: i + 1, as: match[0], declares: definingFile.test(file) || definition.test(line) });
      }
    }
    return found;
  };

async function* filesBelow(root: string, folder: string): AsyncGenerator<string> {
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch(() => []);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory() && !skippedFolders.has(entry.name)) yield* filesBelow(root, path);
    else if (
      entry.isFile() &&
      code.test(entry.name) &&
      (await stat(join(root, path)).then(
        (s) => s.size,
        () => Infinity,
      )) <= maxBytes
    )
      yield path;
  }
}
