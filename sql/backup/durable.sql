-- after the restore of a private server: commits reach the disk again, so that timings are those of a real server
ALTER SYSTEM SET fsync = on
