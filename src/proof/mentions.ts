import type { Relation } from '../names.js';
/** placeholder */
export interface Mention {
  readonly file: string;
  readonly line: number;
  readonly as: string;
  readonly declares: boolean;
}
export type Sources = (table: Relation, prefix: string) => Promise<readonly Mention[]>;
