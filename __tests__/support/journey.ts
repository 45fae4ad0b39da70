import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { build, type Fixture } from '../../examples/bazaar-vid/fixture.mjs';
import { startCluster, type Cluster } from './cluster.js';
import { terminal, type Ended } from './terminal.js';

/** The step of the scenario that changes keys, alone in a plan. */
export const exportsPlan = `name: exports-only
steps:
  - id: exports-types
    rebuild-tables:
      bazaar-vid_exports:
        columns:
          id: { type: uuid, default: gen_random_uuid() }
          user_id: { type: varchar(255) }
          project_id: { type: uuid }
        foreign-keys:
          exports_user_fk: { columns: [user_id], references: 'bazaar-vid_user(id)', on-delete: cascade }
          exports_project_fk: { columns: [project_id], references: 'bazaar-vid_project(id)', on-delete: cascade }
        unfit: quarantine
      bazaar-vid_export_analytics:
        columns:
          export_id: { type: uuid }
        foreign-keys:
          export_analytics_export_fk: { columns: [export_id], references: 'bazaar-vid_exports(id)', on-delete: cascade }
        unfit: quarantine
`;

/** A plan that was rehearsed and approved, and a template database that production copies are made of: their schemas are equal, so the evidence holds for each. */
export interface Journey {
  readonly cluster: Cluster;
  readonly dir: string;
  readonly store: string;
  readonly plan: string;
  readonly planId: string;
  readonly recipient: string;
  readonly identity: string;
  /** a fresh production as it was rehearsed */
  production(name: string): Promise<string>;
  /** inputs of migrate */
  inputs(url: string): Readonly<Record<string, string>>;
  remove(): Promise<void>;
}

export interface JourneyOptions {
  readonly plan: string;
  readonly which: Fixture;
  readonly scale?: number;
  /** files beside the plan */
  readonly files?: Readonly<Record<string, string>>;
  /** input `allow` of every phase */
  readonly allow?: string;
  /** phases to run; default up to gate */
  readonly until?: 'check' | 'backup' | 'clone' | 'rehearse' | 'gate';
}

const phases = ['check', 'backup', 'clone', 'rehearse', 'gate'] as const;

export async function prepareJourney({ plan: text, which, scale = 1, files = {}, allow = '', until = 'gate' }: JourneyOptions): Promise<Journey> {
  const cluster = await startCluster();
  try {
    return await prepared(cluster, { plan: text, which, scale, files, allow, until });
  } catch (error) {
    await cluster.remove();
    throw error;
  }
}

async function prepared(cluster: Cluster, { plan: text, which, scale, files, allow, until }: Required<JourneyOptions>): Promise<Journey> {
  const dir = mkdtempSync(join(tmpdir(), 'lossless-journey-'));
  const store = join(dir, 'store');
  const plan = join(dir, 'plan.yml');
  writeFileSync(plan, text);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content);
  mkdirSync(store);
  await build(await cluster.create('template'), which, { scale });
  const identity = await generateX25519Identity();
  const recipient = await identityToRecipient(identity);
  let planId = '';
  const rehearsed = await cluster.create('rehearsed', 'template');
  const all = { allow, 'production-url': rehearsed, 'backup-recipient': recipient, 'backup-identity': identity };
  for (const phase of phases.slice(0, phases.indexOf(until) + 1)) {
    const ended: Ended = await terminal(phase, { plan, store, inputs: phase === 'gate' ? { allow, confirm: planId } : all });
    if (ended.code !== 0) throw new Error(`${phase} ended with ${String(ended.code)}:\n${ended.out}`);
    planId = ended.outputs['plan-id'] ?? planId;
  }
  return {
    cluster,
    dir,
    store,
    plan,
    planId,
    recipient,
    identity,
    production: (name) => cluster.create(name, 'template'),
    inputs: (url) => ({ allow, 'production-url': url, 'backup-recipient': recipient, confirm: planId }),
    async remove() {
      await cluster.remove();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
