import { setMaxListeners } from 'node:events';
import { Aborted } from '../errors.js';

/** The runner sends SIGINT, after 7.5 s SIGTERM, after 2.5 s more it kills (PLATFORM A27); a closed terminal or a `run:` step sends SIGHUP. */
const CANCELLING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const GRACE_MS = 7000;

/**
 * A signal that aborts on the first SIGINT, SIGTERM or SIGHUP. Nothing is undone here: whoever listens cancels its statement and returns,
 * the journal knows the rest. When the process is still there after 7 s, or an interactive user asks twice, it ends at once with `exitCode`.
 */
export function cancellation(exitCode: number, onCancel: (name: string) => void): AbortSignal {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  for (const name of CANCELLING) {
    process.on(name, () => {
      if (controller.signal.aborted) {
        if (name === 'SIGINT' && process.stdin.isTTY) process.exit(exitCode);
        return;
      }
      onCancel(name);
      controller.abort(
        new Aborted(`cancelled by ${name}`, { hint: 'What was done is in the journal: run the same phase again to resume, or rollback to undo.' }),
      );
      setTimeout(() => process.exit(exitCode), GRACE_MS).unref();
    });
  }
  return controller.signal;
}

/** Ends the process soon, whatever socket or timer is still open. */
export function endWith(exitCode: number): void {
  process.exitCode = exitCode;
  setTimeout(() => process.exit(exitCode), 3000).unref();
}
