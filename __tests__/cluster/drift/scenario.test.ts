import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { build } from '../../../examples/bazaar-vid/fixture.mjs';
import { draftPlan } from '../../../src/drift/draft.js';
import { survey, type Survey } from '../../../src/drift/survey.js';
import { tell, type Told } from '../../../src/drift/tell.js';
import { readPlan } from '../../../src/plan/read.js';
import { kinds } from '../../../src/steps/index.js';
import { startCluster, type Cluster } from '../../support/cluster.js';
import { folder } from '../../support/plan.js';
import { sessions } from '../../support/sessions.js';

const opened = sessions();
let cluster: Cluster;

beforeAll(async () => {
  cluster = await startCluster();
  for (const which of ['production', 'development', 'development-uuid'] as const) {
    await build(await cluster.create(which), which);
    await cluster.admin('ANALYZE', which);
  }
});
afterAll(async () => {
  await opened.closeAll();
  await cluster.remove();
});

async function look(development: string): Promise<Survey> {
  const [ours, theirs] = [await opened.open(cluster.url('production'), 'snapshot'), await opened.open(cluster.url(development), 'snapshot')];
  const snapshot = { isolation: 'repeatable read', readOnly: true } as const;
  const seen = await ours.transaction((p) => theirs.transaction((d) => survey(p, d, ['public']), snapshot), snapshot);
  if (!('production' in seen)) throw new Error(seen.map((f) => f.message).join('\n'));
  return seen;
}

const rowsOf = (told: Told, title: string): readonly string[] => told.sections.find((s) => s.title === title)?.rows.map((r) => r.join(' | ')) ?? [];

describe.each(['development', 'development-uuid'])('the scenario against %s', (development) => {
  let seen: Survey;
  let told: Told;
  beforeAll(async () => {
    seen = await look(development);
    told = tell(seen);
  });

  test('finds what the team found: types, the duplicate, two orphans, four empty tables, three schemas and the function', () => {
    expect(rowsOf(told, 'Column types that differ').map((r) => r.split(' | ').slice(0, 2).join('.'))).toEqual([
      ...(development === 'development' ? [] : ['public.bazaar-vid_export_analytics.export_id']),
      'public.bazaar-vid_exports.id',
      'public.bazaar-vid_exports.project_id',
      'public.bazaar-vid_exports.user_id',
    ]);
    expect(seen.production.duplicates.map((d) => [d.from.table.name, d.into.table.name])).toEqual([['api_usage_metric', 'bazaar-vid_api_usage_metric']]);
    expect(seen.production.references.filter((r) => r.orphans > 0).map((r) => [r.reference.table.name, r.reference.columns, r.orphans])).toEqual([
      ['bazaar-vid_exports', ['project_id'], 2],
    ]);
    expect(seen.production.tables.filter((t) => t.empty).map((t) => t.table.name)).toEqual([
      'api_usage_metric',
      'bazaar-vid_component_error',
      'bazaar-vid_patch',
      'bazaar-vid_scene_plan',
      'bazaar-vid_scene_specs',
    ]);
    expect(seen.disagreement.missingSchemas.map((s) => s.name)).toEqual(['auth', 'neon_auth', 'pgrst']);
    expect(told.findings.some((f) => f.object === 'public.show_db_tree()')).toBe(true);
    expect(told.findings.map((f) => f.code)).toEqual(expect.arrayContaining(['drift-types', 'drift-objects', 'drift-duplicate-table', 'drift-orphans']));
    expect(told.findings.filter((f) => f.code === 'drift-layout' && f.message.includes('another order'))).toHaveLength(3);
  });

  test('drafts a plan that the reader accepts', async () => {
    const text = draftPlan(seen, new Date()) ?? '';
    const { plan } = await readPlan({ file: 'plan.yml', root: folder({ 'plan.yml': text }), kinds });
    expect(plan.steps.map((s) => [s.kind, s.on])).toEqual([
      ['rebuild-tables', 'production'],
      ...(development === 'development' ? [['rebuild-tables', 'development']] : []),
      ['merge-table', 'production'],
      ['retire-tables', 'production'],
      ['retire-schemas', 'development'],
    ]);
  });
});
