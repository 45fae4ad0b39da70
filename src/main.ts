import { inActions } from './host/actions.js';
import { reconcile, run } from './run.js';
await inActions(run, reconcile);
