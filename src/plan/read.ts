import * as fs from 'node:fs/promises';
import { dirname, join, posix, resolve } from 'node:path';
import { block, type Finding } from '../finding.js';
import type { FindingCode } from '../finding-codes.js';
import { readYaml, type YamlFile } from './document.js';
import { closest, keyHint, parseAt } from './faults.js';
import { FileReader, isNamed, locatePlan, planFiles, PlanRefused, within, type Disk, type Named } from './files.js';
import { planDigest, planId } from './identity.js';
import { overlapsOfSteps, type Described } from './overlap.js';
import type { KindReading, Plan, PlanFiles, PlanFrame, PlanStep } from './plan.js';
import { planSchema, reservedKeys, stepKeys, type StepShape } from './schema.js';

export { PlanRefused } from './files.js';

/** The step registry, as far as reading goes: `kinds` of src/steps/index.ts. */
export type Kinds = Readonly<Record<string, { readonly step: StepShape; readonly reading: KindReading }>>;

export interface ReadPlanOptions {
  /** path of the plan file, relative to `root` unless absolute */
  readonly file: string;
  /** the repository: no path of the plan may leave it */
  readonly root: string;
  readonly kinds: Kinds;
  /** where commands run, relative to `root` unless absolute; default (and ''): the plan's folder */
  readonly workingDirectory?: string;
  /** default: the disk */
  readonly read?: Disk;
}

/**
 * Reads a plan file and every file it names.
 * Returns the plan, and its findings (the same as `plan.findings`: hazards and remarks of the kinds, not yet judged by `allow`).
 * Errors: PlanRefused (a UserError with findings) that lists every fault of form at once, each with file:line:column and the fix.
 */
export async function readPlan(options: ReadPlanOptions): Promise<{ readonly plan: Plan; readonly findings: readonly Finding[] }> {
  const disk = options.read ?? fs;
  const located = await locatePlan(disk, options.file, options.root);
  const bytes = await disk.readFile(located.path);
  const draft = parsePlan(decode(bytes, located.shown), located.shown, options.kinds);

  const working =
    options.workingDirectory === undefined || options.workingDirectory === ''
      ? located.dir
      : await realOr(disk, resolve(located.root, options.workingDirectory));
  const reader = new FileReader(disk, located.dir, located.root, working);
  const unreadable = new Set<string>();
  for (const named of namedFiles(draft, options.kinds)) if (!(await reader.add(named))) unreadable.add(named.step ?? '');
  for (const named of namedCommands(draft, options.kinds)) await reader.addCommand(named);

  const plan = await finish(draft, {
    kinds: options.kinds,
    dir: located.dir,
    bytes,
    files: reader.files,
    faults: [...draft.faults, ...reader.faults],
    unreadable,
  });
  return { plan, findings: plan.findings };
}

/**
 * `readPlan` for a path as the input `plan` gives it (relative to the current folder). The repository is the nearest folder above the plan
 * that holds `.git`; without one the current folder, or the plan's own folder when it lies outside that.
 */
export async function readPlanFile(file: string, kinds: Kinds, workingDirectory = ''): Promise<Plan> {
  const path = resolve(file);
  const root = (await repositoryOf(dirname(path))) ?? (within(resolve('.'), path) ? resolve('.') : dirname(path));
  const { plan } = await readPlan({ file: path, root, kinds, workingDirectory: workingDirectory === '' ? '' : resolve(workingDirectory) });
  return plan;
}

async function repositoryOf(folder: string): Promise<string | null> {
  const found = await fs.stat(join(folder, '.git')).then(
    () => true,
    () => false,
  );
  return found ? folder : dirname(folder) === folder ? null : repositoryOf(dirname(folder));
}

/**
 * The same from what the journal stored: the plan's text, the path it had, and the bytes of its files by relative path.
 * Errors: PlanRefused, also when a file that the plan names was not stored.
 */
export async function planFromFiles(text: string, file: string, stored: ReadonlyMap<string, Uint8Array>, kinds: Kinds): Promise<Plan> {
  const files = planFiles(stored);
  const draft = parsePlan(text, file, kinds);
  const missing = namedFiles(draft, kinds).filter((named) => !isNamed(files, named.path));
  const faults = missing.map(({ path, at, step }) =>
    block('plan-file-missing', `"${path}" is not among the stored files`, {
      at,
      object: path,
      hint: 'The stored plan is incomplete; restore the journal from a backup.',
      ...(step === undefined ? {} : { step }),
    }),
  );
  return finish(draft, {
    kinds,
    dir: '',
    bytes: Buffer.from(text, 'utf8'),
    files,
    faults: [...draft.faults, ...faults],
    unreadable: new Set(missing.map((named) => named.step ?? '')),
  });
}

type Frame = ReturnType<(typeof planSchema)['parse']>;

interface Draft {
  readonly text: string;
  readonly file: string;
  readonly yaml: YamlFile;
  readonly frame: Frame | null;
  /** the steps that are well formed, with their place in the list */
  readonly steps: readonly (PlanStep & { readonly index: number })[];
  readonly faults: readonly Finding[];
}

function parsePlan(text: string, file: string, kinds: Kinds): Draft {
  const yaml = readYaml(text, file);
  const stop = (faults: readonly Finding[]): Draft => ({ text, file, yaml, frame: null, steps: [], faults });
  if (yaml.faults.length > 0) return stop(yaml.faults);
  const at = { file, line: 1, column: 1 };
  if (yaml.value === null)
    return stop([block('plan-invalid', 'the file is empty', { at, hint: 'A plan starts with "name:" and "steps:"; see the example in the README.' })]);
  if (typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    return stop([
      block('plan-invalid', `found ${Array.isArray(yaml.value) ? 'a list' : 'a single value'}, expected a map`, {
        at,
        hint: 'A plan is a map with the keys "name:" and "steps:".',
      }),
    ]);
  }
  const value = yaml.value as Record<string, unknown>;
  const reserved = Object.keys(reservedKeys).filter((key) => key in value);
  const faults: Finding[] = reserved.map((key) =>
    block('plan-reserved-key', `"${key}" is kept free for later: ${reservedKeys[key] ?? ''}`, {
      at: yaml.atKey([key]),
      hint: 'Remove it; write one plan per database.',
    }),
  );
  const { parsed: frame, faults: frameFaults } = parseAt(planSchema, Object.fromEntries(Object.entries(value).filter(([key]) => !reserved.includes(key))), {
    yaml,
    path: [],
  });
  faults.push(...frameFaults);
  const steps: (PlanStep & { readonly index: number })[] = [];
  const seen = new Map<string, number>();
  for (const [index, raw] of (Array.isArray(value['steps']) ? (value['steps'] as unknown[]) : []).entries()) {
    const { step, faults: stepFaults } = parseStep(raw, index, yaml, kinds);
    faults.push(...stepFaults);
    const id = (raw as { id?: unknown } | null)?.id;
    if (typeof id === 'string') {
      const first = seen.get(id);
      if (first !== undefined) {
        faults.push(
          block('plan-duplicate-step', `two steps have the id "${id}"`, {
            at: yaml.at(['steps', index, 'id']),
            hint: `Give this one another id; the first is on line ${String(yaml.at(['steps', first, 'id']).line ?? 0)}.`,
          }),
        );
      } else seen.set(id, index);
    }
    if (step !== null) steps.push({ ...step, index });
  }
  return { text, file, yaml, frame, steps, faults };
}

/** The form of a step: id, on, and exactly one further key, its kind. */
function parseStep(raw: unknown, index: number, yaml: YamlFile, kinds: Kinds): { readonly step: PlanStep | null; readonly faults: readonly Finding[] } {
  const path = ['steps', index] as const;
  const at = yaml.at(path);
  const form = 'A step is {id, on?, <exactly one kind>}.';
  const fault = (code: FindingCode, message: string, hint: string, where = at, step?: string): Finding =>
    block(code, message, { at: where, hint, ...(step === undefined ? {} : { step }) });
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    return { step: null, faults: [fault('plan-step-kind', `step ${String(index + 1)} is not a map`, `${form} Kinds: ${Object.keys(kinds).join(', ')}.`)] };
  const map = raw as Record<string, unknown>;
  const id = typeof map['id'] === 'string' ? map['id'] : undefined;
  const faults: Finding[] = [];
  const own = {
    id: parseAt(stepKeys.id, map['id'] ?? '', { yaml, path: [...path, 'id'], label: 'id' }),
    on: parseAt(stepKeys.on, map['on'], { yaml, path: [...path, 'on'], label: 'on', ...(id === undefined ? {} : { step: id }) }),
  };
  if (map['id'] === undefined)
    faults.push(fault('plan-missing-key', `step ${String(index + 1)} has no id`, 'Add "id:", a short name that is unique in the plan.'));
  else faults.push(...own.id.faults);
  faults.push(...own.on.faults);
  const others = Object.keys(map).filter((key) => !(key in stepKeys));
  const known = others.filter((key) => Object.hasOwn(kinds, key));
  const unknown = others.filter((key) => !Object.hasOwn(kinds, key));
  for (const key of unknown) {
    const near = closest(key, known.length === 0 ? Object.keys(kinds) : Object.keys(stepKeys));
    const hint =
      known.length === 0
        ? keyHint(key, Object.keys(kinds))
        : near === null
          ? `Remove it, or move it below "${known[0] ?? ''}:". ${form}`
          : `Did you mean "${near}"?`;
    faults.push(fault('plan-unknown-key', known.length === 0 ? `unknown kind "${key}"` : `unknown key "${key}"`, hint, yaml.atKey([...path, key]), id));
  }
  if (others.length === 0) faults.push(fault('plan-step-kind', 'the step has no kind', `${form} Kinds: ${Object.keys(kinds).join(', ')}.`, at, id));
  if (known.length > 1)
    faults.push(
      fault(
        'plan-step-kind',
        `the step has ${String(known.length)} kinds: ${known.join(', ')}`,
        `${form} Make it ${String(known.length)} steps.`,
        yaml.atKey([...path, known[1] ?? '']),
        id,
      ),
    );
  const specs = known.flatMap((kind) => {
    const shape = kinds[kind]?.step;
    return shape === undefined
      ? []
      : [{ kind, ...parseAt(shape.schema, map[kind], { yaml, path: [...path, kind], ...(id === undefined ? {} : { step: id }) }) }];
  });
  faults.push(...specs.flatMap((spec) => spec.faults));
  const [spec] = specs;
  if (faults.length > 0 || spec === undefined || own.id.parsed === null || own.on.parsed === null) return { step: null, faults };
  return { step: { id: own.id.parsed, kind: spec.kind, on: own.on.parsed, spec: spec.parsed, at }, faults };
}

function namedFiles(draft: Draft, kinds: Kinds): readonly Named[] {
  return draft.steps.flatMap((step) =>
    (kinds[step.kind]?.reading.files(step.spec) ?? []).map((path) => ({ path, at: draft.yaml.atText(['steps', step.index, step.kind], path), step: step.id })),
  );
}

function namedCommands(draft: Draft, kinds: Kinds): readonly Named[] {
  const { frame, yaml } = draft;
  const own: readonly (readonly [string | null | undefined, readonly string[]])[] = [
    [frame?.maintenance?.on, ['maintenance', 'on']],
    [frame?.maintenance?.off, ['maintenance', 'off']],
    [frame?.verify.test, ['verify', 'test']],
    [frame?.deploy?.run, ['deploy', 'run']],
    [frame?.deploy?.undo, ['deploy', 'undo']],
  ];
  return [
    ...own.flatMap(([command, path]) => (command === null || command === undefined ? [] : [{ path: command, at: yaml.at(path) }])),
    ...draft.steps.flatMap((step) =>
      (kinds[step.kind]?.reading.commands(step.spec) ?? []).map((command) => ({
        path: command,
        at: yaml.atText(['steps', step.index, step.kind], command),
        step: step.id,
      })),
    ),
  ];
}

interface Finish {
  readonly kinds: Kinds;
  readonly dir: string;
  readonly bytes: Uint8Array;
  readonly files: PlanFiles;
  readonly faults: readonly Finding[];
  /** ids of steps whose files are not all there: their content cannot be judged */
  readonly unreadable: ReadonlySet<string>;
}

async function finish(draft: Draft, { kinds, dir, bytes, files, faults, unreadable }: Finish): Promise<Plan> {
  const { frame, yaml } = draft;
  const planFrame: PlanFrame = {
    schemas: frame?.schemas ?? ['public'],
    recycleConnections: frame?.['recycle-connections'] ?? false,
    strict: frame?.strict ?? false,
  };
  const findings: Finding[] = [];
  const described: Described[] = [];
  for (const step of draft.steps) {
    const kind = kinds[step.kind];
    if (kind === undefined) continue;
    const { step: shape, reading } = kind;
    const footprint = shape.describe(step.spec, planFrame);
    const beyond = unreadable.has(step.id) ? undefined : await reading.touches?.(step.spec, files, planFrame);
    described.push({ id: step.id, on: step.on, at: step.at, footprint: { ...footprint, touches: [...footprint.touches, ...(beyond ?? [])] } });
    if (unreadable.has(step.id)) continue;
    const found = await reading.check(step.spec, files, (path) => yaml.at(['steps', step.index, step.kind, ...path]));
    findings.push(...found.map((finding) => ({ step: step.id, ...finding, ...placed(finding, draft.file, files) })));
  }
  const all = [...faults, ...overlapsOfSteps(described)];
  if (all.length > 0 || frame === null) throw new PlanRefused(inOrder([...all, ...findings.filter((finding) => finding.severity === 'block')]));
  const digest = planDigest(bytes, files);
  return {
    ...planFrame,
    name: frame.name,
    file: draft.file,
    dir,
    source: draft.text,
    digest,
    id: planId(digest),
    retentionMs: frame.retention,
    maxLockMs: frame['max-lock'],
    steps: draft.steps.map(({ id, kind, on, spec, at }) => ({ id, kind, on, spec, at })),
    verify: {
      test: frame.verify.test ?? null,
      queries: frame.verify.queries,
      workload: frame.verify.workload.map(({ name, sql, 'max-ratio': maxRatio }) => ({ name, sql, maxRatio })),
    },
    watch: { health: frame.watch.health ?? null, queries: frame.watch.queries },
    maintenance: frame.maintenance ?? null,
    deploy: frame.deploy === undefined ? null : { run: frame.deploy.run, undo: frame.deploy.undo ?? null },
    files,
    findings,
  };
}

/** Kinds name a file as the plan does; people and annotations need its path in the repository. */
const placed = ({ at }: Finding, plan: string, files: PlanFiles): Pick<Finding, 'at'> =>
  at !== undefined && files.names.includes(at.file) ? { at: { ...at, file: posix.join(posix.dirname(plan), at.file) } } : {};

const inOrder = (findings: readonly Finding[]): readonly Finding[] =>
  [...findings].sort((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0) || (a.at?.column ?? 0) - (b.at?.column ?? 0));

function decode(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new PlanRefused([block('plan-syntax', 'the plan file is not valid UTF-8', { at: { file, line: 1, column: 1 }, hint: 'Save it as UTF-8.' })]);
  }
}

const realOr = async (disk: Disk, path: string): Promise<string> => disk.realpath(path).catch(() => path);
