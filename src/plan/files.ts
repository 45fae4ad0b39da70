import { dirname, isAbsolute, join, posix, relative, resolve, sep } from 'node:path';
import { FaultsFound, UserError } from '../errors.js';
import type { FindingCode } from '../finding-codes.js';
import { block, type Finding, type Where } from '../finding.js';
import { scriptsOf, scriptsRun } from './commands.js';
import type { PlanFiles } from './plan.js';

/** What reading needs of a file system; `node:fs/promises` is one. */
export interface Disk {
  readFile(path: string): Promise<Uint8Array>;
  readdir(path: string): Promise<string[]>;
  realpath(path: string): Promise<string>;
  stat(path: string): Promise<{ isFile(): boolean; isDirectory(): boolean; readonly size: number }>;
}

/** A path of the plan file, and where it is written. */
export interface Named {
  readonly path: string;
  readonly at: Where;
  readonly step?: string;
}

/** The files of a plan by their relative paths. Errors: UserError for a file that the plan did not name, or that is not UTF-8 when its text is asked. */
export function planFiles(contents: Iterable<readonly [string, Uint8Array]>): PlanFiles {
  const byName = new Map(contents);
  const bytes = (path: string): Uint8Array => {
    const found = byName.get(posix.normalize(path));
    if (found === undefined)
      throw new UserError(`${path}: the plan does not name this file`, {
        hint: 'Name it in the plan, so that its content is part of what is rehearsed and approved.',
      });
    return found;
  };
  return {
    names: [...byName.keys()].sort(),
    bytes,
    text: (path) => {
      try {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes(path));
      } catch (error) {
        if (error instanceof UserError) throw error;
        throw new UserError(`${path}: not valid UTF-8`, { hint: 'Save the file as UTF-8.', at: { file: path } });
      }
    },
  };
}

/** `path` is a stored file, or a folder that holds stored ones. */
export const isNamed = (files: PlanFiles, path: string): boolean => {
  const clean = posix.normalize(path).replace(/\/$/, '');
  return files.names.some((name) => name === clean || name.startsWith(`${clean}/`) || clean === '.');
};

/** The journal keeps a copy of every file, so a plan that names a build folder by mistake must not get that far. */
const mostBytes = 64 * 1024 * 1024;
const mostFiles = 5000;

/**
 * Reads, once, every file that a plan names. Paths are relative to the plan's folder; none may leave the repository, be absolute, or lead
 * out through a symbolic link. Every fault is collected.
 */
export class FileReader {
  private readonly contents = new Map<string, Uint8Array>();
  private bytes = 0;
  readonly faults: Finding[] = [];

  /**
   * @param dir real absolute path of the plan's folder
   * @param root real absolute path of the repository
   * @param workingDirectory absolute path in which commands run
   */
  constructor(
    private readonly disk: Disk,
    private readonly dir: string,
    private readonly root: string,
    private readonly workingDirectory: string,
  ) {}

  get files(): PlanFiles {
    return planFiles(this.contents);
  }

  /** A file, or a folder taken whole. False when there was a fault. */
  async add(named: Named): Promise<boolean> {
    const refuse = (code: FindingCode, message: string, hint: string): false => {
      this.faults.push(block(code, message, { at: named.at, hint, object: named.path, ...(named.step === undefined ? {} : { step: named.step }) }));
      return false;
    };
    const { path } = named;
    const stay = 'Paths are relative to the plan file and stay inside the repository: what is outside cannot be rehearsed, approved and stored.';
    if (isAbsolute(path) || /^[A-Za-z]:[\\/]/.test(path)) return refuse('plan-path-outside', `"${path}" is an absolute path`, stay);
    const absolute = resolve(this.dir, path);
    if (!within(this.root, absolute)) return refuse('plan-path-outside', `"${path}" leaves the repository`, stay);
    const kind = await this.kindOf(absolute);
    if (kind === null)
      return refuse('plan-file-missing', `"${path}" does not exist`, `Looked for ${this.shown(absolute)}. Create the file or correct the path.`);
    if (!within(this.root, await this.disk.realpath(absolute)))
      return refuse('plan-path-outside', `"${path}" is a link that leads out of the repository`, stay);
    if (kind === 'other') return refuse('plan-file-unusable', `"${path}" is neither a file nor a folder`, 'Name a file, or a folder of files.');
    const found =
      kind === 'file'
        ? [absolute]
        : await this.inside(absolute, (link) =>
            refuse('plan-path-outside', `"${path}" holds a link that leads out of the repository: ${this.shown(link)}`, stay),
          );
    if (found === null) return false;
    if (found.length === 0) return refuse('plan-file-missing', `"${path}" is an empty folder`, 'Put the files there, or correct the path.');
    for (const file of found) {
      if (this.bytes + (await this.disk.stat(file)).size > mostBytes || this.contents.size >= mostFiles) {
        return refuse(
          'plan-file-unusable',
          `"${path}" brings more than ${String(mostFiles)} files or ${String(mostBytes / 1024 / 1024)} MiB`,
          'Name the files of the migration only: the journal keeps a copy of each.',
        );
      }
      await this.read(file);
    }
    return true;
  }

  /** The repository files that the words of a command name. A program written as a path of the repository must be there. */
  async addCommand(named: Named): Promise<void> {
    const program = named.path.trim().split(/\s/)[0] ?? '';
    if (/^\.\.?\//.test(program) && (await this.kindOf(resolve(this.workingDirectory, program))) === null) {
      const at = { at: named.at, object: program, ...(named.step === undefined ? {} : { step: named.step }) };
      this.faults.push(
        block('plan-file-missing', `the program "${program}" does not exist`, {
          ...at,
          hint: `Looked for ${this.shown(resolve(this.workingDirectory, program))}. Commands run in the input working-directory (default: the folder of the plan).`,
        }),
      );
    }
    await this.addWords(named.path, new Set());
  }

  /** Files that the words name; for npm and its like also package.json, which holds what they run, and the files that its scripts name. */
  private async addWords(command: string, looked: Set<string>): Promise<void> {
    for (const word of commandWords(command)) {
      const absolute = resolve(this.workingDirectory, word);
      if (!within(this.root, absolute) || (await this.kindOf(absolute)) !== 'file') continue;
      if (within(this.root, await this.disk.realpath(absolute))) await this.read(absolute);
    }
    const names = scriptsRun(command).filter((name) => !looked.has(name));
    const manifest = names.length === 0 ? null : await this.packageJson(this.workingDirectory);
    if (manifest === null) return;
    await this.read(manifest);
    const scripts = scriptsOf(Buffer.from(await this.disk.readFile(manifest)).toString('utf8'));
    for (const name of names) {
      looked.add(name);
      for (const script of [`pre${name}`, name, `post${name}`]) await this.addWords(scripts?.[script] ?? '', looked);
    }
  }

  /** The package.json that npm would find from a folder, inside the repository. */
  private async packageJson(folder: string): Promise<string | null> {
    if (!within(this.root, folder)) return null;
    const file = join(folder, 'package.json');
    return (await this.kindOf(file)) === 'file' ? file : dirname(folder) === folder ? null : this.packageJson(dirname(folder));
  }

  private async read(absolute: string): Promise<void> {
    const name = slashed(relative(this.dir, absolute));
    if (this.contents.has(name)) return;
    const bytes = await this.disk.readFile(absolute);
    this.contents.set(name, bytes);
    this.bytes += bytes.byteLength;
  }

  /** Files under a folder, links to folders not followed (they could be circles). Null when a link leads out. */
  private async inside(folder: string, refuse: (link: string) => false): Promise<string[] | null> {
    const found: string[] = [];
    for (const name of (await this.disk.readdir(folder)).sort()) {
      const absolute = join(folder, name);
      const real = await this.disk.realpath(absolute).catch(() => null);
      if (real === null || !within(this.root, real)) {
        refuse(absolute);
        return null;
      }
      const kind = await this.kindOf(absolute);
      if (kind === 'file') found.push(absolute);
      if (kind === 'folder' && real === join(await this.disk.realpath(folder), name)) {
        const deeper = await this.inside(absolute, refuse);
        if (deeper === null) return null;
        found.push(...deeper);
      }
      if (found.length > mostFiles) return found;
    }
    return found;
  }

  private async kindOf(absolute: string): Promise<'file' | 'folder' | 'other' | null> {
    try {
      const stat = await this.disk.stat(absolute);
      return stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'other';
    } catch {
      return null;
    }
  }

  private shown(absolute: string): string {
    return slashed(relative(this.root, absolute)) || '.';
  }
}

export const within = (root: string, absolute: string): boolean => {
  const path = relative(root, absolute);
  return path === '' || (path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path));
};

export const slashed = (path: string): string => path.replaceAll(sep, '/');

/**
 * Every word that could be a path: as a shell would split the text, and split at quotes and operators too, so that `sh -c "./a && ./b"` names both.
 * What is written to (`>> maintenance.log`) is no input: the run itself would change the digest of its plan.
 */
export function commandWords(text: string): readonly string[] {
  const command = text.replace(/\d*>{1,2}\s*(?:"[^"]*"|'[^']*'|[^\s;|&()<>]+)/g, ' ');
  const shell = command.match(/(?:[^\s"']+|"[^"]*"|'[^']*')+/g) ?? [];
  const words = [...shell.map((word) => word.replace(/["']/g, '')), ...command.split(/[\s"'`;|&()<>=,]+/)];
  return [...new Set(words.filter((word) => word !== ''))];
}

/** Real absolute folder of the plan file and root of the repository; `file` is relative to the root unless absolute. */
export async function locatePlan(
  disk: Disk,
  file: string,
  root: string,
): Promise<{ readonly path: string; readonly dir: string; readonly root: string; readonly shown: string }> {
  const realRoot = await disk.realpath(root);
  const asked = resolve(realRoot, isAbsolute(file) && within(root, file) ? relative(root, file) : file);
  const shown = within(realRoot, asked) ? slashed(relative(realRoot, asked)) : file;
  const refuse = (code: FindingCode, message: string, hint: string): PlanRefused => new PlanRefused([block(code, message, { at: { file: shown }, hint })]);
  let path: string;
  try {
    path = await disk.realpath(asked);
    if (!(await disk.stat(path)).isFile()) throw new Error('not a file');
  } catch {
    throw refuse('plan-not-found', 'the plan file does not exist', 'Set the input `plan` to its path in the repository, and check the repository out first.');
  }
  if (!within(realRoot, path))
    throw refuse('plan-path-outside', 'the plan file is outside the repository', 'Keep the plan in the repository, where it is reviewed.');
  return { path, dir: dirname(path), root: realRoot, shown };
}

/** The plan cannot be used; every fault is listed, with its place and the fix. Nothing was touched. */
export class PlanRefused extends FaultsFound {
  constructor(findings: readonly Finding[]) {
    const [first] = findings;
    const lines = findings.map((finding) => `- ${findingLine(finding)}`).join('\n');
    const more = { hint: 'Correct the plan; nothing was touched.', ...(first?.at === undefined ? {} : { at: first.at }) };
    super(`the plan has ${String(findings.length)} ${findings.length === 1 ? 'fault' : 'faults'}:\n${lines}`, findings, more);
  }
}

/** `migrations/plan.yml:12:5: plan-unknown-key: step "x": …` */
export function findingLine(finding: Finding): string {
  const { at } = finding;
  const place = at === undefined ? '' : `${[at.file, at.line, at.column].filter((part) => part !== undefined).join(':')}: `;
  return `${place}${finding.code}: ${finding.step === undefined ? '' : `step "${finding.step}": `}${finding.message}${finding.hint === undefined ? '' : ` HINT: ${finding.hint}`}`;
}
