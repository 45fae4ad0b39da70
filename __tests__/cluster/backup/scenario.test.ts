import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import { build } from '../../../examples/bazaar-vid/fixture.mjs';
import { backup } from '../../../src/phases/backup.js';
import { clone } from '../../../src/phases/clone.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { phaseContext } from '../../support/phase-context.js';
import { planIn } from '../../support/plan.js';

describe("the scenario's databases", () => {
  let cluster: Cluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await cluster.remove();
  });

  test('come back from their backups equal in rows, sequences and definitions, production in staging and development on a private server', async () => {
    const [production, development, staging] = [await cluster.create('production'), await cluster.create('development'), await cluster.create('staging')];
    await build(production, 'production-duplicates');
    await build(development, 'development');
    const schemas = '[public, auth, neon_auth, pgrst]';
    const plan = await planIn({
      'plan.yml': `name: test\nretention: 7d\nmax-lock: 1s\nschemas: ${schemas}\nsteps:\n  - id: one\n    on: development\n    touch: { tables: [bazaar-vid_exports] }\n`,
    });
    const identity = await generateX25519Identity();
    const inputs = {
      'production-url': production,
      'development-url': development,
      'staging-url': staging,
      'backup-recipient': await identityToRecipient(identity),
      'backup-identity': identity,
    };
    const cx = phaseContext(plan, inputs);
    const cx2 = phaseContext(plan, inputs, { storeDirectory: cx.storeDirectory });
    try {
      const taken = await backup.run(cx);
      expect(taken.outcome).toBe('passed');
      const proved = await clone.run(cx2);
      expect(proved.findings.filter((f) => f.severity === 'block')).toEqual([]);
      expect(proved.checks?.map((c) => [c.name, c.verdict])).toEqual(
        ['production', 'development'].flatMap((d) =>
          ['rows and checksums', 'sequences', 'definitions'].map((what) => [`restored backup of ${d}: ${what}`, 'pass']),
        ),
      );
      expect(proved.tables?.find((t) => t.table === 'public.bazaar-vid_exports')).toMatchObject({ before: 134, after: 134, proof: 'checksum' });
    } finally {
      await cx2.close();
      await cx.close();
    }
  });
});
