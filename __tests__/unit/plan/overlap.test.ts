import { describe, expect, test } from '@jest/globals';
import { overlaps } from '../../../src/plan/overlap.js';
import type { Footprint } from '../../../src/plan/schema.js';

const r = (name: string, schema = 'public'): { schema: string; name: string } => ({ schema, name });
const step = (touches: readonly string[], more: Partial<Footprint> = {}): Footprint => ({
  touches: touches.map((t) => r(t)),
  schemas: [],
  anything: false,
  ...more,
});

describe('two steps', () => {
  test('meet when both touch one relation, whatever else they touch', () => {
    expect(overlaps(step(['a', 'b']), step(['c', 'b']), { between: 'steps' })).toEqual({ object: 'public.b', why: 'both touch public.b' });
    expect(overlaps(step(['a']), step(['b']), { between: 'steps' })).toBeNull();
    expect(overlaps(step(['a']), { ...step([]), touches: [r('a', 'other')] }, { between: 'steps' })).toBeNull();
  });

  test('meet when one retires the schema of the other, or both the same one', () => {
    const schema = step([], { schemas: ['public'] });
    expect(overlaps(schema, step(['a']), { between: 'steps' })?.object).toBe('public.a');
    expect(overlaps(step(['a']), schema, { between: 'steps' })?.object).toBe('public.a');
    expect(overlaps(schema, schema, { between: 'steps' })?.object).toBe('public');
    expect(overlaps(step([], { schemas: ['x'] }), schema, { between: 'steps' })).toBeNull();
  });

  test('meet when a foreign key whose key changes ties what they touch, in either direction', () => {
    const ties = [{ from: r('child'), to: r('parent'), constraint: 'child_fk' }];
    expect(overlaps(step(['child']), step(['parent']), { between: 'steps', ties })?.object).toBe('child_fk');
    expect(overlaps(step(['parent']), step(['child']), { between: 'runs', ties })?.object).toBe('child_fk');
    expect(overlaps(step(['child']), step(['other']), { between: 'runs', ties })).toBeNull();
  });

  test('do not meet over a self-reference', () => {
    expect(overlaps(step(['a']), step(['b']), { between: 'runs', ties: [{ from: r('a'), to: r('a'), constraint: 'self' }] })).toBeNull();
  });

  test('of one plan do not meet only because one may touch anything; a step and an open run do', () => {
    const drizzle = step(['new'], { anything: true });
    expect(overlaps(step(['a']), drizzle, { between: 'steps' })).toBeNull();
    expect(overlaps(step(['new']), drizzle, { between: 'steps' })?.object).toBe('public.new');
    expect(overlaps(step(['a']), drizzle, { between: 'runs' })?.object).toBe('public.a');
    expect(overlaps(drizzle, drizzle, { between: 'runs' })).not.toBeNull();
    expect(overlaps(step([]), drizzle, { between: 'runs' })).toBeNull();
  });
});
