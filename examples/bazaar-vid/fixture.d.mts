export type Fixture = 'production' | 'production-duplicates' | 'development' | 'development-uuid' | 'production-after' | 'development-after';
/** The SQL files that make each database, in order. */
export const databases: Readonly<Record<Fixture, readonly string[]>>;
/**
 * Builds one database of the scenario.
 * @param url connection URL of an empty database
 * @param options scale: 1 (default), 10, 100 …; a fraction makes a smaller production
 */
export function build(url: string, which: Fixture, options?: { readonly scale?: number }): Promise<void>;
