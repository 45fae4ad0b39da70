import type { BackupOptions } from '../backup/dump.js';
import type { Plan } from '../plan/plan.js';
import { kindNamed } from '../steps/index.js';
import { targetOf, type RealDatabase } from './arenas.js';
import type { PhaseContext } from './phase.js';

/** What a backup for this plan binds and must contain. */
export function backupOptions(cx: PhaseContext, plan: Plan, name: RealDatabase): Omit<BackupOptions, 'name' | 'rowsOf'> {
  const intents = plan.steps.filter((s) => s.on === name).flatMap((s) => kindNamed(s.kind)?.describe(s.spec, plan) ?? []);
  return {
    database: name,
    target: targetOf(cx, name),
    plan,
    touches: [...new Set([...plan.schemas, ...intents.flatMap((i) => [...i.schemas, ...i.touches.map((r) => r.schema)])])],
    allow: [...cx.settings.allow],
    maxLockMs: cx.settings.maxLockMs ?? plan.maxLockMs,
  };
}
