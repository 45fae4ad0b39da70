import type { Event } from './event.js';
import { amount, duration } from './text.js';

type Progress = Extract<Event, { type: 'progress' }>;

/** Turns progress events into lines with rate and time left: one per second and item at most, and always the last one. */
export interface ProgressMeter {
  /** the line to print now, or null when one was printed within the last second */
  line(event: Progress): string | null;
}

/** @param now milliseconds of any clock that only moves forward */
export function progressMeter(now: () => number): ProgressMeter {
  const items = new Map<string, { readonly since: number; readonly first: number; printed: number; finished: boolean }>();
  return {
    line(event) {
      const key = `${event.step}\u0000${event.what}`;
      const at = now();
      let item = items.get(key);
      if (item === undefined || (item.finished && event.done !== event.of)) {
        item = { since: at, first: event.done, printed: Number.NEGATIVE_INFINITY, finished: false };
        items.set(key, item);
      }
      const last = event.of !== null && event.done >= event.of;
      if (item.finished || (!last && at - item.printed < 1000)) return null;
      item.printed = at;
      item.finished = last;
      const seconds = (at - item.since) / 1000;
      const rate = seconds > 0 ? (event.done - item.first) / seconds : 0;
      const speed = rate > 0 ? `, ${amount(Math.round(rate), event.unit)}/s` : '';
      const left = !last && rate > 0 && event.of !== null ? `, about ${duration(((event.of - event.done) / rate) * 1000)} left` : '';
      const of = event.of === null ? '' : ` of ${amount(event.of, event.unit)}`;
      return `${event.step}: ${event.what}, ${amount(event.done, event.unit)}${of}${speed}${left}`;
    },
  };
}
