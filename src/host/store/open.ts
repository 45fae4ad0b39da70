import { UserError } from '../../errors.js';
import type { Store } from '../../ports.js';
import { directoryStore } from './directory.js';

/**
 * The store that the input `store` names.
 * @param runs the run of input run-id and this one, or nothing when every run counts
 * @param github opens the artifact store, or null where there is none
 * Errors: UserError for `s3://…` (a later version) and for `github` outside of GitHub Actions.
 */
export async function openStore(input: string, runs: readonly string[], github: (() => Promise<Store>) | null): Promise<Store> {
  if (/^s3:\/\//i.test(input)) {
    throw new UserError(`store: found ${input}; s3:// comes with a later version`, {
      hint: 'Use store: github, or the path of a directory (a mounted bucket is one).',
    });
  }
  if (input === 'github') {
    if (github === null)
      throw new UserError('store: github exists only inside GitHub Actions', { hint: 'Give the path of a directory, e.g. --store ./.runs.' });
    return github();
  }
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(input))
    throw new UserError(`store: found ${input}, expected github or the path of a directory`, { hint: 'Use store: github, or the path of a directory.' });
  return directoryStore(input, runs);
}
