import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { cases, databaseOf, expected, preflighted } from '../support/case.js';
import { startCluster, type Cluster } from '../support/cluster.js';
import { sessions } from '../support/sessions.js';

describe('a plan is refused or remarked on before anything changes, with exactly these words', () => {
  let cluster: Cluster;
  const open = sessions();
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await open.closeAll();
    await cluster.remove();
  });

  test.each(cases.filter((c) => c.needsDatabase).map((c) => [`${c.area}/${c.name}`, c] as const))('%s', async (_name, c) => {
    try {
      const { lines, before, after } = await preflighted(c, cluster, open);
      expect(lines).toEqual(expected(c, lines));
      expect(lines.some((said) => said.includes(`${c.code}: `))).toBe(true);
      expect(after).toBe(before);
    } finally {
      await open.closeAll();
      await cluster.drop(databaseOf(c));
    }
  });
});
