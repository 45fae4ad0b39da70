export interface Summary {
  readonly clients: number;
  /** writes (transactions) that the server acknowledged */
  readonly acknowledged: number;
  /** rows that those inserted, updated or deleted */
  readonly rows: number;
  /** acknowledged writes by kind */
  readonly operations: Readonly<Record<string, number>>;
  /** attempts that the server refused, by SQLSTATE; 23503 with its constraint */
  readonly errors: Readonly<Record<string, number>>;
  /** attempts made again after such an error */
  readonly retried: number;
  /** writes given up after all attempts */
  readonly abandoned: number;
  /** connections opened anew because a named statement no longer fitted */
  readonly recycled: number;
  /** connections opened anew because they were lost */
  readonly reconnected: number;
  /** writes of which it is not known whether they were committed */
  readonly ambiguous: number;
  /** statements that found no row where there must be one */
  readonly missed: readonly { readonly operation: string; readonly table: string; readonly id: string }[];
  /** longest time that any one statement (COMMIT included) took at the client */
  readonly maxStallMs: number;
  readonly p99Ms: number;
  readonly medianMs: number;
  /** the longest statements, longest first */
  readonly stalls: readonly { readonly at: string; readonly operation: string; readonly ms: number }[];
}

export interface Verified {
  /** writes acknowledged so far */
  readonly acknowledged: number;
  /** rows compared: every row ever written, the deleted ones too */
  readonly rows: number;
  /** writes cut off at the commit: either outcome is right, but the same for all rows of one */
  readonly ambiguous: number;
  /** rows that are not as the server had acknowledged */
  readonly lost: readonly { readonly table: string; readonly id: string; readonly expected: string; readonly found: string }[];
}

export interface Writers {
  /** resolves when no write is under way */
  pause(): Promise<void>;
  resume(): void;
  summary(): Summary;
  /** resolves when every client has ended; errors: a fault in the writers themselves */
  stop(): Promise<Summary>;
  /** compares every row ever written with the database, which must be quiet: paused or stopped */
  verify(url: string): Promise<Verified>;
}

export interface WriterOptions {
  /** connections, default 8: every other one uses named prepared statements, every fourth REPEATABLE READ */
  readonly clients?: number;
  /** writes per second of all clients together, default 200; 0: as fast as they can */
  readonly rate?: number;
  /** of the sequence of operations, default 1 */
  readonly seed?: number;
  /** path of a file to which every acknowledged write is appended, one JSON object a line */
  readonly log?: string;
}

/** @param url connection URL of a database of the scenario */
export function startWriters(url: string, options?: WriterOptions): Promise<Writers>;
