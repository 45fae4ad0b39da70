import { randomUUID } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

/** GitHub's artifact service (version 4 protocol), its blob storage and the two REST routes for other runs, on one loopback port. */
export interface ArtifactService {
  readonly url: string;
  /** what was asked, in order: `twirp:CreateArtifact`, `PUT block` … */
  readonly calls: string[];
  /** environment of a job of `run` */
  env(run: string): Record<string, string>;
  /** answers the next call whose name matches with this status instead */
  failNext(call: RegExp, status: number): void;
  /** does what the next call whose name matches asks, and breaks the connection instead of answering */
  loseAnswer(call: RegExp): void;
  /** overwrites stored bytes without telling anyone */
  tamper(name: string, bytes: Buffer): void;
  close(): Promise<void>;
}

interface Stored {
  readonly id: string;
  readonly name: string;
  readonly run: string;
  readonly blob: string;
  readonly created: string;
  final: boolean;
  size: string;
  hash: string | null;
}

const SERVICE = '/twirp/github.actions.results.api.v1.ArtifactService/';
const EXISTS = 'an artifact with this name already exists on the workflow run';

export async function startArtifactService(directory: string): Promise<ArtifactService> {
  mkdirSync(directory, { recursive: true });
  const artifacts: Stored[] = [];
  const calls: string[] = [];
  let broken: { readonly call: RegExp; readonly status: number } | null = null;
  let lost: RegExp | null = null;
  const blobOf = (blob: string): string => join(directory, `${blob}.blob`);
  const find = (run: string, name: string): Stored | undefined => artifacts.find((a) => a.run === run && a.name === name);
  const listed = (a: Stored): object => ({
    workflow_run_backend_id: a.run,
    workflow_job_run_backend_id: 'job',
    database_id: a.id,
    name: a.name,
    size: a.size,
    created_at: a.created,
    digest: a.hash,
  });

  const methods: Readonly<Record<string, (body: Record<string, string>) => readonly [number, object]>> = {
    CreateArtifact(body) {
      const [run = '', name = ''] = [body['workflow_run_backend_id'], body['name']];
      if (find(run, name)?.final === true) return [409, { code: 'already_exists', msg: EXISTS }];
      const stored: Stored = {
        id: String(artifacts.length + 1),
        name,
        run,
        blob: randomUUID(),
        created: new Date().toISOString(),
        final: false,
        size: '0',
        hash: null,
      };
      artifacts.push(stored);
      return [200, { ok: true, signed_upload_url: `${url()}/blob/${stored.blob}?sig=signed` }];
    },
    FinalizeArtifact(body) {
      const stored = artifacts.findLast((a) => a.run === body['workflow_run_backend_id'] && a.name === body['name']);
      if (stored === undefined) return [404, { msg: 'artifact not found' }];
      Object.assign(stored, { final: true, size: body['size'], hash: body['hash'] ?? null });
      return [200, { ok: true, artifact_id: stored.id }];
    },
    ListArtifacts(body) {
      const all = artifacts.filter(
        (a) => a.final && a.run === body['workflow_run_backend_id'] && (body['id_filter'] === undefined || a.id === body['id_filter']),
      );
      return [200, { artifacts: all.map(listed) }];
    },
    GetSignedArtifactURL(body) {
      const stored = find(body['workflow_run_backend_id'] ?? '', body['name'] ?? '');
      return stored === undefined ? [404, { msg: 'artifact not found' }] : [200, { signed_url: `${url()}/blob/${stored.blob}?sig=signed` }];
    },
  };

  async function blob(request: IncomingMessage, response: ServerResponse, id: string, operation: string | null, block: string | null): Promise<void> {
    const parts = join(directory, id);
    const headers = {
      'x-ms-request-id': randomUUID(),
      'x-ms-version': '2025-01-05',
      etag: '"1"',
      'last-modified': new Date().toUTCString(),
      'x-ms-request-server-encrypted': 'true',
    };
    const part = (name: string): string => join(parts, Buffer.from(name).toString('hex'));
    if (request.method === 'PUT' && operation === 'block') {
      mkdirSync(parts, { recursive: true });
      await pipeline(request, createWriteStream(part(block ?? '')));
      response.writeHead(201, headers).end();
    } else if (request.method === 'PUT' && operation === 'blocklist') {
      const names = [...(await buffer(request)).toString().matchAll(/<(?:Latest|Uncommitted|Committed)>([^<]+)</g)].map((m) => m[1] ?? '');
      writeFileSync(blobOf(id), Buffer.concat(names.map((name) => readFileSync(part(name)))));
      writeFileSync(`${blobOf(id)}.type`, String(request.headers['x-ms-blob-content-type'] ?? 'application/octet-stream'));
      rmSync(parts, { recursive: true, force: true });
      response.writeHead(201, headers).end();
    } else if (request.method === 'GET' && existsSync(blobOf(id))) {
      const name = artifacts.find((a) => a.blob === id)?.name ?? 'artifact';
      response.writeHead(200, {
        ...headers,
        'content-type': readFileSync(`${blobOf(id)}.type`, 'utf8'),
        'content-length': statSync(blobOf(id)).size,
        'content-disposition': `attachment; filename="${name}"`,
      });
      await pipeline(createReadStream(blobOf(id)), response);
    } else {
      request.resume();
      response.writeHead(404, { 'x-ms-error-code': 'BlobNotFound' }).end();
    }
  }

  function rest(path: string, response: ServerResponse): boolean {
    const ofRun = /^\/repos\/[^/]+\/[^/]+\/actions\/runs\/(\d+)\/artifacts$/.exec(path)?.[1];
    if (ofRun !== undefined) {
      const all = artifacts.filter((a) => a.final && a.run === ofRun);
      const body = {
        total_count: all.length,
        artifacts: all.map((a) => ({ id: Number(a.id), name: a.name, size_in_bytes: Number(a.size), created_at: a.created, digest: a.hash })),
      };
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
      return true;
    }
    const id = /^\/repos\/[^/]+\/[^/]+\/actions\/artifacts\/(\d+)\/zip$/.exec(path)?.[1];
    const stored = id === undefined ? undefined : artifacts.find((a) => a.id === id);
    if (stored === undefined) return false;
    response.writeHead(302, { location: `${url()}/blob/${stored.blob}?sig=signed` }).end();
    return true;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = new URL(request.url ?? '/', url());
    const operation = asked.searchParams.get('comp');
    const call = asked.pathname.startsWith(SERVICE)
      ? `twirp:${asked.pathname.slice(SERVICE.length)}`
      : `${request.method ?? ''} ${operation ?? asked.pathname}`;
    calls.push(call);
    if (broken?.call.test(call) === true) {
      request.resume();
      response.writeHead(broken.status, { 'content-type': 'application/json' }).end('{"msg":"made to fail"}');
      broken = null;
      return;
    }
    if (asked.pathname.startsWith(SERVICE)) {
      const body = JSON.parse((await buffer(request)).toString()) as Record<string, string>;
      const [status, out] = methods[asked.pathname.slice(SERVICE.length)]?.(body) ?? [404, { msg: 'bad route' }];
      if (lost?.test(call) === true) {
        lost = null;
        request.socket.destroy();
        return;
      }
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(out));
      return;
    }
    const id = /^\/blob\/([\w-]+)$/.exec(asked.pathname)?.[1];
    if (id !== undefined) await blob(request, response, id, operation, asked.searchParams.get('blockid'));
    else if (!rest(asked.pathname, response)) {
      request.resume();
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"message":"Not Found"}');
    }
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      if (!response.headersSent) response.writeHead(500);
      response.end(JSON.stringify({ msg: String(error) }));
    });
  });
  const url = (): string => `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));

  return {
    url: url(),
    calls,
    env(run) {
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
      const token = `${part({ alg: 'none', typ: 'JWT' })}.${part({ scp: `Actions.Results:${run}:job`, exp: 4_102_444_800 })}.signature`;
      return {
        ACTIONS_RESULTS_URL: `${url()}/`,
        ACTIONS_RUNTIME_TOKEN: token,
        GITHUB_API_URL: url(),
        GITHUB_RUN_ID: run,
        GITHUB_REPOSITORY: 'octo/app',
        GITHUB_SERVER_URL: 'https://github.com',
      };
    },
    failNext(call, status) {
      broken = { call, status };
    },
    loseAnswer(call) {
      lost = call;
    },
    tamper(name, bytes) {
      const stored = artifacts.findLast((a) => a.name === name);
      if (stored !== undefined) writeFileSync(blobOf(stored.blob), bytes);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
