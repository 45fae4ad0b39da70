import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { chmod, link, mkdir, open, readFile, readdir, rename, rm, stat, unlink } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { UserError } from '../../errors.js';
import type { Store, StoredFile } from '../../ports.js';

const SIDECAR = '.sha256';

/**
 * Files in one directory (0700, files 0600). Each has a sidecar `<name>.sha256` in the format of sha256sum, written first, so that a
 * file that is visible can always be verified. A name appears by link(2): complete or not at all, and never over another.
 * @param runs when not empty, list shows only files of these runs (`…-<run>-<attempt>.…`)
 */
export function directoryStore(directory: string, runs: readonly string[] = []): Store {
  const root = resolve(directory);
  const ready = (async (): Promise<void> => {
    await mkdir(root, { recursive: true, mode: 0o700 });
    await chmod(root, 0o700);
  })();
  ready.catch(() => undefined);

  const described = async (name: string): Promise<StoredFile & { readonly at: number }> => {
    const found = await stat(join(root, name));
    return { name, digest: await digestOf(root, name), bytes: found.size, expires: null, at: found.mtimeMs };
  };

  return {
    kind: 'directory',

    async put(name, path) {
      checkName(name);
      await ready;
      const partial = join(root, `.${name}.${randomBytes(4).toString('hex')}.partial`);
      try {
        const { digest, bytes } = await copyHashed(path, partial);
        await refuseExisting(root, name);
        await writeDurably(root, `${name}${SIDECAR}`, `${digest}  ${name}\n`);
        try {
          await link(partial, join(root, name));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw exists(root, name);
          throw error;
        }
        return { name, digest, bytes, expires: null };
      } finally {
        await rm(partial, { force: true });
      }
    },

    async get(name, into) {
      checkName(name);
      await ready;
      const source = join(root, name);
      await stat(source).catch(() => {
        throw new UserError(`${name} is not in the store ${root}`, {
          hint: 'Run the phase that writes it first, or give the directory that holds it as input store.',
        });
      });
      const expected = await digestOf(root, name);
      const target = join(into, name);
      const { digest } = await copyHashed(source, target);
      if (digest !== expected) {
        await unlink(target);
        throw new UserError(`${name} in the store ${root} was changed or cut: its sha256 is ${digest.slice(0, 12)}…, expected ${expected.slice(0, 12)}…`, {
          hint: 'Do not use this file; take it from another copy or run the phase that writes it again.',
        });
      }
      return target;
    },

    async list(prefix) {
      await ready;
      const all = await readdir(root);
      const names = all.filter(
        (n) =>
          n.startsWith(prefix) &&
          !n.startsWith('.') &&
          !n.endsWith(SIDECAR) &&
          all.includes(`${n}${SIDECAR}`) &&
          (runs.length === 0 || runs.some((run) => n.includes(`-${run}-`))),
      );
      const files = await Promise.all(names.map(described));
      // Names carry run and attempt, so they break ties of a file system with coarse times.
      files.sort((a, b) => b.at - a.at || (a.name < b.name ? 1 : -1));
      return files.map(({ name, digest, bytes, expires }) => ({ name, digest, bytes, expires }));
    },
  };
}

function checkName(name: string): void {
  if (name !== basename(name) || name.startsWith('.') || /["<>:|*?\\/\r\n]/.test(name))
    throw new UserError(`${JSON.stringify(name)} cannot be the name of a stored file`);
}

const exists = (root: string, name: string): UserError =>
  new UserError(`${name} is already in the store ${root}`, { hint: 'A stored file is never replaced: start a new run, or use another directory.' });

async function refuseExisting(root: string, name: string): Promise<void> {
  const found = await stat(join(root, name)).catch(() => null);
  if (found !== null) throw exists(root, name);
}

async function digestOf(root: string, name: string): Promise<string> {
  const text = await readFile(join(root, `${name}${SIDECAR}`), 'utf8').catch(() => '');
  const digest = /^([0-9a-f]{64}) /.exec(text)?.[1];
  if (digest === undefined)
    throw new UserError(`${name}${SIDECAR} in the store ${root} is missing or unreadable`, {
      hint: 'Without it the file cannot be verified; run the phase that writes it again.',
    });
  return digest;
}

/** Copies to a new 0600 file that is on disk when this resolves. */
async function copyHashed(from: string, to: string): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  const tap = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  await pipeline(createReadStream(from), tap, createWriteStream(to, { flags: 'w', mode: 0o600, flush: true }));
  return { digest: hash.digest('hex'), bytes };
}

async function writeDurably(root: string, name: string, text: string): Promise<void> {
  const partial = join(root, `.${name}.${randomBytes(4).toString('hex')}.partial`);
  const file = await open(partial, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(partial, join(root, name));
}
