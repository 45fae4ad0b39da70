import { z } from 'zod';
import { writtenTable } from '../../retire/tables.js';

const column = z.string().min(1);
const expression = z.string().trim().min(1, 'found an empty expression');

export const schema = z.strictObject({
  from: writtenTable.describe('the duplicate: its rows go into the other table, then it is retired'),
  into: writtenTable.describe('the table that stays'),
  key: z
    .array(column)
    .min(1, 'found an empty list, expected the columns that identify a row')
    .describe('columns of `into` that identify a row; each must come from a plain column of `from`'),
  columns: z.record(column, expression).default({}).describe('column of `into`: expression over columns of `from`; same names need no mention'),
  ignore: z.array(column).default([]).describe('columns of `from` that have no place in `into`; they stay in the retired table and its archive'),
  conflicts: z.enum(['fail', 'quarantine'], { error: 'write fail or quarantine' }).default('fail').describe('rows whose key exists with other content'),
  back: z.record(column, expression).default({}).describe('column of `from`: expression over columns of `into`, to carry later changes back in a rollback'),
});
export type MergeTable = z.infer<typeof schema>;
