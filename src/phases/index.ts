import { backup } from './backup.js';
import { check } from './check.js';
import { cleanup } from './cleanup.js';
import { clone } from './clone.js';
import { drift } from './drift.js';
import { gate } from './gate.js';
import { migrate } from './migrate.js';
import type { Phase } from './phase.js';
import { rehearse } from './rehearse.js';
import { rollback } from './rollback.js';
import { status } from './status.js';
import { watch } from './watch.js';

/** Every phase, in the order of the journey. */
export const phases: readonly Phase[] = [check, drift, backup, clone, rehearse, gate, migrate, watch, rollback, cleanup, status];
