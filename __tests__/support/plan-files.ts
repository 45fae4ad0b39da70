import type { PlanFiles } from '../../src/plan/plan.js';

/** The files of a plan, in memory. */
export function filesOf(files: Readonly<Record<string, string>>): PlanFiles {
  const text = (path: string): string => {
    const found = files[path];
    if (found === undefined) throw new Error(`the plan does not name ${path}`);
    return found;
  };
  return { names: Object.keys(files).sort(), text, bytes: (path) => new TextEncoder().encode(text(path)) };
}
