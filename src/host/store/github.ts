import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, link, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Artifact, FindOptions } from '@actions/artifact';
import { CommandFailed, UserError, type Failure } from '../../errors.js';
import type { Store, StoredFile } from '../../ports.js';

export interface GithubStoreOptions {
  /** another run whose artifacts are read beside this run's own; '' or this run: no token needed */
  readonly runId: string;
  readonly thisRun: string;
  /** owner/name */
  readonly repository: string;
  /** with actions: read, for another run */
  readonly token: string;
  readonly retentionDays: number;
  /** the repository's cap on retention (GITHUB_RETENTION_DAYS), or '' */
  readonly retentionCap: string;
  /** 0700 directory for copies under the artifact's name */
  readonly scratch: string;
}

interface Located {
  readonly artifact: Artifact;
  readonly find: FindOptions;
}

const DAY_MS = 86_400_000;
const TRIES = 3;

/**
 * Artifacts of the workflow run, one raw file each (no zip), so that the service's digest is the file's own sha256 and everything read
 * is compared with it. Loads @actions/artifact only now: it costs 150 ms and 4 MB.
 */
export async function githubStore(options: GithubStoreOptions): Promise<Store> {
  const { DefaultArtifactClient } = await import('@actions/artifact');
  const client = new DefaultArtifactClient();
  const foreign = options.runId !== '' && options.runId !== options.thisRun;
  const where = `run ${options.thisRun}${foreign ? ` and run ${options.runId}` : ''} of ${options.repository}`;
  if (foreign && options.token === '')
    throw new UserError(`input github-token is empty, and the artifacts of run ${options.runId} need one`, {
      hint: 'Give the job `permissions: actions: read` and pass github-token: ${{ github.token }}.',
    });
  if (foreign && !/^\d+$/.test(options.runId))
    throw new UserError(`run-id: found "${options.runId}", expected the number of a GitHub run`, { hint: "It is the last part of the run page's address." });
  const [repositoryOwner = '', repositoryName = ''] = options.repository.split('/');
  const runs: readonly FindOptions[] = [
    {},
    ...(foreign ? [{ findBy: { token: options.token, workflowRunId: Number(options.runId), repositoryOwner, repositoryName } }] : []),
  ];
  const cap = Number.parseInt(options.retentionCap, 10);
  const keptMs = (Number.isNaN(cap) ? options.retentionDays : Math.min(cap, options.retentionDays)) * DAY_MS;

  /** What a gate of this run approves was rehearsed in another one: both are looked through, this run's first. */
  const all = async (): Promise<readonly Located[]> => {
    const lists = await Promise.all(
      runs.map(async (find) => (await attempt(() => client.listArtifacts({ latest: true, ...find }), where)).artifacts.map((artifact) => ({ artifact, find }))),
    );
    return lists.flat();
  };
  /** Only what carries a digest can be verified, so only that counts as stored. */
  const described = ({ artifact }: Located): StoredFile | null => {
    const digest = /^sha256:([0-9a-f]{64})$/.exec(artifact.digest ?? '')?.[1];
    if (digest === undefined) return null;
    return { name: artifact.name, digest, bytes: artifact.size, expires: new Date((artifact.createdAt ?? new Date(0)).getTime() + keptMs) };
  };

  return {
    kind: 'github',

    async put(name, path) {
      // The service never tells about a file that cannot be read: its promise would hang (so the file is read once before).
      const digest = await digestOf(path);
      const { size } = await stat(path);
      const directory = await mkdtemp(join(options.scratch, 'upload-'));
      const named = join(directory, name);
      await link(path, named).catch(() => copyFile(path, named));
      try {
        for (let round = 1; ; round++) {
          try {
            const sent = await client.uploadArtifact(name, [named], directory, {
              retentionDays: options.retentionDays,
              compressionLevel: 0,
              skipArchive: true,
            });
            if (sent.digest !== digest)
              throw new UserError(`${name} was stored with sha256 ${sent.digest?.slice(0, 12) ?? 'unknown'}…, expected ${digest.slice(0, 12)}…`, {
                hint: 'The file changed or was damaged while it was uploaded; run the phase again.',
              });
            break;
          } catch (error) {
            const failure = explain(error, where);
            const conflict = error instanceof Error && /already exists/i.test(error.message);
            const listed = await all().catch((): readonly Located[] => []);
            const there = listed.map(described).find((file) => file?.name === name);
            // An upload whose last answer was lost is there all the same: the digest decides.
            if (there?.digest === digest && (!conflict || round > 1)) break;
            if (conflict || there !== undefined) {
              throw new UserError(`${name} is already stored in ${where}`, {
                hint: 'A stored file is never replaced: re-run the job (its attempt number is part of the name).',
                cause: error,
              });
            }
            if (failure.fault === 'user' || round === TRIES) throw failure;
          }
        }
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
      return { name, digest, bytes: size, expires: new Date(Date.now() + keptMs) };
    },

    async get(name, into) {
      const found = (await all()).find((one) => one.artifact.name === name);
      const file = found === undefined ? null : described(found);
      if (found === undefined || file === null) {
        throw new UserError(`${name} is not among the artifacts of ${where}${found === undefined ? '' : ' with a sha256'}`, {
          hint: 'Give the run that made it as input run-id, or start again with backup: artifacts expire, and deleting a run deletes them.',
        });
      }
      const directory = await mkdtemp(join(options.scratch, 'download-'));
      try {
        const { digestMismatch } = await attempt(
          () => client.downloadArtifact(found.artifact.id, { path: directory, expectedHash: `sha256:${file.digest}`, skipDecompress: true, ...found.find }),
          where,
        );
        const [only, ...more] = await readdir(directory);
        const got = only === undefined || more.length > 0 ? '' : join(directory, only);
        if (digestMismatch === true || got === '' || (await digestOf(got)) !== file.digest) {
          throw new UserError(`${name} from ${where} was changed or cut: its sha256 is not ${file.digest.slice(0, 12)}…`, {
            hint: 'Do not use this file; run the phase that writes it again.',
          });
        }
        await mkdir(into, { recursive: true, mode: 0o700 });
        const target = join(into, basename(name));
        await rename(got, target).catch(() => copyFile(got, target));
        return target;
      } finally {
        await rm(directory, { recursive: true, force: true });
      }
    },

    async list(prefix) {
      const files = [...(await all())].sort(
        (a, b) => (b.artifact.createdAt?.getTime() ?? 0) - (a.artifact.createdAt?.getTime() ?? 0) || b.artifact.id - a.artifact.id,
      );
      return files
        .map(described)
        .filter((file) => file !== null)
        .filter((file) => file.name.startsWith(prefix));
    },
  };
}

async function attempt<T>(work: () => Promise<T>, where: string): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explain(error, where);
  }
}

/** What the artifact service says, as what the user has to do. */
function explain(error: unknown, where: string): Failure {
  if (error instanceof UserError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const known: readonly (readonly [RegExp, string, string])[] = [
    [
      /storage quota has been hit|insufficient usage/i,
      'the artifact storage quota is used up, so there is no backup',
      'Free space does not come back at once: use a directory as store, or raise the budget, before anything changes production.',
    ],
    [/GHES|not currently supported/i, 'this GitHub Enterprise Server has no artifact service of version 4', 'Use a directory as store.'],
    [
      /ACTIONS_RESULTS_URL|ACTIONS_RUNTIME_TOKEN|InvalidTokenError|Unable to get (the )?ACTIONS/i,
      'there is no artifact service here',
      'The store github works inside a GitHub Actions job; elsewhere give a directory.',
    ],
    [
      /\b(401|403)\b|Resource not accessible/i,
      `the token may not read the artifacts of ${where}`,
      'Give the job `permissions: actions: read` and pass github-token.',
    ],
    [/\b404\b|Not Found/, `${where} does not exist, or its artifacts expired`, 'Check the input run-id.'],
  ];
  for (const [pattern, what, hint] of known) if (pattern.test(message)) return new UserError(what, { hint, cause: error });
  return new CommandFailed(['artifact service'], 1, message.split('\n')[0] ?? '', {
    cause: error,
    hint: 'Nothing in a database was changed by this; run the job again.',
  });
}

async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
