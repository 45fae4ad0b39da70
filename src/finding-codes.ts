/**
 * Every finding code there is, with the sentence that the docs print for it. Codes are stable: workflows and
 * `allow:` name them. docs/findings.md is generated from this table, and every code needs a case
 * `__tests__/cases/<area>/<code>/` (a test compares the lists), so an undocumented or untested code cannot exist.
 * Add a code in the section of the room that raises it.
 */
export const findingCodes = {
  // plan and inputs (src/plan, src/inputs.ts)
  'plan-invalid': 'The plan file does not match the schema; each fault is listed with its place.',
  'input-missing': 'An input that this phase needs is empty.',
  'input-invalid': 'An input has a value that cannot be used.',
  // journal and binding (src/journal, src/phases)
  'held-by-run': 'A step touches a relation that an open run still holds; wait for its cleanup or roll it back.',
  'already-done': 'The step found its work done; it changes nothing and passes.',
  // steps, common
  'table-not-found': 'A relation that the plan names does not exist.',
  'not-owner': 'The role must own the object (or be a member of the owner) to change it.',
} as const satisfies Record<string, string>;

export type FindingCode = keyof typeof findingCodes;
