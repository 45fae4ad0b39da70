-- one text for what a merge relies on: columns of both tables and the foreign keys to and from them; locks nothing
SELECT coalesce((SELECT string_agg(format('%s %s %s %s %s', a.attrelid, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated), '; ' ORDER BY a.attrelid, a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = ANY (:{oids}) AND a.attnum > 0 AND NOT a.attisdropped), '')
    || coalesce((SELECT string_agg(format(' %s %s %s %s', k.conrelid, k.conname, pg_get_constraintdef(k.oid), k.convalidated), '; ' ORDER BY k.conrelid, k.conname)
                 FROM pg_constraint k WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY (:{oids}) OR k.confrelid = ANY (:{oids}))), '') AS shape
