import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * libpg-query looks for its wasm in `__dirname`, which an ES module bundle does not have. ncc keeps free identifiers, so a global of
 * that name serves it: dist/libpg-query.wasm lies beside dist/index.js (scripts of the build copy it). Call before the library is
 * imported: it loads the wasm at import, and a missing file there would be an unhandled rejection.
 */
export function provideBundleDirectory(): void {
  const scope = globalThis as { __dirname?: string };
  scope.__dirname ??= dirname(fileURLToPath(import.meta.url));
}
