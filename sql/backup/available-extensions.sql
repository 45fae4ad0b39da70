-- extensions that this server can offer in this database: installed, or installable by this role; locks nothing
SELECT a.name, a.installed_version IS NOT NULL AS installed,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user)
       OR EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v WHERE v.name = a.name AND v.version = a.default_version AND (NOT v.superuser OR v.trusted) AND pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE')) AS installable
FROM pg_catalog.pg_available_extensions a
