-- memory for the anti-joins of this transaction: a hash that fits the processor's cache beats a bigger one; locks nothing
SELECT pg_catalog.set_config('work_mem', '64MB', true)
