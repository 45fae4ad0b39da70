import { z } from 'zod';
import { parseDuration } from '../inputs.js';
import { isOurs } from '../names.js';
import type { PlanFrame } from './plan.js';

/** One step kind as the reader sees it: its schema and what its specs touch. `Step` of src/steps/step.ts is one; plan/ lies below steps/ and cannot name it. */
export interface StepShape {
  readonly schema: z.ZodType;
  describe(spec: unknown, plan: PlanFrame): Footprint;
}

/** What a step changes, as far as the overlap of steps goes; an Intent of src/steps/step.ts is one. */
export interface Footprint {
  readonly touches: readonly { readonly schema: string; readonly name: string }[];
  readonly schemas: readonly string[];
  readonly anything: boolean;
}

const duration = (example: string, least: string, most: string): z.ZodType<number, string> =>
  z
    .string({ error: (issue) => (issue.input === undefined ? undefined : `found ${JSON.stringify(issue.input)}, expected a duration such as ${example}`) })
    .refine(
      (text) => {
        const ms = parseDuration(text);
        return ms !== null && ms >= (parseDuration(least) ?? 0) && ms <= (parseDuration(most) ?? 0);
      },
      { error: (issue) => `found "${String(issue.input)}", expected a duration from ${least} to ${most} such as ${example}` },
    )
    .transform((text) => parseDuration(text) ?? 0);

const text = z.string().trim().min(1, 'found an empty text, expected some');
const command = text.describe('a command; it runs in the working directory (default: the folder of the plan)');
const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const asText = (value: string | number | boolean | null): string | null => (value === null ? null : String(value));

/** A scalar is the text of a one-row, one-column answer; null in it means NULL. */
const expected = z
  .union([scalar, z.array(z.array(scalar))], { error: 'expected a scalar, or rows such as [[a, 1], [b, 2]]' })
  .transform((value): string | (string | null)[][] => (Array.isArray(value) ? value.map((row) => row.map(asText)) : (asText(value) ?? [[null]])))
  .describe('what the query must answer: one value, or all rows in order; compared as text');

const query = z.strictObject({ name: text, sql: text, expect: expected });

/** `none` says aloud that nothing can be undone. */
const undo = command.transform((value) => (value === 'none' ? null : value));

const schemaName = z
  .string()
  .min(1)
  .refine((name) => !isOurs(name) && !name.startsWith('pg_') && name !== 'information_schema', {
    error: (issue) => `schema "${String(issue.input)}" is not the plan's to touch`,
  });

/** Keys of the plan file that SPEC keeps free for later. */
export const reservedKeys: Readonly<Record<string, string>> = { databases: 'one plan over many databases' };

/** A step's own keys beside its kind. */
export const stepKeys = {
  id: z
    .string()
    .regex(/^[a-z0-9][a-z0-9_-]{0,47}$/, { error: (issue) => `found "${String(issue.input)}", expected at most 48 lower-case letters, digits, "-" and "_"` })
    .describe('unique in the plan; names the step in reports, in the journal and in `allow: keep-<id>`'),
  on: z.enum(['production', 'development']).default('production').describe('the database that the step changes'),
};

/** Everything of the plan file but the insides of its steps. Durations become milliseconds. */
export const planSchema = z.strictObject({
  name: text.describe('what the plan is called in reports and in the journal'),
  retention: duration('7d', '1m', '365d').prefault('7d').describe('how long everything stays reversible'),
  'max-lock': duration('1s', '50ms', '60s').prefault('1s').describe('budget for any lock that blocks writers'),
  schemas: z
    .array(schemaName)
    .min(1, 'found an empty list, expected at least one schema such as [public]')
    .refine((names) => new Set(names).size === names.length, 'a schema is named twice')
    .default(['public'])
    .describe('what the plan may touch and what is compared'),
  maintenance: z.strictObject({ on: command, off: command }).optional().describe('commands around the change'),
  steps: z.array(z.unknown()).min(1, 'found an empty list, expected at least one step'),
  verify: z
    .strictObject({
      test: command.optional().describe('application test command, run against the clone with DATABASE_URL set'),
      queries: z.array(query).default([]),
      workload: z
        .array(z.strictObject({ name: text, sql: text, 'max-ratio': z.number().positive().default(1.2) }))
        .default([])
        .describe('timed before and after, on the clone'),
    })
    .default({ queries: [], workload: [] }),
  watch: z
    .strictObject({ health: z.url({ protocol: /^https?$/, error: 'expected an http or https URL' }).optional(), queries: z.array(query).default([]) })
    .default({ queries: [] }),
  deploy: z.strictObject({ run: command, undo: undo.optional() }).optional().describe('deploy hook after verification, and what takes it back'),
  strict: z.boolean().default(false),
  'recycle-connections': z.boolean().default(false),
});

/** JSON Schema of the whole plan file, for editors; every step kind is one branch. */
export function planJsonSchema(kinds: Readonly<Record<string, { readonly step: { readonly schema: z.ZodType } }>>): unknown {
  const options = { io: 'input', unrepresentable: 'any', target: 'draft-7' } as const;
  const plan = z.toJSONSchema(planSchema, options) as { properties: Record<string, Record<string, unknown>> };
  const own = Object.fromEntries(Object.entries(stepKeys).map(([key, schema]) => [key, bare(z.toJSONSchema(schema, options))]));
  const branches = Object.entries(kinds).map(([kind, { step }]) => ({
    type: 'object',
    properties: { ...own, [kind]: bare(z.toJSONSchema(step.schema, options)) },
    required: ['id', kind],
    additionalProperties: false,
  }));
  const steps = { ...plan.properties['steps'], items: { anyOf: branches } };
  return { ...plan, title: 'Lossless migration plan', properties: { ...plan.properties, steps } };
}

const bare = (schema: object): object => Object.fromEntries(Object.entries(schema).filter(([key]) => key !== '$schema'));
