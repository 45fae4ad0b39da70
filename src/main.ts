import { inActions } from './host/actions.js';
import { run } from './run.js';
await inActions(run);
